"""Breakages of loops, for the saboteurs."""

from collections.abc import Callable
from typing import Any

from msgspec import structs

Broken = Callable[..., Any]


def go_on_for_ever(whole: Broken) -> Broken:
    """No round is ever the last."""

    def end_round(state: Any, command: Any) -> Any:
        task = state.task(command.task)
        if task is not None:
            task.round = structs.replace(task.round, taken=1)
        return whole(state, command)

    return end_round


def never_again(whole: Broken) -> Broken:
    """Every result stands."""

    def end_round(state: Any, command: Any) -> Any:
        return whole(state, structs.replace(command, holds=True))

    return end_round


def wait_for_no_loop(whole: Broken) -> Broken:
    """Whoever waits for the end of a loop does not wait."""

    def released(state: Any, task: Any, *rest: Any) -> Any:
        turned, state.turned = state.turned, {}
        whole(state, task, *rest)
        state.turned = turned

    return released


def tell_nothing(whole: Broken) -> Broken:
    """Feedback is lost."""

    def send_back(state: Any, command: Any) -> Any:
        return whole(state, structs.replace(command, feedback=b"null"))

    return send_back


def ask_nobody(whole: Broken) -> Broken:
    """``limits.rounds`` bounds nothing."""

    def end_round(state: Any, command: Any) -> Any:
        sent_back, state.sent_back = state.sent_back, 0
        decided = whole(state, command)
        state.sent_back = sent_back
        return decided

    return end_round
