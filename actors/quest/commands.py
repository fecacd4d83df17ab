"""What can be asked of a quest. Imperative, one Struct each; times and chance come in as fields."""

from msgspec import Struct

from questd.messages import events as ev
from questd.messages.definition import StepDefinition
from questd.messages.failure import Failure
from questd.messages.payload import Payload


class SubmitQuest(Struct, frozen=True):
    """Begin. The inputs are checked and complete. ``secrets``: the references among them, by input."""

    inputs: Payload
    project: str
    labels: dict[str, str]
    priority: int
    deadline_us: int | None
    total_timeout_ms: int | None
    key: str | None
    secrets: dict[str, str] = {}
    uses: dict[str, str] | None = None


class StartAttempt(Struct, frozen=True):
    """A place was granted to this task."""

    task: str
    agent: str
    instance: str
    tool: str
    idempotent: bool
    timeout_ms: int | None


class CompleteAttempt(Struct, frozen=True):
    """The tool returned."""

    epoch: int
    result: Payload
    duration_us: int = 0
    tokens: int = 0
    cost: float = 0.0
    model: str | None = None
    confidence: float | None = None


class FailAttempt(Struct, frozen=True):
    """The tool failed, or its time was over. ``jitter`` in -1..1 comes from the shell's random source."""

    epoch: int
    failure: Failure
    duration_us: int = 0
    jitter: float = 0.0
    tokens: int = 0
    cost: float = 0.0
    model: str | None = None


class EndAttempt(Struct, frozen=True):
    """The attempt ended because it was asked to, or was never begun."""

    epoch: int


class LoseAttempt(Struct, frozen=True):
    """The agent instance vanished with it. Not ``begun``: its tool was never called."""

    epoch: int
    reason: str
    begun: bool = True


class LogAttempt(Struct, frozen=True):
    """Lines that the tool wrote."""

    epoch: int
    lines: tuple[ev.LogLine, ...]


class FailTask(Struct, frozen=True):
    """The task cannot be tried at all (no such tool, a result that cannot be read)."""

    task: str
    failure: Failure


class DecideTask(Struct, frozen=True):
    """The answer to ``Decide``: does its ``when`` hold?"""

    task: str
    holds: bool


class ExpandTask(Struct, frozen=True):
    """The answer to ``ListItems``: the items of the list."""

    task: str
    items: tuple[Payload, ...]


class GatherTask(Struct, frozen=True):
    """The answer to ``GatherItems``: the list of their results."""

    task: str
    result: Payload


class PlanTask(Struct, frozen=True):
    """The answer to ``ReadPlan``: its steps, checked when ``after`` planned ones had joined the quest."""

    task: str
    steps: tuple[StepDefinition, ...]
    after: int


class ContinueTask(Struct, frozen=True):
    """The answer to ``RenderInput``."""

    task: str
    result: Payload


class EndRound(Struct, frozen=True):
    """The answer to ``JudgeRound``: does the task's ``until`` hold? If not, ``feedback`` is for the next round."""

    task: str
    holds: bool
    feedback: Payload


class FinishQuest(Struct, frozen=True):
    """The answer to ``RenderOutput``: an output, or why there is none."""

    output: Payload
    failure: Failure | None = None


class CancelQuest(Struct, frozen=True):
    """Somebody does not want it any more."""

    reason: str
    actor: str


class ResolveTask(Struct, frozen=True):
    """A person's decision on a waiting task; ``task`` may be empty when only one waits."""

    task: str
    choice: str
    actor: str
    result: Payload | None = None


class ReceiveSignal(Struct, frozen=True):
    """Somebody outside sends a signal."""

    name: str
    payload: Payload
    actor: str
    key: str | None = None


class EndWait(Struct, frozen=True):
    """The task has waited, or slept, as long as it should."""

    task: str


class ExpireTask(Struct, frozen=True):
    """The task's total timeout has passed."""

    task: str


class ExpireQuest(Struct, frozen=True):
    """The quest's total timeout has passed."""


class AbandonAttempts(Struct, frozen=True):
    """The grace of a stopping quest is over."""


class AskForBudget(Struct, frozen=True):
    """A retry has come due, and the quest's budget is used up."""


Command = (
    SubmitQuest
    | StartAttempt
    | CompleteAttempt
    | FailAttempt
    | EndAttempt
    | LoseAttempt
    | LogAttempt
    | FailTask
    | DecideTask
    | ExpandTask
    | GatherTask
    | PlanTask
    | ContinueTask
    | EndRound
    | FinishQuest
    | CancelQuest
    | ResolveTask
    | ExpireTask
    | ExpireQuest
    | AbandonAttempts
    | ReceiveSignal
    | EndWait
    | AskForBudget
)


class Rejected(Struct, frozen=True):
    """It may not happen. ``kind``: gone (nothing left to do it to), held (not now), conflict, invalid, stale (ask anew)."""

    kind: str
    message: str
