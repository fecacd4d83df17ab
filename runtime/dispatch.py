"""Dispatchers: who runs the mailboxes, and the journal between them.

``PooledDispatcher`` is the daemon's: a few worker threads (one by default, because of the GIL) and one ready
queue, FIFO. ``runtime.deterministic`` has the other one. Both run the same actors unchanged.
"""

import queue
import threading
from collections import deque
from typing import Final

from questd.runtime.actor import BATCH, Turn

JOIN_S: Final = 5.0
PATIENCE: Final = 2_000


class _Look:
    """Whoever takes it looks whether what is late is due."""

    def run(self, budget: int = BATCH) -> None:
        """Nothing else."""


LOOK: Final = _Look()


class PooledDispatcher:
    """``workers`` threads give turns in the order in which they were asked for."""

    def __init__(self, *, workers: int = 1, batch: int = BATCH, name: str = "actors") -> None:
        self._ready: queue.SimpleQueue[Turn | None] = queue.SimpleQueue()
        self._late: deque[Turn] = deque()
        self._batch = batch
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-{n}", daemon=True)
            for n in range(workers)
        ]
        self._state = "new"

    def schedule(self, mailbox: Turn) -> None:
        """Put it on the ready queue."""
        self._ready.put(mailbox)

    def schedule_late(self, turn: Turn) -> None:
        """Run it when nothing else is ready, at the latest after ``PATIENCE`` turns: until then it gathers."""
        self._late.append(turn)
        self._ready.put(LOOK)

    def start(self) -> None:
        """Start the workers; starting twice is fine."""
        if self._state == "new":
            self._state = "started"
            for thread in self._threads:
                thread.start()

    def stop(self) -> None:
        """Finish the turns that run, leave the rest. Stopping twice, or before the start, is fine."""
        if self._state == "started":
            for _ in self._threads:
                self._ready.put(None)
            for thread in self._threads:
                if thread is not threading.current_thread():
                    thread.join(JOIN_S)
        self._state = "stopped"

    @property
    def depth(self) -> int:
        """Turns that wait for a worker."""
        return self._ready.qsize()

    def _work(self) -> None:
        ready, late, batch = self._ready, self._late, self._batch
        turns = 0
        while (turn := ready.get()) is not None:
            turn.run(batch)
            turn = None
            if late:
                turns += 1
                if ready.empty() or turns >= PATIENCE:
                    turns = 0
                    self._run_late()

    def _run_late(self) -> None:
        try:
            turn = self._late.popleft()
        except IndexError:  # another worker was faster
            return
        turn.run(self._batch)
