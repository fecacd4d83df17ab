"""The rows of the history: one Struct a table of schema.sql, fields named as its columns (a test compares them).

A row is mutable while its quest is open: the projection changes it in place and the batch writes the last image.
Times and spans are whole microseconds. A field that holds its default is left out of the text of a row, and the database puts it
back: that halves the text. How a table is written is said by ``TABLES``:

- append: rows are only ever added;
- image: rows are added and later overwritten by key, but for ``fixed`` columns. A row that is ``released`` (no column) has
  dropped its payloads to save memory, and leaves those in the file alone;
- once: a row is added unless its key is there;
- tally: rows are sums that are added to the row of the same key.

Knows nothing of SQL, files or the journal.
"""

from typing import Any, Literal

from msgspec import Struct


class DefinitionRow(Struct, gc=False, omit_defaults=True):
    """A checked document."""

    seq: int
    digest: str
    quest_name: str
    quest_version: str
    project: str
    description: str
    step_count: int
    first_used_at: int
    body: Any
    body_size: int


class DefinitionStepRow(Struct, gc=False, omit_defaults=True):
    """A step of a definition."""

    definition: str
    place: int
    step: str
    agent: str | None
    tool: str | None
    capabilities: tuple[str, ...]


class DependencyRow(Struct, gc=False, omit_defaults=True):
    """An edge of a definition's graph."""

    definition: str
    step: str
    depends_on: str


class QuestRow(Struct, gc=False, omit_defaults=True):
    """A quest."""

    seq: int
    quest: str
    definition: str
    quest_name: str
    quest_version: str
    project: str
    labels: dict[str, str]
    priority: int
    idempotency_key: str | None
    deadline_at: int | None
    total_timeout_ms: int | None
    submitted_at: int
    step_count: int = 0
    inputs: str | None = None
    inputs_size: int = 0
    inputs_digest: str | None = None
    status: str = "pending"
    started_at: int | None = None
    finished_at: int | None = None
    queue_us: int | None = None
    duration_us: int | None = None
    attempts: int | None = None
    retries: int | None = None
    result: str | None = None
    result_size: int | None = None
    result_digest: str | None = None
    failed_steps: tuple[str, ...] | None = None
    failure_kind: str | None = None
    failure_message: str | None = None
    failure_task: str | None = None
    cancel_reason: str | None = None
    cancelled_by: str | None = None
    released: bool = False


class TaskRow(Struct, gc=False, omit_defaults=True):
    """A task."""

    seq: int
    place: int
    quest: str
    task: str
    step: str
    quest_name: str
    project: str
    ready_at: int
    status: str = "ready"
    attempts: int = 0
    agent: str | None = None
    instance: str | None = None
    tool: str | None = None
    started_at: int | None = None
    finished_at: int | None = None
    queue_us: int | None = None
    duration_us: int | None = None
    result: str | None = None
    result_size: int | None = None
    result_digest: str | None = None
    failure_kind: str | None = None
    failure_message: str | None = None
    continued: bool = False
    decided_by: str | None = None
    released: bool = False


class AttemptRow(Struct, gc=False, omit_defaults=True):
    """An attempt."""

    seq: int
    quest: str
    task: str
    step: str
    epoch: int
    attempt: int
    quest_name: str
    project: str
    agent: str
    instance: str
    tool: str
    idempotent: bool
    timeout_ms: int | None
    started_at: int
    queue_us: int | None
    status: str = "running"
    finished_at: int | None = None
    duration_us: int | None = None
    tool_us: int | None = None
    failure_kind: str | None = None
    failure_message: str | None = None
    retry_at: int | None = None
    tokens: int = 0
    cost_total: float = 0.0
    model: str | None = None
    confidence: float | None = None


class EventRow(Struct, gc=False, omit_defaults=True):
    """An event of the journal, without its payload."""

    seq: int
    quest: str
    n: int
    occurred_at: int
    kind: str
    task: str | None
    epoch: int | None
    detail: dict[str, Any]


class BreakpointRow(Struct, gc=False, omit_defaults=True):
    """A durable wait for a decision."""

    seq: int
    quest: str
    breakpoint: int
    task: str
    project: str
    kind: str
    question: str
    choices: tuple[str, ...]
    opened_at: int
    status: str = "open"
    choice: str | None = None
    actor: str | None = None
    finished_at: int | None = None
    wait_us: int | None = None


class WaitRow(Struct, gc=False, omit_defaults=True):
    """A time in which a task stood still."""

    seq: int
    quest: str
    task: str
    project: str
    kind: str
    began_at: int
    until_at: int | None = None
    finished_at: int | None = None
    wait_us: int | None = None
    place: int = 0


class SignalRow(Struct, gc=False, omit_defaults=True):
    """A signal that a quest received."""

    seq: int
    quest: str
    signal: int
    signal_name: str
    project: str
    actor: str
    idempotency_key: str | None
    received_at: int
    payload: str | None
    payload_size: int
    payload_digest: str | None
    status: str = "kept"
    task: str | None = None
    finished_at: int | None = None
    kept_us: int | None = None


class LogRow(Struct, gc=False, omit_defaults=True):
    """A line that a tool wrote."""

    seq: int
    place: int
    quest: str
    task: str
    epoch: int
    written_at: int
    message: str
    fields: str


class WorkloadRow(Struct, gc=False, omit_defaults=True):
    """Counts of attempts of one tool on one agent instance."""

    agent: str
    instance: str
    tool: str
    first_seen_at: int
    last_seen_at: int
    attempts: int = 0
    completed: int = 0
    failed: int = 0
    lost: int = 0
    cancelled: int = 0
    busy_us: int = 0


Row = (
    DefinitionRow
    | DefinitionStepRow
    | DependencyRow
    | QuestRow
    | TaskRow
    | AttemptRow
    | EventRow
    | BreakpointRow
    | WaitRow
    | SignalRow
    | LogRow
    | WorkloadRow
)


class Table(Struct, frozen=True):
    """How one table is written. ``key``: the columns that name a row."""

    name: str
    row: type[Row]
    manner: Literal["append", "image", "once", "tally"]
    key: tuple[str, ...]
    fixed: tuple[str, ...] = ()
    payloads: tuple[str, ...] = ()


_OF_QUEST = ("quest", "quest_name", "project")
_OF_TASK = (*_OF_QUEST, "task", "step")

TABLES: tuple[Table, ...] = (
    Table("definition_steps", DefinitionStepRow, "once", ("definition",)),
    Table("dependencies", DependencyRow, "once", ("definition",)),
    Table("definitions", DefinitionRow, "once", ("digest",)),
    Table(
        "quests",
        QuestRow,
        "image",
        ("seq",),
        (
            *(*_OF_QUEST, "definition", "quest_version", "labels", "priority", "idempotency_key"),
            *("deadline_at", "total_timeout_ms", "submitted_at", "step_count"),
            *("inputs", "inputs_size", "inputs_digest"),
        ),
        ("result",),
    ),
    Table("tasks", TaskRow, "image", ("seq", "place"), (*_OF_TASK, "ready_at"), ("result",)),
    Table(
        "attempts",
        AttemptRow,
        "image",
        ("seq",),
        (
            *(*_OF_TASK, "epoch", "attempt", "agent", "instance", "tool"),
            *("idempotent", "timeout_ms", "started_at", "queue_us"),
        ),
    ),
    Table("events", EventRow, "append", ("seq",)),
    Table(
        "breakpoints",
        BreakpointRow,
        "image",
        ("seq",),
        ("quest", "breakpoint", "task", "project", "kind", "question", "choices", "opened_at"),
    ),
    Table(
        "waits",
        WaitRow,
        "image",
        ("seq", "place"),
        ("quest", "task", "project", "kind", "began_at", "until_at"),
    ),
    Table(
        "signals",
        SignalRow,
        "image",
        ("seq",),
        (
            *(
                "quest",
                "signal",
                "signal_name",
                "project",
                "actor",
                "idempotency_key",
                "received_at",
            ),
            *("payload", "payload_size", "payload_digest"),
        ),
    ),
    Table("logs", LogRow, "append", ("seq", "place")),
    Table("workload", WorkloadRow, "tally", ("agent", "instance", "tool")),
)
"""In the order in which a batch is written: parts before the definition whose absence lets them in."""
