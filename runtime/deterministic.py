"""The same actors on one thread, with a seed and a clock that only moves when it is told to.

``SeededDispatcher`` takes the place of ``runtime.dispatch``, ``VirtualClock`` and ``VirtualTimers`` that of
``runtime.clock``; ``Agenda`` is for whatever else happens at a time (a frame arrives, a commit ends). Together with one
``random.Random`` they make a run that the seed replays exactly.

Invariants: nothing here reads a real clock or a source of chance of its own; monotonic time never goes back; what
happens at one time happens in an order that follows from the seed. It knows nothing of quests, journals or sockets.
"""

import heapq
import threading
from collections.abc import Callable
from random import Random
from typing import Any, Final

from questd.runtime.actor import BATCH, Mailbox, Ref
from questd.runtime.clock import Timer, TimerHeap, fire

BUDGETS: Final = (1, 1, 2, 3, 5, 8, BATCH, BATCH)


class VirtualClock:
    """``monotonic_us`` starts at 0; wall time starts at ``wall_us`` and can be made to jump."""

    def __init__(self, wall_us: int) -> None:
        self.monotonic_us = 0
        self._offset_us = wall_us
        self._latest_us = wall_us

    def now_us(self) -> int:
        """Wall time in microseconds since the epoch."""
        return self.monotonic_us + self._offset_us

    @property
    def latest_us(self) -> int:
        """The latest wall time that it has ever shown."""
        return max(self._latest_us, self.now_us())

    def monotonic_s(self) -> float:
        """Seconds since the beginning of the simulation."""
        return self.monotonic_us / 1e6

    def advance(self, to_us: int) -> None:
        """Let time pass until then (monotonic microseconds)."""
        self.monotonic_us = max(self.monotonic_us, to_us)

    def jump(self, by_us: int) -> None:
        """Set the wall clock forward or back; nothing else notices."""
        self._latest_us = self.latest_us
        self._offset_us += by_us


class VirtualTimers:
    """Timers of one life of a program; they fire when ``fire`` is called at or after their time."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        lock = threading.Condition()
        self._monotonic = TimerHeap(lock)
        self._wall = TimerHeap(lock)

    def after(self, delay_s: float, ref: Ref, message: Any) -> Timer:
        """Post the message when that much time has passed, whatever the wall clock does."""
        at_us = self._clock.monotonic_us + int(delay_s * 1e6)
        return self._monotonic.arm(at_us, ref, message)

    def at(self, at_us: int, ref: Ref, message: Any) -> Timer:
        """Post the message when the wall clock shows that time or later; never earlier."""
        return self._wall.arm(at_us, ref, message)

    def next_us(self) -> float | None:
        """Monotonic time at which the next one is due, if the wall clock does not jump until then."""
        monotonic, wall = self._monotonic.next_at(), self._wall.next_at()
        if wall is not None:
            wall += self._clock.monotonic_us - self._clock.now_us()
        if monotonic is None or wall is None:
            return monotonic if wall is None else wall
        return min(monotonic, wall)

    def fire(self) -> int:
        """Post what is due; returns how many that were."""
        due = self._monotonic.due(self._clock.monotonic_us)
        due += self._wall.due(self._clock.now_us())
        fire(due)
        return len(due)

    def armed(self) -> list[Timer]:
        """Every armed timer, in no particular order: a quiet house has few."""
        return [*self._monotonic.armed(), *self._wall.armed()]


class SeededDispatcher:
    """Runs a random ready mailbox for a random number of messages, when it is told to."""

    def __init__(self, random: Random, on_turn: Callable[[Mailbox], None] | None = None) -> None:
        self._random = random
        self._on_turn = on_turn
        self._ready: list[Mailbox] = []

    def schedule(self, mailbox: Mailbox) -> None:
        """Put the mailbox among the ready ones."""
        self._ready.append(mailbox)

    @property
    def depth(self) -> int:
        """Mailboxes that are ready."""
        return len(self._ready)

    def run_one(self) -> bool:
        """One turn of one mailbox; False when none is ready."""
        ready = self._ready
        if not ready:
            return False
        place = int(self._random.random() * len(ready))
        ready[place], ready[-1] = ready[-1], ready[place]
        mailbox = ready.pop()
        if self._on_turn is not None:
            self._on_turn(mailbox)
        mailbox.run(BUDGETS[int(self._random.random() * len(BUDGETS))])
        return True

    def clear(self) -> None:
        """The program has died: whatever was ready never runs."""
        self._ready.clear()


class AgendaWorker:
    """``runtime.worker`` without a thread: work is done when its time has come."""

    def __init__(self, agenda: "Agenda", delay_us: Callable[[], int]) -> None:
        self._agenda = agenda
        self._delay_us = delay_us

    def do(self, work: Callable[[], object], answer: Callable[[object], object]) -> None:
        """Do it a little later, at once and whole."""
        self._agenda.after(self._delay_us(), lambda: self._do(work, answer))

    def _do(self, work: Callable[[], object], answer: Callable[[object], object]) -> None:
        try:
            said = work()
        except Exception as error:  # noqa: BLE001 (as in a thread: the asker gets it)
            said = error
        answer(said)


class Agenda:
    """What will happen at which (monotonic) time. Things of one time happen in an order drawn by chance."""

    def __init__(self, clock: VirtualClock, random: Random) -> None:
        self._clock = clock
        self._random = random
        self._heap: list[tuple[int, float, int, Callable[[], None]]] = []
        self._numbers = 0

    def __len__(self) -> int:
        return len(self._heap)

    def after(self, delay_us: int, happen: Callable[[], None]) -> None:
        """Let it happen when that much time has passed. It cannot be taken back: ``happen`` looks whether it still counts."""
        self._numbers += 1
        at_us = self._clock.monotonic_us + max(0, delay_us)
        heapq.heappush(self._heap, (at_us, self._random.random(), self._numbers, happen))

    def next_us(self) -> int | None:
        """When the next thing happens."""
        return self._heap[0][0] if self._heap else None

    def run_next(self) -> None:
        """Let the next thing happen, at its time."""
        at_us, _, _, happen = heapq.heappop(self._heap)
        self._clock.advance(at_us)
        happen()
