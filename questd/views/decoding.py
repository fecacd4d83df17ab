"""From a record to its event, for whoever shows it. Pure."""

import msgspec

from questd.messages.events import Event, Record
from questd.messages.upcasting import NewerEvent, event_of
from questd.runtime.errors import BadFrame


def shown_event(record: Record) -> Event:
    """The record's event. BadFrame when this version cannot read it, with what to do."""
    try:
        return event_of(record)
    except NewerEvent as error:
        raise BadFrame(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadFrame(
            f"event {record.n} of {record.quest} ({record.kind}) cannot be read: {error}"
        ) from error
