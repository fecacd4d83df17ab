"""Dispatchers: who runs the mailboxes.

``PooledDispatcher`` is the daemon's: a few worker threads (one by default, because of the GIL) and one ready
queue, FIFO. ``runtime.deterministic`` has the other one. Both run the same actors unchanged.
"""

import queue
import threading
from typing import Final

from questd.runtime.actor import BATCH, Mailbox

JOIN_S: Final = 5.0


class PooledDispatcher:
    """``workers`` threads take mailboxes in the order in which they were scheduled."""

    def __init__(self, *, workers: int = 1, batch: int = BATCH, name: str = "actors") -> None:
        self._ready: queue.SimpleQueue[Mailbox | None] = queue.SimpleQueue()
        self._batch = batch
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-{n}", daemon=True)
            for n in range(workers)
        ]
        self._state = "new"

    def schedule(self, mailbox: Mailbox) -> None:
        """Put the mailbox on the ready queue."""
        self._ready.put(mailbox)

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
        """Mailboxes that wait for a worker."""
        return self._ready.qsize()

    def _work(self) -> None:
        ready, batch = self._ready, self._batch
        while (mailbox := ready.get()) is not None:
            mailbox.run(batch)
            mailbox = None
