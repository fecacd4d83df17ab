"""When a quest's actor is woken, and when it may go: waiting costs nothing."""

from typing import Literal

from msgspec import Struct

from questd.actors.house import House
from questd.actors.mail import Wake
from questd.actors.quest import core
from questd.actors.quest.state import QuestState
from questd.runtime.actor import Ref
from questd.runtime.clock import Timer


class Rest(Struct, frozen=True):
    """To itself: still nothing to do?"""


class RestNow(Struct, frozen=True):
    """From the directory: there are too many awake; go if you only wait."""


class Resting:
    """The two timers of a quest's actor, and how far it is on its way to rest.

    awake → (quiet for a while) → writing (its head says what it waits for) → gone, or awake again when something came.
    """

    __slots__ = ("_house", "_owner", "_rest_timer", "_wake_at", "_wake_timer", "phase")

    def __init__(self, house: House, owner: Ref) -> None:
        self._house = house
        self._owner = owner
        self._rest_timer: Timer | None = None
        self._wake_timer: Timer | None = None
        self._wake_at: int | None = None
        self.phase: Literal["awake", "writing"] = "awake"

    def arm_wake(self, state: QuestState) -> None:
        """Be woken when something of the quest comes due."""
        at_us = core.next_wake_us(state)
        if at_us == self._wake_at:
            return
        if self._wake_timer is not None:
            self._wake_timer.cancel()
        self._wake_at = at_us
        if at_us is not None:
            self._wake_timer = self._house.timers.at(at_us, self._owner, Wake())

    def at_once(self, state: QuestState) -> bool:
        """Does it wait for absent agents only, or for signals and times that are further away than the while that one looks on?"""
        if state.phase != "active" or len(state.admitted) != state.in_vain:
            return False
        if state.in_vain:
            return True
        if not state.standing:
            return False
        at_us = core.next_wake_us(state)
        soon_us = self._house.clock.now_us() + int(self._house.limits.rest_after_s * 1e6)
        return at_us is None or at_us > soon_us

    def arm_rest(self, *, queued: bool) -> None:
        """Look again in a while whether there is still nothing to do: later when it stands in a queue, where its turn may come soon."""
        if self._rest_timer is None:
            limits = self._house.limits
            house = self._house
            crowded = house.awake > limits.awake_quests or house.awake_steps > limits.awake_steps
            patient = queued and not crowded
            delay_s = limits.rest_in_queue_s if patient else limits.rest_after_s
            self._rest_timer = self._house.timers.after(delay_s, self._owner, Rest())

    def rested(self) -> None:
        """The while is over, or cut short."""
        if self._rest_timer is not None:
            self._rest_timer.cancel()
        self._rest_timer = None

    def cancel(self) -> None:
        """No timer any more."""
        for timer in (self._rest_timer, self._wake_timer):
            if timer is not None:
                timer.cancel()
