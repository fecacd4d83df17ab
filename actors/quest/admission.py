"""Who may ask for a place: the order of ready tasks, exclusivity (``parallel: false``) and the quest's own limit."""

import heapq
from typing import Literal

from questd.actors.quest.owed import WantPlace
from questd.actors.quest.state import QuestState
from questd.actors.quest.task import Ready, Retrying, Task

Rank = tuple[int, int, int]
"""(-priority, since when it could run, place in the document): the lowest is first."""


def hold_reason(state: QuestState, task: Task) -> str | None:
    """Why a task that has a place may still not start: exclusivity or the quest's own limit."""
    if state.exclusive_running or (not task.step.parallel and state.running):
        return "exclusive"
    first = _next_exclusive(state)
    if first is not None and first < _rank(state, task, asked_since(task)):
        return "exclusive"
    limit = state.plan.definition.limits.parallel
    if limit is not None and state.running >= limit:
        return "limit"
    return None


def queue_reason(state: QuestState, task: Task) -> Literal["exclusive", "limit"]:
    """Why a task that could run does not even ask."""
    if state.usage.spent:
        return "limit"
    alone = state.exclusive_running or not task.step.parallel
    return "exclusive" if alone or _next_exclusive(state) is not None else "limit"


def queued(state: QuestState) -> frozenset[int]:
    """The tasks that could run and do not ask yet."""
    entries = ((state.tasks[index], since) for _, since, index in state.ready)
    return frozenset(
        task.index
        for task, since in entries
        if not stale(task, since) and task.index not in state.admitted
    )


def _rank(state: QuestState, task: Task, since_us: int) -> Rank:
    return (-(task.step.priority or state.priority), since_us, task.index)


def _next_exclusive(state: QuestState) -> Rank | None:
    """Where the exclusive task stands that nothing behind it may overtake; ``admit`` leaves no stale entry first."""
    if state.exclusive_wanted is not None:
        return _rank(state, state.exclusive_wanted, asked_since(state.exclusive_wanted))
    if state.ready and not state.tasks[state.ready[0][2]].step.parallel:
        return state.ready[0]
    return None


def enqueue(state: QuestState, task: Task, since_us: int) -> None:
    """The task could run since then; it asks for a place when ``admit`` lets it."""
    heapq.heappush(state.ready, _rank(state, task, since_us))


def drop_want(state: QuestState, task: Task) -> None:
    """The task has its place, or needs none any more."""
    state.in_vain -= state.admitted.pop(task.index)
    if state.exclusive_wanted is task:
        state.exclusive_wanted = None


def admit(state: QuestState) -> None:
    """Let ready tasks ask for places, in order, as far as exclusivity and the quest's limits allow.

    Once an exclusive task is next, nothing behind it asks. The limit does not hold it: it runs alone.
    """
    ready = state.ready
    if not ready or state.phase != "active":
        return
    while ready:
        task = state.tasks[ready[0][2]]
        if stale(task, ready[0][1]) or task.index in state.admitted:
            heapq.heappop(ready)
            continue
        if state.exclusive_running or state.exclusive_wanted is not None or state.usage.spent:
            return
        if _full(state) if task.step.parallel else state.running:
            return
        heapq.heappop(ready)
        state.admitted[task.index] = False
        if not task.step.parallel:
            state.exclusive_wanted = task
        state.due.append(WantPlace(task.key))


def _full(state: QuestState) -> bool:
    limit = state.plan.definition.limits.parallel
    asking = len(state.admitted) - state.in_vain
    return limit is not None and state.running + asking >= limit


def ask_in_vain(state: QuestState, keys: tuple[str, ...]) -> None:
    """Nobody connected can do these tasks: they ask on, but hold no slot of the quest's limit, so that others may ask."""
    for key in keys:
        index = state.at(key).index
        if state.admitted.get(index) is False:
            state.admitted[index] = True
            state.in_vain += 1
    admit(state)


def stale(task: Task, since_us: int) -> bool:
    """Is this entry of the ready heap about an earlier wait of the task?"""
    match task.state:
        case Ready(since):
            return since != since_us
        case Retrying(_, until):
            return until != since_us
        case _:
            return True


def withhold(state: QuestState, key: str) -> None:
    """A place came while the task may not start: it asks again when it may, and who came before it meanwhile may ask now."""
    task = state.at(key)
    drop_want(state, task)
    enqueue(state, task, asked_since(task))
    admit(state)


def asked_since(task: Task) -> int:
    """Since when the task could run: when it became ready, or when its retry was due."""
    match task.state:
        case Ready(since):
            return since
        case Retrying(_, until):
            return until
        case _:
            raise AssertionError(f"{task!r} asks for no place")
