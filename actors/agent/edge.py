"""What an agent says, made fit for the journal: the one place where its words are checked, whoever sent them.

Pure. Invariant: what leaves here is JSON where it says so, its numbers fit 53 bits and its texts are bounded, so that no
agent can write an event that journal, history or client cannot take. Inside, types are trusted.
"""

from math import isfinite
from typing import Final

from msgspec import Raw, json, structs

from questd.messages.events import LogLine
from questd.messages.exchange import (
    Cancelled,
    Completed,
    Exchange,
    Failed,
    Goodbye,
    Hello,
    Outcome,
    Progress,
    Resync,
    ToolSpec,
    Work,
)
from questd.messages.failure import EXCEPTION, UNSERIALISABLE, Failure
from questd.messages.payload import EMPTY_OBJECT, PAYLOAD_MAX_BYTES, decode_json, is_json

NUMBER_MAX: Final = 2**53 - 1
COST_MAX: Final = 1e12
WORD_MAX: Final = 200
MESSAGE_MAX: Final = 10_000
RETRY_AFTER_MAX_MS: Final = 366 * 86_400_000
PROGRESS_TEXT_MAX: Final = 500
LINES_A_FRAME_MAX: Final = 10_000
LINE_MAX: Final = 8_192
LINES_MAX_BYTES: Final = 512 * 1024
ATTEMPT_LINES_MAX: Final = 5_000
ATTEMPT_LINES_MAX_BYTES: Final = 1024 * 1024
"""Several times what our SDK sends of one attempt, since lines may come twice when a link broke."""
MAX_TOOLS: Final = 1_000
TOOLS_MAX_BYTES: Final = 1024 * 1024
PARAMETERS_MAX: Final = 256
WORDS_MAX: Final = 64
HOST_MAX: Final = 255
MAX_CAPACITY: Final = 100_000
HELD_MAX: Final = 2 * MAX_CAPACITY
FRAME_MIN_BYTES: Final = 128 * 1024

_fields = json.Decoder(dict[str, Raw])


def check_outcome(outcome: Outcome) -> Outcome:
    """A result must be JSON of bearable size, whoever sent it; else the attempt has failed."""
    match outcome:
        case Completed(quest, epoch, result):
            fault = fault_of_result(result)
            if fault is None:
                return _bounded_completion(outcome)
            failure = Failure(UNSERIALISABLE, fault, None, False)
            used = outcome.tokens, outcome.cost, outcome.model
            return _bounded_failed(Failed(quest, epoch, failure, outcome.duration_us, *used))
        case Failed():
            return _bounded_failed(outcome)
        case Cancelled():
            return outcome


def fault_of_result(text: bytes, what: str = "result") -> str | None:
    """Why this is no payload."""
    if len(text) > PAYLOAD_MAX_BYTES:
        return f"a {what} of {len(text)} bytes; {PAYLOAD_MAX_BYTES} are allowed"
    return None if is_json(text) else f"the {what} is not JSON text"


def _bounded_completion(done: Completed) -> Completed:
    """The same object when all is well, as it nearly always is."""
    model, confidence = done.model, done.confidence
    well = (
        0 <= done.duration_us <= NUMBER_MAX
        and 0 <= done.tokens <= NUMBER_MAX
        and 0.0 <= done.cost <= COST_MAX
        and (model is None or len(model) <= WORD_MAX)
        and (confidence is None or 0.0 <= confidence <= 1.0)
    )
    if well:
        return done
    return structs.replace(
        done,
        duration_us=_number(done.duration_us),
        tokens=_number(done.tokens),
        cost=_cost(done.cost),
        model=None if model is None else model[:WORD_MAX],
        confidence=confidence if confidence is not None and 0.0 <= confidence <= 1.0 else None,
    )


def _bounded_failed(failed: Failed) -> Failed:
    model = failed.model
    return Failed(
        failed.quest,
        failed.epoch,
        _bounded_failure(failed.failure),
        _number(failed.duration_us),
        _number(failed.tokens),
        _cost(failed.cost),
        None if model is None else model[:WORD_MAX],
    )


def _bounded_failure(failure: Failure) -> Failure:
    wish_ms = failure.retry_after_ms
    return Failure(
        failure.kind[:WORD_MAX] or EXCEPTION,
        failure.message[:MESSAGE_MAX],
        None,
        failure.retryable,
        None if wish_ms is None else min(max(wish_ms, 0), RETRY_AFTER_MAX_MS),
    )


def _number(value: int) -> int:
    return min(max(value, 0), NUMBER_MAX)


def _cost(value: float) -> float:
    return min(max(value, 0.0), COST_MAX) if isfinite(value) else 0.0


def checked_progress(said: Progress) -> tuple[float | None, str]:
    """How far, in 0..1 or unknown, and a short text."""
    fraction = said.fraction
    if fraction is not None and not 0.0 <= fraction <= 1.0:
        fraction = None
    return fraction, said.text[:PROGRESS_TEXT_MAX]


def checked_lines(lines: tuple[LogLine, ...]) -> tuple[LogLine, ...]:
    """As many as one event may hold, each of bearable length."""
    kept: list[LogLine] = []
    room = LINES_MAX_BYTES
    for line in lines[:LINES_A_FRAME_MAX]:
        fields = line.fields if _is_object(line.fields) else EMPTY_OBJECT
        text = line.text[:LINE_MAX]
        room -= _bytes_of(text) + len(fields)
        if room < 0:
            break
        kept.append(LogLine(_number(line.at_us), text, fields))
    return tuple(kept)


def _bytes_of(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


class Lines:
    """What one attempt may still write into its quest's journal."""

    __slots__ = ("_bytes", "_count", "_full")

    def __init__(self) -> None:
        self._count = ATTEMPT_LINES_MAX
        self._bytes = ATTEMPT_LINES_MAX_BYTES
        self._full = False

    def admit(self, lines: tuple[LogLine, ...]) -> tuple[LogLine, ...]:
        """Those that there is room for; where it ends a line says so, once."""
        if self._full:
            return ()
        for count, line in enumerate(lines):
            self._count -= 1
            self._bytes -= _bytes_of(line.text) + len(line.fields)
            if min(self._count, self._bytes) < 0:
                self._full = True
                return (*lines[:count], LogLine(line.at_us, NO_MORE_LINES))
        return lines


NO_MORE_LINES: Final = (
    f"further lines are dropped: an attempt may write {ATTEMPT_LINES_MAX} lines"
    f" of {ATTEMPT_LINES_MAX_BYTES} bytes together"
)


def _is_object(text: bytes) -> bool:
    if text == EMPTY_OBJECT:
        return True
    if len(text) > LINE_MAX or not is_json(text):
        return False
    try:
        _fields.decode(text)
    except ValueError:
        return False
    return True


def fault_of(hello: Hello) -> str | None:
    """What is wrong with an introduction."""
    if not _is_name(hello.agent):
        return f"an agent's name has 1 to {WORD_MAX} printable characters"
    if not 8 <= len(hello.incarnation) <= 64 or not hello.incarnation.isalnum():
        return "an incarnation has 8 to 64 letters and digits"
    if not 1 <= hello.capacity <= MAX_CAPACITY or not 0 <= hello.prefetch <= MAX_CAPACITY:
        return f"capacity is 1 to {MAX_CAPACITY}, prefetch 0 to {MAX_CAPACITY}"
    if hello.frame_max < FRAME_MIN_BYTES:
        return f"frame_max is at least {FRAME_MIN_BYTES} bytes"
    if len(hello.held) > HELD_MAX:
        return f"an instance may hold {HELD_MAX} attempts, not {len(hello.held)}"
    return _fault_of_words(hello) or _fault_of_tools(hello)


def _fault_of_words(hello: Hello) -> str | None:
    for what, word in (("host", hello.host), ("sdk", hello.sdk), ("started_by", hello.started_by)):
        if word is not None and len(word) > HOST_MAX:
            return f"{what} has at most {HOST_MAX} characters"
    if len(hello.labels) > WORDS_MAX:
        return f"an agent may have {WORDS_MAX} labels, not {len(hello.labels)}"
    for name, value in hello.labels.items():
        if not _is_name(name) or (isinstance(value, str) and len(value) > WORD_MAX):
            return f"a label's name has 1 to {WORD_MAX} printable characters, a text at most {WORD_MAX}"
        if isinstance(value, float) and not isfinite(value):
            return f"the label {name!r} is no number that JSON can say"
    return _fault_of_capabilities(hello.capabilities)


def _fault_of_capabilities(capabilities: tuple[str, ...]) -> str | None:
    if len(capabilities) > WORDS_MAX:
        return f"an agent or tool may have {WORDS_MAX} capabilities, not {len(capabilities)}"
    if not all(_is_name(word) for word in capabilities):
        return f"a capability has 1 to {WORD_MAX} printable characters"
    return None


def size_of_tools(hello: Hello) -> int:
    """Bytes of what they say of themselves: kept as long as the instance is connected."""
    return sum(
        len(tool.input_schema) + len(tool.output_schema) + len(tool.description)
        for tool in hello.tools
    )


def _fault_of_tools(hello: Hello) -> str | None:
    if len(hello.tools) > MAX_TOOLS:
        return f"an agent may offer {MAX_TOOLS} tools, not {len(hello.tools)}"
    if (size := size_of_tools(hello)) > TOOLS_MAX_BYTES:
        return f"schemas and descriptions of its tools have {size} bytes; {TOOLS_MAX_BYTES} are allowed"
    for tool in hello.tools:
        if not _is_name(tool.name):
            return f"a tool's name has 1 to {WORD_MAX} printable characters"
        if not (_is_value(tool.input_schema) and _is_value(tool.output_schema)):
            return f"the schemas of tool {tool.name!r} are not JSON"
        if tool.timeout_ms is not None and not 1 <= tool.timeout_ms <= NUMBER_MAX:
            return f"the timeout of tool {tool.name!r} is 1 to {NUMBER_MAX} ms"
        fault = _fault_of_parameters(tool) or _fault_of_capabilities(tool.capabilities)
        if fault is not None:
            return f"tool {tool.name!r}: {fault}"
    return None


def _fault_of_parameters(tool: ToolSpec) -> str | None:
    if len(tool.parameters) > PARAMETERS_MAX:
        return f"it may have {PARAMETERS_MAX} parameters, not {len(tool.parameters)}"
    if not all(_is_name(parameter.name) for parameter in tool.parameters):
        return f"a parameter's name has 1 to {WORD_MAX} printable characters"
    return None


def _is_value(text: bytes) -> bool:
    """JSON text that can be read as a value, as whoever looks at the agents does: 1e999 cannot."""
    try:
        decode_json(text)
    except (ValueError, RecursionError):
        return False
    return True


def _is_name(word: str) -> bool:
    return 0 < len(word) <= WORD_MAX and word.isprintable()


def word_of_the_gone(frame: Hello | Exchange | Goodbye, boot: str) -> Work | Resync:
    """What an instance hears that has no session (any more). An Exchange gets no Work: that would say that the session stands."""
    match frame:
        case Exchange():
            return Resync(boot)
        case Hello():
            return Work(frame.counter)
        case Goodbye():
            return Work(0)
