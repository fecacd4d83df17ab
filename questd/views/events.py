"""Single events as ``watch`` and ``logs`` show them. Pure."""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct, structs

from questd.messages.events import AttemptLogged, Event, LogLine, Record
from questd.messages.failure import Failure
from questd.messages.payload import BlobRef
from questd.views.decoding import shown_event
from questd.views.quests import TextOf, error_view, payload_value
from questd.views.times import rfc3339

_TIMES = ("retry_at_us", "deadline_us")
_PAYLOADS = ("inputs", "result", "output", "feedback", "payload")


def _inline(reference: BlobRef) -> bytes:
    raise AssertionError(f"a log line refers to {reference.digest}")


class EventView(Struct, frozen=True):
    """One event: its place in the quest, when and what it was, and its fields by name."""

    quest: str
    n: int
    at: str
    kind: str
    fields: dict[str, Any]

    def flat(self) -> dict[str, Any]:
        """As ``watch --json`` prints it: one object, the event's fields beside the envelope's."""
        return {"quest": self.quest, "n": self.n, "at": self.at, "kind": self.kind, **self.fields}


class LogView(Struct, frozen=True):
    """One line that a tool wrote with ``ctx.log``."""

    quest: str
    task: str
    epoch: int
    at: str
    text: str
    fields: dict[str, Any]


def event_view(record: Record, text_of: TextOf) -> EventView:
    """Payloads are plain values, times are text."""
    event = shown_event(record)
    if isinstance(event, AttemptLogged):
        lines = [_line(line) for line in event.lines]
        fields: dict[str, Any] = {"task": event.task, "epoch": event.epoch, "lines": lines}
    else:
        fields = _fields(event, text_of)
    return EventView(record.quest, record.n, rfc3339(record.at_us), record.kind, fields)


def _fields(event: Event, text_of: TextOf) -> dict[str, Any]:
    return {
        name.removesuffix("_us") if name in _TIMES else name: _shown(name, value, text_of)
        for name, value in structs.asdict(event).items()
    }


def _shown(name: str, value: Any, text_of: TextOf) -> Any:
    match value:
        case Failure():
            return structs.asdict(error_view(value) or value)
        case bytes() | BlobRef() if name in _PAYLOADS:
            return payload_value(value, text_of)
        case _ if name == "steps":
            return msgspec.to_builtins(value)
        case _ if name == "items":
            return [payload_value(item, text_of) for item in value]
        case int() if name in _TIMES:
            return rfc3339(value)
        case _:
            return value


def _line(line: LogLine) -> dict[str, Any]:
    return {
        "at": rfc3339(line.at_us),
        "text": line.text,
        "fields": payload_value(line.fields, _inline),
    }


def log_views(record: Record) -> Iterator[LogView]:
    """The lines of the event, if it is one of log lines."""
    event: Event = shown_event(record)
    if isinstance(event, AttemptLogged):
        for line in event.lines:
            fields = payload_value(line.fields, _inline)
            at = rfc3339(line.at_us)
            yield LogView(record.quest, event.task, event.epoch, at, line.text, fields)
