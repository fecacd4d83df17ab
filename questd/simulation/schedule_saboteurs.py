"""Breakages of schedules, as saboteurs.py has them of everything else."""

from typing import Any, Final

from msgspec import structs

from questd.actors.schedule import actor as schedule_actor
from questd.actors.schedule import core as schedule_core
from questd.actors.schedule.actor import ScheduleActor
from questd.actors.schedule.state import ScheduleState
from questd.simulation.saboteurs import EARLY_US, Broken, Saboteur, giving


def _account_for_less(whole: Broken) -> Broken:
    def on_recorded(self: Any, recorded: Any) -> None:
        whole(self, recorded)
        self._state.describe(self._state.spec, self._state.definition, "", "", 0)
        self._state.since_us -= EARLY_US

    return on_recorded


def _forget_fires(whole: Broken) -> Broken:
    def on_recorded(self: Any, recorded: Any) -> None:
        whole(self, recorded)
        self._state.firing.clear()

    return on_recorded


def _one_key(whole: Broken) -> Broken:
    def key_of(schedule: str, _occasion: str) -> Any:
        return whole(schedule, "")

    return key_of


def _come_early(whole: Broken) -> Broken:
    def come_due(state: Any, now_us: int) -> Any:
        return whole(state, now_us + EARLY_US)

    return come_due


def _at_rest(_: Any) -> Any:
    return property(lambda _self: True)


def _forget_mark(whole: Broken) -> Broken:
    def on_recorded(self: Any, recorded: Any) -> None:
        whole(self, recorded)
        self._state.mark = 0

    return on_recorded


def _find_fewer(whole: Broken) -> Broken:
    def find_endings(store: Any, trigger: Any, after: int) -> Any:
        found = whole(store, trigger, after)
        return structs.replace(found, endings=found.endings[1:])

    return find_endings


SABOTEURS_OF_SCHEDULES: Final = (
    Saboteur("fire again after a restart", ScheduleActor, "_on_recorded", _account_for_less),
    Saboteur("lose what was fired at a restart", ScheduleActor, "_on_recorded", _forget_fires),
    Saboteur("ignore what runs when it is due", ScheduleState, "at_rest", _at_rest),
    Saboteur("one key for all due times", schedule_core, "key_of", _one_key),
    Saboteur("fire before it is due", schedule_core, "_come_due", _come_early),
    Saboteur("never hear that a run has ended", ScheduleActor, "_end_runs", giving(None)),
    Saboteur("forget how far a trigger has looked", ScheduleActor, "_on_recorded", _forget_mark),
    Saboteur("pass over an end of a quest", schedule_actor, "find_endings", _find_fewer),
    Saboteur("put off for ever", schedule_core, "_begin_what_waits", giving(None)),
)
