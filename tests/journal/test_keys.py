"""Idempotency keys, of every implementation of the journal."""

from questd.runtime.journal.store import JournalStore
from tests.journal.making import ENOUGH, end, make_append, retire_all


def test_a_key_tells_who_holds_it_also_when_its_quest_is_gone(store: JournalStore) -> None:
    store.commit([*end("q_1", 1, key="mine"), make_append("q_2", 0)])
    assert store.holder("mine") == "q_1"
    assert store.holder("yours") is None
    retire_all(store, before_us=ENOUGH)
    assert store.head("q_1") is None
    assert store.holder("mine") == "q_1"
