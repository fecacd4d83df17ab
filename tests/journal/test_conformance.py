"""What every journal promises, whoever implements it."""

from typing import Any

import pytest

from questd.messages.events import QuestCancelled, encode_event
from questd.messages.heads import ListFilter, Wait, Want
from questd.runtime.errors import JournalBroken
from questd.runtime.journal.store import (
    Append,
    Appended,
    JournalStore,
    KeyTaken,
    NewEvent,
    VersionConflict,
)
from tests.journal.making import (
    BODY,
    DEFINITION,
    DIGEST,
    KIND,
    TEXT,
    TEXT_DIGEST,
    Stands,
    end,
    make_append,
    make_head,
    retire_all,
)


def test_events_are_numbered_from_one_and_come_back_as_written(store: JournalStore) -> None:
    assert store.commit([make_append("q_1", 0, 3)]) == [Stands("q_1", 3)]
    records = store.events("q_1")
    assert [(r.seq, r.quest, r.n, r.at_us) for r in records] == [
        (1, "q_1", 1, 1_001),
        (2, "q_1", 2, 1_002),
        (3, "q_1", 3, 1_003),
    ]
    assert {(r.kind, r.schema, r.body) for r in records} == {(KIND, 1, BODY)}


def test_later_items_of_a_batch_see_the_earlier_ones(store: JournalStore) -> None:
    items = [make_append("q_1", 0, 2), make_append("q_1", 2, 1), make_append("q_1", 3, 2)]
    assert store.commit(items) == [Stands("q_1", n) for n in (2, 3, 5)]
    assert [r.n for r in store.events("q_1")] == [1, 2, 3, 4, 5]


def test_a_wrong_version_is_refused_alone_and_leaves_no_trace(store: JournalStore) -> None:
    store.commit([make_append("q_1", 0, 2)])
    answers = store.commit(
        [make_append("q_2", 0), make_append("q_1", 1), make_append("q_3", 4), make_append("q_1", 2)]
    )
    assert answers == [
        Stands("q_2", 1),
        VersionConflict("q_1", 1, 2),
        VersionConflict("q_3", 4, 0),
        Stands("q_1", 3),
    ]
    assert store.head("q_3") is None
    assert store.events("q_3") == []
    assert [r.n for r in store.events("q_1")] == [1, 2, 3]


def test_an_empty_batch_is_fine(store: JournalStore) -> None:
    assert store.commit([]) == []


def test_the_head_is_replaced_with_every_append(store: JournalStore) -> None:
    wants = (Want("q_1", "step", "agent", ("a", "b"), None, 5, 77),)
    waits = (Wait("step", "timer", "", 5, None),)
    changes: dict[str, Any] = {
        "labels": {"team": "core"},
        "wants": wants,
        "waits": waits,
        "wake_us": 99,
        "status": "waiting",
        "parked": "it fell",
        "deaths": 2,
        "priority": 7,
    }
    store.commit([make_append("q_1", 0)])
    store.commit([make_append("q_1", 1, 2, **changes)])
    assert store.head("q_1") == make_head("q_1", 3, **changes)
    store.commit([make_append("q_1", 3)])
    assert store.head("q_1") == make_head("q_1", 4)


def test_only_waits_and_wake_change_and_the_head_says_so(store: JournalStore) -> None:
    store.commit([make_append("q_1", 0)])
    waits = (Wait("step", "signal", "paid", 5),)
    store.commit([make_append("q_1", 1, 1, waits=waits, wake_us=4)])
    assert store.head("q_1") == make_head("q_1", 2, waits=waits, wake_us=4)


def test_an_append_without_events_replaces_the_head_only(store: JournalStore) -> None:
    store.commit([make_append("q_1", 0, 2)])
    assert store.commit([make_append("q_1", 2, 0, parked="why")]) == [Stands("q_1", 2)]
    assert store.head("q_1") == make_head("q_1", 2, parked="why")
    assert store.last_seq() == 2
    assert store.commit([make_append("q_1", 2, 1)]) == [Stands("q_1", 3)]
    assert [r.n for r in store.events("q_1")] == [1, 2, 3]


def test_a_quest_keeps_name_project_key_and_birth_of_its_first_head(store: JournalStore) -> None:
    first: dict[str, Any] = {"name": "a", "project": "p", "key": "k", "created_us": 5}
    later: dict[str, Any] = {"name": "b", "project": "o", "key": "other", "created_us": 6}
    store.commit([make_append("q_1", 0, 1, **first), make_append("q_1", 1, 1, **later)])
    assert store.head("q_1") == make_head("q_1", 2, **first)
    store.commit([make_append("q_1", 2, 1, **later)])
    assert store.head("q_1") == make_head("q_1", 3, **first)
    assert store.commit([make_append("q_2", 0, 1, key="other")]) == [Stands("q_2", 1)]


def test_an_idempotency_key_belongs_to_one_quest(store: JournalStore) -> None:
    answers = store.commit([make_append("q_1", 0, key="k"), make_append("q_2", 0, key="k")])
    assert answers == [Stands("q_1", 1), KeyTaken("q_2", "k", "q_1")]
    assert store.commit([make_append("q_3", 0, key="k")]) == [KeyTaken("q_3", "k", "q_1")]
    assert store.commit([make_append("q_1", 1, key="k")]) == [Stands("q_1", 2)]
    assert store.head("q_2") is None


def test_events_are_read_from_any_number_on_and_within_a_limit(store: JournalStore) -> None:
    store.commit([make_append("q_1", 0, 2_500)])
    assert [r.n for r in store.events("q_1", 2, 3)] == [3, 4, 5]
    assert [r.n for r in store.events("q_1", 999, 1_200)] == list(range(1_000, 2_200))
    assert len(store.events("q_1")) == 2_500
    assert store.events("q_1", 2_500) == []
    assert store.events("q_1", 9_999) == []


def test_follow_reads_all_quests_in_the_order_of_seq(store: JournalStore) -> None:
    store.commit([make_append("q_2", 0, 700), make_append("q_1", 0, 700)])
    store.commit([make_append("q_2", 700, 700)])
    assert [r.seq for r in store.follow(0)] == list(range(1, 2_101))
    assert [r.seq for r in store.follow(3, 2)] == [4, 5]
    assert {r.quest for r in store.follow(1_400)} == {"q_2"}
    assert store.follow(2_100) == []
    assert store.last_seq() == 2_100


def test_heads_come_by_id_and_open_ones_have_neither_ended_nor_are_parked(
    store: JournalStore,
) -> None:
    store.commit(
        [
            make_append("q_3", 0),
            make_append("q_1", 0, 1, status="waiting"),
            make_append("q_2", 0, 1, status="failed", finished_us=3),
            make_append("q_4", 0, 1, parked="why"),
        ]
    )
    assert [h.quest for h in store.heads()] == ["q_1", "q_2", "q_3", "q_4"]
    assert [h.quest for h in store.heads(open_only=True)] == ["q_1", "q_3"]
    assert store.count_open() == 2


def test_heads_may_be_written_while_they_are_walked(store: JournalStore) -> None:
    store.commit([make_append(f"q_{i:04}", 0) for i in range(1_500)])
    seen = 0
    for head in store.heads():
        if seen == 0:
            store.commit([make_append(head.quest, 1), make_append("q_0000x", 0)])
        seen += 1
    assert seen >= 1_500


def test_the_ends_of_quests_are_found_in_their_order_up_to_where_it_looked(
    store: JournalStore,
) -> None:
    body = encode_event(QuestCancelled("enough"))
    ends = [NewEvent(1, "quest.cancelled", body)]
    for name in ("q_1", "q_2", "q_3"):
        store.commit([make_append(name, 0)])
    for name in ("q_2", "q_1"):
        head = make_head(name, 2, status="cancelled", finished_us=3)
        store.commit([Append(name, 1, tuple(ends), head)])
    assert store.endings(0, 10) == ([(4, "q_2"), (5, "q_1")], 5)
    assert store.endings(0, 1) == ([(4, "q_2")], 4)
    assert store.endings(4, 10) == ([(5, "q_1")], 5)
    assert store.endings(5, 10) == ([], 5)
    store.commit([make_append("q_3", 1, 3)])
    assert store.endings(5, 10) == ([], 8)


def test_schedules_are_among_the_heads_and_no_quests(store: JournalStore) -> None:
    store.commit([make_append(name, 0, 1, status="waiting") for name in ("q_1", "s_1", "s_2")])
    assert [head.quest for head in store.heads()] == ["q_1", "s_1", "s_2"]
    assert [head.quest for head in store.heads(open_only=True, after="s_")] == ["s_1", "s_2"]
    assert [head.quest for head in store.heads(after="s_1")] == ["s_2"]
    assert listing(store) == ["q_1"]
    assert store.count_open() == 1
    assert [store.resolve_prefix(prefix) for prefix in ("", "s_", "s_1")] == [["q_1"], [], []]


def listing(store: JournalStore, **wanted: Any) -> list[str]:
    return [head.quest for head in store.select(ListFilter(**wanted))]


@pytest.fixture
def shelf(store: JournalStore) -> JournalStore:
    waits = (Wait("s", "signal", "x", 500), Wait("t", "timer", "", 300))
    store.commit(
        [
            make_append("q_1", 0, 1, created_us=10, name="alpha", labels={"team": "core"}),
            make_append("q_2", 0, 1, created_us=30, name="beta", status="failed", finished_us=1),
            make_append("q_3", 0, 1, created_us=20, project="pay", status="waiting", waits=waits),
            make_append("q_4", 0, 1, created_us=30, parked="why", labels={"team": "x", "a": "b"}),
        ]
    )
    return store


@pytest.mark.parametrize(
    ("wanted", "quests"),
    [
        ({}, ["q_4", "q_2", "q_3", "q_1"]),
        ({"limit": 2}, ["q_4", "q_2"]),
        ({"limit": 0}, []),
        ({"after": "q_2"}, ["q_3", "q_1"]),
        ({"after": "q_1"}, []),
        ({"after": "q_0"}, []),
        ({"status": ("running",)}, ["q_1"]),
        ({"status": ("failed",)}, ["q_4", "q_2"]),
        ({"status": ("failed", "waiting", "failed")}, ["q_4", "q_2", "q_3"]),
        ({"status": ("failed", "waiting"), "limit": 2, "after": "q_4"}, ["q_2", "q_3"]),
        ({"status": ("nonsense",)}, []),
        ({"name": "beta"}, ["q_2"]),
        ({"name": "review", "project": "pay"}, ["q_3"]),
        ({"project": "default"}, ["q_4", "q_2", "q_1"]),
        ({"since_us": 20}, ["q_4", "q_2", "q_3"]),
        ({"labels": {"team": "core"}}, ["q_1"]),
        ({"labels": {"team": "x", "a": "c"}}, []),
        ({"text": "ALPH"}, ["q_1"]),
        ({"text": "q_3"}, ["q_3"]),
        ({"text": "%"}, []),
        ({"waiting_since_us": 299}, []),
        ({"waiting_since_us": 300}, ["q_3"]),
    ],
)
def test_select_gives_the_newest_first(
    shelf: JournalStore, wanted: dict[str, Any], quests: list[str]
) -> None:
    assert listing(shelf, **wanted) == quests


def test_pages_of_a_list_meet_without_gap_or_double(store: JournalStore) -> None:
    store.commit([make_append(f"q_{i:04}", 0, 1, created_us=i // 7) for i in range(1_300)])
    seen: list[str] = []
    while page := listing(store, limit=333, after=seen[-1] if seen else None):
        seen += page
    assert seen == [f"q_{i:04}" for i in reversed(range(1_300))]
    assert listing(store, text="q_00", limit=5_000) == seen[1_200:]


def test_a_page_after_a_quest_that_is_gone_begins_at_its_place(store: JournalStore) -> None:
    for i in range(1, 5):
        store.commit(end(f"q_{i}", i, created_us=i))
    store.commit([make_append("q_0", 0, 1, created_us=0)])
    retire_all(store, before_us=4)
    assert listing(store, after="q_3") == ["q_0"]
    assert listing(store, after="q_9") == ["q_4", "q_0"]


def test_a_prefix_gives_none_one_or_two(store: JournalStore) -> None:
    store.commit([make_append(q, 0) for q in ("q_ab1", "q_ab2", "q_ab3", "q_c")])
    assert store.resolve_prefix("q_x") == []
    assert store.resolve_prefix("q_c") == ["q_c"]
    assert store.resolve_prefix("q_ab") == ["q_ab1", "q_ab2"]
    assert store.resolve_prefix("q_ab3") == ["q_ab3"]


def test_a_prefix_means_the_quest_and_not_its_children(store: JournalStore) -> None:
    store.commit([make_append(q, 0) for q in ("q_ab1", "q_ab1.3", "q_ab1.3.5", "q_ab1.30")])
    assert store.resolve_prefix("q_a") == ["q_ab1"]
    assert store.resolve_prefix("q_ab1.3") == []


def test_definitions_and_payloads_are_kept_once_by_digest(store: JournalStore) -> None:
    blobs = ((TEXT_DIGEST, TEXT),)
    store.commit([make_append("q_1", 0, blobs=blobs), make_append("q_2", 0, blobs=blobs)])
    assert store.definition(DIGEST) == DEFINITION
    assert store.blob(TEXT_DIGEST) == TEXT
    assert store.definition(TEXT_DIGEST) is None
    assert store.blob("0" * 64) is None


def test_deaths_are_counted_for_open_quests_and_forgiven_for_all(store: JournalStore) -> None:
    store.commit([make_append("q_1", 0), *end("q_2", 9), make_append("q_3", 0, 1, parked="p")])
    store.count_deaths()
    store.count_deaths()
    assert [h.deaths for h in store.heads()] == [2, 0, 0]
    store.commit([make_append("q_1", 1, 1, deaths=2)])
    assert [h.deaths for h in store.heads()] == [2, 0, 0]
    store.forgive_deaths()
    assert [h.deaths for h in store.heads()] == [0, 0, 0]
    store.commit([make_append("q_1", 2, 1, deaths=1)])
    assert [h.deaths for h in store.heads()] == [1, 0, 0]


def test_closing_twice_is_fine_and_a_closed_journal_takes_nothing(store: JournalStore) -> None:
    store.commit([make_append("q_1", 0)])
    store.close()
    store.close()
    with pytest.raises(JournalBroken, match="closed"):
        store.commit([make_append("q_1", 1)])
    assert store.journal_id == "j_1"


def test_an_answer_tells_the_seq_of_its_last_event(store: JournalStore) -> None:
    first, second = store.commit([make_append("q_1", 0, 3), make_append("q_2", 0, 1)])
    assert [first, second] == [Appended("q_1", 3, 3), Appended("q_2", 1, 4)]
    assert store.commit([make_append("q_1", 3, 0)]) == [Appended("q_1", 3)]
