"""How a schedule looks at the files that it waits for: about once a second, on a thread that all schedules share, while a change counts."""

from typing import Final

from msgspec import Struct

from questd.actors.house import House
from questd.actors.schedule import core
from questd.actors.schedule.changes import FILES_MAX, Difference, Rest, Watched, difference
from questd.actors.schedule.state import Marks, ScheduleState
from questd.messages.schedules import FilesChanged
from questd.runtime.actor import Ref
from questd.runtime.clock import Timer
from questd.runtime.files import Files, Sight

LOOK_AT_FILES_S: Final = 1.0
LOOK_AT_LEAST_S: Final = 0.05
TOO_MANY: Final = (
    f"FILES_MAX: there are more than {FILES_MAX} files, or too many others beside them"
)


class LookAtFiles(Struct, frozen=True):
    """To itself: it is time."""


class Sighted(Struct, frozen=True):
    """From the thread that looks: what is there, and what of it is not as it was."""

    trigger: FilesChanged
    sight: Sight
    found: Difference


class Lookout:
    """Of one schedule. ``watched`` is what people are shown."""

    def __init__(self, house: House, owner: Ref, state: ScheduleState) -> None:
        self._house = house
        self._owner = owner
        self._state = state
        self._rest = Rest()
        self._looking = False
        self._timer: Timer | None = None
        self.watched = Watched()

    def cancel(self) -> None:
        """No timer any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def attend(self) -> None:
        """Begin to look when changes count, and end it when they count no more."""
        if not core.takes_changes(self._state):
            self.cancel()
            self._rest.forget()
        elif self._timer is None and not self._looking:
            self._look()

    def _look(self) -> None:
        trigger, files = self._state.spec.trigger, self._house.files
        assert isinstance(trigger, FilesChanged)
        seen = dict(self._state.seen)
        self._looking = True
        self._house.lookout.do(lambda: _looked(trigger, files, seen), self._owner.tell)

    def heard(self, message: Sighted | LookAtFiles) -> core.NoticeChange | None:
        """The change that has come to rest, if there is one."""
        if isinstance(message, LookAtFiles):
            self._timer = None
            return None  # the end of the turn looks
        self._looking = False
        trigger = message.trigger
        if trigger != self._state.spec.trigger or not core.takes_changes(self._state):
            self._rest.forget()
            return None
        now_s = self._house.clock.monotonic_s()
        over = self._rest.is_over(message.found, trigger.debounce_ms, now_s)
        self.watched = Watched(message.sight.troubles, self._rest.waiting and not over)
        self._arm(trigger)
        return core.NoticeChange(trigger, message.found) if over else None

    def _arm(self, trigger: FilesChanged) -> None:
        soon_s = max(LOOK_AT_LEAST_S, trigger.debounce_ms / 1_000)
        delay_s = min(LOOK_AT_FILES_S, soon_s) if self._rest.waiting else LOOK_AT_FILES_S
        self._timer = self._house.timers.after(delay_s, self._owner, LookAtFiles())


def _looked(trigger: FilesChanged, files: Files, seen: Marks) -> Sighted:
    """On the thread that looks. What is too much to be watched is not compared: half of it would look as if the rest had gone."""
    sight = files.look(trigger.patterns, FILES_MAX)
    if sight.too_many:
        return Sighted(trigger, Sight({}, (), (TOO_MANY, *sight.troubles)), {})
    return Sighted(trigger, sight, difference(seen, sight.files, sight.blind))
