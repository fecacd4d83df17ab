"""Breakages of items and plans: for ``saboteurs``."""

from collections.abc import Callable
from typing import Any

from msgspec import structs

Broken = Callable[..., Any]


def last_first(whole: Broken) -> Broken:
    """The results of items come in the order from the last to the first."""

    def items_of(state: Any, task: Any) -> Any:
        return whole(state, task)[::-1]

    return items_of


def one_key(whole: Broken) -> Broken:
    """All items of a step have one idempotency key."""

    def idempotency_key(quest: str, task: Any) -> Any:
        item, task.item = task.item, None
        key = whole(quest, task)
        task.item = item
        return key

    return idempotency_key


def but_one(whole: Broken) -> Broken:
    """A plan joins but for its first step."""

    def plan(state: Any, command: Any) -> Any:
        return whole(state, structs.replace(command, steps=command.steps[1:]))

    return plan


def pass_over(whole: Broken) -> Broken:
    """A step goes on after an item that failed."""

    def item_step(step: Any) -> Any:
        return structs.replace(whole(step), on_error="continue")

    return item_step


def hide_failed(whole: Broken) -> Broken:
    """Items that failed are not told of."""

    def on_gathered(state: Any, event: Any, now_us: int) -> None:
        state.at(event.task).items.failed.clear()
        whole(state, event, now_us)

    return on_gathered
