"""A schedule as clients see it. Pure."""

from typing import Final

from questd.actors.schedule import cron
from questd.actors.schedule.changes import Watched
from questd.actors.schedule.state import Occasion, ScheduleState
from questd.messages.control import OccasionView, ScheduleView
from questd.messages.schedules import Cron, FilesChanged

NEXT_SHOWN: Final = 5
NOTHING: Final = Watched()
_FOR_EVER_US: Final = 2**62


def shown(state: ScheduleState, files: Watched = NOTHING) -> ScheduleView:
    """As it stands, and what was last seen of its files."""
    watches = isinstance(state.spec.trigger, FilesChanged)
    waits = not (state.paused or state.over or state.renewed_by)
    return ScheduleView(
        id=state.id,
        name=state.name,
        spec=state.spec,
        definition=state.definition,
        document=state.document,
        version=state.document_version,
        paused=state.paused,
        created_us=state.created_us,
        changed_us=state.changed_us,
        next_us=_next(state) if waits else (),
        running=tuple(state.running),
        put_off_us=state.put_off_us,
        backlog=len(state.backlog) + len(state.noticed),
        recent=tuple(_occasion(one) for one in reversed(state.recent)),
        files=len(state.seen) if watches else None,
        changing=watches and files.changing,
        troubles=files.troubles if watches else (),
    )


def _next(state: ScheduleState) -> tuple[int, ...]:
    trigger = state.spec.trigger
    if not isinstance(trigger, Cron):
        return ()
    return cron.dues_between(trigger, state.since_us, _FOR_EVER_US, NEXT_SHOWN)


def _occasion(one: Occasion) -> OccasionView:
    return OccasionView(
        one.due_us, one.why, one.at_us, one.until_us, one.quest, one.status, one.reason
    )
