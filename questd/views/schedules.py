"""Schedules in the shape of docs/interface.md. Pure."""

from typing import Any

from msgspec import UNSET, Struct, UnsetType

from questd.messages.control import OccasionView, ScheduleView
from questd.messages.payload import decode_json
from questd.messages.schedules import AfterQuest, Cron, FilesChanged
from questd.views.times import rfc3339, rfc3339_or_none


class OccasionShape(Struct, frozen=True):
    """What became of a due time; with ``until``, of all after ``due`` up to it."""

    due: str
    why: str
    at: str
    quest: str | None
    status: str
    reason: str | None
    until: str | UnsetType = UNSET


class AfterShape(Struct, frozen=True):
    """Whose end a trigger waits for; null: any."""

    name: str | None
    status: tuple[str, ...]
    project: str | None


class OnChangeShape(Struct, frozen=True):
    """Which files a trigger waits for, how many it knows, whether some are changing now, and what it could not look at."""

    patterns: tuple[str, ...]
    debounce_ms: int
    files: int
    changing: bool
    troubles: tuple[str, ...]


class ScheduleShape(Struct, frozen=True):
    """One schedule: either ``cron``, ``zone`` and ``catch_up`` are set, or ``after`` is, or ``on_change``. ``next`` is empty while it is paused; ``recent`` (newest first) is left out of a list."""

    name: str
    id: str
    document: str
    version: str
    cron: str | None
    zone: str | None
    after: AfterShape | None
    on_change: OnChangeShape | None
    overlap: str
    catch_up: str | None
    paused: bool
    next: tuple[str, ...]
    running: tuple[str, ...]
    put_off: str | None
    backlog: int
    project: str | None
    labels: dict[str, str]
    priority: int | None
    inputs: Any
    created_at: str
    changed_at: str
    fault: str | None
    recent: tuple[OccasionShape, ...] | UnsetType = UNSET


def schedule_shape(view: ScheduleView, *, whole: bool) -> ScheduleShape:
    """``whole``: with what it did last."""
    spec, trigger = view.spec, view.spec.trigger
    clock = trigger if isinstance(trigger, Cron) else None
    return ScheduleShape(
        name=view.name,
        id=view.id,
        document=view.document,
        version=view.version,
        cron=None if clock is None else clock.expression,
        zone=None if clock is None else clock.zone,
        after=_after(trigger) if isinstance(trigger, AfterQuest) else None,
        on_change=_on_change(view, trigger) if isinstance(trigger, FilesChanged) else None,
        overlap=spec.overlap,
        catch_up=None if clock is None else clock.catch_up,
        paused=view.paused,
        next=tuple(rfc3339(at_us) for at_us in view.next_us),
        running=view.running,
        put_off=rfc3339_or_none(view.put_off_us),
        backlog=view.backlog,
        project=spec.project,
        labels=spec.labels,
        priority=spec.priority,
        inputs=decode_json(spec.inputs),
        created_at=rfc3339(view.created_us),
        changed_at=rfc3339(view.changed_us),
        fault=view.fault,
        recent=tuple(_occasion(one) for one in view.recent) if whole else UNSET,
    )


def _after(trigger: AfterQuest) -> AfterShape:
    return AfterShape(trigger.name, trigger.statuses, trigger.project)


def _on_change(view: ScheduleView, trigger: FilesChanged) -> OnChangeShape:
    return OnChangeShape(
        trigger.patterns, trigger.debounce_ms, view.files or 0, view.changing, view.troubles
    )


def _occasion(one: OccasionView) -> OccasionShape:
    until = UNSET if one.until_us is None else rfc3339(one.until_us)
    at, due = rfc3339(one.at_us), rfc3339(one.due_us)
    return OccasionShape(due, one.why, at, one.quest, one.status, one.reason, until)
