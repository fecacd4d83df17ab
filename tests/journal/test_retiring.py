"""What every journal promises of quests that have ended and go: whole families, never too early."""

from questd.runtime.journal.selection import DAY_US
from questd.runtime.journal.store import JournalStore, KeyTaken, VersionConflict
from tests.journal.conftest import WallClock
from tests.journal.making import (
    DEFINITION,
    DIGEST,
    ENOUGH,
    TEXT,
    TEXT_DIGEST,
    Stands,
    end,
    make_append,
    retire_all,
)


def test_retention_by_age_takes_ended_quests_only(store: JournalStore) -> None:
    store.commit([*end("q_1", 10), *end("q_2", 20), make_append("q_3", 0, 30)])
    assert retire_all(store, before_us=20)
    assert [h.quest for h in store.heads()] == ["q_2", "q_3"]
    assert store.events("q_1") == []
    assert {r.quest for r in store.follow(0)} == {"q_2", "q_3"}
    assert store.commit([make_append("q_1", 2)]) == [VersionConflict("q_1", 2, 0)]


def test_retention_by_number_keeps_the_latest_ended(store: JournalStore) -> None:
    for i in range(1, 7):
        store.commit(end(f"q_{i}", 100 - i))
    store.commit([make_append("q_9", 0)])
    retire_all(store, before_us=0, keep=2)
    assert [h.quest for h in store.heads()] == ["q_1", "q_2", "q_9"]


def test_nothing_past_the_watermark_is_retired(store: JournalStore) -> None:
    store.commit(end("q_1", 10))
    store.commit(end("q_2", 5))
    assert store.retire(ENOUGH, 0, 1) == 0
    retire_all(store, before_us=ENOUGH, keep=0, watermark=2)
    assert [h.quest for h in store.heads()] == ["q_2"]


def test_a_family_is_retired_as_one(store: JournalStore) -> None:
    store.commit([*end("q_1", 20), *end("q_1.3", 5), *end("q_1.3.4", 4), *end("q_10", 30)])
    retire_all(store, before_us=15)
    assert len(list(store.heads())) == 4
    retire_all(store, before_us=25)
    assert [h.quest for h in store.heads()] == ["q_10"]
    assert {r.quest for r in store.follow(0)} == {"q_10"}


def test_children_do_not_count_as_quests_to_keep(store: JournalStore) -> None:
    store.commit([*end("q_1", 1), *end("q_1.3", 2), *end("q_2", 3), *end("q_2.3", 4)])
    retire_all(store, before_us=0, keep=1)
    assert [h.quest for h in store.heads()] == ["q_2", "q_2.3"]


def test_no_quest_is_retired_before_its_children_have_ended_and_are_in_the_history(
    store: JournalStore,
) -> None:
    store.commit([*end("q_1", 1), make_append("q_1.3", 0)])
    retire_all(store, before_us=ENOUGH)
    assert [h.quest for h in store.heads()] == ["q_1", "q_1.3"]
    store.commit([make_append("q_1.3", 1, status="cancelled", finished_us=2)])
    retire_all(store, before_us=ENOUGH, watermark=store.last_seq() - 1)
    assert len(list(store.heads())) == 2
    retire_all(store, before_us=ENOUGH)
    assert list(store.heads()) == []


def test_a_large_quest_goes_at_once_for_its_readers(store: JournalStore) -> None:
    store.commit(
        [make_append("q_1", 0, 50), make_append("q_1", 50, status="failed", finished_us=1)]
    )
    store.commit([make_append("q_2", 0, 5)])
    assert store.retire(ENOUGH, 0, ENOUGH, limit=10) > 0
    assert store.head("q_1") is None
    assert store.events("q_1") == []
    assert list(store.heads()) == [store.head("q_2")]
    retire_all(store, before_us=ENOUGH, keep=0)
    assert {r.quest for r in store.follow(0)} == {"q_2"}


def test_seq_goes_on_after_everything_is_gone(store: JournalStore) -> None:
    store.commit(end("q_1", 1))
    retire_all(store, before_us=ENOUGH)
    assert store.last_seq() == 2
    assert store.follow(0) == []
    store.commit([make_append("q_2", 0)])
    assert [r.seq for r in store.follow(0)] == [3]


def test_payloads_and_definitions_go_with_the_last_quest_that_needs_them(
    store: JournalStore,
) -> None:
    blobs = ((TEXT_DIGEST, TEXT),)
    store.commit([*end("q_1", 1, blobs=blobs), *end("q_2", 2, blobs=blobs)])
    retire_all(store, before_us=2)
    assert store.blob(TEXT_DIGEST) == TEXT
    assert store.definition(DIGEST) == DEFINITION
    retire_all(store, before_us=3)
    assert store.blob(TEXT_DIGEST) is None
    assert store.definition(DIGEST) is None


def test_a_definition_stays_for_a_quest_that_only_names_it(store: JournalStore) -> None:
    store.commit(end("q_1", 1))
    store.commit([make_append("q_2", 0, definition=None)])
    retire_all(store, before_us=ENOUGH)
    assert store.definition(DIGEST) == DEFINITION


def test_a_tombstone_keeps_the_key_for_ninety_days(store: JournalStore, clock: WallClock) -> None:
    store.commit(end("q_1", 1, key="k"))
    retire_all(store, before_us=2)
    clock.now_us += 90 * DAY_US - 1
    store.retire(0, ENOUGH, ENOUGH)
    assert store.commit([make_append("q_2", 0, key="k")]) == [KeyTaken("q_2", "k", "q_1")]
    clock.now_us += 1
    assert store.commit([make_append("q_3", 0, key="k")]) == [Stands("q_3", 1)]
    store.retire(0, ENOUGH, ENOUGH)
    assert store.commit([make_append("q_4", 0, key="k")]) == [KeyTaken("q_4", "k", "q_3")]
