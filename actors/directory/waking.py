"""When resting quests are woken: the index of their times, and the one timer that the directory needs for it."""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct, structs

from questd.actors.directory.alarms import Alarms
from questd.actors.house import House
from questd.messages.heads import Head, at_rest, parent_of
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


def resting_and_not(heads: Iterable[Head], most_deaths: int) -> tuple["Head | Sleeper", ...]:
    """The open heads in short. Those that rest until a child has ended which is not open any more are wanted at once."""
    found: list[Head | Sleeper] = []
    parents: list[tuple[int, Head]] = []
    alive: set[str] = set()
    for head in heads:
        if head.parked is None and parent_of(head.quest) is not None:
            alive.add(head.quest)
        if any(wait.what == "child" for wait in head.waits):
            parents.append((len(found), head))
        found.append(in_short(head, most_deaths))
    for at, head in parents:
        if _ended_unheard(head, alive):
            found[at] = in_short(structs.replace(head, wake_us=0), most_deaths)
    return tuple(found)


def _ended_unheard(head: Head, alive: set[str]) -> bool:
    return any(wait.what == "child" and wait.name not in alive for wait in head.waits)


def in_short(head: Head, most_deaths: int) -> Head | Sleeper:
    """What one need know of it."""
    sleeps = at_rest(head) and not head.wants and head.deaths <= most_deaths
    return (head.quest, head.wake_us) if sleeps else head
