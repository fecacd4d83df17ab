"""The control door: what a client says to the daemon, and what it hears (docs/protocol.md).

One request, one reply, msgpack maps tagged by ``type``. A client parses documents, folds events and draws: the daemon
is asked for facts only. Times are microseconds since the epoch, UTC.
"""

from typing import Any

import msgspec
from msgspec import Struct

from questd.messages.events import Record
from questd.messages.heads import Head, ListFilter
from questd.messages.schedules import ScheduleSpec
from questd.messages.templates import TemplateAdded, TemplateRequest, Templates, TemplateText


class Ping(Struct, frozen=True, tag_field="type", tag="ping"):
    """Who is there? Answered by ``DaemonInfo``."""


class Submit(Struct, frozen=True, tag_field="type", tag="submit"):
    """Start a quest. ``definition``: canonical bytes. ``inputs``: a JSON object, checked against the definition, defaults filled in.

    Answered by ``Submitted`` once it is on disk.
    """

    definition: bytes
    inputs: bytes = b"{}"
    key: str | None = None
    project: str | None = None
    labels: dict[str, str] = {}
    priority: int | None = None
    deadline_us: int | None = None
    total_timeout_ms: int | None = None


class ReadQuest(Struct, frozen=True, tag_field="type", tag="read"):
    """The quest's head and its events with n > after. With ``wait_ms`` it is answered when there are any, or when that time is over.

    ``definition``: also send the canonical bytes of its definition. ``until_end``: news are no reason to answer, only the end is; the
    records may then be those of the end alone, for who wants the others reads on from ``after``.
    Answered by ``QuestRecords``.
    """

    quest: str
    after: int = 0
    limit: int = 2_000
    wait_ms: int = 0
    definition: bool = False
    seen_progress: int = 0
    until_end: bool = False


class ReadBlobs(Struct, frozen=True, tag_field="type", tag="blobs"):
    """Payload texts by digest, as many as fit a frame. Answered by ``Blobs``; absent ones are left out."""

    digests: tuple[str, ...]


class ListQuests(Struct, frozen=True, tag_field="type", tag="list"):
    """Heads, newest first. Answered by ``Heads``."""

    wanted: ListFilter = ListFilter()


class CancelQuest(Struct, frozen=True, tag_field="type", tag="cancel"):
    """Cancel with a reason; cancelling twice is the same as once. Answered by ``Done`` when it is on disk."""

    quest: str
    reason: str
    actor: str


class ResolveTask(Struct, frozen=True, tag_field="type", tag="resolve"):
    """Answer a breakpoint. ``task`` may be empty when only one is open. ``result``: JSON text, with choice "complete".

    Choices for a lost attempt: retry, complete, fail; for a budget that is used up: more, fail. With "more", ``result`` may be
    ``{"tokens": n, "cost": x}``. First answer wins; a second one is refused.
    """

    quest: str
    choice: str
    actor: str
    task: str = ""
    result: bytes | None = None


class SendSignal(Struct, frozen=True, tag_field="type", tag="signal"):
    """Send a quest a signal. ``payload``: JSON text. ``key``: a signal with a key that the quest has seen changes nothing.

    Answered by ``Done`` when it is on disk, its message saying who took it; refused when no step is left that could take it.
    """

    quest: str
    name: str
    payload: bytes = b"null"
    actor: str = ""
    key: str | None = None


class ListAgents(Struct, frozen=True, tag_field="type", tag="agents"):
    """The connected instances. Answered by ``Agents``."""

    name: str | None = None


class DrainAgent(Struct, frozen=True, tag_field="type", tag="drain"):
    """Give an agent (or one instance, by incarnation prefix) no new work. Answered by ``Done``."""

    name: str
    instance: str | None = None


class Missing(Struct, frozen=True, tag_field="type", tag="missing"):
    """Which agents and capabilities do tasks wait for that nobody connected offers? Answered by ``MissingAgents``."""


class StopDaemon(Struct, frozen=True, tag_field="type", tag="stop"):
    """Drain and end, as SIGTERM does. Answered by ``Done`` at once."""


class AddSchedule(Struct, frozen=True, tag_field="type", tag="schedule.add"):
    """Keep a schedule under a name of its own. Answered by ``Done`` when it is on disk, not ``changed`` when it was there just so."""

    name: str
    spec: ScheduleSpec
    definition: bytes
    actor: str = ""


class ChangeSchedule(Struct, frozen=True, tag_field="type", tag="schedule.change"):
    """Everything about it anew, but its name. Answered by ``Done``."""

    name: str
    spec: ScheduleSpec
    definition: bytes
    actor: str = ""


class PauseSchedule(Struct, frozen=True, tag_field="type", tag="schedule.pause"):
    """Fire no more until it is resumed; what comes due meanwhile is left out. Answered by ``Done``."""

    name: str
    actor: str = ""


class ResumeSchedule(Struct, frozen=True, tag_field="type", tag="schedule.resume"):
    """Go on with the next due time. Answered by ``Done``."""

    name: str
    actor: str = ""


class RemoveSchedule(Struct, frozen=True, tag_field="type", tag="schedule.remove"):
    """Its quests go on. Answered by ``Done``."""

    name: str
    actor: str = ""


class BackfillSchedule(Struct, frozen=True, tag_field="type", tag="schedule.backfill"):
    """Submit for each due time with from ≤ due ≤ to that has no quest yet. Answered by ``Done``, whose message says how many."""

    name: str
    from_us: int
    to_us: int
    actor: str = ""


class ListSchedules(Struct, frozen=True, tag_field="type", tag="schedules"):
    """All by name, or (``name``) the one, with its next due times and what it did last. Answered by ``Schedules``."""

    name: str | None = None


ScheduleRequest = (
    AddSchedule
    | ChangeSchedule
    | PauseSchedule
    | ResumeSchedule
    | RemoveSchedule
    | BackfillSchedule
    | ListSchedules
)
Request = (
    Ping
    | Submit
    | ReadQuest
    | ReadBlobs
    | ListQuests
    | CancelQuest
    | ResolveTask
    | ListAgents
    | DrainAgent
    | Missing
    | StopDaemon
    | ScheduleRequest
    | TemplateRequest
    | SendSignal
)


class DaemonInfo(Struct, frozen=True, tag_field="type", tag="daemon"):
    """The daemon's boot id, version and addresses, and how full it is."""

    boot: str
    version: str
    pid: int
    data: str
    started_us: int
    addresses: dict[str, str]
    ready: bool
    gauges: dict[str, int] = {}


class Submitted(Struct, frozen=True, tag_field="type", tag="submitted"):
    """``created`` is false when the idempotency key was known."""

    quest: str
    created: bool


class TaskProgress(Struct, frozen=True, array_like=True):
    """The last thing a running task said of itself. Not durable."""

    task: str
    fraction: float | None
    text: str
    at_us: int


class QuestRecords(Struct, frozen=True, tag_field="type", tag="records"):
    """``more``: further events are there already. ``progress_version`` grows with each change of ``progress``."""

    head: Head
    records: tuple[Record, ...]
    more: bool = False
    definition: bytes | None = None
    progress: tuple[TaskProgress, ...] = ()
    progress_version: int = 0


class Blobs(Struct, frozen=True, tag_field="type", tag="blob_texts"):
    """Texts by digest."""

    texts: dict[str, bytes]


class Heads(Struct, frozen=True, tag_field="type", tag="heads"):
    """``first`` and ``last``: each quest's first event and, of an ended one, its last (for inputs, output and error)."""

    heads: tuple[Head, ...]
    first: tuple[Record, ...] = ()
    last: tuple[Record | None, ...] = ()
    next: str | None = None


class ToolView(Struct, frozen=True):
    """A tool of a connected agent."""

    name: str
    capabilities: tuple[str, ...]
    timeout_ms: int | None
    idempotent: bool
    input_schema: Any
    output_schema: Any
    description: str = ""


class InstanceView(Struct, frozen=True):
    """A connected agent instance. Counts are since it connected."""

    agent: str
    instance: str
    host: str
    pid: int
    sdk: str
    capabilities: tuple[str, ...]
    labels: dict[str, str | int | float | bool]
    capacity: int
    prefetch: int
    in_flight: int
    stuck: int
    draining: bool
    connected_us: int
    heard_us: int
    completed: int
    failed: int
    tools: tuple[ToolView, ...] = ()


class Agents(Struct, frozen=True, tag_field="type", tag="agent_list"):
    """Connected instances by name."""

    instances: tuple[InstanceView, ...]


class MissingAgents(Struct, frozen=True, tag_field="type", tag="missing_agents"):
    """What waiting tasks ask for in vain: (agent or "", capabilities, how many tasks, since)."""

    wanted: tuple[tuple[str, tuple[str, ...], int, int], ...]


class OccasionView(Struct, frozen=True):
    """What became of a due time, or (``until_us``) of all after it up to another one. ``status``: fired, running, completed, failed, cancelled, gone, refused or skipped, with its reason."""

    due_us: int
    why: str
    at_us: int
    until_us: int | None
    quest: str | None
    status: str
    reason: str | None


class ScheduleView(Struct, frozen=True):
    """A schedule. ``fault``: why it does nothing any more. ``recent`` is newest first, empty in a list. ``files``: how many it knows, if it waits for any."""

    id: str
    name: str
    spec: ScheduleSpec
    definition: str
    document: str
    version: str
    paused: bool
    created_us: int
    changed_us: int
    next_us: tuple[int, ...]
    running: tuple[str, ...]
    put_off_us: int | None
    backlog: int
    recent: tuple[OccasionView, ...] = ()
    fault: str | None = None
    files: int | None = None
    changing: bool = False
    troubles: tuple[str, ...] = ()


class Schedules(Struct, frozen=True, tag_field="type", tag="schedule_list"):
    """Schedules by name."""

    schedules: tuple[ScheduleView, ...]


class Done(Struct, frozen=True, tag_field="type", tag="done"):
    """It is so; ``changed`` is false when it was so already."""

    changed: bool = True
    message: str = ""


class Error(Struct, frozen=True, tag_field="type", tag="error"):
    """It was not done. ``kind``: not_found, invalid, refused, busy, internal. ``details``: one entry a fault of a bad document."""

    kind: str
    message: str
    retry_after_ms: int | None = None
    details: tuple[str, ...] = ()


Reply = (
    DaemonInfo
    | Submitted
    | QuestRecords
    | Blobs
    | Heads
    | Agents
    | MissingAgents
    | Schedules
    | Templates
    | TemplateText
    | TemplateAdded
    | Done
    | Error
)

_encoder = msgspec.msgpack.Encoder()
_request_decoder: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_reply_decoder: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply)


REQUEST_TAGS = frozenset(str(kind.__struct_config__.tag) for kind in Request.__args__)


def encode_control(message: Request | Reply) -> bytes:
    """One request's or reply's bytes."""
    return _encoder.encode(message)


def decode_request(data: bytes) -> Request:
    """msgspec.DecodeError or UnicodeDecodeError when the bytes are no request."""
    return _request_decoder.decode(data)


def decode_reply(data: bytes) -> Reply:
    """msgspec.DecodeError or UnicodeDecodeError when the bytes are no reply."""
    return _reply_decoder.decode(data)
