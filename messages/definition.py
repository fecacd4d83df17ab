"""The definition of a quest: what a document says, checked, without its text.

Durations are whole milliseconds. Templates are kept as text and rendered when a task is dispatched.
The digest of a definition is the SHA-256 of its canonical bytes, so equal documents share one row.
"""

import hashlib
from collections.abc import Iterator
from typing import Any, Literal, cast

import msgspec
from msgspec import Struct

OnError = Literal["stop", "continue", "continue_with_input"]
OnExhausted = Literal["stop", "continue"]
Partial = Literal["fail", "continue"]

RESERVED_NAMES = (
    "inputs",
    "steps",
    "item",
    "index",
    "round",
    "feedback",
    "result",
    "quest",
    "secrets",
)
STEP_KEY_PATTERN = r"[A-Za-z_][A-Za-z0-9_-]{0,127}"
TEMPLATE_PATTERN = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}"
"""Of a template's name, and of its version: both stand in ``name@version``."""
DEFAULT_TIMEOUT_MS = 600_000
ROUNDS_MAX = 1_000
"""Of a loop, and how often a quest may be sent back in all."""
TOKENS_MAX = 2**53 - 1
"""Of a budget, and of what a quest is said to have used: where they count more, they stand still."""
COST_MAX = 1e12
"""The same of cost, in whatever currency the agents report."""


class RetryPolicy(Struct, frozen=True, omit_defaults=True):
    """``attempts`` counts the first. The delay before attempt n+1 is min(delay · backoff^(n-1), max_delay) ± jitter."""

    attempts: int = 3
    delay_ms: int = 1_000
    backoff: float = 2.0
    max_delay_ms: int = 300_000
    jitter: float = 0.1
    no_retry_on: tuple[str, ...] = ("validation", "auth")


class Fallback(Struct, frozen=True, omit_defaults=True):
    """Who else may do a step. Its arguments, its retry policy and all else stay the step's; so does its timeout, where this has none."""

    agent: str | None = None
    capabilities: tuple[str, ...] = ()
    tool: str | None = None
    timeout_ms: int | None = None


class Repeat(Struct, frozen=True, omit_defaults=True):
    """When a step is done, unless ``until`` holds, everything from ``back_to`` (None: the step itself) to it runs again as the next round.

    ``feedback`` is what that round is told; None: the step's result. ``max_rounds`` counts the first.
    """

    until: str
    back_to: str | None = None
    max_rounds: int = 3
    feedback: Any = None
    on_exhausted: OnExhausted = "stop"


class Awaited(Struct, frozen=True, omit_defaults=True):
    """The signal that a step waits for. Not ``required``: when none has come in time, the default stands in for its payload."""

    signal: str
    required: bool = True
    default: Any = None


class InputDefinition(Struct, frozen=True, omit_defaults=True):
    """One declared input: a JSON Schema, and whether a default stands in when it is not given. ``secret``: its value is a reference."""

    schema: dict[str, Any] = {}
    required: bool = True
    default: Any = None
    secret: bool = False


class QuestLimits(Struct, frozen=True, omit_defaults=True):
    """``parallel``: tasks that may run at once (None: no bound of its own). ``steps``: steps the quest may have.

    ``rounds``: how often its loops may send it back, all together, before a person is asked. ``tokens`` and ``cost``: what its attempts may
    have used, all together, before no other one starts until a person has decided (None: no bound).
    """

    parallel: int | None = None
    steps: int = 10_000
    rounds: int = ROUNDS_MAX
    tokens: int | None = None
    cost: float | None = None


class StepDefinition(Struct, frozen=True, omit_defaults=True):
    """A node of the graph. Of these is set: ``use`` (a template, whose inputs are the ``arguments``), or ``wait_for``, or ``sleep_ms``, or at least one of ``agent`` and ``capabilities``.

    ``for_each`` makes a task of each item of a list; ``max_parallel`` (None: all) and ``partial`` are about these.
    ``plan_steps``: its result is a plan, of at most so many further steps.
    ``timeout_ms`` of a step that waits for a signal is the longest that it waits.
    """

    key: str
    agent: str | None = None
    capabilities: tuple[str, ...] = ()
    tool: str | None = None
    prompt: str | None = None
    arguments: dict[str, Any] | None = None
    dependencies: tuple[str, ...] = ()
    parallel: bool = True
    timeout_ms: int | None = None
    heartbeat_timeout_ms: int | None = None
    total_timeout_ms: int | None = None
    retry: RetryPolicy | None = None
    on_error: OnError = "stop"
    idempotent: bool = True
    priority: int | None = None
    when: str | None = None
    allow_skipped: bool = False
    fallback: tuple[Fallback, ...] = ()
    for_each: str | None = None
    max_parallel: int | None = None
    partial: Partial = "fail"
    plan_steps: int | None = None
    repeat: Repeat | None = None
    use: str | None = None
    wait_for: Awaited | None = None
    sleep_ms: int | None = None

    @property
    def choices(self) -> "tuple[StepDefinition | Fallback, ...]":
        """Who may do it, in order: first it says so itself. Nobody does a step that only waits."""
        return () if self.only_waits else (self, *self.fallback)

    @property
    def only_waits(self) -> bool:
        """For a signal, or for a time: no agent has any part in it."""
        return self.wait_for is not None or self.sleep_ms is not None


class QuestDefinition(Struct, frozen=True, omit_defaults=True):
    """A whole quest. ``inputs`` is None where the document declares none (then every bare unknown name is one)."""

    name: str
    steps: tuple[StepDefinition, ...]
    description: str = ""
    version: str = "1"
    project: str = "default"
    labels: dict[str, str] = {}
    priority: int = 5
    deadline: str | None = None
    total_timeout_ms: int | None = None
    limits: QuestLimits = QuestLimits()
    default_timeout_ms: int | None = None
    default_retry: RetryPolicy | None = None
    inputs: dict[str, InputDefinition] | None = None
    output: Any = None


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(QuestDefinition)


def encode_definition(definition: QuestDefinition) -> bytes:
    """Canonical bytes: the same definition always gives the same bytes.

    By way of plain dicts, because msgspec chooses a Struct's header by how many fields the type has: a further field would give all
    definitions other bytes.
    """
    return _encoder.encode(msgspec.to_builtins(definition, order="deterministic"))


def decode_definition(data: bytes) -> QuestDefinition:
    """msgspec.ValidationError names the first field that does not fit; another DecodeError, or UnicodeDecodeError, when it is no msgpack."""
    return _decoder.decode(data)


def unknown_fields(data: bytes, definition: QuestDefinition) -> list[str]:
    """Paths of the fields in ``data``, which decodes to ``definition``, that this version does not know: it would do without them."""
    return list(_unknown(msgspec.msgpack.decode(data), definition, ""))


def _unknown(given: Any, known: Any, path: str) -> Iterator[str]:
    match known:
        case Struct():
            for name, value in given.items():
                if name in known.__struct_fields__:
                    yield from _unknown(value, getattr(known, name), f"{path}.{name}")
                else:
                    yield f"{path}.{name}".removeprefix(".")
        case tuple() if known and isinstance(known[0], Struct):
            for index, each in enumerate(cast("tuple[Struct, ...]", known)):
                yield from _unknown(given[index], each, f"{path}[{index}]")
        case dict() if path == ".inputs":
            for name, each in cast("dict[str, Struct]", known).items():
                yield from _unknown(given[name], each, f"{path}.{name}")
        case _:
            pass


def definition_digest(data: bytes) -> str:
    """Hex SHA-256 of canonical bytes."""
    return hashlib.sha256(data).hexdigest()
