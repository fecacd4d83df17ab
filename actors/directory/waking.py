"""When resting quests are woken: the index of their times, and the one timer that the directory needs for it."""

from typing import Final

from msgspec import Struct

from questd.actors.directory.alarms import Alarms
from questd.actors.house import House
from questd.messages.heads import Head
from questd.runtime.actor import Ref
from questd.runtime.clock import Timer

ALARMS_A_TURN: Final = 100
Sleeper = tuple[str, int | None]
"""A resting quest that nobody else need know of, and when it is wanted again."""


class Alarm(Struct, frozen=True):
    """From the directory to itself: quests that rest are wanted again."""


class Waking:
    """The timer is for the first of the alarms."""

    def __init__(self, house: House, owner: Ref) -> None:
        self._house = house
        self._owner = owner
        self._at_us: int | None = None
        self._timer: Timer | None = None
        self.alarms = Alarms()

    def arm(self) -> None:
        """Alarms were set or dropped since the last time, perhaps."""
        at_us = self.alarms.next_us()
        if at_us != self._at_us:
            self.stop()
            self._at_us = at_us
            if at_us is not None:
                self._timer = self._house.timers.at(at_us, self._owner, Alarm())

    def due(self) -> list[str]:
        """The timer has fired: who is to be woken. The rest has its turn when others have had theirs."""
        self._at_us = self._timer = None
        return self.alarms.due(self._house.clock.now_us(), ALARMS_A_TURN)

    def stop(self) -> None:
        """No timer any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._at_us = self._timer = None


def in_short(head: Head, most_deaths: int) -> Head | Sleeper:
    """What one need know of it."""
    sleeps = head.status == "waiting" and not head.wants and head.deaths <= most_deaths
    return (head.quest, head.wake_us) if sleeps else head
