"""Breakages of places, as saboteurs.py has them of everything else."""

from collections.abc import Callable
from typing import Any

Broken = Callable[..., Any]


def take_any_place(_: Any) -> Broken:
    """A place counts for what a task asks now, whatever it was asked for."""

    def still_wants(state: Any, want: Any) -> bool:
        task = state.task(want.task)
        return task is not None and task.index in state.admitted

    return still_wants


def give_and_forget(whole: Broken) -> Broken:
    """A place is given, and nobody knows to whom."""

    def take(state: Any, holder: Any, instance_id: str) -> None:
        whole(state, holder, instance_id)
        state.held.pop(holder, None)

    return take
