"""The head that a quest's events tell: what its row in the journal must say, whoever wrote it.

Pure. ``quest doctor`` compares rows with it, and writes it where a row was lost.
"""

from collections.abc import Callable, Sequence

from questd.actors.quest.told import head_of
from questd.actors.schedule import core
from questd.actors.schedule.state import ScheduleState
from questd.messages import events as ev
from questd.messages.events import Record
from questd.messages.heads import Head
from questd.messages.schedules import is_schedule
from questd.messages.upcasting import event_of, schedule_event_of
from questd.runtime.errors import BadFrame
from questd.runtime.journal.verify import Untold
from questd.views.quests import QuestFold


def head_told(
    records: Sequence[Record],
    definition_of: Callable[[str], bytes | None],
    *,
    resting: bool = False,
) -> Head:
    """The head after these events, which begin with n = 1. Untold when its definition is gone, or they make no quest."""
    if is_schedule(records[0].quest):
        return _schedule_head(records)
    try:
        first = event_of(records[0])
        if not isinstance(first, ev.QuestSubmitted):
            raise Untold(f"it begins with {records[0].kind}")
        definition = definition_of(first.definition)
        if definition is None:
            raise Untold(f"its definition {first.definition} is gone")
        fold = QuestFold(records[0].quest, definition, first.definition)
        fold.apply(records)
    except (ValueError, BadFrame, LookupError, AssertionError) as error:
        raise Untold(f"its events make no quest ({error!r})") from error
    return head_of(fold.state, resting=resting)


def _schedule_head(records: Sequence[Record]) -> Head:
    state = ScheduleState(records[0].quest)
    try:
        for record in records:
            core.evolve(state, schedule_event_of(record), record.at_us)
    except (ValueError, LookupError, AssertionError) as error:
        raise Untold(f"its events make no schedule ({error!r})") from error
    return core.head_of(state)
