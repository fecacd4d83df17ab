"""Threads that run one at a time, line by line, in an order that the test chooses.

A *schedule* says at which step which thread takes over; without a word it stays with the one that runs. A step is one line
of the traced file. So each race of a few lines is tried on purpose instead of being hoped for.
"""

import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from random import Random
from types import FrameType
from typing import Any

STEP_S = 20.0
Body = Callable[[Callable[[], None]], None]
"""A thread's work. It is given a function to call when it can only wait for the others."""


class Stuck(Exception):
    """No thread came to its next line."""


class Lockstep:
    """Runs ``bodies`` by ``schedule`` (step → thread). ``traced``: how the name of the file ends whose lines are steps."""

    def __init__(self, bodies: list[Body], schedule: Mapping[int, int], traced: str) -> None:
        self._schedule = schedule
        self._traced = traced
        self._gates = [threading.Semaphore(0) for _ in bodies]
        self._back = threading.Semaphore(0)
        self.done = [False for _ in bodies]
        self._waits = False
        self.steps = 0
        self._errors: list[BaseException] = []
        self._threads = [
            threading.Thread(target=self._run, args=(n, body), daemon=True)
            for n, body in enumerate(bodies)
        ]

    def run(self) -> None:
        for thread in self._threads:
            thread.start()
        current = 0
        while not all(self.done):
            current = self._schedule.get(self.steps, current)
            while self.done[current]:
                current = (current + 1) % len(self.done)
            self._waits = False
            self._gates[current].release()
            if not self._back.acquire(timeout=STEP_S):
                raise Stuck(f"thread {current} at step {self.steps}")
            self.steps += 1
            if self._waits:
                current = (current + 1) % len(self.done)
        for thread in self._threads:
            thread.join(STEP_S)
        if self._errors:
            raise self._errors[0]

    def _run(self, me: int, body: Body) -> None:
        def pause() -> None:
            self._back.release()
            self._gates[me].acquire()

        def idle() -> None:
            self._waits = True
            pause()

        def line(_: FrameType, event: str, __: Any) -> Any:
            if event == "line":
                pause()
            return line

        def call(frame: FrameType, _: str, __: Any) -> Any:
            return line if frame.f_code.co_filename.endswith(self._traced) else None

        self._gates[me].acquire()
        sys.settrace(call)
        try:
            body(idle)
        except BaseException as error:  # noqa: BLE001 - told by whoever runs the threads
            self._errors.append(error)
        finally:
            sys.settrace(None)
            self.done[me] = True
            self._back.release()


def schedules(steps: int, threads: int, *, pairs: int, seed: int) -> Iterator[dict[int, int]]:
    """Every single switch within so many steps, and so many random pairs and triples of switches."""
    yield {}
    for step in range(steps):
        for thread in range(threads):
            yield {step: thread}
    random = Random(seed)
    for n in range(pairs):
        switches = 2 + n % 2
        yield {random.randrange(steps): random.randrange(threads) for _ in range(switches)}
