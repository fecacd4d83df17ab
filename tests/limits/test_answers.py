"""Answers to clients fit a frame, whatever documents and agents make of them; who watches costs no more than what is open."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec import structs

from questd.actors.control import watching
from questd.actors.control.questions import READ_BYTES_MAX
from questd.actors.graph.checks import NAME_MAX
from questd.actors.mail import QuestAdvanced
from questd.messages import control as ctl
from questd.messages.control import ReadQuest
from questd.messages.definition import StepDefinition
from questd.messages.events import Record
from questd.messages.exchange import FRAME_MAX_BYTES, Progress, ToolSpec
from questd.simulation.daemon import insides
from tests.limits.standing import Agent, Standing, greeted, quest

NO_QUEST = "q_" + "0" * 18


# -- how large an answer is ------------------------------------------------------------------------


def wide_answer(house: Standing, request: ctl.Request) -> int:
    route = house.post(request)
    house.run()
    size = len(house.door.answers[route])
    assert size <= FRAME_MAX_BYTES
    return size


def test_what_thousands_of_tasks_want_makes_no_answer_larger_than_a_frame() -> None:
    house = Standing()
    name = "c" * NAME_MAX
    tags = [tuple(f"{n:03d}{m:02d}{name[5:]}" for m in range(14)) for n in range(900)]
    greedy = quest(*(StepDefinition(f"k{n}", capabilities=tag) for n, tag in enumerate(tags)))
    quests = [house.submit(greedy) for _ in range(2)]
    assert len(house.store.head(quests[0]).wants) == 900  # type: ignore[union-attr]
    for request in (ctl.ListQuests(), ctl.ReadQuest(quests[0], definition=True), ctl.Missing()):
        wide_answer(house, request)
    missing = house.ask(ctl.Missing())
    assert isinstance(missing, ctl.MissingAgents)
    assert missing.wanted


def test_agents_with_large_offers_are_shown_without_their_schemas() -> None:
    house = Standing()
    schema = b'{"d":"' + b"x" * 60_000 + b'"}'
    for n in range(8):
        tools = tuple(ToolSpec(f"t{m}", input_schema=schema) for m in range(10))
        greeted(house, n + 1, agent=f"w{n}", tools=tools)
    wide_answer(house, ctl.ListAgents())
    everybody = house.ask(ctl.ListAgents())
    assert [len(view.tools) for view in everybody.instances] == [10] * 8
    assert everybody.instances[0].tools[0].input_schema == {}
    (one,) = house.ask(ctl.ListAgents("w3")).instances
    assert len(one.tools[0].input_schema["d"]) == 60_000


@pytest.mark.parametrize("until_end", [False, True])
def test_an_append_larger_than_a_frame_reaches_its_watcher_as_a_page(until_end: bool) -> None:
    """64 frames of log lines can be in one."""
    house = Standing()
    quest_id = house.submit(quest())
    head = house.store.head(quest_id)
    assert head is not None
    route = house.post(ReadQuest(quest_id, after=99, wait_ms=60_000, until_end=until_end))
    house.run()
    body = b"x" * 500_000
    records = tuple(Record(n, quest_id, n, 1, "attempt.logged", 1, body) for n in range(100, 164))
    head = structs.replace(head, version=163, status="completed" if until_end else "running")
    house.house.control.tell(QuestAdvanced(head, records))
    house.run()
    assert len(house.door.answers[route]) <= FRAME_MAX_BYTES
    page = house.answer(route)
    assert isinstance(page, ctl.QuestRecords)
    fit = READ_BYTES_MAX // len(body)
    expected = records[-fit:] if until_end else records[:fit]
    assert (page.records, page.more) == (expected, not until_end)


# -- watching --------------------------------------------------------------------------------------


def working(house: Standing, **fields: Any) -> tuple[Agent, str, int]:
    """An agent, a quest, and the epoch of its attempt that runs there."""
    agent = greeted(house, **fields)
    quest_id = house.submit(quest())
    (item,) = agent.take()
    agent.say(started=((quest_id, item.epoch),))
    return agent, quest_id, item.epoch


def test_progress_told_all_the_time_asks_the_journal_once_at_a_time_for_each_watcher() -> None:
    house = Standing()
    agent, quest_id, epoch = working(house)
    watchers = [
        house.post(ReadQuest(quest_id, after=99, wait_ms=60_000, seen_progress=10**9))
        for _ in range(10)
    ]
    house.run()
    for n in range(100):
        agent.post(progress=(Progress(quest_id, epoch, n / 100, ""),))
    house.turns()
    assert len(house.agenda) <= len(watchers)
    house.run()
    assert [house.answer(route) for route in watchers] == [None] * len(watchers)
    last = house.ask(ReadQuest(quest_id))
    assert [progress.fraction for progress in last.progress] == [0.99]


def told(watches: watching.Watches, quest_id: str, tasks: int, size: int) -> None:
    for n in range(tasks):
        task = f"{n:04d}"
        watches.note(quest_id, task, ctl.TaskProgress(task, 0.5, "x" * size, 1))


def remembered(watches: watching.Watches, quest_id: str) -> int:
    head: Any = type("Head", (), {"quest": quest_id})
    return len(watches.with_progress(ctl.QuestRecords(head, ())).progress)


def test_progress_is_remembered_of_so_many_tasks_and_quests_and_bytes() -> None:
    watches = watching.Watches()
    told(watches, "many", watching.TASKS_WITH_PROGRESS + 1, 1)
    assert remembered(watches, "many") == watching.TASKS_WITH_PROGRESS
    told(watches, "long", 200, 500)
    kept = remembered(watches, "long")
    assert 100 < kept < 200
    watches.note("long", "0000", None)
    told(watches, "long", 200, 500)
    assert remembered(watches, "long") == kept
    for n in range(watching.QUESTS_WITH_PROGRESS - 1):
        told(watches, f"q{n}", 1, 1)
    assert remembered(watches, "many") == 0
    assert remembered(watches, "long") == kept
    watches.note("nobody", "ended", None)
    assert remembered(watches, "long") == kept


def test_progress_of_all_quests_together_is_bounded_by_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watching, "PROGRESS_OF_ALL_MAX_BYTES", 10_000)
    watches = watching.Watches()
    for n in range(20):
        told(watches, f"q{n}", 1, 500)
    assert [remembered(watches, f"q{n}") for n in range(20)] == [0] * 16 + [1] * 4


WAITING: tuple[Callable[[str], ctl.Request], ...] = (
    lambda quest_id: ReadQuest(quest_id, after=99, wait_ms=1_000),
    lambda quest_id: ReadQuest(quest_id, until_end=True, wait_ms=1_000),
)


@pytest.mark.parametrize("request_", WAITING)
def test_nothing_is_remembered_of_watchers_that_have_their_answer(
    request_: Callable[[str], ctl.Request],
) -> None:
    house = Standing()
    quest_id = house.submit(quest())
    routes = [house.post(request_(quest_id)) for _ in range(20)]
    routes += [house.post(request_(NO_QUEST)) for _ in range(20)]
    house.wait(2)
    assert all(house.answer(route) for route in routes)
    inside = insides(house.control)
    assert not inside["_open"]
    watches = insides(inside["_watches"])
    assert not any(watches[name] for name in ("_requests", "_by_quest", "_reading"))
    assert not insides(house.directory)["_watched"]
