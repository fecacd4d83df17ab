"""Breakages of schedules, as saboteurs.py has them of everything else."""

from typing import Any, Final

from msgspec import structs

from questd.actors.schedule import core as schedule_core
from questd.actors.schedule import lookout, search
from questd.actors.schedule.actor import ScheduleActor
from questd.actors.schedule.changes import Rest
from questd.actors.schedule.lookout import Lookout
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


def _never_rest(whole: Broken) -> Broken:
    def is_over(self: Any, found: Any, _debounce_ms: int, now_s: float) -> Any:
        return whole(self, found, 0, now_s)

    return is_over


def _forget_seen(whole: Broken) -> Broken:
    def on_recorded(self: Any, recorded: Any) -> None:
        whole(self, recorded)
        self._state.seen = {}

    return on_recorded


def _find_less(whole: Broken) -> Broken:
    def difference(seen: Any, files: Any, blind: Any = ()) -> Any:
        found = whole(seen, files, blind)
        return {path: mark for path, mark in found.items() if mark is not None}

    return difference


SABOTEURS_OF_SCHEDULES: Final = (
    Saboteur("fire again after a restart", ScheduleActor, "_on_recorded", _account_for_less),
    Saboteur("lose what was fired at a restart", ScheduleActor, "_on_recorded", _forget_fires),
    Saboteur("ignore what runs when it is due", ScheduleState, "at_rest", _at_rest),
    Saboteur("one key for all due times", schedule_core, "key_of", _one_key),
    Saboteur("fire before it is due", schedule_core, "_come_due", _come_early),
    Saboteur("never hear that a run has ended", ScheduleActor, "_end_runs", giving(None)),
    Saboteur("forget how far a trigger has looked", ScheduleActor, "_on_recorded", _forget_mark),
    Saboteur("pass over an end of a quest", search, "find_endings", _find_fewer),
    Saboteur("submit at each change, without rest", Rest, "is_over", _never_rest),
    Saboteur("forget which files were seen", ScheduleActor, "_on_recorded", _forget_seen),
    Saboteur("pass over files that have gone", lookout, "difference", _find_less),
    Saboteur("never look at files", Lookout, "attend", giving(None)),
    Saboteur("put off for ever", schedule_core, "_begin_what_waits", giving(None)),
)
