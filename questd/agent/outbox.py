"""What the agent has to say: outcomes until they are acknowledged, news until it was sent. Pure.

Invariants: an outcome stays here until the daemon says it is on disk; an attempt's log lines never travel after
its outcome; a parcel never exceeds the bytes it was given. Log lines of a parcel that may have been lost are sent
again (at least once); progress is not, when there is newer.
"""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from questd.agent import pace
from questd.messages.events import LogLine
from questd.messages.exchange import (
    AttemptId,
    Cancelled,
    Completed,
    Exchange,
    Failed,
    Hello,
    Logged,
    Outcome,
    Progress,
    encode_frame,
)
from questd.messages.failure import TOO_LARGE, Failure

ITEM_BYTES = 64
"""An upper bound of what an item of a frame costs beside its texts and payload."""
OUTCOMES_MAX = 4_096
"""Outcomes in one parcel: bytes bound it first, unless they are tiny."""


class Parcel(msgspec.Struct, frozen=True):
    """What one frame carries."""

    outcomes: tuple[Outcome, ...] = ()
    started: tuple[AttemptId, ...] = ()
    beats: tuple[AttemptId, ...] = ()
    progress: tuple[Progress, ...] = ()
    logs: tuple[Logged, ...] = ()


def loaded(bare: Exchange, parcel: Parcel) -> Exchange:
    """The same frame with what a parcel holds."""
    return replace(
        bare,
        outcomes=parcel.outcomes,
        started=parcel.started,
        beats=parcel.beats,
        progress=parcel.progress,
        logs=parcel.logs,
    )


class Opened(NamedTuple):
    """A frame that nobody has answered yet, and what must be said again if nobody does."""

    sent_us: int
    expires_us: int
    parcel: Parcel


def attempt_of(item: Outcome | Progress | Logged) -> AttemptId:
    """The attempt an item belongs to."""
    return item.quest, item.epoch


class Outbox:
    """``outcomes`` holds every unacknowledged one, in order of arrival."""

    def __init__(self) -> None:
        self.outcomes: dict[AttemptId, Outcome] = {}
        self._unsent: dict[AttemptId, None] = {}
        self._started: dict[AttemptId, None] = {}
        self._beats: dict[AttemptId, None] = {}
        self._progress: dict[AttemptId, Progress] = {}
        self._logs: dict[AttemptId, deque[LogLine]] = {}

    @property
    def urgent(self) -> bool:
        """Whether something waits that the daemon should hear at once."""
        return bool(self._unsent or self._started or self._beats)

    @property
    def outcomes_wait(self) -> bool:
        """Whether there is an outcome to say."""
        return bool(self._unsent)

    @property
    def chatter(self) -> bool:
        """Whether something waits that may wait a little."""
        return bool(self._progress or self._logs)

    @property
    def empty(self) -> bool:
        """Whether everything was said, and every outcome acknowledged."""
        return not (self.outcomes or self._logs)

    def add_outcome(self, outcome: Outcome) -> None:
        """Keep it until it is acknowledged; it makes the attempt's start and progress old news."""
        attempt = attempt_of(outcome)
        if attempt in self.outcomes:
            return
        self.outcomes[attempt] = outcome
        self._unsent[attempt] = None
        self._started.pop(attempt, None)
        self._beats.pop(attempt, None)
        self._progress.pop(attempt, None)

    def add_started(self, attempt: AttemptId) -> None:
        """Its tool runs now."""
        self._started[attempt] = None

    def add_beats(self, attempts: Iterable[AttemptId]) -> None:
        """Those are alive."""
        self._beats.update(dict.fromkeys(attempts))

    def add_progress(self, progress: Progress) -> None:
        """Replace what the attempt said before."""
        self._progress[attempt_of(progress)] = progress

    def add_lines(self, attempt: AttemptId, lines: Iterable[LogLine]) -> None:
        """Add to the attempt's unsent lines."""
        kept = self._logs.setdefault(attempt, deque())
        kept.extend(lines)
        if not kept:
            del self._logs[attempt]

    def acknowledge(self, attempts: Iterable[AttemptId]) -> None:
        """These outcomes are on disk."""
        for attempt in attempts:
            self.outcomes.pop(attempt, None)
            self._unsent.pop(attempt, None)

    def resend_all(self) -> None:
        """Nothing is known of what became of the outcomes that were sent: send them all again."""
        self._unsent = dict.fromkeys(self.outcomes)

    def restore(self, parcel: Parcel) -> None:
        """Take back what a frame carried that may not have arrived."""
        for attempt in parcel.started:
            if attempt not in self.outcomes:
                self._started[attempt] = None
        for progress in parcel.progress:
            if attempt_of(progress) not in self.outcomes:
                self._progress.setdefault(attempt_of(progress), progress)
        for logged in reversed(parcel.logs):
            self._logs.setdefault(attempt_of(logged), deque()).extendleft(reversed(logged.lines))
        self.resend_all()

    def take(self, room: int) -> Parcel:
        """Pack what fits into ``room`` bytes; what was packed counts as sent.

        Small news first, then log lines (at most half of the rest), then outcomes. An outcome that would not fit
        even alone becomes a failure that says so.
        """
        started, left = self._take_ids(self._started, room)
        beats, left = self._take_ids(self._beats, left)
        progress, left = self._take_progress(left)
        logs, log_bytes = self._take_logs(left // 2)
        outcomes = self._take_outcomes(left - log_bytes, room)
        return Parcel(outcomes, started, beats, progress, logs)

    def fill_hello(self, hello: Hello, frame_max: int) -> Hello:
        """Add what fits of all unacknowledged outcomes, oldest first, to a Hello of at most ``frame_max`` bytes.

        An outcome fails as too large only if no exchange could take it: what a crowded Hello leaves follows later.
        """
        self.resend_all()
        room = frame_max - pace.FRAME_OVERHEAD_BYTES - len(encode_frame(hello))
        outcomes = self._take_outcomes(max(0, room), pace.room_bytes(frame_max))
        return replace(hello, outcomes=outcomes)

    def _take_ids(
        self, waiting: dict[AttemptId, None], room: int
    ) -> tuple[tuple[AttemptId, ...], int]:
        taken: list[AttemptId] = []
        for attempt in waiting:
            size = len(attempt[0]) + 16
            if size > room:
                break
            room -= size
            taken.append(attempt)
        for attempt in taken:
            del waiting[attempt]
        return tuple(taken), room

    def _take_progress(self, room: int) -> tuple[tuple[Progress, ...], int]:
        taken: list[Progress] = []
        for progress in self._progress.values():
            size = ITEM_BYTES + len(progress.quest) + 4 * len(progress.text)
            if size > room // 4:
                break
            room -= size
            taken.append(progress)
        for progress in taken:
            del self._progress[attempt_of(progress)]
        return tuple(taken), room

    def _take_logs(self, room: int) -> tuple[tuple[Logged, ...], int]:
        taken: list[Logged] = []
        used, full = 0, False
        for attempt in list(self._logs):
            lines, size, full = _cut(
                self._logs[attempt], room - used - ITEM_BYTES - len(attempt[0]), room
            )
            if lines:
                used += size + ITEM_BYTES + len(attempt[0])
                taken.append(Logged(*attempt, lines))
            if not self._logs[attempt]:
                del self._logs[attempt]
            if full:
                break
        return tuple(taken), used

    def _take_outcomes(self, room: int, whole: int) -> tuple[Outcome, ...]:
        taken: list[Outcome] = []
        for attempt in self._unsent:
            if attempt in self._logs:
                continue
            size = _size(self.outcomes[attempt])
            if size > whole:
                self.outcomes[attempt] = _too_large(self.outcomes[attempt], whole)
                size = _size(self.outcomes[attempt])
            if size > room or len(taken) >= OUTCOMES_MAX:
                break
            room -= size
            taken.append(self.outcomes[attempt])
        for outcome in taken:
            del self._unsent[attempt_of(outcome)]
        return tuple(taken)


def _cut(lines: deque[LogLine], room: int, whole: int) -> tuple[tuple[LogLine, ...], int, bool]:
    """Take lines from the front while they fit; a line that never could is dropped. The last value: room ran out."""
    taken: list[LogLine] = []
    used = 0
    while lines:
        size = ITEM_BYTES // 2 + 4 * len(lines[0].text) + len(lines[0].fields)
        if size > whole - 2 * ITEM_BYTES:
            lines.popleft()
        elif used + size > room:
            return tuple(taken), used, True
        else:
            used += size
            taken.append(lines.popleft())
    return tuple(taken), used, False


def _size(outcome: Outcome) -> int:
    match outcome:
        case Completed():
            return (
                ITEM_BYTES + len(outcome.quest) + len(outcome.result) + 4 * len(outcome.model or "")
            )
        case Failed():
            return ITEM_BYTES + len(msgspec.msgpack.encode(outcome))
        case Cancelled():
            return ITEM_BYTES + len(outcome.quest)


def _too_large(outcome: Outcome, limit: int) -> Outcome:
    message = (
        f"the outcome has {_size(outcome)} bytes, the daemon takes {limit} in one message;"
        " return less, or a path or URL to the rest"
    )
    failure = Failure(TOO_LARGE, message, retryable=False)
    if isinstance(outcome, Cancelled):
        return Failed(outcome.quest, outcome.epoch, failure)
    used = outcome.duration_us, outcome.tokens, outcome.cost
    return Failed(outcome.quest, outcome.epoch, failure, *used)
