"""Triggers: quests that are submitted because another one has ended."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from questd.actors.schedule import core
from questd.actors.schedule.state import ScheduleState
from questd.messages import control as ctl
from questd.messages import schedules as ev
from questd.messages.control import Done, Error
from questd.messages.definition import QuestDefinition, encode_definition
from questd.messages.schedules import AfterQuest, Cron, ScheduleSpec
from tests.limits.standing import Standing, quest, step
from tests.schedule.test_house import add, quests, view

T0 = 1_750_000_000_000_000
CANCELLED = AfterQuest("q", ("cancelled",))
OTHER = encode_definition(QuestDefinition("other", (step("a"),)))


def state_of(overlap: ev.Overlap, trigger: ev.Trigger = CANCELLED) -> ScheduleState:
    state = ScheduleState("s_1")
    spec = ScheduleSpec(trigger, overlap)
    core.evolve(state, ev.ScheduleAdded("chain", spec, "d", "doc", "1", "ann", T0, mark=10), T0)
    return state


def do(state: ScheduleState, command: core.Command) -> list[ev.ScheduleEvent]:
    events = core.decide(state, command, T0)
    assert not isinstance(events, core.Rejected)
    for event in events:
        core.evolve(state, event, T0)
    return events


def move(state: ScheduleState) -> list[ev.ScheduleEvent]:
    moved: list[ev.ScheduleEvent] = []
    while (event := core.next_move(state, T0)) is not None:
        core.evolve(state, event, T0)
        moved.append(event)
    return moved


def ending(number: int, depth: int = 1) -> core.Ending:
    return core.Ending(f"q_{number}", number, depth, b'{"id":"q"}')


def notice(state: ScheduleState, *numbers: int) -> list[ev.ScheduleEvent]:
    do(state, core.Notice(tuple(map(ending, numbers)), max(numbers)))
    return move(state)


def fired(number: int) -> ev.ScheduleFired:
    return ev.ScheduleFired(f"q_{number}:1", T0, "noticed")


def run_and_end(state: ScheduleState) -> list[ev.ScheduleEvent]:
    occasion = next(iter(state.firing))
    do(state, core.Answer(occasion, f"run_{occasion}"))
    do(state, core.EndRuns(((f"run_{occasion}", "completed"),)))
    return move(state)


def test_an_ending_is_noticed_once_however_often_it_is_found() -> None:
    state = state_of("allow")
    assert notice(state, 11, 12) == [fired(11), fired(12)]
    assert do(state, core.Notice((ending(11), ending(12)), 12)) == []
    assert do(state, core.Notice((ending(9),), 9)) == []


def test_queue_loses_none_and_runs_one_after_another() -> None:
    state = state_of("queue")
    assert notice(state, 11, 12, 13) == [fired(11)]
    assert run_and_end(state) == [fired(12)]
    assert run_and_end(state) == [fired(13)]


def test_skip_ignores_what_ends_while_one_runs() -> None:
    state = state_of("skip")
    assert notice(state, 11) == [fired(11)]
    assert notice(state, 12) == [ev.ScheduleIgnored("q_12:1", "overlap")]


def test_cancel_ends_the_one_that_runs_and_keeps_the_newest() -> None:
    state = state_of("cancel")
    notice(state, 11)
    do(state, core.Answer("q_11:1", "run"))
    assert notice(state, 12, 13) == [ev.ScheduleIgnored("q_12:1", "overtaken")]
    assert core.cancelled(state) == ("run",)
    do(state, core.EndRuns((("run", "cancelled"),)))
    assert move(state) == [fired(13)]


def test_a_chain_of_triggers_that_is_too_long_ends() -> None:
    state = state_of("allow")
    deepest = core.DEPTH_MAX
    do(state, core.Notice((ending(11, deepest), ending(12, deepest + 1)), 12))
    assert move(state) == [ev.ScheduleFired(f"q_11:{deepest}", T0, "noticed")]
    assert state.recent[0].reason == "depth"


@given(st.integers(1, 10**6))
def test_the_depth_is_read_from_the_key(depth: int) -> None:
    assert core.depth_of(core.key_of("s_1", f"q_2:{depth}")) == depth
    assert core.depth_of(core.key_of("s_1", "2026-01-31T02:00:00Z")) == 0
    assert core.depth_of("anything:else:at:all") == core.depth_of(None) == 0


def test_so_many_wait_and_until_there_are_fewer_it_looks_no_further() -> None:
    state = state_of("queue")
    notice(state, *range(11, 11 + core.NOTICED_MAX))
    assert core.is_looking(state)
    notice(state, 11 + core.NOTICED_MAX)
    assert len(state.noticed) == core.NOTICED_MAX
    assert not core.is_looking(state)
    run_and_end(state)
    assert core.is_looking(state)


def test_a_mark_is_set_now_and_then_where_nothing_happens() -> None:
    state = state_of("allow")
    assert do(state, core.Notice((), 10 + core.LOOKED_EVERY - 1)) == []
    assert do(state, core.Notice((), 10 + core.LOOKED_EVERY)) == [
        ev.ScheduleLooked(10 + core.LOOKED_EVERY)
    ]


def test_what_ends_while_it_is_paused_is_left_out() -> None:
    state = state_of("allow")
    do(state, core.PauseIt("ann"))
    assert do(state, core.Notice((ending(11),), 11)) == []
    do(state, core.ResumeIt("ann", 15))
    assert notice(state, 14) == []
    assert notice(state, 16) == [fired(16)]


def test_another_trigger_counts_from_now_on_and_the_same_one_misses_nothing() -> None:
    state = state_of("allow")
    change = core.ChangeIt(ScheduleSpec(CANCELLED, "queue"), "d2", "doc", "2", "ann", 50)
    do(state, change)
    assert state.mark == 10
    other = AfterQuest("other")
    do(state, core.ChangeIt(ScheduleSpec(other), "d2", "doc", "2", "ann", 50))
    assert state.mark == 50


# -- in a house ------------------------------------------------------------------------------------


def cancel(house: Standing, quest_id: str) -> None:
    assert house.ask(ctl.CancelQuest(quest_id, "enough", "test")) == Done()
    house.wait(1)


def test_the_end_of_a_quest_submits_another_with_what_is_known_of_it() -> None:
    house = Standing()
    first = house.submit(quest())
    inputs = {"definition": OTHER, "trigger": CANCELLED, "overlap": "allow"}
    assert add(house, "chain", **inputs) == Done()
    cancel(house, first)
    cancel(house, house.submit(QuestDefinition("unwatched", (step("a"),))))
    found = [head for head in quests(house) if head.name == "other"]
    assert [head.key for head in found] == [f"schedule:{view(house, 'chain').id}:{first}:1"]


def test_what_had_ended_before_is_no_reason() -> None:
    house = Standing()
    cancel(house, house.submit(quest()))
    add(house, "chain", definition=OTHER, trigger=CANCELLED)
    house.wait(5)
    assert len(quests(house)) == 1


@pytest.mark.parametrize("lived_s", [0.0, 0.002, 0.004, 0.006, 0.01, 0.02, 1.0])
def test_the_next_daemon_finds_what_this_one_had_not_seen(lived_s: float) -> None:
    first = Standing()
    ids = [first.submit(quest()) for _ in range(3)]
    add(first, "chain", definition=OTHER, trigger=CANCELLED, overlap="allow")
    for quest_id in ids:
        first.post(ctl.CancelQuest(quest_id, "enough", "test"))
    first.wait(lived_s)
    second = Standing(store=first.store.copy())
    second.clock.advance(first.clock.monotonic_us)
    for quest_id in ids:
        second.ask(ctl.CancelQuest(quest_id, "enough", "test"))
    second.wait(5)
    keys = [head.key for head in quests(second) if head.name == "other"]
    assert len(keys) == len(set(keys)) == 3


def test_a_trigger_on_itself_ends_after_so_many() -> None:
    house = Standing()
    add(house, "loop", trigger=CANCELLED, overlap="allow")
    cancel(house, house.submit(quest()))
    for _ in range(core.DEPTH_MAX + 3):
        for head in quests(house):
            if head.finished_us is None:
                cancel(house, head.quest)
    assert len(quests(house)) == 1 + core.DEPTH_MAX
    assert view(house, "loop").recent[0].reason == "depth"


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"trigger": AfterQuest("q", ("running",))}, "status running: a quest ends cancelled"),
        ({"trigger": AfterQuest("q", ())}, "status none: a quest ends"),
        ({"trigger": AfterQuest("")}, "a name has 1 to 200 printable characters"),
        ({"trigger": CANCELLED, "inputs": b'{"x":"{{ qest.id }}"}'}, "did you mean `quest`?"),
    ],
)
def test_what_could_never_happen_is_refused(changes: dict[str, Any], fault: str) -> None:
    reply = add(Standing(), **changes)
    assert isinstance(reply, Error)
    assert fault in reply.message


def test_a_trigger_has_no_due_times_to_fill_in() -> None:
    house = Standing()
    add(house, trigger=CANCELLED)
    reply = house.ask(ctl.BackfillSchedule("nightly", 0, 1))
    assert isinstance(reply, Error)
    assert "a backfill is for due times" in reply.message
    assert house.ask(ctl.ChangeSchedule("nightly", ScheduleSpec(Cron("* * * * *")), OTHER)) == (
        Done()
    )
    house.wait(61)
    assert [head.name for head in quests(house)] == ["other"]


def test_what_ends_while_so_many_wait_is_looked_for_when_there_is_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(core, "NOTICED_MAX", 1)
    house = Standing()
    add(house, "chain", definition=OTHER, trigger=CANCELLED, overlap="queue")
    for quest_id in [house.submit(quest()) for _ in range(4)]:
        cancel(house, quest_id)
    for count in range(1, 5):
        others = [head for head in quests(house) if head.name == "other"]
        assert len(others) == count
        cancel(house, next(head.quest for head in others if head.finished_us is None))
