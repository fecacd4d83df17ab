"""Files that have changed: what a change is, what it is made of, and when it has come to rest. Pure.

A change is the whole difference between what is accounted for (``ScheduleState.seen``) and what is there. It is taken up when nothing
has moved for the trigger's debounce time, in one append: the difference (``schedule.saw``) and that it needs a quest (``schedule.noticed``).
So nothing needs to be kept of a change that has not come to rest. Whoever dies then finds the same difference again; whoever dies later
finds that it is accounted for, and its quest owed.
"""

from typing import Any, Final

from msgspec import Struct

from questd.actors.schedule.state import Marks, ScheduleState
from questd.messages import schedules as ev
from questd.messages.payload import encode_json

FILES_MAX: Final = 5_000
"""Files that one schedule may watch."""
TOLD_MAX_BYTES: Final = 32_768
"""Of the paths of one change that its quest is told; all are counted."""
FILES_AN_EVENT: Final = 250


Difference = dict[str, tuple[int, int] | None]
"""Paths that are not as accounted for, in order, with what is there now; None: nothing any more."""


def difference(seen: Marks, files: Marks, blind: tuple[str, ...] = ()) -> Difference:
    """Of what lies at or below a ``blind`` path nothing is known, so that it has not gone."""
    there = {path for path, mark in files.items() if seen.get(path) != mark}
    gone = {path for path in seen if path not in files and not _is_below(path, blind)}
    return {path: files.get(path) for path in sorted(there | gone)}


def _is_below(path: str, blind: tuple[str, ...]) -> bool:
    return any(path == one or path.startswith(f"{one}/") for one in blind)


def begun(seen: Marks, files: Marks, blind: tuple[str, ...] = ()) -> list[ev.ScheduleEvent]:
    """What there is is no change any more."""
    return _saw(difference(seen, files, blind))


def noticed(
    state: ScheduleState, trigger: ev.FilesChanged, found: Difference
) -> list[ev.ScheduleEvent]:
    """It has come to rest: account for all of it, and owe a quest. The number of the first event is the change's own."""
    change = {path: mark for path, mark in found.items() if state.seen.get(path) != mark}
    if trigger != state.spec.trigger or not change:
        return []
    occasion = f"change-{state.version + 1}"
    about = encode_json({"change": told(state.seen, change)})
    return [*_saw(change), ev.ScheduleNoticed(occasion, state.mark, about)]


def _saw(change: Difference) -> list[ev.ScheduleEvent]:
    there = tuple((path, *mark) for path, mark in change.items() if mark is not None)
    gone = tuple(path for path, mark in change.items() if mark is None)
    return [
        ev.ScheduleSaw(there[at : at + FILES_AN_EVENT], gone[at : at + FILES_AN_EVENT])
        for at in range(0, max(len(there), len(gone)), FILES_AN_EVENT)
    ]


def told(seen: Marks, change: Difference) -> dict[str, Any]:
    """What inputs may say of it: as many paths as there is room for, in order, and how many there are."""
    kinds: dict[str, list[str]] = {"paths": [], "added": [], "modified": [], "removed": []}
    room = TOLD_MAX_BYTES
    for path, mark in change.items():
        room -= len(path.encode())
        if room < 0:
            break
        kind = "removed" if mark is None else "modified" if path in seen else "added"
        kinds["paths"].append(path)
        kinds[kind].append(path)
    return {**kinds, "count": len(change)}


class Watched(Struct, frozen=True):
    """For people. ``changing``: there is a change that has not come to rest."""

    troubles: tuple[str, ...] = ()
    changing: bool = False


class Rest:
    """Has what differs been the same for long enough? In memory only: after a crash the time is counted anew."""

    def __init__(self) -> None:
        self._found: Difference = {}
        self._since_s = 0.0

    @property
    def waiting(self) -> bool:
        """Is there a change that has not come to rest?"""
        return bool(self._found)

    def forget(self) -> None:
        """Begin anew."""
        self._found = {}

    def is_over(self, found: Difference, debounce_ms: int, now_s: float) -> bool:
        """At ``now_s`` this differed. Is it the change to take up?"""
        if found != self._found:
            self._found, self._since_s = found, now_s
        return bool(found) and now_s - self._since_s >= debounce_ms / 1_000
