"""Breakages of steps that wait, as saboteurs.py has them of everything else."""

from collections import deque
from collections.abc import Callable
from typing import Any

from msgspec import structs

Broken = Callable[..., Any]


def wake_early(whole: Broken) -> Broken:
    """A wait is over when half of its time is."""

    def until_us(state: Any, task: Any, length_ms: int, now_us: int) -> Any:
        return whole(state, task, length_ms // 2, now_us)

    return until_us


def wait_for_the_next(_: Any) -> Broken:
    """What was kept is not looked for."""

    def await_(self: Any, name: str, index: int) -> None:
        self.waiting.setdefault(name, {})[index] = None

    return await_


def take_the_last(whole: Broken) -> Broken:
    """Of several that were kept the last is taken."""

    def await_(self: Any, name: str, index: int) -> None:
        self.kept.get(name, deque()).rotate()
        whole(self, name, index)

    return await_


def give_to_all(_: Any) -> Broken:
    """All who wait take the same signal, and none is kept."""

    def keep(self: Any, signal: Any) -> None:
        self.handed.update(dict.fromkeys(self.waiting.pop(signal.name, ()), signal))

    return keep


def forget_key(whole: Broken) -> Broken:
    """A signal that is sent again is another one."""

    def on_received(state: Any, event: Any) -> None:
        whole(state, structs.replace(event, key=None))

    return on_received
