"""Who may ask for a place: the order of ready tasks, exclusivity (``parallel: false``) and the quest's own limit."""

import heapq

from questd.actors.quest.state import QuestState, Ready, Retrying, Task, WantPlace


def hold_reason(state: QuestState, task: Task) -> str | None:
    """Why a task that has a place may still not start: exclusivity or the quest's own limit."""
    if state.exclusive_running:
        return "exclusive"
    if not task.step.parallel and state.running:
        return "exclusive"
    limit = state.plan.definition.limits.parallel
    if limit is not None and state.running >= limit:
        return "limit"
    return None


def enqueue(state: QuestState, task: Task, since_us: int) -> None:
    """The task could run since then; it asks for a place when ``admit`` lets it."""
    priority = task.step.priority or state.priority
    heapq.heappush(state.ready, (-priority, since_us, task.index))


def drop_want(state: QuestState, task: Task) -> None:
    """The task has its place, or needs none any more."""
    del state.admitted[task.index]
    if not task.step.parallel:
        state.exclusive_wanted -= 1


def admit(state: QuestState) -> None:
    """Let ready tasks ask for places, in order, as far as exclusivity and the quest's limit allow.

    Once an exclusive task is next, nothing behind it asks.
    """
    ready = state.ready
    if not ready or state.phase != "active":
        return
    limit = state.plan.definition.limits.parallel
    while ready and not (state.exclusive_running or state.exclusive_wanted):
        if limit is not None and state.running + len(state.admitted) >= limit:
            return
        task = state.tasks[ready[0][2]]
        if stale(task, ready[0][1]) or task.index in state.admitted:
            heapq.heappop(ready)
            continue
        if not task.step.parallel:
            if state.running:
                return
            state.exclusive_wanted += 1
        heapq.heappop(ready)
        state.admitted[task.index] = None
        state.due.append(WantPlace(task.key))


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
    """A place came while the task may not start: it asks again when it may."""
    task = state.at(key)
    drop_want(state, task)
    enqueue(state, task, asked_since(task))


def asked_since(task: Task) -> int:
    """Since when the task could run: when it became ready, or when its retry was due."""
    match task.state:
        case Ready(since):
            return since
        case Retrying(_, until):
            return until
        case _:
            raise AssertionError(f"{task!r} asks for no place")
