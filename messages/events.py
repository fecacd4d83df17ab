"""The events of a quest: what the journal holds, the history projects and the quest core folds.

Past tense, one Struct each, stable dotted tags. Structs are arrays on disk: a new field goes last and has a
default, a tag is never used again, and the bytes of every released version decode for ever
(tests/golden). Who, when and where in the journal is the envelope (``Record``), never the event.

``epoch`` is the number n of the ``attempt.started`` event in its quest's journal: (quest, epoch) names one
attempt for ever.
"""

import msgspec
from msgspec import Struct

from questd.messages.definition import StepDefinition
from questd.messages.failure import Failure
from questd.messages.payload import Payload

EVENT_SCHEMA_VERSION = 1


class QuestSubmitted(Struct, frozen=True, array_like=True, tag="quest.submitted"):
    """Always n = 1. ``inputs`` is a JSON object; defaults are already filled in. ``secrets``: the references in it, by input.

    ``uses``: the templates that the quest and its children may come to use, as they are named, by the digest that the name stood for then.
    """

    definition: str
    name: str
    version: str
    project: str
    inputs: Payload
    labels: dict[str, str] = {}
    priority: int = 5
    deadline_us: int | None = None
    total_timeout_ms: int | None = None
    key: str | None = None
    secrets: dict[str, str] = {}
    uses: dict[str, str] | None = None


class QuestStarted(Struct, frozen=True, array_like=True, tag="quest.started"):
    """From here on steps may run; the quest's total timeout counts from here."""


class AttemptStarted(Struct, frozen=True, array_like=True, tag="attempt.started"):
    """A task was given to an agent instance. Its own n is the epoch of the attempt."""

    task: str
    attempt: int
    agent: str
    instance: str
    tool: str
    idempotent: bool = True
    timeout_ms: int | None = None


class AttemptCompleted(Struct, frozen=True, array_like=True, tag="attempt.completed"):
    """The tool returned. The task is completed with this result."""

    task: str
    epoch: int
    result: Payload
    duration_us: int = 0
    tokens: int = 0
    cost: float = 0.0
    model: str | None = None
    confidence: float | None = None


class AttemptFailed(Struct, frozen=True, array_like=True, tag="attempt.failed"):
    """The attempt failed or timed out. With ``retry_at_us`` the task is tried again then; without, it has failed."""

    task: str
    epoch: int
    failure: Failure
    retry_at_us: int | None = None
    duration_us: int = 0
    tokens: int = 0
    cost: float = 0.0
    model: str | None = None


class AttemptLost(Struct, frozen=True, array_like=True, tag="attempt.lost"):
    """Its agent instance vanished. Its result still counts while no later attempt has started.

    Not ``begun``: the instance left in order and its tool was never called; then it is no loss.
    """

    task: str
    epoch: int
    reason: str
    begun: bool = True


class AttemptCancelled(Struct, frozen=True, array_like=True, tag="attempt.cancelled"):
    """The attempt ended on request, or was abandoned when its grace was over."""

    task: str
    epoch: int
    reason: str
    abandoned: bool = False


class AttemptRefused(Struct, frozen=True, array_like=True, tag="attempt.refused"):
    """An outcome arrived that no longer counts; it changes nothing."""

    task: str
    epoch: int
    outcome: str
    reason: str


class LogLine(Struct, frozen=True, array_like=True):
    """One line that a tool wrote with ctx.log. ``fields`` is a JSON object."""

    at_us: int
    text: str
    fields: bytes = b"{}"


class AttemptLogged(Struct, frozen=True, array_like=True, tag="attempt.logged"):
    """Lines of one attempt, in order."""

    task: str
    epoch: int
    lines: tuple[LogLine, ...]


class TaskFailed(Struct, frozen=True, array_like=True, tag="task.failed"):
    """The task has failed for good. ``continued``: dependants run; ``result`` is then what they see (null or the input)."""

    task: str
    failure: Failure
    continued: bool = False
    result: Payload = b"null"


class TaskCompleted(Struct, frozen=True, array_like=True, tag="task.completed"):
    """A person gave the task its result in place of an agent."""

    task: str
    result: Payload
    actor: str


class TaskAllowed(Struct, frozen=True, array_like=True, tag="task.allowed"):
    """The task's ``when`` holds: it may run."""

    task: str


class TaskSkipped(Struct, frozen=True, array_like=True, tag="task.skipped"):
    """The task will not run: its ``when`` does not hold, or something that it depends on was skipped."""

    task: str
    reason: str


class TaskFellBack(Struct, frozen=True, array_like=True, tag="task.fell_back"):
    """Who did the task has failed for good: its ``to``-th fallback (from 1) does it now, with a fresh count of attempts."""

    task: str
    to: int
    failure: Failure


class TaskExpanded(Struct, frozen=True, array_like=True, tag="task.expanded"):
    """The task's ``for_each`` gave these items, in order: each is a task of its own from here on, ``task[0]`` the first."""

    task: str
    items: tuple[Payload, ...]


class TaskGathered(Struct, frozen=True, array_like=True, tag="task.gathered"):
    """All items of the task have ended, and this is the list of their results. The task is completed with it."""

    task: str
    result: Payload


class TaskPlanned(Struct, frozen=True, array_like=True, tag="task.planned"):
    """The task's result is a plan, and these are its steps: checked, and part of the quest from here on. The task is completed."""

    task: str
    steps: tuple[StepDefinition, ...]


class TaskAccepted(Struct, frozen=True, array_like=True, tag="task.accepted"):
    """The task's result stands: its ``until`` holds, or the quest goes on without (``exhausted``: no round was left)."""

    task: str
    exhausted: bool = False


class TaskSentBack(Struct, frozen=True, array_like=True, tag="task.sent_back"):
    """The task's ``until`` does not hold: from the step ``to`` on to its own, everything runs again as the next round, told ``feedback``."""

    task: str
    to: str
    feedback: Payload


class SignalReceived(Struct, frozen=True, array_like=True, tag="signal.received"):
    """Somebody outside sent a signal. Its own n is its id. It is kept until a step takes it."""

    name: str
    payload: Payload
    actor: str
    key: str | None = None


class TaskSignalled(Struct, frozen=True, array_like=True, tag="task.signalled"):
    """The task took the signal with this n: the payload is its result."""

    task: str
    signal: int
    result: Payload


class TaskDefaulted(Struct, frozen=True, array_like=True, tag="task.defaulted"):
    """No signal has come in time: the step's default is its result."""

    task: str
    result: Payload


class TaskWoke(Struct, frozen=True, array_like=True, tag="task.woke"):
    """The task has slept as long as it should."""

    task: str


class BreakpointOpened(Struct, frozen=True, array_like=True, tag="breakpoint.opened"):
    """The quest waits for a decision on this task. The breakpoint's id is its event number n."""

    task: str
    kind: str
    question: str
    options: tuple[str, ...]


class BreakpointResolved(Struct, frozen=True, array_like=True, tag="breakpoint.resolved"):
    """``breakpoint`` is the n of its opening; ``choice`` is one of its options. ``tokens`` and ``cost``: what it adds to the quest's budget."""

    breakpoint: int
    task: str
    choice: str
    actor: str
    tokens: int = 0
    cost: float = 0.0


class CancelRequested(Struct, frozen=True, array_like=True, tag="quest.cancel_requested"):
    """Nothing new starts; running attempts are asked to end and abandoned after the grace."""

    reason: str
    actor: str


class QuestStopping(Struct, frozen=True, array_like=True, tag="quest.stopping"):
    """The quest has failed (a task with on_error: stop, or its total timeout) and lets running attempts end first."""

    failure: Failure


class QuestCompleted(Struct, frozen=True, array_like=True, tag="quest.completed"):
    """``failed_steps`` are those whose failure was continued."""

    output: Payload
    failed_steps: tuple[str, ...] = ()


class QuestFailed(Struct, frozen=True, array_like=True, tag="quest.failed"):
    """The end of a quest that could not go on."""

    failure: Failure


class QuestCancelled(Struct, frozen=True, array_like=True, tag="quest.cancelled"):
    """The end of a quest that somebody cancelled."""

    reason: str


Event = (
    QuestSubmitted
    | QuestStarted
    | AttemptStarted
    | AttemptCompleted
    | AttemptFailed
    | AttemptLost
    | AttemptCancelled
    | AttemptRefused
    | AttemptLogged
    | TaskFailed
    | TaskCompleted
    | BreakpointOpened
    | BreakpointResolved
    | CancelRequested
    | QuestStopping
    | QuestCompleted
    | QuestFailed
    | QuestCancelled
    | TaskAllowed
    | TaskSkipped
    | TaskFellBack
    | TaskExpanded
    | TaskGathered
    | TaskPlanned
    | TaskAccepted
    | TaskSentBack
    | SignalReceived
    | TaskSignalled
    | TaskDefaulted
    | TaskWoke
)


class Record(Struct, frozen=True, array_like=True):
    """An event in its envelope, as the journal keeps it. ``body`` is the encoded event, ``kind`` its tag."""

    seq: int
    quest: str
    n: int
    at_us: int
    kind: str
    schema: int
    body: bytes


_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Event] = msgspec.msgpack.Decoder(Event)


def encode_event(event: Event) -> bytes:
    """The bytes that the journal keeps."""
    return _encoder.encode(event)


def decode_event(body: bytes) -> Event:
    """msgspec.DecodeError or UnicodeDecodeError when the bytes are no event of this or an earlier version."""
    return _decoder.decode(body)


def kind_of(event: Struct) -> str:
    """The dotted tag of an event, of a quest or of a schedule."""
    tag = event.__struct_config__.tag
    assert isinstance(tag, str)
    return tag
