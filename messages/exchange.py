"""The exchange: what an agent instance and the daemon say to each other (docs/protocol.md).

The agent asks, the daemon answers. ``Hello`` opens a session (and reopens it after ``Resync``), then an
``Exchange`` is always open, and its answer is ``Work``. Work items are numbered per session and repeated until
an Exchange acknowledges their number; outcomes are repeated until a Work acknowledges their attempt. Frames are
msgpack arrays whose first element is the tag; a new field goes last and has a default.
"""

import msgspec
from msgspec import Struct

from questd.messages.events import LogLine
from questd.messages.failure import Failure

PROTOCOL_VERSION = 1
PROTOCOLS_SPOKEN = range(max(1, PROTOCOL_VERSION - 1), PROTOCOL_VERSION + 1)
"""Of agents that a daemon of this version welcomes: its own and the one before (docs/upgrades.md)."""
FRAME_MAX_BYTES = 4 * 1024 * 1024

AttemptId = tuple[str, int]
"""(quest, epoch)."""


class Parameter(Struct, frozen=True, array_like=True):
    """A parameter of a tool, by name."""

    name: str
    required: bool = True


class ToolSpec(Struct, frozen=True, array_like=True):
    """A tool as its agent offers it. The schemas are JSON text. ``timeout_ms`` bounds one attempt unless the step says otherwise."""

    name: str
    parameters: tuple[Parameter, ...] = ()
    capabilities: tuple[str, ...] = ()
    timeout_ms: int | None = None
    idempotent: bool = True
    input_schema: bytes = b"{}"
    output_schema: bytes = b"{}"
    description: str = ""
    any_parameters: bool = False


class Completed(Struct, frozen=True, array_like=True, tag="completed"):
    """The tool returned. ``result`` is JSON text."""

    quest: str
    epoch: int
    result: bytes
    duration_us: int = 0
    tokens: int = 0
    cost: float = 0.0
    model: str | None = None
    confidence: float | None = None


class Failed(Struct, frozen=True, array_like=True, tag="failed"):
    """The tool raised, timed out, or could not be called. What it had used by then was used all the same."""

    quest: str
    epoch: int
    failure: Failure
    duration_us: int = 0
    tokens: int = 0
    cost: float = 0.0
    model: str | None = None


class Cancelled(Struct, frozen=True, array_like=True, tag="cancelled"):
    """The attempt ended because it was asked to, or was never begun."""

    quest: str
    epoch: int


Outcome = Completed | Failed | Cancelled


class Progress(Struct, frozen=True, array_like=True):
    """How far a running tool says it is: 0..1 or None, and a text."""

    quest: str
    epoch: int
    fraction: float | None
    text: str


class Logged(Struct, frozen=True, array_like=True):
    """Log lines of one attempt."""

    quest: str
    epoch: int
    lines: tuple[LogLine, ...]


class Hello(Struct, frozen=True, array_like=True, tag="hello"):
    """The first message, and the answer to Resync. ``held``: every attempt queued or running here; ``outcomes``: every unacknowledged one.

    ``incarnation`` names this process for its whole life. ``started_by`` is the boot id of the daemon that started it as a child.
    """

    protocol: int
    agent: str
    incarnation: str
    token: str | None = None
    tools: tuple[ToolSpec, ...] = ()
    capabilities: tuple[str, ...] = ()
    labels: dict[str, str | int | float | bool] = {}
    capacity: int = 1
    prefetch: int = 2
    frame_max: int = FRAME_MAX_BYTES
    held: tuple[AttemptId, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    host: str = ""
    pid: int = 0
    sdk: str = ""
    started_by: str | None = None
    draining: bool = False
    counter: int = 0


class Exchange(Struct, frozen=True, array_like=True, tag="exchange"):
    """The agent's side of one round. ``open``: counters of earlier exchanges still unanswered. ``ack``: every work item up to it arrived."""

    incarnation: str
    boot: str
    counter: int
    ack: int = 0
    open: tuple[int, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    started: tuple[AttemptId, ...] = ()
    beats: tuple[AttemptId, ...] = ()
    progress: tuple[Progress, ...] = ()
    logs: tuple[Logged, ...] = ()
    stuck: int = 0
    draining: bool = False


class Goodbye(Struct, frozen=True, array_like=True, tag="goodbye"):
    """The instance ends in order; what it still held was never begun and may be given away at once."""

    incarnation: str
    boot: str
    reason: str = ""


AgentFrame = Hello | Exchange | Goodbye


class Invocation(Struct, frozen=True, array_like=True, tag="invoke"):
    """Call ``tool`` with ``arguments`` (a JSON object). The idempotency key is the same over every retry of the task."""

    number: int
    quest: str
    epoch: int
    task: str
    attempt: int
    tool: str
    arguments: bytes
    idempotency_key: str
    timeout_ms: int | None = None
    heartbeat_timeout_ms: int | None = None
    deadline_us: int | None = None
    round: int = 1


class Cancellation(Struct, frozen=True, array_like=True, tag="cancel"):
    """End this attempt; answer with its outcome as always."""

    number: int
    quest: str
    epoch: int
    reason: str


WorkItem = Invocation | Cancellation


class Welcome(Struct, frozen=True, array_like=True, tag="welcome"):
    """A session stands. Work numbers start again at 1. ``hold_ms``: how long the daemon holds an idle exchange."""

    protocol: int
    boot: str
    hold_ms: int
    frame_max: int
    version: str = ""


class Work(Struct, frozen=True, array_like=True, tag="work"):
    """The answer to one Exchange: items with numbers above the last acknowledged, and outcomes that are on disk."""

    counter: int
    items: tuple[WorkItem, ...] = ()
    acks: tuple[AttemptId, ...] = ()
    drain: bool = False


class Resync(Struct, frozen=True, array_like=True, tag="resync"):
    """The daemon does not know this session (it restarted): say Hello again."""

    boot: str


class Denied(Struct, frozen=True, array_like=True, tag="denied"):
    """The frame was refused. ``fatal``: trying again cannot help."""

    kind: str
    message: str
    fatal: bool = True


DaemonFrame = Welcome | Work | Resync | Denied

_encoder = msgspec.msgpack.Encoder()
_agent_decoder: msgspec.msgpack.Decoder[AgentFrame] = msgspec.msgpack.Decoder(AgentFrame)
_daemon_decoder: msgspec.msgpack.Decoder[DaemonFrame] = msgspec.msgpack.Decoder(DaemonFrame)


def encode_frame(frame: AgentFrame | DaemonFrame) -> bytes:
    """One frame's bytes."""
    return _encoder.encode(frame)


def decode_agent_frame(data: bytes) -> AgentFrame:
    """msgspec.DecodeError or UnicodeDecodeError when the bytes are no frame of an agent."""
    return _agent_decoder.decode(data)


def decode_daemon_frame(data: bytes) -> DaemonFrame:
    """msgspec.DecodeError or UnicodeDecodeError when the bytes are no frame of a daemon."""
    return _daemon_decoder.decode(data)
