"""A thread for long work of the processor: what would hold up an actor, or whoever waits for the journal's reader.

It knows nothing of the work. One piece at a time, in the order in which they were given; how many may wait is its users' to bound.
"""

import logging
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Protocol

from msgspec import Struct

STOP_WITHIN_S = 2.0
"""A thread in the middle of its work cannot be ended; it ends with the process."""

_log = logging.getLogger("questd.worker")

Answer = Callable[[object], object]


class Worker(Protocol):
    """Work that was given is answered once, or never when the process ends before. Answers must only post a message."""

    def do(self, work: Callable[[], object], answer: Answer) -> None:
        """Run ``work`` elsewhere; ``answer`` gets what it gives, or the Exception that it raised."""
        ...


class _Work(Struct, frozen=True):
    """A piece."""

    run: Callable[[], object]
    answer: Answer


class ThreadWorker:
    """One thread. Starting or stopping twice is fine; what is given after the stop is forgotten."""

    def __init__(self, name: str) -> None:
        self._queue: SimpleQueue[_Work | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._stopped = False

    def start(self) -> None:
        """Begin with what was given."""
        if not (self._stopped or self._thread.ident):
            self._thread.start()

    def stop(self) -> None:
        """Begin nothing more, and wait a little for what is under way."""
        self._stopped = True
        self._queue.put(None)
        if self._thread.ident:
            self._thread.join(STOP_WITHIN_S)

    def do(self, work: Callable[[], object], answer: Answer) -> None:
        """Queue a piece of work."""
        self._queue.put(_Work(work, answer))

    def _run(self) -> None:
        while (piece := self._queue.get()) is not None and not self._stopped:
            try:
                said = piece.run()
            except Exception as error:  # noqa: BLE001 (the asker gets it)
                said = error
            try:
                piece.answer(said)
            except Exception:  # noqa: BLE001 (one bad answer must not take the thread from all others)
                _log.exception("worker.answer_raised")
