"""What an event of a schedule leaves in the history: its row of ``events``, and nothing else. Views make runs of these rows."""

from typing import Any

import msgspec

from questd.analytics.tables import EventRow
from questd.messages import schedules as sched
from questd.messages.events import Record
from questd.messages.upcasting import schedule_event_of


def schedule_row(record: Record) -> EventRow:
    """The row; one that cannot be decoded says so in its detail."""
    try:
        detail = _detail(schedule_event_of(record))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        detail = {"undecoded": str(error)}
    return EventRow(
        record.seq, record.quest, record.n, record.at_us, record.kind, None, None, detail
    )


def _detail(event: sched.ScheduleEvent) -> dict[str, Any]:
    """Its fields by name, but for the inputs, which may be large."""
    detail = msgspec.structs.asdict(event)
    spec = detail.pop("spec", None)
    if isinstance(spec, sched.ScheduleSpec):
        told = msgspec.structs.asdict(spec)
        del told["inputs"]
        detail |= msgspec.to_builtins(told)
    return detail
