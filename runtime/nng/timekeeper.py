"""Ends what takes too long, from one thread, made when first needed.

Invariant: of each turn either ``end`` says that it was in time, or ``late`` was called (and has returned before
``end`` does): never both, never neither.
"""

import heapq
import itertools
import threading
from collections.abc import Callable
from time import monotonic


class Timekeeper:
    """Any number of turns at once; deadlines are monotonic seconds."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._numbers = itertools.count()
        self._turns: dict[int, Callable[[], object]] = {}
        self._heap: list[tuple[float, int]] = []
        self._thread: threading.Thread | None = None
        self._stopped = False

    def begin(self, deadline_s: float, late: Callable[[], object]) -> int:
        """Call ``late`` at the deadline unless the turn has ended; it must be quick."""
        with self._changed:
            number = next(self._numbers)
            self._turns[number] = late
            heapq.heappush(self._heap, (deadline_s, number))
            if self._thread is None and not self._stopped:
                self._thread = threading.Thread(target=self._run, name="timekeeper", daemon=True)
                self._thread.start()
            elif self._heap[0][1] == number:
                self._changed.notify()
            return number

    def end(self, number: int) -> bool:
        """End the turn; False when it was late."""
        with self._changed:
            in_time = self._turns.pop(number, None) is not None
            if len(self._heap) > 64 + 2 * len(self._turns):
                self._heap = [entry for entry in self._heap if entry[1] in self._turns]
                heapq.heapify(self._heap)
            return in_time

    def stop(self) -> None:
        """End the thread; nothing is late any more."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def _run(self) -> None:
        with self._changed:
            while not self._stopped:
                wait_s = self._expire(monotonic())
                self._changed.wait(wait_s)

    def _expire(self, now_s: float) -> float | None:
        while self._heap:
            deadline_s, number = self._heap[0]
            if number in self._turns and deadline_s > now_s:
                return deadline_s - now_s
            heapq.heappop(self._heap)
            late = self._turns.pop(number, None)
            if late is not None:
                late()
        return None
