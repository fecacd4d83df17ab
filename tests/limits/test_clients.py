"""The control door: exactly at a limit is fine, one beyond is refused by the limit's name, and the rest goes on."""

from typing import Any

import pytest

from questd.actors.control import actor, admission, fitting, submitting
from questd.actors.graph.checks import LABELS_MAX, NAME_MAX
from questd.actors.graph.durations import DURATION_MAX_MS
from questd.actors.house import Limits
from questd.messages import control as ctl
from questd.messages.control import Error, ReadQuest, Submit
from questd.messages.definition import encode_definition
from questd.messages.heads import ListFilter
from questd.messages.payload import PAYLOAD_MAX_BYTES, encode_json
from questd.runtime.journal.sqlite import SqliteStore
from tests.limits.standing import Standing, quest, step

DEFINITION = encode_definition(quest())
NO_QUEST = "q_" + "0" * 18


def refused(reply: Any, kind: str, *words: str) -> Error:
    assert isinstance(reply, Error), reply
    assert reply.kind == kind
    for word in words:
        assert word in reply.message
    if kind == "busy":
        assert reply.retry_after_ms
        assert "try again" in reply.message
    return reply


# -- how much at once ------------------------------------------------------------------------------


def test_one_request_too_many_is_busy_and_those_that_wait_go_on_waiting() -> None:
    house = Standing(Limits(requests_in_flight=3))
    quest_id = house.submit(quest())
    waiting = [house.post(ReadQuest(quest_id, after=99, wait_ms=60_000)) for _ in range(3)]
    house.run()
    refused(house.ask(ctl.Ping()), "busy", "limits.requests_in_flight", "3 requests")
    assert [house.answer(route) for route in waiting] == [None] * 3
    house.wait(61)
    assert all(house.answer(route) for route in waiting)
    assert isinstance(house.ask(ctl.Ping()), ctl.DaemonInfo)


def test_one_submit_too_many_is_busy_until_others_are_on_disk() -> None:
    house = Standing(Limits(submits_in_flight=2))
    house.submit(quest())
    routes = [house.post(Submit(DEFINITION)) for _ in range(3)]
    house.run()
    answers = [house.answer(route) for route in routes]
    assert sum(isinstance(answer, ctl.Submitted) for answer in answers) == 2
    beyond = next(answer for answer in answers if isinstance(answer, Error))
    refused(beyond, "busy", "limits.submits_in_flight", "2 submits")
    house.submit(quest())


def test_a_journal_that_is_behind_takes_no_submits_and_answers_questions() -> None:
    house = Standing(Limits(journal_queue=7))
    house.gauges["journal_queue"] = 7
    quest_id = house.submit(quest())
    house.gauges["journal_queue"] = 8
    refused(house.ask(Submit(DEFINITION)), "busy", "limits.journal_queue", "7 appends")
    assert isinstance(house.ask(ReadQuest(quest_id)), ctl.QuestRecords)
    house.gauges["journal_queue"] = 7
    house.submit(quest())


def test_one_open_quest_too_many_is_busy_and_there_is_room_again_when_one_has_ended() -> None:
    house = Standing(Limits(open_quests=2))
    first = house.submit(quest())
    house.submit(quest())
    refused(house.ask(Submit(DEFINITION)), "busy", "limits.open_quests", "2 quests are open")
    house.ask(ctl.CancelQuest(first, "enough", "test"))
    refused(house.ask(Submit(DEFINITION)), "busy", "limits.open_quests")
    house.wait(admission.RECOUNT_S)
    house.submit(quest())


def test_open_quests_are_counted_over_a_restart_of_the_door() -> None:
    house = Standing(Limits(open_quests=1))
    house.submit(quest())
    again = Standing(Limits(open_quests=1), store=house.store)
    refused(again.ask(Submit(DEFINITION)), "busy", "limits.open_quests")


def test_definitions_wait_to_be_checked_up_to_a_size_and_one_alone_always_may() -> None:
    house = Standing()
    text = "x" * (admission.COMPILING_MAX_BYTES // 3)
    large = [encode_definition(quest(description=f"{n}{text}")) for n in range(3)]
    routes = [house.post(Submit(data)) for data in large]
    house.run()
    answers = [house.answer(route) for route in routes]
    busy = [answer for answer in answers if isinstance(answer, Error)]
    refused(busy[0], "busy", "wait to be checked", str(admission.COMPILING_MAX_BYTES))
    assert len(busy) == 1
    assert all(isinstance(house.ask(Submit(data)), ctl.Submitted) for data in large)


# -- what a submit may say -------------------------------------------------------------------------


def labels(count: int, size: int = 1) -> dict[str, str]:
    return {f"{n:03d}".rjust(size, "l"): "v" * size for n in range(count)}


SUBMITS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "KEY_MAX": (
        {"key": "k" * submitting.KEY_MAX},
        {"key": "k" * (submitting.KEY_MAX + 1)},
        "key: an idempotency key has 1 to 500",
    ),
    "NAME_MAX": (
        {"project": "p" * NAME_MAX},
        {"project": "p" * (NAME_MAX + 1)},
        "project: has 1 to 200",
    ),
    "NAME_MAX of labels": (
        {"labels": labels(1, NAME_MAX)},
        {"labels": labels(1, NAME_MAX + 1)},
        "labels: a name has 1 to 200",
    ),
    "LABELS_MAX": ({"labels": labels(64)}, {"labels": labels(65)}, "65 labels; 64 are allowed"),
    "MOMENT_MAX_US": (
        {"deadline_us": submitting.MOMENT_MAX_US},
        {"deadline_us": submitting.MOMENT_MAX_US + 1},
        "deadline: is not between 1 and",
    ),
    "DURATION_MAX_MS": (
        {"total_timeout_ms": DURATION_MAX_MS},
        {"total_timeout_ms": DURATION_MAX_MS + 1},
        "total_timeout: must be longer than 0s and not longer than 3650d",
    ),
    "PRIORITIES": ({"priority": 10}, {"priority": 11}, "11 is not between 1 and 10"),
    "PAYLOAD_MAX_BYTES": (
        {"inputs": encode_json({"a": "x" * (PAYLOAD_MAX_BYTES - 8)})},
        {"inputs": encode_json({"a": "x" * (PAYLOAD_MAX_BYTES - 7)})},
        "inputs of 3145729 bytes; 3145728 are allowed",
    ),
}


@pytest.mark.parametrize("limit", SUBMITS)
def test_a_submit_at_the_limit_begins_and_one_beyond_is_refused(limit: str) -> None:
    at, beyond, said = SUBMITS[limit]
    house = Standing()
    definition = quest(step("first", prompt="{{ a }}" if "inputs" in at else "go"))
    house.submit(definition, **at)
    refused(house.ask(Submit(encode_definition(definition), **beyond)), "invalid", said)
    house.submit(definition, **at, **({} if "key" in at else {"key": "again"}))


def test_labels_of_document_and_submit_together_are_as_many_as_a_quest_may_have() -> None:
    house = Standing()
    half = LABELS_MAX // 2
    written = quest(labels={f"d{n}": "" for n in range(half)})
    fits = house.submit(written, labels={**labels(half), "d0": "in its place"})
    head = house.store.head(fits)
    assert head is not None
    assert len(head.labels) == LABELS_MAX
    reply = house.ask(Submit(encode_definition(written), labels=labels(half + 1)))
    refused(reply, "invalid", "65 labels with those of the document; 64 are allowed")


# -- what a question may ask -----------------------------------------------------------------------

LISTS: dict[str, tuple[ListFilter, ListFilter, str]] = {
    "LIST_MAX": (
        ListFilter(limit=fitting.LIST_MAX),
        ListFilter(limit=fitting.LIST_MAX + 1),
        "--limit is 1 to 1000",
    ),
    "STATUSES": (
        ListFilter(status=fitting.STATUSES),
        ListFilter(status=(*fitting.STATUSES, "running")),
        "status: 9 are named; 8 are allowed",
    ),
    "a status": (ListFilter(status=("failed",)), ListFilter(status=("faild",)), "mean failed?"),
    "NAME_MAX": (
        ListFilter(text="t" * NAME_MAX),
        ListFilter(text="t" * (NAME_MAX + 1)),
        "text: is longer than 200 characters",
    ),
    "LABELS_MAX": (
        ListFilter(labels=labels(LABELS_MAX)),
        ListFilter(labels=labels(LABELS_MAX + 1)),
        "labels: 65 are named; 64 are allowed",
    ),
    "TIME_MAX_US": (
        ListFilter(since_us=fitting.TIME_MAX_US, waiting_since_us=-fitting.TIME_MAX_US),
        ListFilter(since_us=fitting.TIME_MAX_US + 1),
        "since: is not between",
    ),
}


@pytest.mark.parametrize("limit", LISTS)
def test_a_filter_at_the_limit_is_answered_and_one_beyond_is_refused(
    limit: str, empty_journal: SqliteStore
) -> None:
    at, beyond, said = LISTS[limit]
    house = Standing()
    assert isinstance(house.ask(ctl.ListQuests(at)), ctl.Heads)
    assert empty_journal.select(at) == []
    refused(house.ask(ctl.ListQuests(beyond)), "invalid", said)


def test_texts_are_asked_for_up_to_a_number() -> None:
    house = Standing()
    digests = tuple(str(n) for n in range(fitting.DIGESTS_MAX))
    assert house.ask(ctl.ReadBlobs(digests)) == ctl.Blobs({})
    refused(house.ask(ctl.ReadBlobs((*digests, "x"))), "invalid", "1001 texts", "1000 are allowed")


def test_a_page_of_events_and_a_wait_are_cut_to_their_limits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(actor, "READ_EVENTS_MAX", 2)
    house = Standing()
    quest_id = house.submit(quest())
    house.ask(ctl.CancelQuest(quest_id, "enough", "test"))
    page = house.ask(ReadQuest(quest_id, limit=3))
    assert (len(page.records), page.more) == (2, True)
    other = house.submit(quest())
    route = house.post(ReadQuest(other, after=99, wait_ms=10**9))
    house.wait(actor.WAIT_MAX_MS / 1_000 - 1)
    assert house.answer(route) is None
    house.wait(1.1)
    assert house.answer(route) is not None


def test_a_reason_and_a_name_are_cut() -> None:
    house = Standing()
    quest_id = house.submit(quest())
    house.ask(ctl.CancelQuest(quest_id, "r" * 2_001, "a" * 201))
    bodies = b"".join(record.body for record in house.store.events(quest_id))
    assert b"r" * 2_000 in bodies
    assert b"r" * 2_001 not in bodies
    assert b"a" * 201 not in bodies
