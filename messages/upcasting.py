"""Events of earlier schemas, brought to this one: the only place that knows how they looked (docs/upgrades.md).

An event is kept as the bytes that were written, for ever, with the number of its schema in the envelope. Most changes need
nothing here: a new field goes last and has a default. When the meaning or the order of fields changes, EVENT_SCHEMA_VERSION
rises by one and UPCASTERS gets an entry for each tag that changed.

Whoever has a record decodes it with ``event_of``; nobody else looks at its schema number.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from questd.messages.events import EVENT_SCHEMA_VERSION, Event, Record, decode_event
from questd.messages.schedules import ScheduleEvent, decode_schedule_event

Upcaster = Callable[[list[Any]], list[Any]]
"""Takes an event's array (tag first) of one schema, gives that of the next. It may give another tag."""

Upcasters = Mapping[int, Mapping[str, Upcaster]]
"""By the schema that the bytes are of, then by tag. A tag that is not named looks the same in the next schema."""

UPCASTERS: Final[Upcasters] = {}


class NewerEvent(msgspec.ValidationError):
    """A newer questd wrote this event."""


def event_of(record: Record, upcasters: Upcasters = UPCASTERS) -> Event:
    """The record's event as this version knows it. NewerEvent, or another msgspec.DecodeError (UnicodeDecodeError of its texts) when it is none."""
    return decode_event(body_of(record, upcasters))


def schedule_event_of(record: Record, upcasters: Upcasters = UPCASTERS) -> ScheduleEvent:
    """The same for a record of a schedule."""
    return decode_schedule_event(body_of(record, upcasters))


def body_of(record: Record, upcasters: Upcasters) -> bytes:
    """The bytes of the event as this version would have written them."""
    if record.schema == EVENT_SCHEMA_VERSION:
        return record.body
    if record.schema > EVENT_SCHEMA_VERSION:
        raise NewerEvent(
            f"event {record.n} of {record.quest} has schema {record.schema}, this program knows {EVENT_SCHEMA_VERSION}: "
            "a newer questd wrote it, install that version"
        )
    array = msgspec.msgpack.decode(record.body, type=list[Any])
    array = raised(array, record.schema, EVENT_SCHEMA_VERSION, upcasters)
    return msgspec.msgpack.encode(array)


def raised(array: list[Any], schema: int, until: int, upcasters: Upcasters) -> list[Any]:
    """The array of schema ``schema`` as one of schema ``until``, step by step."""
    for each in range(schema, until):
        upcaster = upcasters.get(each, {}).get(array[0])
        if upcaster is not None:
            array = upcaster(array)
    return array
