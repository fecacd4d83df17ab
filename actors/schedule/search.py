"""How a schedule looks for the ends of quests that it waits for: when there may be some that were not seen, one question at a time."""

from questd.actors.house import House
from questd.actors.schedule import core
from questd.actors.schedule.endings import Found, find_endings
from questd.actors.schedule.state import ScheduleState
from questd.messages.schedules import AfterQuest
from questd.runtime.actor import Ref


class Search:
    """Of one schedule. ``unseen``: quests may have ended since it looked."""

    def __init__(self, house: House, owner: Ref, state: ScheduleState) -> None:
        self._house = house
        self._owner = owner
        self._state = state
        self.unseen = True
        self._searching = False
        self._searched = 0

    def attend(self) -> None:
        """Look, if there is a reason to."""
        trigger = self._state.spec.trigger
        if not core.is_looking(self._state) or not isinstance(trigger, AfterQuest):
            self._house.watching.pop(self._state.id, None)
            self.unseen = True  # nobody tells it of what ends meanwhile
            return
        self._house.watching[self._state.id] = None
        if self.unseen and not self._searching:
            self.unseen, self._searching = False, True
            after = max(self._state.mark, self._searched)
            self._house.journal.read(
                lambda store: find_endings(store, trigger, after), self._owner.tell
            )

    def heard(self, found: Found) -> core.Notice | None:
        """What it comes to; None when it was for another trigger, or counts no more."""
        self._searching = False
        if found.trigger != self._state.spec.trigger or self._state.paused:
            self.unseen = True
            return None
        self._searched = found.mark
        self.unseen = self.unseen or found.more
        return core.Notice(found.endings, found.mark)
