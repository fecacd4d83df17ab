"""Schedules: what one is, and the events of its life.

A schedule is kept in the journal as a quest is: a row of numbered events under an id of its own (``s_…``), folded by its actor. Here
stand its words and its events; the rules of messages/events.py hold for them (a new field goes last and has a default, a tag is never
used again).

An *occasion* is what a schedule submits a quest for, as text: of a cron expression the due time, of a trigger the id of the quest that has
ended, or the number of the change of files. The idempotency key of the quest is
made of the schedule's id and the occasion, and of nothing else.
"""

from typing import Final, Literal

import msgspec
from msgspec import Struct

SCHEDULE_IDS: Final = "s_"
"""How the id of a schedule begins."""

Overlap = Literal["skip", "queue", "allow", "cancel"]
"""What becomes of an occasion while a quest of the schedule runs: it is left out; it waits (one at most); its quest runs beside the
other; it waits, and the one that runs is cancelled."""
CatchUp = Literal["none", "latest", "all"]
"""Which of the due times that were missed while the daemon was away are made up for."""
Why = Literal["due", "caught_up", "backfill", "put_off", "noticed"]
Skip = Literal["missed", "paused", "overlap", "overtaken", "crowded", "depth"]
"""Why an occasion has no quest: the daemon was away; the schedule was paused; a quest ran; a later one took its place; too many ran;
too many triggers stand behind each other."""


class Cron(Struct, frozen=True, array_like=True, tag="cron"):
    """Due times by a cron expression of five fields (or six: seconds first) in a time zone of the IANA database."""

    expression: str
    zone: str = "UTC"
    catch_up: CatchUp = "latest"


class AfterQuest(Struct, frozen=True, array_like=True, tag="after_quest"):
    """The end of a quest: of that document (None: of any), with one of these statuses, in that project (None: in any)."""

    name: str | None = None
    statuses: tuple[str, ...] = ("completed",)
    project: str | None = None


class FilesChanged(Struct, frozen=True, array_like=True, tag="files_changed"):
    """Files whose paths match one of these patterns have changed, and then been the same for ``debounce_ms``."""

    patterns: tuple[str, ...]
    debounce_ms: int = 2_000


Trigger = Cron | AfterQuest | FilesChanged


class ScheduleSpec(Struct, frozen=True, array_like=True):
    """What to submit when.

    ``inputs``: a JSON object whose texts may hold ``{{ due }}`` and ``{{ schedule }}``, with a trigger ``{{ quest }}`` or ``{{ change }}``.
    """

    trigger: Trigger
    overlap: Overlap = "skip"
    inputs: bytes = b"{}"
    project: str | None = None
    labels: dict[str, str] = {}
    priority: int | None = None
    total_timeout_ms: int | None = None


class ScheduleAdded(Struct, frozen=True, array_like=True, tag="schedule.added"):
    """Always n = 1. Due times after ``since_us`` count, and what the journal holds behind seq ``mark``.

    ``renews``: the schedule whose life it carries on, with a short history.
    """

    name: str
    spec: ScheduleSpec
    definition: str
    document: str
    version: str
    actor: str
    since_us: int
    paused: bool = False
    renews: str | None = None
    mark: int = 0


class ScheduleChanged(Struct, frozen=True, array_like=True, tag="schedule.changed"):
    """From here on it submits this. What was put off or is to be made up for stays. ``mark`` as of ScheduleAdded."""

    spec: ScheduleSpec
    definition: str
    document: str
    version: str
    actor: str
    mark: int = 0


class SchedulePaused(Struct, frozen=True, array_like=True, tag="schedule.paused"):
    """Nothing is submitted until it is resumed, but for what was fired already."""

    actor: str


class ScheduleResumed(Struct, frozen=True, array_like=True, tag="schedule.resumed"):
    """Due times that passed meanwhile were left out by an event before this one, and what ended up to ``mark`` is by this one."""

    actor: str
    mark: int = 0


class ScheduleRemoved(Struct, frozen=True, array_like=True, tag="schedule.removed"):
    """It fires no more; what was fired is submitted still, and its quests go on."""

    actor: str


class ScheduleRenewed(Struct, frozen=True, array_like=True, tag="schedule.renewed"):
    """It does nothing more of its own: another one carries on under the same name, and when that is on disk it is removed."""

    by: str


class ScheduleFired(Struct, frozen=True, array_like=True, tag="schedule.fired"):
    """A quest is owed for this occasion. It is submitted when this is on disk, as often as it takes until it is known."""

    occasion: str
    due_us: int
    why: Why = "due"


class ScheduleSubmitted(Struct, frozen=True, array_like=True, tag="schedule.submitted"):
    """The occasion has its quest. Not ``created``: it had it before."""

    occasion: str
    quest: str
    created: bool = True


class ScheduleRefused(Struct, frozen=True, array_like=True, tag="schedule.refused"):
    """The occasion has no quest and gets none: the submit was refused for good."""

    occasion: str
    kind: str
    message: str


class ScheduleRunEnded(Struct, frozen=True, array_like=True, tag="schedule.run_ended"):
    """A quest of the schedule has ended. ``status``: as its head says, or "gone"."""

    quest: str
    status: str


class SchedulePutOff(Struct, frozen=True, array_like=True, tag="schedule.put_off"):
    """The due time waits until nothing runs."""

    due_us: int


class ScheduleBacklogged(Struct, frozen=True, array_like=True, tag="schedule.backlogged"):
    """These due times are made up for, one after another. Of ``backfill`` they may be any that have passed."""

    dues_us: tuple[int, ...]
    why: Why
    actor: str = ""


class ScheduleSkipped(Struct, frozen=True, array_like=True, tag="schedule.skipped"):
    """Due times with after < due ≤ until have no quest."""

    after_us: int
    until_us: int
    why: Skip


class ScheduleNoticed(Struct, frozen=True, array_like=True, tag="schedule.noticed"):
    """What the trigger waits for has happened, at ``mark`` of the journal. ``about``: a JSON object of what is known of it."""

    occasion: str
    mark: int
    about: bytes = b"{}"


class ScheduleIgnored(Struct, frozen=True, array_like=True, tag="schedule.ignored"):
    """What was noticed gets no quest."""

    occasion: str
    why: Skip


class ScheduleLooked(Struct, frozen=True, array_like=True, tag="schedule.looked"):
    """Up to ``mark`` nothing more has happened: a restart need not look there again."""

    mark: int


class ScheduleSaw(Struct, frozen=True, array_like=True, tag="schedule.saw"):
    """These files are there, as (path, bytes, time of change in ns), and those are ``gone``: from here on that is no change.

    Beside a ``schedule.noticed`` it is what had changed; else it only begins to look.
    """

    files: tuple[tuple[str, int, int], ...]
    gone: tuple[str, ...] = ()


ScheduleEvent = (
    ScheduleAdded
    | ScheduleChanged
    | SchedulePaused
    | ScheduleResumed
    | ScheduleRemoved
    | ScheduleRenewed
    | ScheduleFired
    | ScheduleSubmitted
    | ScheduleRefused
    | ScheduleRunEnded
    | SchedulePutOff
    | ScheduleBacklogged
    | ScheduleSkipped
    | ScheduleNoticed
    | ScheduleIgnored
    | ScheduleLooked
    | ScheduleSaw
)


_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[ScheduleEvent] = msgspec.msgpack.Decoder(ScheduleEvent)


def is_schedule(quest: str) -> bool:
    """Is it the id of a schedule, where ids of quests stand as well?"""
    return quest.startswith(SCHEDULE_IDS)


def encode_schedule_event(event: ScheduleEvent) -> bytes:
    """The bytes that the journal keeps."""
    return _encoder.encode(event)


def decode_schedule_event(body: bytes) -> ScheduleEvent:
    """msgspec.DecodeError or UnicodeDecodeError when the bytes are no event of this or an earlier version."""
    return _decoder.decode(body)
