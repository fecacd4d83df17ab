"""What has come for the steps of a quest from outside, and for whom.

A *signal* is a named event with a payload, for one step: that which has waited longest for its name takes it. One that comes before
anybody waits is kept. No more of a name are accepted than there are steps left to take them, so whoever comes second is told so.

Tasks are known by their places only. This file must not know of the quest's state.
"""

from collections import deque
from typing import Final

from msgspec import Struct

from questd.actors.quest.task import Task
from questd.messages.payload import Payload

SIGNALS_KEPT_MAX: Final = 100
"""Signals that a quest keeps for steps which do not wait yet."""


class Signal(Struct, frozen=True):
    """One that was received: ``n`` is its event's number."""

    n: int
    name: str
    payload: Payload


class Signals(Struct):
    """Those of a quest, by name, and the tasks (by place) that they are for.

    ``open``: tasks that have not had theirs. ``waiting``: those of them that wait now, the longest first; while there is one of a name,
    none of that name is ``kept``. ``handed``: what a task is about to take. ``keys``: idempotency keys of all that were received.
    """

    open: dict[str, dict[int, None]]
    waiting: dict[str, dict[int, None]] = {}
    kept: dict[str, deque[Signal]] = {}
    kept_count: int = 0
    handed: dict[int, Signal] = {}
    keys: dict[str, int] = {}

    def await_(self, name: str, index: int) -> None:
        """The task waits from now on: what was kept is handed to it, the oldest first."""
        kept = self.kept.get(name)
        if kept:
            self.handed[index] = kept.popleft()
            self.kept_count -= 1
        else:
            self.waiting.setdefault(name, {})[index] = None

    def keep(self, signal: Signal) -> None:
        """It has come: it is handed to who has waited longest, or kept."""
        waiting = self.waiting.get(signal.name)
        if waiting:
            index = next(iter(waiting))
            del waiting[index]
            self.handed[index] = signal
        else:
            self.kept.setdefault(signal.name, deque()).append(signal)
            self.kept_count += 1

    def forget(self, name: str, index: int) -> None:
        """The task waits no more, or never will: what is kept, and now nobody is left to take, goes."""
        self.handed.pop(index, None)
        self.open[name].pop(index, None)
        self.waiting.get(name, {}).pop(index, None)
        while len(self.kept.get(name, ())) > len(self.open[name]):
            self.kept[name].pop()
            self.kept_count -= 1


def signals_of(tasks: list[Task]) -> Signals | None:
    """Of a quest with these tasks that has just begun; None when none of them waits for any."""
    waiting: dict[str, dict[int, None]] = {}
    for task in tasks:
        if task.step.wait_for is not None:
            waiting.setdefault(task.step.wait_for.signal, {})[task.index] = None
    return Signals(waiting) if waiting else None
