"""What clients ask of schedules: what is worked out before it can be done, what it comes to, and refusals. Pure but for the look at files."""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from questd.actors.schedule import core, cron
from questd.actors.schedule.changes import FILES_MAX, begun
from questd.actors.schedule.checking import Checked
from questd.actors.schedule.lookout import TOO_MANY
from questd.messages import control as ctl
from questd.messages.control import Error, ScheduleView
from questd.messages.schedules import (
    Cron,
    FilesChanged,
    ScheduleAdded,
    ScheduleEvent,
    ScheduleSpec,
)
from questd.runtime.files import Files, Sight

WATCHERS_MAX: Final = 100
"""Schedules that wait for files."""
NOTHING: Final = Sight({})


class Looked(Struct, frozen=True):
    """The files that a trigger begins with."""

    sight: Sight = NOTHING


def look_for(patterns: tuple[str, ...], files: Files) -> Looked | Error:
    """On the thread that looks. What is there when a schedule is added or resumed has not changed."""
    sight = files.look(patterns, FILES_MAX)
    return Error("refused", f"{TOO_MANY}: watch fewer") if sight.too_many else Looked(sight)


def change_of(checked: Checked, looked: Looked) -> core.ChangeIt:
    """What a change comes to."""
    request, plan = checked.request, checked.ready.plan
    return core.ChangeIt(
        request.spec,
        plan.digest,
        plan.definition.name,
        plan.definition.version,
        request.actor[:200],
        checked.mark,
        looked.sight.files,
        looked.sight.blind,
    )


def beginning_of(checked: Checked, looked: Looked, now_us: int) -> tuple[ScheduleEvent, ...]:
    """The first events of a schedule."""
    request, plan = checked.request, checked.ready.plan
    added = ScheduleAdded(
        request.name,
        request.spec,
        plan.digest,
        plan.definition.name,
        plan.definition.version,
        request.actor[:200],
        now_us,
        mark=checked.mark,
    )
    return (added, *begun({}, looked.sight.files))


def crowd_of(views: Iterable[ScheduleView], spec: ScheduleSpec, name: str) -> Error | None:
    """The refusal of one more that waits for files."""
    watchers = (view for view in views if isinstance(view.spec.trigger, FilesChanged))
    others = sum(view.name != name for view in watchers)
    if not isinstance(spec.trigger, FilesChanged) or others < WATCHERS_MAX:
        return None
    return Error("refused", f"WATCHERS_MAX: {others} schedules wait for files already")


def unknown(name: str) -> Error:
    """There is none of that name."""
    return Error("not_found", f"there is no schedule {name!r}")


def starting(name: str) -> Error:
    """Its actor has not told what it is."""
    return Error("busy", f"schedule {name!r} is starting: try again", retry_after_ms=500)


def parked(name: str, reason: str) -> Error:
    """Its actor failed too often."""
    return Error("refused", f"schedule {name!r} is parked: {reason}")


def dues_of(
    request: ctl.BackfillSchedule, view: ScheduleView, now_us: int
) -> tuple[ctl.BackfillSchedule, tuple[int, ...]] | Error:
    """The due times of a backfill; an error when they are too many, or not past."""
    if request.from_us > request.to_us:
        return Error("invalid", "a backfill goes from an earlier moment to a later one")
    if request.to_us > now_us:
        return Error("invalid", "a backfill is for the past: what comes due later fires by itself")
    if request.from_us < 0:
        return Error("invalid", "a backfill begins in 1970 or later")
    if not isinstance(view.spec.trigger, Cron):
        return Error("invalid", "a backfill is for due times: this schedule has a trigger")
    most = core.BACKFILL_MAX
    dues_us = cron.dues_between(view.spec.trigger, request.from_us - 1, request.to_us, most + 1)
    if len(dues_us) > most:
        said = f"more than {most} due times in that range"
        return Error("invalid", f"BACKFILL_MAX: {said}: make it shorter")
    return request, dues_us
