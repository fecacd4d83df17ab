"""A schedule as its events tell it. Pure.

Every due time goes one way, and each arrow is an event:

    due ──► fired ──► submitted ──► its quest ends          backfill, caught up ──► backlog ──► fired
     │        └─────► refused                               due ──► put off ──► fired
     └────► skipped (missed, paused, overlap, crowded)              put off ──► skipped (overtaken)

    noticed ──► fired, as above
     └────────► ignored (overlap, overtaken, depth)

Of files ``seen`` is what is accounted for in the same way: what differs from it has changed, and has no quest yet.

``since_us`` is the end of what is accounted for: each due time up to it was fired, put off, put on the backlog or skipped. It only
grows, whatever the clock does, so no due time comes twice.
"""

from collections import deque
from typing import Final, assert_never

from msgspec import Struct

from questd.actors.schedule import cron
from questd.messages import schedules as ev
from questd.messages.schedules import ScheduleSpec

Marks = dict[str, tuple[int, int]]
"""Files by path: bytes, and the time of the last change in nanoseconds."""

RECENT: Final = 20
"""Occasions that ``quest schedule show`` can tell of; the history has them all."""


class Occasion(Struct):
    """What became of one due time, or of a row of them (``until_us``)."""

    due_us: int
    why: str
    at_us: int
    until_us: int | None = None
    quest: str | None = None
    status: str = "fired"
    reason: str | None = None
    about: bytes = b"{}"


class Noticed(Struct, frozen=True):
    """Something that a trigger waits for has happened, and has no quest yet."""

    at_us: int
    about: bytes


class Unknown(Struct, frozen=True):
    """The next due time has not been worked out yet."""


UNKNOWN: Final = Unknown()


class ScheduleState:
    """``firing``: occasions without an answer, in order. ``running``: their quests that are not known to have ended."""

    __slots__ = (
        "_next",
        "actor",
        "backlog",
        "changed_us",
        "created_us",
        "definition",
        "document",
        "document_version",
        "finished_us",
        "firing",
        "id",
        "last_us",
        "mark",
        "name",
        "noticed",
        "paused",
        "put_off_us",
        "recent",
        "removed",
        "renewed_by",
        "renews",
        "running",
        "seen",
        "since_us",
        "spec",
        "version",
    )

    def __init__(self, schedule: str) -> None:
        self.id = schedule
        self.version = 0
        self.mark = 0
        self.last_us = 0
        self.name = self.definition = self.document = self.document_version = self.actor = ""
        self.spec = ScheduleSpec(ev.Cron("@yearly"))
        self.created_us = self.changed_us = self.since_us = 0
        self.finished_us: int | None = None
        self.paused = self.removed = False
        self.renews: str | None = None
        self.renewed_by: str | None = None
        self.firing: dict[str, Occasion] = {}
        self.running: dict[str, Occasion] = {}
        self.backlog: deque[tuple[int, ev.Why]] = deque()
        self.put_off_us: int | None = None
        self.noticed: dict[str, Noticed] = {}
        self.seen: Marks = {}
        self.recent: deque[Occasion] = deque(maxlen=RECENT)
        self._next: int | Unknown | None = UNKNOWN

    @property
    def over(self) -> bool:
        """Will nothing happen to it any more?"""
        return self.finished_us is not None

    @property
    def busy(self) -> bool:
        """Is a quest of it on its way or running, as far as is known?"""
        return bool(self.firing or self.running)

    @property
    def at_rest(self) -> bool:
        """Is nothing under way but the next due time?"""
        return not (self.busy or self.backlog or self.noticed or self.put_off_us is not None)

    def next_due_us(self) -> int | None:
        """The first due time that is not accounted for."""
        if isinstance(self._next, Unknown):
            trigger = self.spec.trigger
            self._next = (
                cron.next_due(trigger, self.since_us) if isinstance(trigger, ev.Cron) else None
            )
        return self._next

    def account(self, until_us: int) -> None:
        """Each due time up to there has been dealt with."""
        if until_us > self.since_us:
            self.since_us = until_us
            self._next = UNKNOWN

    def describe(
        self, spec: ScheduleSpec, definition: str, document: str, version: str, at_us: int
    ) -> None:
        """This is what it submits, and when, from now on."""
        self.spec = spec
        self.definition, self.document, self.document_version = definition, document, version
        self.changed_us = at_us
        self._next = UNKNOWN


def evolve(state: ScheduleState, event: ev.ScheduleEvent, at_us: int) -> None:
    """Fold one event; never refuses history."""
    state.version += 1
    state.last_us = at_us
    match event:
        case ev.ScheduleAdded():
            _added(state, event, at_us)
        case ev.ScheduleChanged(spec, definition, document, version, actor, mark):
            state.actor, state.mark = actor, max(state.mark, mark)
            if patterns_of(spec) != patterns_of(state.spec):
                state.seen = {}
            state.describe(spec, definition, document, version, at_us)
            state.account(at_us)
        case ev.SchedulePaused():
            state.paused = True
        case ev.ScheduleResumed(_, mark):
            state.paused = False
            state.mark = max(state.mark, mark)
        case ev.ScheduleLooked(mark):
            state.mark = max(state.mark, mark)
        case ev.ScheduleSaw(files, gone):
            for path in gone:
                state.seen.pop(path, None)
            state.seen |= {path: (size, at_ns) for path, size, at_ns in files}
        case ev.ScheduleRemoved():
            state.removed = True
            state.seen = {}
        case ev.ScheduleRenewed(by):
            state.renewed_by = by
        case ev.ScheduleBacklogged(dues_us, why):
            state.backlog.extend((due_us, why) for due_us in dues_us)
            if why == "caught_up":
                state.account(dues_us[-1])
        case _:
            _occasion(state, event, at_us)
    if state.removed and not state.firing:
        state.finished_us = state.finished_us or at_us


def patterns_of(spec: ScheduleSpec) -> tuple[str, ...]:
    """The files that it waits for."""
    return spec.trigger.patterns if isinstance(spec.trigger, ev.FilesChanged) else ()


_OccasionEvent = (
    ev.ScheduleFired
    | ev.ScheduleSubmitted
    | ev.ScheduleRefused
    | ev.ScheduleRunEnded
    | ev.SchedulePutOff
    | ev.ScheduleSkipped
    | ev.ScheduleNoticed
    | ev.ScheduleIgnored
)


def _occasion(state: ScheduleState, event: _OccasionEvent, at_us: int) -> None:
    match event:
        case ev.ScheduleFired():
            _fired(state, event, at_us)
        case ev.ScheduleSubmitted(occasion, quest):
            fired = state.firing.pop(occasion, None)
            if fired is not None:
                fired.quest, fired.status = quest, "running"
                state.running[quest] = fired
        case ev.ScheduleRefused(occasion, kind, message):
            fired = state.firing.pop(occasion, None)
            if fired is not None:
                fired.status, fired.reason = "refused", f"{kind}: {message}"
        case ev.ScheduleRunEnded(quest, status):
            ran = state.running.pop(quest, None)
            if ran is not None:
                ran.status = status
        case ev.SchedulePutOff(due_us):
            state.put_off_us = due_us
            state.account(due_us)
        case ev.ScheduleSkipped():
            _skipped(state, event, at_us)
        case ev.ScheduleNoticed(occasion, mark, about):
            state.mark = max(state.mark, mark)
            state.noticed[occasion] = Noticed(at_us, about)
        case ev.ScheduleIgnored(occasion, why):
            gone = state.noticed.pop(occasion, Noticed(at_us, b"{}"))
            left_out = Occasion(gone.at_us, "noticed", at_us, None, None, "skipped", why)
            state.recent.append(left_out)
        case _:
            assert_never(event)


def _added(state: ScheduleState, event: ev.ScheduleAdded, at_us: int) -> None:
    state.name, state.actor, state.created_us = event.name, event.actor, at_us
    state.paused, state.renews, state.mark = event.paused, event.renews, event.mark
    state.describe(event.spec, event.definition, event.document, event.version, at_us)
    state.account(event.since_us)


def _fired(state: ScheduleState, event: ev.ScheduleFired, at_us: int) -> None:
    fired = Occasion(event.due_us, event.why, at_us)
    state.firing[event.occasion] = fired
    state.recent.append(fired)
    match event.why:
        case "due":
            state.account(event.due_us)
        case "put_off":
            state.put_off_us = None
        case "noticed":
            noticed = state.noticed.pop(event.occasion, None)
            fired.about = b"{}" if noticed is None else noticed.about
        case "caught_up" | "backfill":
            if state.backlog and state.backlog[0][0] == event.due_us:
                state.backlog.popleft()
        case _:
            assert_never(event.why)


def _skipped(state: ScheduleState, event: ev.ScheduleSkipped, at_us: int) -> None:
    put_off_us = state.put_off_us
    if put_off_us is not None and event.after_us < put_off_us <= event.until_us:
        state.put_off_us = None
    state.account(event.until_us)
    left_out = Occasion(event.after_us, "due", at_us, event.until_us, None, "skipped", event.why)
    state.recent.append(left_out)
