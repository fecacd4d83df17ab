"""What only the journal in memory has: a copy, the disk that survives a simulated crash."""

from questd.runtime.journal.memory import MemoryStore
from questd.runtime.journal.store import KeyTaken
from tests.journal.conftest import WallClock
from tests.journal.making import Stands, make_append


def test_a_copy_holds_all_and_goes_on_alone(clock: WallClock) -> None:
    store = MemoryStore(journal_id="j_1", clock_us=clock)
    store.commit([make_append("q_1", 0, 2, key="k"), make_append("q_2", 0)])
    store.close()
    twin = store.copy()
    assert twin.journal_id == "j_1"
    assert twin.follow(0) == store.follow(0)
    assert list(twin.heads()) == list(store.heads())
    assert twin.commit([make_append("q_3", 0, key="k"), make_append("q_1", 2)]) == [
        KeyTaken("q_3", "k", "q_1"),
        Stands("q_1", 3),
    ]
    assert store.last_seq() == 3
    assert len(store.events("q_1")) == 2
