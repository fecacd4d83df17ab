"""What a quest is at a moment: the fold of its events, and the tables of legal moves.

A quest is *pending* until it has started, *active* while steps may start, *stopping* while it lets running attempts
end after a failure or a cancel, and then completed, failed or cancelled. People see an active quest as ``running``
while an attempt runs, and as ``waiting`` when it only waits.

A task is *pending* until its dependencies have ended, *deciding* while its ``when`` is looked at, *ready* when it could run, *running* through one attempt,
*retrying* between attempts, *waiting* for a decision, *settling* when it has failed and the input that stands in for
its result is still to be rendered, and then completed, failed, skipped or cancelled. A task whose attempt was lost is ready again and
remembers the lost attempt: its result still counts until another attempt has started.

Each state is a small type with only its own fields. This file must not know of actors, time, or the disk.
"""

from typing import ClassVar, Final, Literal

from msgspec import Struct

from questd.actors.quest.owed import Due
from questd.messages.definition import QuestDefinition, StepDefinition
from questd.messages.failure import Failure
from questd.messages.heads import QuestStatus, TaskStatus
from questd.messages.payload import Payload

Ended = Literal["completed", "failed", "cancelled"]
Phase = Literal["pending", "active", "stopping"] | Ended

QUEST_MOVES: Final[dict[tuple[Phase, str], Phase]] = {
    ("pending", "quest.started"): "active",
    ("pending", "quest.cancel_requested"): "stopping",
    ("active", "quest.cancel_requested"): "stopping",
    ("active", "quest.stopping"): "stopping",
    ("active", "quest.completed"): "completed",
    ("active", "quest.failed"): "failed",
    ("stopping", "quest.cancel_requested"): "stopping",
    ("stopping", "quest.failed"): "failed",
    ("stopping", "quest.cancelled"): "cancelled",
}
"""Which quest events are legal in which phase, and where they lead."""

TaskPhase = (
    Literal["pending", "deciding", "ready", "running", "retrying", "waiting", "settling", "skipped"]
    | Ended
)

TASK_MOVES: Final[dict[tuple[TaskPhase, str], tuple[TaskPhase, ...]]] = {
    ("pending", "task.skipped"): ("skipped",),
    ("deciding", "task.skipped"): ("skipped",),
    ("deciding", "task.allowed"): ("ready",),
    ("deciding", "task.failed"): ("settling", "failed"),
    ("ready", "attempt.started"): ("running",),
    ("ready", "attempt.completed"): ("completed",),
    ("ready", "attempt.failed"): ("retrying", "settling", "failed"),
    ("ready", "task.failed"): ("settling", "failed"),
    ("retrying", "attempt.started"): ("running",),
    ("retrying", "task.failed"): ("settling", "failed"),
    ("running", "attempt.completed"): ("completed",),
    ("running", "attempt.failed"): ("retrying", "settling", "failed"),
    ("running", "attempt.lost"): ("ready",),
    ("running", "attempt.cancelled"): ("cancelled",),
    ("ready", "breakpoint.opened"): ("waiting",),
    ("waiting", "breakpoint.resolved"): ("ready",),
    ("waiting", "attempt.completed"): ("completed",),
    ("waiting", "attempt.failed"): ("retrying", "settling", "failed"),
    ("ready", "task.completed"): ("completed",),
    ("waiting", "task.failed"): ("settling", "failed"),
    ("settling", "task.failed"): ("failed",),
    ("failed", "task.failed"): ("failed",),
}
"""Which task events are legal in which state, and where they lead. A pending task becomes ready by its
dependencies' events; whatever has not ended when the quest ends is cancelled with it. An attempt's last failure makes
its task failed, and the task.failed that follows says whether the quest goes on with it."""

TERMINAL_PHASES: Final = frozenset({"completed", "failed", "cancelled"})


class IllegalMove(Exception):
    """An event that the tables do not allow here: a bug, never a refusal."""

    def __init__(self, where: str, state: str, event: str) -> None:
        super().__init__(f"{where} is {state}: {event} is not a legal move")
        self.where = where
        self.state = state
        self.event = event


# -- the task ----------------------------------------------------------------------------------


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
    """A person must decide; ``breakpoint`` is the n of its opening."""

    breakpoint: int
    since_us: int
    question: str
    options: tuple[str, ...]
    lost: Attempt | None = None
    phase: ClassVar[TaskPhase] = "waiting"


class Settling(Struct, frozen=True):
    """Failed with on_error: continue_with_input; what it was given is still to be rendered."""

    failure: Failure
    since_us: int
    phase: ClassVar[TaskPhase] = "settling"


class Completed(Struct, frozen=True):
    """Has a result. ``attempt`` is None when a person gave it."""

    result: Payload
    finished_us: int
    duration_us: int
    attempt: Attempt | None
    phase: ClassVar[TaskPhase] = "completed"


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
    | Ready
    | Running
    | Retrying
    | Waiting
    | Settling
    | Completed
    | Failed
    | Skipped
    | Cancelled
)


class Task:
    """One unit of work: its step, its state, and what stays true over all its attempts."""

    __slots__ = (
        "attempts",
        "first_ready_us",
        "first_started_us",
        "index",
        "key",
        "last",
        "losses",
        "redo",
        "skipped_by",
        "state",
        "step",
        "unbegun",
        "unfinished",
    )

    def __init__(self, index: int, step: StepDefinition, unfinished: int) -> None:
        self.index = index
        self.key = step.key
        self.step = step
        self.state: TaskState = PENDING
        self.unfinished = unfinished
        self.attempts = 0
        self.losses = 0
        self.unbegun = 0
        self.redo = 0
        self.skipped_by: str | None = None
        self.first_ready_us = 0
        self.first_started_us = 0
        self.last: Attempt | None = None

    def open_attempt(self) -> Attempt | None:
        """The attempt whose outcome counts: the running one, or the last lost one."""
        state = self.state
        if isinstance(state, Running):
            return state.attempt
        return state.lost if isinstance(state, Ready | Waiting) else None

    def __repr__(self) -> str:
        return f"<Task {self.key} {self.state!r} attempts={self.attempts} losses={self.losses}>"


PENDING: Final = Pending()


# -- the quest ---------------------------------------------------------------------------------


class Plan:
    """The immutable shape of a definition, shared by all its quests."""

    __slots__ = ("definition", "dependents", "digest", "index", "sinks", "steps")

    def __init__(self, definition: QuestDefinition, digest: str) -> None:
        self.definition = definition
        self.digest = digest
        self.steps = definition.steps
        self.index = {step.key: n for n, step in enumerate(self.steps)}
        dependents: list[list[int]] = [[] for _ in self.steps]
        for n, step in enumerate(self.steps):
            for key in step.dependencies:
                dependents[self.index[key]].append(n)
        self.dependents = tuple(tuple(each) for each in dependents)
        self.sinks = tuple(n for n, each in enumerate(self.dependents) if not each)


class QuestState:
    """The fold. ``due`` is the delta that the shell takes; ``admitted``: the tasks that ask for a place, and is it in vain?"""

    __slots__ = (
        "admitted",
        "created_us",
        "deadline_us",
        "doomed",
        "due",
        "ended",
        "epochs",
        "exclusive_running",
        "exclusive_wanted",
        "failed_steps",
        "failure",
        "finished_us",
        "id",
        "in_vain",
        "inputs",
        "key",
        "labels",
        "last_us",
        "name",
        "output",
        "phase",
        "plan",
        "priority",
        "project",
        "ready",
        "refused",
        "running",
        "settling",
        "started_us",
        "stopping_us",
        "tasks",
        "timers",
        "total_timeout_ms",
        "version",
        "version_label",
    )

    def __init__(self, quest: str, plan: Plan) -> None:
        self.id = quest
        self.plan = plan
        self.version = 0
        self.phase: Phase = "pending"
        self.name = plan.definition.name
        self.version_label = plan.definition.version
        self.project = plan.definition.project
        self.labels: dict[str, str] = {}
        self.priority = plan.definition.priority
        self.key: str | None = None
        self.inputs: Payload = b"{}"
        self.output: Payload | None = None
        self.failure: Failure | None = None
        self.failed_steps: list[str] = []
        self.created_us = 0
        self.started_us = 0
        self.stopping_us = 0
        self.finished_us: int | None = None
        self.last_us = 0
        self.deadline_us: int | None = None
        self.total_timeout_ms: int | None = None
        self.tasks = [Task(n, s, len(s.dependencies)) for n, s in enumerate(plan.steps)]
        self.ended = 0
        self.running = 0
        self.settling = 0
        self.epochs: dict[int, int] = {}
        self.refused: dict[int, None] = {}
        self.ready: list[tuple[int, int, int]] = []
        self.admitted: dict[int, bool] = {}
        self.in_vain = 0
        self.exclusive_wanted: Task | None = None
        self.exclusive_running = 0
        self.timers: list[tuple[int, str, int]] = []
        self.doomed: dict[int, None] = {}
        self.due: list[Due] = []

    def task(self, key: str) -> Task | None:
        """The task of that id."""
        index = self.plan.index.get(key)
        return None if index is None else self.tasks[index]

    def at(self, key: str) -> Task:
        """The task of that id, which must exist: for ids that come from our own events."""
        return self.tasks[self.plan.index[key]]

    @property
    def status(self) -> QuestStatus:
        """The word that people see."""
        match self.phase:
            case "active":
                busy = self.running or self.settling or self.ended == len(self.tasks)
                return "running" if busy else "waiting"
            case "stopping":
                return "running"
            case "pending" | "completed" | "failed" | "cancelled":
                return self.phase

    def take_due(self) -> list[Due]:
        """The delta since the last call, in order."""
        due, self.due = self.due, []
        return due


def task_status(task: Task) -> TaskStatus:
    """The word that people see."""
    phase = task.state.phase
    if phase == "deciding":
        return "pending"
    return "running" if phase == "settling" else phase
