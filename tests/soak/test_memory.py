"""What the soak found to grow: an actor that ended with its timers must be gone at once, for the collector looks rarely."""

import gc
import weakref
from typing import Any

import pytest

from questd.runtime.actor import Actor, stop
from questd.runtime.deterministic import VirtualClock, VirtualTimers
from tests.runtime.making import ByHand


class Patient(Actor):
    """Holds its timer, as the actor of a step does."""

    def __init__(self, timers: VirtualTimers) -> None:
        super().__init__(name="patient")
        self._timers = timers

    def on_start(self) -> None:
        self.timer = self._timers.after(1.0, self.ref, "late")

    def on_receive(self, message: Any) -> None:
        assert message == "late"

    def on_stop(self) -> None:
        self.timer.cancel()


@pytest.mark.parametrize("fires", [True, False], ids=["fired", "cancelled"])
def test_an_actor_that_ended_is_not_kept_by_its_timer(*, fires: bool) -> None:
    by_hand, clock = ByHand(), VirtualClock(0)
    timers = VirtualTimers(clock)
    actor = Patient(timers)
    gone = weakref.ref(actor)
    ref = actor.launch(by_hand)
    by_hand.run()
    gc.collect()
    gc.disable()
    try:
        if fires:
            clock.advance(2_000_000)
            assert timers.fire() == 1
            by_hand.run()
        stop(ref)
        by_hand.run()
        del actor, ref
        assert gone() is None
    finally:
        gc.enable()
