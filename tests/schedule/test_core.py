"""The rules of a schedule: given events, when something comes due or ends, then events."""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from questd.actors.schedule import core
from questd.actors.schedule.cron import moment
from questd.actors.schedule.state import ScheduleState
from questd.messages import schedules as ev
from questd.messages.events import Record, kind_of
from questd.messages.schedules import Cron, ScheduleSpec
from questd.messages.upcasting import schedule_event_of

S = 1_000_000
MINUTE = 60 * S
T0 = 1_750_000_000 * S // MINUTE * MINUTE
"""A whole minute."""


class Life:
    """A schedule that is due each minute, and what was said of it."""

    def __init__(self, **spec: Any) -> None:
        catch_up = spec.pop("catch_up", "latest")
        self.spec = ScheduleSpec(Cron("* * * * *", "UTC", catch_up), **spec)
        self.state = ScheduleState("s_1")
        self.events: list[ev.ScheduleEvent] = []
        self.at_us: list[int] = []
        self.now = T0
        self.fold([ev.ScheduleAdded("nightly", self.spec, "d", "doc", "1", "ann", T0)])

    def fold(self, events: Iterable[ev.ScheduleEvent]) -> list[ev.ScheduleEvent]:
        given = list(events)
        for event in given:
            core.evolve(self.state, event, max(self.now, self.state.last_us))
            self.events.append(event)
            self.at_us.append(self.state.last_us)
        return given

    def move(self, seconds: float = 0) -> list[ev.ScheduleEvent]:
        """Let time pass; what happens then."""
        self.now += int(seconds * S)
        moved: list[ev.ScheduleEvent] = []
        while (event := core.next_move(self.state, self.now)) is not None:
            moved += self.fold([event])
            assert len(moved) < 1_000
        return moved

    def do(self, command: core.Command) -> list[ev.ScheduleEvent]:
        events = core.decide(self.state, command, max(self.now, self.state.last_us))
        assert not isinstance(events, core.Rejected), events
        return self.fold(events)

    def run(self, quest: str = "") -> str:
        """The oldest occasion gets its quest."""
        occasion = next(iter(self.state.firing))
        self.do(core.Answer(occasion, quest or f"q_{occasion}"))
        return quest or f"q_{occasion}"

    def end(self, quest: str) -> list[ev.ScheduleEvent]:
        self.do(core.EndRuns(((quest, "completed"),)))
        return self.move()


def fired(minutes: int, why: ev.Why = "due") -> ev.ScheduleFired:
    return ev.ScheduleFired(moment(T0 + minutes * MINUTE), T0 + minutes * MINUTE, why)


def skipped(after: int, until: int, why: ev.Skip) -> ev.ScheduleSkipped:
    return ev.ScheduleSkipped(T0 + after * MINUTE, T0 + until * MINUTE, why)


def test_it_fires_when_it_is_due_and_not_a_microsecond_earlier() -> None:
    life = Life()
    assert life.move(59.999999) == []
    assert life.move(0.000001) == [fired(1)]
    assert life.move() == []
    assert core.key_of("s_1", "2025-06-15T15:07:00Z") == "schedule:s_1:2025-06-15T15:07:00Z"


def test_a_clock_that_goes_back_makes_nothing_come_twice() -> None:
    life = Life(overlap="allow")
    assert life.move(60) == [fired(1)]
    assert life.move(-50) == []
    assert life.move(50) == []
    assert life.move(60) == [fired(2)]


def test_overlap_skip_leaves_out_what_is_due_while_one_runs() -> None:
    life = Life(overlap="skip")
    life.move(60)
    quest = life.run()
    assert life.move(60) == [skipped(1, 2, "overlap")]
    assert life.end(quest) == []
    assert life.move(60) == [fired(3)]


def test_overlap_queue_keeps_one_and_leaves_out_the_others() -> None:
    life = Life(overlap="queue")
    life.move(60)
    quest = life.run()
    assert life.move(60) == [ev.SchedulePutOff(T0 + 2 * MINUTE)]
    assert life.move(60) == [skipped(2, 3, "overlap")]
    assert life.end(quest) == [fired(2, "put_off")]
    assert life.move(60) == [ev.SchedulePutOff(T0 + 4 * MINUTE)]


def test_overlap_allow_fires_beside_those_that_run() -> None:
    life = Life(overlap="allow")
    assert [*life.move(60), *life.move(60)] == [fired(1), fired(2)]


def test_overlap_cancel_ends_the_one_that_runs_and_then_fires_the_newest() -> None:
    life = Life(overlap="cancel")
    life.move(60)
    quest = life.run()
    assert core.cancelled(life.state) == ()
    assert life.move(60) == [ev.SchedulePutOff(T0 + 2 * MINUTE)]
    assert core.cancelled(life.state) == (quest,)
    overtaken = ev.ScheduleSkipped(T0 + 2 * MINUTE - 1, T0 + 2 * MINUTE, "overtaken")
    assert life.move(60) == [overtaken, ev.SchedulePutOff(T0 + 3 * MINUTE)]
    assert life.end(quest) == [fired(3, "put_off")]


def test_a_submit_that_is_not_answered_counts_as_one_that_runs() -> None:
    life = Life(overlap="skip")
    life.move(60)
    assert life.move(60) == [skipped(1, 2, "overlap")]


def test_after_a_downtime_the_latest_counts_and_the_others_are_said() -> None:
    life = Life(catch_up="latest")
    left_out = ev.ScheduleSkipped(T0, T0 + 9 * MINUTE - 1, "missed")
    assert life.move(9 * 60 + 30) == [left_out, fired(9)]


def test_with_none_only_what_is_on_time_counts() -> None:
    life = Life(catch_up="none")
    left_out = ev.ScheduleSkipped(T0, T0 + 9 * MINUTE - 1, "missed")
    assert life.move(9 * 60 + 30) == [left_out, fired(9)]
    rare = Life(catch_up="none")
    rare.fold([ev.ScheduleChanged(ScheduleSpec(Cron("0 * * * *", "UTC", "none")), "d", "", "", "")])
    due_us = rare.state.next_due_us()
    assert due_us is not None
    assert rare.move((due_us - T0) / S + 61) == [ev.ScheduleSkipped(T0, due_us, "missed")]


def test_with_all_each_is_made_up_for_one_after_another() -> None:
    life = Life(catch_up="all")
    dues = tuple(T0 + minute * MINUTE for minute in (1, 2, 3))
    assert life.move(3 * 60 + 10) == [
        ev.ScheduleBacklogged(dues, "caught_up"),
        fired(1, "caught_up"),
    ]
    assert life.end(life.run()) == [fired(2, "caught_up")]
    assert life.move(60) == [skipped(3, 4, "overlap")]
    assert life.end(life.run()) == [fired(3, "caught_up")]


def test_so_many_are_made_up_for_and_earlier_ones_are_left_out() -> None:
    life = Life(catch_up="all", overlap="allow")
    moved = life.move(60 * (core.CATCH_UP_MAX + 1))
    assert moved[0] == ev.ScheduleSkipped(T0, T0 + 2 * MINUTE - 1, "missed")
    assert isinstance(moved[1], ev.ScheduleBacklogged)
    assert len(moved[1].dues_us) == core.CATCH_UP_MAX
    assert moved[2:] == [fired(1 + n, "caught_up") for n in range(1, core.CATCH_UP_MAX + 1)]
    whole = Life(catch_up="all").move(60 * core.CATCH_UP_MAX)
    assert isinstance(whole[0], ev.ScheduleBacklogged)


def test_so_many_quests_of_one_schedule_run_at_once_and_the_next_is_left_out() -> None:
    life = Life(overlap="allow")
    for _ in range(core.RUNNING_MAX):
        assert len(life.move(60)) == 1
        life.run()
    (left_out,) = life.move(60)
    assert isinstance(left_out, ev.ScheduleSkipped)
    assert left_out.why == "crowded"
    life.end(next(iter(life.state.running)))
    assert isinstance(life.move(60)[0], ev.ScheduleFired)


def test_what_comes_due_while_it_is_paused_is_left_out_and_not_missed() -> None:
    life = Life()
    assert life.do(core.PauseIt("ann")) == [ev.SchedulePaused("ann")]
    assert life.do(core.PauseIt("ann")) == []
    assert life.move(150) == []
    resumed = life.do(core.ResumeIt("ann"))
    assert resumed == [
        ev.ScheduleSkipped(T0, T0 + 150 * S, "paused"),
        ev.ScheduleResumed("ann"),
    ]
    assert life.move(30) == [fired(3)]


def test_a_backfill_submits_each_once_in_its_order_whatever_was_said_of_it() -> None:
    life = Life(overlap="skip")
    past = tuple(T0 - minute * MINUTE for minute in (3, 2, 1))
    assert life.do(core.MakeUpFor(past, "ann")) == [ev.ScheduleBacklogged(past, "backfill", "ann")]
    assert life.move() == [fired(-3, "backfill")]
    assert life.do(core.MakeUpFor(past, "ann")) == []
    assert life.end(life.run()) == [fired(-2, "backfill")]
    assert life.end(life.run()) == [fired(-1, "backfill")]
    life.end(life.run())
    assert life.state.at_rest
    assert life.state.since_us == T0


def test_more_than_may_be_made_up_for_at_once_are_refused() -> None:
    life = Life()
    dues = tuple(T0 - n * MINUTE for n in range(core.BACKFILL_MAX, 0, -1))
    life.do(core.MakeUpFor(dues, "ann"))
    refused = core.decide(life.state, core.MakeUpFor((T0 - 99_999 * MINUTE,), "ann"), life.now)
    assert isinstance(refused, core.Rejected)
    assert refused.message.startswith("BACKFILL_MAX: 1000 due times are to be made up for already")


def test_a_change_counts_from_now_on() -> None:
    life = Life()
    life.move(30)
    spec = structs.replace(life.spec, trigger=Cron("*/10 * * * * *"))
    change = core.ChangeIt(spec, "d2", "doc", "2", "ann")
    assert len(life.do(change)) == 1
    assert life.do(change) == []
    (due,) = life.move(10)
    assert isinstance(due, ev.ScheduleFired)
    assert due.due_us == T0 + 40 * S


def test_a_schedule_that_is_removed_still_owes_what_it_fired() -> None:
    life = Life()
    life.move(60)
    life.do(core.RemoveIt("ann"))
    assert not life.state.over
    assert core.head_of(life.state).status == "waiting"
    assert isinstance(core.decide(life.state, core.PauseIt("x"), life.now), core.Rejected)
    life.run()
    assert life.state.over
    head = core.head_of(life.state)
    assert (head.status, head.finished_us) == ("cancelled", life.now)
    assert life.move(600) == []


def test_a_refusal_for_good_ends_the_occasion_and_not_the_schedule() -> None:
    life = Life()
    life.move(60)
    occasion = next(iter(life.state.firing))
    life.do(core.Answer(occasion, refused=("invalid", "the inputs do not fit")))
    assert life.state.recent[-1].reason == "invalid: the inputs do not fit"
    assert life.move(60) == [fired(2)]


def test_an_answer_that_comes_twice_changes_nothing_the_second_time() -> None:
    life = Life()
    life.move(60)
    occasion = next(iter(life.state.firing))
    life.do(core.Answer(occasion, "q_1"))
    assert life.do(core.Answer(occasion, "q_1", created=False)) == []
    life.do(core.EndRuns((("q_1", "completed"),)))
    assert life.do(core.EndRuns((("q_1", "completed"),))) == []


def test_a_renewed_schedule_stands_still_and_its_heir_begins_where_it_stopped() -> None:
    life = Life()
    life.move(60)
    life.end(life.run())
    life.do(core.Renew("s_2"))
    assert life.move(600) == []
    (heir,) = core.renewal(life.state)
    assert isinstance(heir, ev.ScheduleAdded)
    assert (heir.since_us, heir.renews) == (T0 + MINUTE, "s_1")
    busy = core.decide(life.state, core.PauseIt("ann"), life.now)
    assert isinstance(busy, core.Rejected)
    assert busy.kind == "busy"
    life.do(core.Close())
    assert life.state.over
    assert core.head_of(life.state).status == "completed"


@pytest.mark.parametrize("overlap", ["skip", "queue", "allow", "cancel"])
@pytest.mark.parametrize("catch_up", ["none", "latest", "all"])
@given(steps=st.lists(st.tuples(st.integers(-200, 900), st.integers(0, 4)), max_size=25))
def test_each_due_time_goes_one_way_and_a_fold_of_the_events_knows_it(
    overlap: ev.Overlap, catch_up: ev.CatchUp, steps: list[tuple[int, int]]
) -> None:
    life = Life(overlap=overlap, catch_up=catch_up)
    for seconds, deed in steps:
        life.move(seconds)
        if deed == 1 and life.state.firing:
            life.run()
        elif deed == 2 and life.state.running:
            life.end(next(iter(life.state.running)))
        elif deed == 3:
            life.do(core.ResumeIt("x") if life.state.paused else core.PauseIt("x"))
    assert_each_once(life)
    again = ScheduleState("s_1")
    for event, at_us in zip(life.events, life.at_us, strict=True):
        core.evolve(again, decoded(event), at_us)
    for name in ("since_us", "paused", "firing", "running", "backlog", "put_off_us", "version"):
        assert getattr(again, name) == getattr(life.state, name)


def assert_each_once(life: Life) -> None:
    """From the first minute to ``since_us``: fired, skipped, or still waiting, and only one of these."""
    ways: dict[int, list[str]] = {}
    since = T0
    for event in life.events:
        match event:
            case ev.ScheduleFired(_, due_us, "due"):
                ways.setdefault(due_us, []).append("fired")
            case ev.SchedulePutOff(due_us):
                ways.setdefault(due_us, []).append("put off")
            case ev.ScheduleBacklogged(dues_us, "caught_up"):
                for due_us in dues_us:
                    ways.setdefault(due_us, []).append("backlog")
            case ev.ScheduleSkipped(after_us, until_us, why) if why != "overtaken":
                assert after_us == since
                first = after_us // MINUTE + 1
                for minute in range(first, until_us // MINUTE + 1):
                    ways.setdefault(minute * MINUTE, []).append(why)
            case _:
                continue
        since = max([since, *ways, getattr(event, "until_us", 0)])
    last = life.state.since_us // MINUTE
    assert sorted(ways) == [minute * MINUTE for minute in range(T0 // MINUTE + 1, last + 1)]
    assert all(len(each) == 1 for each in ways.values())


def decoded(event: ev.ScheduleEvent) -> ev.ScheduleEvent:
    body = ev.encode_schedule_event(event)
    return schedule_event_of(Record(1, "s_1", 1, 0, kind_of(event), 1, body))
