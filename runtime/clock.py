"""Time, as everything in the house sees it: injected, never taken.

Wall time (``now_us``, microseconds since the epoch, UTC) dates events and can jump; ``monotonic_s`` measures how long
something takes and never goes back. Timers post a message to an actor and nothing else.
"""

import heapq
import itertools
import threading
import time
from typing import Any, Final, Protocol

from questd.runtime.actor import Ref

WALL_RECHECK_S: Final = 0.5
REBUILD_ABOVE: Final = 1_024


class Clock(Protocol):
    """Two kinds of time."""

    def now_us(self) -> int:
        """Wall time in microseconds since the epoch."""
        ...

    def monotonic_s(self) -> float:
        """Seconds since some point in the past; only differences mean something."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now_us(self) -> int:
        return time.time_ns() // 1_000

    def monotonic_s(self) -> float:
        return time.monotonic()


class Timer:
    """One armed timer. Cancelling twice, or after it fired, is fine."""

    __slots__ = ("_owner", "message", "ref")

    def __init__(self, owner: "TimerHeap", ref: Ref, message: Any) -> None:
        self._owner: TimerHeap | None = owner
        self.ref = ref
        self.message = message

    @property
    def armed(self) -> bool:
        """Neither fired nor cancelled."""
        return self._owner is not None

    def disarm(self) -> bool:
        """Was it armed until now?"""
        armed, self._owner = self.armed, None
        return armed

    def let_go(self) -> None:
        """It is over. Whoever it would have told may hold it still, or the heap may: it must not keep them in a cycle, or in memory."""
        del self.ref

    def cancel(self) -> None:
        """Do not fire."""
        owner = self._owner
        if owner is not None:
            owner.cancel(self)


class Timers(Protocol):
    """Arms timers."""

    def after(self, delay_s: float, ref: Ref, message: Any) -> Timer:
        """Post the message when that much time has passed, whatever the wall clock does."""
        ...

    def at(self, at_us: int, ref: Ref, message: Any) -> Timer:
        """Post the message when the wall clock shows that time or later; never earlier."""
        ...


class TimerHeap:
    """Timers of one kind of time, in order. A cancelled one stays until half of the heap is dead, then all dead go.

    Actors arm and cancel while the timer thread fires, so every step is under ``lock``.
    """

    def __init__(self, lock: threading.Condition) -> None:
        self._lock = lock
        self._heap: list[tuple[float, int, Timer]] = []
        self._numbers = itertools.count()
        self._dead = 0

    def __len__(self) -> int:
        return len(self._heap) - self._dead

    def arm(self, when: float, ref: Ref, message: Any) -> Timer:
        timer = Timer(self, ref, message)
        with self._lock:
            heapq.heappush(self._heap, (when, next(self._numbers), timer))
        return timer

    def cancel(self, timer: Timer) -> None:
        """Called by ``Timer.cancel``."""
        with self._lock:
            if timer.disarm():
                timer.let_go()
                self._dead += 1
                if self._dead * 2 > len(self._heap) > REBUILD_ABOVE:
                    self._rebuild()

    def _rebuild(self) -> None:
        self._heap = [entry for entry in self._heap if entry[2].armed]
        heapq.heapify(self._heap)
        self._dead = 0

    def next_at(self) -> float | None:
        """When the earliest armed timer is due."""
        with self._lock:
            while self._heap and not self._heap[0][2].armed:
                heapq.heappop(self._heap)
                self._dead -= 1
            return self._heap[0][0] if self._heap else None

    def armed(self) -> list[Timer]:
        """Every armed timer, in no particular order."""
        with self._lock:
            return [timer for _, _, timer in self._heap if timer.armed]

    def due(self, now: float) -> list[Timer]:
        """Take out every timer that is due, in order."""
        fired: list[Timer] = []
        with self._lock:
            while (first := self.next_at()) is not None and first <= now:
                timer = heapq.heappop(self._heap)[2]
                timer.disarm()
                fired.append(timer)
        return fired


def fire(timers: list[Timer]) -> None:
    """Post the message of each."""
    for timer in timers:
        timer.ref.tell(timer.message)
        timer.let_go()


class ThreadTimers:
    """The daemon's timers: one thread. The wall clock is read again every half second, so a jump is noticed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._monotonic = TimerHeap(self._changed)
        self._wall = TimerHeap(self._changed)
        self._thread = threading.Thread(target=self._run, name="timers", daemon=True)
        self._state = "new"

    def after(self, delay_s: float, ref: Ref, message: Any) -> Timer:
        return self._arm(self._monotonic, self._clock.monotonic_s() + delay_s, ref, message)

    def at(self, at_us: int, ref: Ref, message: Any) -> Timer:
        return self._arm(self._wall, at_us, ref, message)

    def _arm(self, heap: TimerHeap, when: float, ref: Ref, message: Any) -> Timer:
        with self._changed:
            first = heap.next_at()
            timer = heap.arm(when, ref, message)
            if first is None or when < first:
                self._changed.notify()
        return timer

    def start(self) -> None:
        """Start the thread; starting twice is fine."""
        if self._state == "new":
            self._state = "started"
            self._thread.start()

    def stop(self) -> None:
        """Fire nothing more. Stopping twice, or before the start, is fine."""
        with self._changed:
            was, self._state = self._state, "stopped"
            self._changed.notify()
        if was == "started" and threading.current_thread() is not self._thread:
            self._thread.join(5.0)

    def _run(self) -> None:
        while self._state == "started":
            with self._changed:
                fired = self._monotonic.due(self._clock.monotonic_s())
                fired += self._wall.due(self._clock.now_us())
                if not fired:
                    self._changed.wait(self._sleep_s())
            fire(fired)

    def _sleep_s(self) -> float | None:
        waits: list[float] = []
        if (monotonic := self._monotonic.next_at()) is not None:
            waits.append(monotonic - self._clock.monotonic_s())
        if (wall := self._wall.next_at()) is not None:
            waits.append(min(WALL_RECHECK_S, (wall - self._clock.now_us()) / 1e6))
        return max(0.0, min(waits)) if waits else None
