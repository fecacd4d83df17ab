"""Steps that only wait, while they do: how that begins and how it is left. A part of the fold.

That a step begins to wait follows from the event that ended its last dependency (or allowed it), so it has no event of its own.
"""

from questd.actors.quest import timing
from questd.actors.quest.state import QuestState
from questd.actors.quest.task import Awaiting, Sleeping, Task


def stand(state: QuestState, task: Task, now_us: int) -> Awaiting | Sleeping:
    """The task begins to wait, for its signal or for its time."""
    task.first_started_us = now_us
    state.standing += 1
    if task.step.sleep_ms is not None:
        return Sleeping(now_us, _until_us(state, task, task.step.sleep_ms, now_us))
    assert task.step.wait_for is not None
    assert state.signals is not None
    state.signals.await_(task.step.wait_for.signal, task.index)
    longest_ms = task.step.timeout_ms
    if longest_ms is None:
        return Awaiting(now_us, None)
    return Awaiting(now_us, _until_us(state, task, longest_ms, now_us))


def _until_us(state: QuestState, task: Task, length_ms: int, now_us: int) -> int:
    until_us = now_us + length_ms * 1_000
    timing.arm(state, until_us, "end_wait", task.index)
    return until_us


def leave(state: QuestState, task: Task) -> None:
    """The task waits no more, or never will."""
    state.standing -= isinstance(task.state, Awaiting | Sleeping)
    if task.step.wait_for is not None and state.signals is not None:
        state.signals.forget(task.step.wait_for.signal, task.index)
