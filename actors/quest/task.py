"""What a task is at a moment, and the table of its legal moves.

A task is *pending* until its dependencies have ended, *deciding* while its ``when`` is looked at, *ready* when it could run, *running* through one attempt,
*retrying* between attempts, *waiting* for a decision, *awaiting* a signal, *sleeping* for a time, *settling* when it has failed and the input that stands in for
its result is still to be rendered, and then completed, failed, skipped or cancelled. A task whose attempt was lost is ready again and
remembers the lost attempt: its result still counts until another attempt has started. A task whose step has a ``repeat`` is *judging* when
it has a result, until it is known whether that stands or the quest goes back for another round.

The task of a step with ``for_each`` never runs itself: it is *listing* while the list is rendered, *spread* while the tasks of its items
are under way, and *gathering* while their results are put together. The task of a step that plans is *planning* from its result on, until
the steps of the plan have joined the quest.

Each state is a small type with only its own fields. This file must not know of actors, time, or the disk.
"""

from typing import ClassVar, Final, Literal

from msgspec import Struct

from questd.messages.definition import Fallback, StepDefinition
from questd.messages.failure import Failure
from questd.messages.heads import TaskStatus
from questd.messages.payload import NULL, Payload

Ended = Literal["completed", "failed", "cancelled"]
Rendered = Literal["deciding", "listing", "gathering", "planning", "settling", "judging"]
Standing = Literal["retrying", "waiting", "awaiting", "sleeping"]
TaskPhase = Literal["pending", "ready", "running", "spread", "skipped", Rendered, Standing, Ended]

TASK_MOVES: Final[dict[tuple[TaskPhase, str], tuple[TaskPhase, ...]]] = {
    ("pending", "task.skipped"): ("skipped",),
    ("deciding", "task.skipped"): ("skipped",),
    ("deciding", "task.allowed"): ("ready", "listing", "awaiting", "sleeping"),
    ("deciding", "task.failed"): ("settling", "failed"),
    ("ready", "attempt.started"): ("running",),
    ("ready", "attempt.completed"): ("completed", "planning", "judging"),
    ("ready", "attempt.failed"): ("retrying", "settling", "failed"),
    ("ready", "task.failed"): ("settling", "failed"),
    ("retrying", "attempt.started"): ("running",),
    ("retrying", "task.failed"): ("settling", "failed"),
    ("running", "attempt.completed"): ("completed", "planning", "judging"),
    ("running", "attempt.failed"): ("retrying", "settling", "failed"),
    ("running", "attempt.lost"): ("ready",),
    ("running", "attempt.cancelled"): ("cancelled",),
    ("ready", "breakpoint.opened"): ("waiting",),
    ("retrying", "breakpoint.opened"): ("waiting",),
    ("waiting", "breakpoint.resolved"): ("ready", "judging"),
    ("waiting", "attempt.completed"): ("completed", "planning", "judging"),
    ("waiting", "attempt.failed"): ("retrying", "settling", "failed"),
    ("ready", "task.completed"): ("completed", "planning", "judging"),
    ("waiting", "task.failed"): ("settling", "failed"),
    ("judging", "task.accepted"): ("completed",),
    ("judging", "task.sent_back"): ("completed",),
    ("judging", "task.failed"): ("settling", "failed"),
    ("judging", "breakpoint.opened"): ("waiting",),
    ("listing", "task.expanded"): ("spread",),
    ("listing", "task.failed"): ("settling", "failed"),
    ("spread", "task.failed"): ("settling", "failed"),
    ("gathering", "task.gathered"): ("completed", "judging"),
    ("gathering", "task.failed"): ("settling", "failed"),
    ("planning", "task.planned"): ("completed",),
    ("planning", "task.failed"): ("settling", "failed"),
    ("planning", "task.fell_back"): ("ready",),
    ("awaiting", "task.signalled"): ("completed",),
    ("awaiting", "task.defaulted"): ("completed",),
    ("awaiting", "task.failed"): ("settling", "failed"),
    ("sleeping", "task.woke"): ("completed",),
    ("sleeping", "task.failed"): ("settling", "failed"),
    ("settling", "task.failed"): ("failed",),
    ("failed", "task.failed"): ("failed",),
    ("ready", "task.fell_back"): ("ready",),
    ("retrying", "task.fell_back"): ("ready",),
    ("settling", "task.fell_back"): ("ready",),
    ("failed", "task.fell_back"): ("ready",),
}
"""Which task events are legal in which state, and where they lead. A pending task becomes ready by its
dependencies' events; whatever has not ended when the quest ends is cancelled with it. An attempt's last failure makes
its task failed, and what follows says how it goes on: a task.failed whether the quest goes on with it, a task.fell_back
that somebody else does it."""


class Attempt(Struct, frozen=True):
    """One invocation: who runs it, since when, and whether it may be repeated blindly when it is lost."""

    epoch: int
    number: int
    agent: str
    instance: str
    tool: str
    idempotent: bool
    timeout_ms: int | None
    started_us: int


class Pending(Struct, frozen=True):
    """Dependencies have not all ended (their count is kept beside the state)."""

    phase: ClassVar[TaskPhase] = "pending"


class Deciding(Struct, frozen=True):
    """Every dependency has ended, and its ``when`` is to be looked at."""

    since_us: int
    phase: ClassVar[TaskPhase] = "deciding"


class Listing(Struct, frozen=True):
    """Its ``for_each`` is to be rendered."""

    since_us: int
    phase: ClassVar[TaskPhase] = "listing"


class Spread(Struct, frozen=True):
    """The tasks of its items are under way."""

    since_us: int
    phase: ClassVar[TaskPhase] = "spread"


class Gathering(Struct, frozen=True):
    """Every item has ended, and the list of their results is to be put together."""

    since_us: int
    phase: ClassVar[TaskPhase] = "gathering"


class Planning(Struct, frozen=True):
    """Its tool returned a plan, which is to be read."""

    result: Payload
    duration_us: int
    since_us: int
    attempt: Attempt | None
    phase: ClassVar[TaskPhase] = "planning"


class Ready(Struct, frozen=True):
    """Could run now. ``lost``: the attempt whose result would still count."""

    since_us: int
    lost: Attempt | None = None
    phase: ClassVar[TaskPhase] = "ready"


class Running(Struct, frozen=True):
    """An attempt is under way."""

    attempt: Attempt
    phase: ClassVar[TaskPhase] = "running"


class Retrying(Struct, frozen=True):
    """Will run again at ``until_us`` (wall clock)."""

    since_us: int
    until_us: int
    failure: Failure
    phase: ClassVar[TaskPhase] = "retrying"


class Waiting(Struct, frozen=True):
    """A person must decide; ``breakpoint`` is the n of its opening. ``judged``: what it has, if another round is asked about."""

    breakpoint: int
    since_us: int
    question: str
    options: tuple[str, ...]
    lost: Attempt | None = None
    judged: "Completed | None" = None
    phase: ClassVar[TaskPhase] = "waiting"


class Awaiting(Struct, frozen=True):
    """A signal must come, until then (wall clock; None: whenever)."""

    since_us: int
    until_us: int | None
    phase: ClassVar[TaskPhase] = "awaiting"


class Sleeping(Struct, frozen=True):
    """Nothing to do until then (wall clock)."""

    since_us: int
    until_us: int
    phase: ClassVar[TaskPhase] = "sleeping"


class Settling(Struct, frozen=True):
    """Failed with on_error: continue_with_input; what it was given is still to be rendered."""

    failure: Failure
    since_us: int
    phase: ClassVar[TaskPhase] = "settling"


class Completed(Struct, frozen=True):
    """Has a result. ``attempt`` is None when no agent gave it."""

    result: Payload
    finished_us: int
    duration_us: int
    attempt: Attempt | None
    phase: ClassVar[TaskPhase] = "completed"


class Judging(Struct, frozen=True):
    """Has a result, and its ``until`` is to be looked at. ``granted``: a person allowed one more round than the quest may have."""

    done: Completed
    granted: bool = False
    phase: ClassVar[TaskPhase] = "judging"


class Failed(Struct, frozen=True):
    """Failed for good; when ``continued``, dependants run and see ``result``."""

    failure: Failure
    finished_us: int
    continued: bool
    result: Payload
    attempt: Attempt | None
    phase: ClassVar[TaskPhase] = "failed"


class Skipped(Struct, frozen=True):
    """Did not have to run; dependants see null."""

    reason: str
    finished_us: int
    phase: ClassVar[TaskPhase] = "skipped"


class Cancelled(Struct, frozen=True):
    """Ended, or never begun, because the quest ended."""

    finished_us: int
    attempt: Attempt | None = None
    phase: ClassVar[TaskPhase] = "cancelled"


TaskState = (
    Pending
    | Deciding
    | Listing
    | Spread
    | Gathering
    | Planning
    | Ready
    | Running
    | Retrying
    | Waiting
    | Awaiting
    | Sleeping
    | Settling
    | Judging
    | Completed
    | Failed
    | Skipped
    | Cancelled
)


class Round(Struct, frozen=True):
    """Which round of its step a task is, and what it was told. ``before``: the place of the round before.

    ``taken``: rounds of the step's own ``repeat``, this one included, since another loop last sent it back.
    """

    number: int = 1
    feedback: Payload = NULL
    taken: int = 1
    before: int = -1


FIRST: Final = Round()


class Item(Struct, frozen=True):
    """What a task is an item of: number ``number``, counted from 0, of that task's list."""

    of: "Task"
    number: int
    value: Payload


class Items(Struct):
    """The items of a task: ``count`` tasks from place ``first`` on. The first ``next`` have come up; ``left`` have not ended."""

    first: int
    count: int
    next: int
    left: int
    failed: list[int]


class Part(Struct):
    """What a planned task is a part of: ``left`` of the steps that ``of`` planned have not ended; ``waiting`` are the places of what waits for all."""

    of: "Task"
    left: int
    waiting: list[int]


class Task:
    """One unit of work: its step, its state, and what stays true over all its attempts.

    ``choice``: 0 while the step's own agent is asked, then the number of the fallback; ``spent``: attempts before it. ``losses`` and
    ``unbegun`` are of the present choice. ``index``: its place among the quest's tasks; ``number``: its step's place in the document.
    """

    __slots__ = (
        "attempts",
        "choice",
        "first_ready_us",
        "first_started_us",
        "index",
        "item",
        "items",
        "key",
        "last",
        "losses",
        "number",
        "part",
        "plans",
        "redo",
        "round",
        "skipped_by",
        "spent",
        "state",
        "step",
        "unbegun",
        "unfinished",
    )

    def __init__(self, index: int, step: StepDefinition, unfinished: int) -> None:
        self.index = index
        self.number = index
        self.key = step.key
        self.item: Item | None = None
        self.items: Items | None = None
        self.part: Part | None = None
        self.plans: Part | None = None
        self.step = step
        self.round = FIRST
        self.state: TaskState = PENDING
        self.unfinished = unfinished
        self.attempts = 0
        self.choice = 0
        self.spent = 0
        self.losses = 0
        self.unbegun = 0
        self.redo = 0
        self.skipped_by: str | None = None
        self.first_ready_us = 0
        self.first_started_us = 0
        self.last: Attempt | None = None

    @property
    def asked(self) -> StepDefinition | Fallback:
        """Who is to do it now: the step's own choice, or one of its fallbacks."""
        return self.step.fallback[self.choice - 1] if self.choice else self.step

    @property
    def tried(self) -> int:
        """Attempts of the present choice that count as tried: neither lost ones nor those that never began."""
        return self.attempts - self.spent - self.losses - self.unbegun

    def open_attempt(self) -> Attempt | None:
        """The attempt whose outcome counts: the running one, or the last lost one."""
        state = self.state
        if isinstance(state, Running):
            return state.attempt
        return state.lost if isinstance(state, Ready | Waiting) else None

    def __repr__(self) -> str:
        return f"<Task {self.key} {self.state!r} attempts={self.attempts} losses={self.losses}>"


PENDING: Final = Pending()


def task_status(task: Task) -> TaskStatus:
    """The word that people see."""
    match task.state.phase:
        case "deciding" | "listing":
            return "pending"
        case "settling" | "judging" | "spread" | "gathering" | "planning":
            return "running"
        case "awaiting" | "sleeping":
            return "waiting"
        case phase:
            return phase
