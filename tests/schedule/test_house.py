"""Schedules in a whole house, with virtual time: submits, keys, restarts, refusals."""

from typing import Any

import pytest

from questd.actors.house import Limits
from questd.actors.schedule import core
from questd.messages import control as ctl
from questd.messages.control import Done, Error, ScheduleView
from questd.messages.definition import InputDefinition, QuestDefinition, encode_definition
from questd.messages.heads import Head, ListFilter
from questd.messages.schedules import CatchUp, Cron, FilesChanged, Overlap, ScheduleSpec
from questd.simulation.running import run, script_of
from questd.views.heads import head_told
from tests.limits.standing import Standing, quest, step

EACH_MINUTE = Cron("* * * * *")
DEFINITION = encode_definition(quest())


def add(house: Standing, name: str = "nightly", **changes: Any) -> Any:
    definition = changes.pop("definition", DEFINITION)
    trigger = changes.pop("trigger", EACH_MINUTE)
    spec = ScheduleSpec(trigger, **changes)
    return house.ask(ctl.AddSchedule(name, spec, definition, "ann"))


def view(house: Standing, name: str = "nightly") -> ScheduleView:
    reply = house.ask(ctl.ListSchedules(name))
    assert isinstance(reply, ctl.Schedules), reply
    return reply.schedules[0]


def quests(house: Standing) -> list[Head]:
    reply = house.ask(ctl.ListQuests(ListFilter(limit=1_000)))
    assert isinstance(reply, ctl.Heads)
    return list(reply.heads)


def end(house: Standing) -> None:
    """All that runs ends."""
    for head in quests(house):
        house.ask(ctl.CancelQuest(head.quest, "enough", "test"))
    house.wait(1)


def test_each_due_time_submits_a_quest_under_its_own_key() -> None:
    house = Standing()
    assert add(house, overlap="allow", labels={"team": "core"}, project="ops", priority=7) == Done()
    house.wait(125)
    found = quests(house)
    schedule = view(house).id
    keys = [f"schedule:{schedule}:2025-06-15T15:{minute}:00Z" for minute in ("08", "07")]
    assert [head.key for head in found] == keys
    assert {head.labels["schedule"] for head in found} == {"nightly"}
    assert [(head.project, head.priority, head.labels["team"]) for head in found] == [
        ("ops", 7, "core")
    ] * 2


def test_the_due_time_and_the_name_can_be_inputs() -> None:
    house = Standing()
    typed = {"day": InputDefinition(schema={"type": "string"})}
    definition = QuestDefinition("day", (step("a"),), inputs=typed)
    reply = add(house, definition=encode_definition(definition), inputs=b'{"day":"{{ due }}"}')
    assert reply == Done()
    house.wait(65)
    (head,) = quests(house)
    inputs = house.store.events(head.quest)[0].body
    assert b"2025-06-15T15:07:00Z" in inputs


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"trigger": Cron("61 * * * *")}, "bad minute"),
        ({"trigger": Cron("* * * * *", "Nowhere")}, "there is no time zone 'Nowhere'"),
        ({"inputs": b'{"x":"{{ dew }}"}'}, "did you mean `due`?"),
        ({"inputs": b"[]"}, "inputs are not a JSON object"),
        ({"inputs": b'{"x":1}'}, "the inputs do not fit"),
        ({"priority": 11}, "priority: 11 is not between 1 and 10"),
        ({"definition": b"nothing"}, "not a definition"),
        ({"project": ""}, "project: has 1 to 200"),
    ],
)
def test_what_could_never_be_submitted_is_refused_at_once(
    changes: dict[str, Any], fault: str
) -> None:
    house = Standing()
    reply = add(house, **changes)
    assert isinstance(reply, Error)
    assert reply.kind == "invalid"
    assert fault in reply.message
    assert house.ask(ctl.ListSchedules()) == ctl.Schedules(())


def test_a_name_is_given_once_and_the_same_again_is_no_mistake() -> None:
    house = Standing()
    assert add(house) == Done()
    assert add(house) == Done(changed=False)
    refused = add(house, overlap="queue")
    assert isinstance(refused, Error)
    assert "there is a schedule 'nightly' already" in refused.message
    bad = add(house, name="a b")
    assert isinstance(bad, Error)
    assert "a name begins with a letter or _" in bad.message


def test_who_adds_again_what_is_not_on_disk_yet_is_told_to_come_again() -> None:
    """The answer took too long, so the client asks again: that is no other schedule of the same name."""
    house = Standing()
    request = ctl.AddSchedule("nightly", ScheduleSpec(EACH_MINUTE), DEFINITION, "ann")
    routes = [house.post(request) for _ in range(20)]
    house.run()
    answers = [house.answer(route) for route in routes]
    assert answers.count(Done()) == 1
    rest = [reply for reply in answers if reply not in (Done(), Done(changed=False))]
    assert rest, "none came before the first was on disk"
    starting = Error("busy", "schedule 'nightly' is starting: try again", 500)
    assert all(reply == starting for reply in rest)
    assert house.ask(request) == Done(changed=False)


def test_a_schedule_that_is_still_being_added_is_busy_and_not_unknown() -> None:
    house = Standing()
    request = ctl.AddSchedule("nightly", ScheduleSpec(EACH_MINUTE), DEFINITION, "ann")
    first = house.post(request)
    while house.journal.idle:
        if not house.dispatcher.run_one():
            house.agenda.run_next()
    asked = (ctl.ListSchedules("nightly"), ctl.BackfillSchedule("nightly", 0, 1))
    routes = [house.post(request) for request in asked]
    house.turns()
    for reply in map(house.answer, routes):
        assert isinstance(reply, Error)
        assert (reply.kind, reply.retry_after_ms) == ("busy", 500)
    house.run()
    assert house.answer(first) == Done()


def test_who_asks_for_what_is_not_there_is_told() -> None:
    house = Standing()
    spec = ScheduleSpec(EACH_MINUTE)
    for request in (
        ctl.PauseSchedule("x"),
        ctl.RemoveSchedule("x"),
        ctl.ListSchedules("x"),
        ctl.BackfillSchedule("x", 0, 1),
        ctl.ChangeSchedule("x", spec, DEFINITION),
    ):
        reply = house.ask(request)
        assert isinstance(reply, Error)
        assert (reply.kind, reply.message) == ("not_found", "there is no schedule 'x'")


def test_a_schedule_is_no_quest() -> None:
    house = Standing()
    add(house)
    schedule = view(house).id
    assert quests(house) == []
    for request in (
        ctl.ReadQuest(schedule),
        ctl.ReadQuest(schedule[:8]),
        ctl.CancelQuest(schedule, "x", "y"),
    ):
        reply = house.ask(request)
        assert isinstance(reply, Error)
        assert reply.kind == "not_found"


@pytest.mark.parametrize("seconds", [61, 61.003, 61.006, 61.01, 61.02, 62, 130])
def test_the_next_daemon_goes_on_where_this_one_stopped_and_doubles_nothing(
    seconds: float,
) -> None:
    first = Standing()
    add(first, trigger=Cron("* * * * *", "UTC", "all"), overlap="allow")
    first.wait(seconds)
    second = Standing(store=first.store.copy())
    second.clock.advance(first.clock.monotonic_us)
    second.wait(180 - seconds)
    keys = [head.key for head in quests(second)]
    assert len(keys) == len(set(keys)) == 3
    assert {occasion.status for occasion in view(second).recent} <= {"running"}


def test_what_was_missed_while_no_daemon_was_there_is_made_up_for_as_it_says() -> None:
    counts: dict[CatchUp, int] = {"none": 1, "latest": 1, "all": 5}
    for catch_up, count in counts.items():
        first = Standing()
        add(first, trigger=Cron("* * * * *", "UTC", catch_up), overlap="allow")
        second = Standing(store=first.store.copy())
        second.clock.jump(5 * 60_000_000)
        second.wait(10)
        assert len(quests(second)) == count, catch_up


def test_overlap_is_seen_over_a_restart() -> None:
    first = Standing()
    add(first, overlap="skip")
    first.wait(70)
    second = Standing(store=first.store.copy())
    second.clock.advance(first.clock.monotonic_us)
    second.wait(60)
    assert len(quests(second)) == 1
    assert view(second).recent[0].reason == "overlap"


@pytest.mark.parametrize("overlap", ["queue", "cancel"])
def test_what_was_put_off_begins_when_the_quest_before_it_has_ended(overlap: Overlap) -> None:
    house = Standing()
    add(house, overlap=overlap)
    house.wait(125)
    if overlap == "queue":
        assert len(quests(house)) == 1
        assert view(house).put_off_us is not None
        end(house)
    statuses = {head.status for head in quests(house)}
    assert len(quests(house)) == 2
    assert "cancelled" in statuses
    assert view(house).put_off_us is None


def test_a_backfill_of_what_ran_before_submits_nothing_anew() -> None:
    house = Standing()
    add(house, overlap="allow")
    house.wait(125)
    now_us = house.clock.now_us()
    reply = house.ask(ctl.BackfillSchedule("nightly", now_us - 240_000_000, now_us))
    assert reply == Done(changed=True, message="4")
    house.wait(5)
    assert len(quests(house)) == 4
    future = house.ask(ctl.BackfillSchedule("nightly", now_us, now_us + 240_000_000))
    assert isinstance(future, Error)
    assert "a backfill is for the past" in future.message
    backwards = house.ask(ctl.BackfillSchedule("nightly", now_us, now_us - 1))
    assert isinstance(backwards, Error)
    assert "from an earlier moment to a later one" in backwards.message


def test_a_submit_that_comes_again_while_a_change_is_on_its_way_to_the_disk_waits_for_it() -> None:
    house = Standing(Limits(open_quests=1), slow=1.0)
    house.submit(quest())
    add(house, overlap="allow")
    house.wait(61)
    for number in range(100):  # one of these meets the submit that comes again after 2 s
        other = encode_definition(QuestDefinition(f"other-{number}", (step("a"),)))
        house.post(ctl.ChangeSchedule("nightly", ScheduleSpec(EACH_MINUTE, "allow"), other))
        while house.journal.idle:
            if not house.dispatcher.run_one():
                house.agenda.run_next()
        house.clock.advance(int(house.timers.next_us() or 0))
        house.timers.fire()
        house.run()
    end(house)
    house.wait(5)
    assert quests(house)[0].name == "other-99"


def test_pausing_resuming_changing_and_removing() -> None:
    house = Standing()
    add(house, overlap="allow")
    assert house.ask(ctl.PauseSchedule("nightly")) == Done()
    assert house.ask(ctl.PauseSchedule("nightly")) == Done(changed=False)
    assert view(house).next_us == ()
    house.wait(125)
    assert house.ask(ctl.ResumeSchedule("nightly")) == Done()
    assert quests(house) == []
    house.wait(60)
    assert len(quests(house)) == 1
    other = encode_definition(QuestDefinition("other", (step("a"),)))
    spec = ScheduleSpec(EACH_MINUTE, "allow")
    assert house.ask(ctl.ChangeSchedule("nightly", spec, other)) == Done()
    assert view(house).document == "other"
    house.wait(60)
    assert quests(house)[0].name == "other"
    assert house.ask(ctl.RemoveSchedule("nightly")) == Done()
    assert isinstance(house.ask(ctl.ListSchedules("nightly")), Error)
    house.wait(180)
    assert len(quests(house)) == 2
    assert add(house) == Done()


def test_a_full_house_is_asked_again_until_there_is_room() -> None:
    house = Standing(Limits(open_quests=1))
    blocking = house.submit(quest())
    add(house)
    house.wait(70)
    assert view(house).recent[0].status == "fired"
    house.ask(ctl.CancelQuest(blocking, "enough", "test"))
    house.wait(60)
    assert view(house).recent[-1].status == "running"


def test_the_rows_of_schedules_are_what_their_events_say() -> None:
    house = Standing()
    add(house, overlap="allow")
    add(house, name="gone")
    house.wait(130)
    house.ask(ctl.RemoveSchedule("gone"))
    heads = [head for head in house.store.heads() if head.quest.startswith("s_")]
    assert sorted((head.name, head.status) for head in heads) == [
        ("gone", "cancelled"),
        ("nightly", "waiting"),
    ]
    for head in heads:
        records = house.store.events(head.quest)
        assert head_told(records, house.store.definition, resting=False) == head


def test_a_long_history_is_left_behind_and_nothing_is_lost_on_the_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(core, "RENEWED_AFTER", 6)
    house = Standing()
    add(house)
    first = view(house).id
    for _ in range(10):
        house.wait(59)
        end(house)
    assert view(house).id != first
    assert len(quests(house)) == 10
    heads = [head for head in house.store.heads() if head.quest.startswith("s_")]
    assert [head.status for head in heads].count("waiting") == 1
    assert max(head.version for head in heads) < 12


def test_renewals_keep_every_promise_whatever_crashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "RENEWED_AFTER", 4)
    scripts = [script for seed in range(100) if (script := script_of(seed)).scene.schedules]
    assert len(scripts) > 20
    assert [one.violation for one, _ in map(run, scripts) if one.violation is not None] == []


def test_who_asks_is_answered_at_whatever_moment_the_scheduler_fails() -> None:
    said: list[str] = []
    for moment in range(40):
        house = Standing()
        spec = ScheduleSpec(FilesChanged(("/box/*",)))
        route = house.post(ctl.AddSchedule("nightly", spec, DEFINITION, "ann"))
        for _ in range(moment):
            house.step()
        house.house.scheduler.tell("what no actor knows")
        house.wait(2)
        reply = house.answer(route)
        assert isinstance(reply, Done | Error), f"moment {moment}: {reply}"
        said.append(reply.kind if isinstance(reply, Error) else "done")
    assert said.count("busy") >= 3
    assert said[-1] == "done"
    assert set(said) == {"busy", "done"}
