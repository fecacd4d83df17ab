"""What comes due by time alone. One heap a quest; an entry that no longer counts is dropped when it is met."""

import heapq

from questd.actors.quest.admission import admit, enqueue
from questd.actors.quest.budgets import asks_late
from questd.actors.quest.commands import AbandonAttempts, Command, EndWait, ExpireQuest, ExpireTask
from questd.actors.quest.state import QuestState
from questd.actors.quest.task import (
    Awaiting,
    Cancelled,
    Completed,
    Failed,
    Judging,
    Retrying,
    Settling,
    Skipped,
    Sleeping,
    TaskState,
    Waiting,
)


def arm(state: QuestState, at_us: int, kind: str, index: int) -> None:
    """Something is due at that wall time, unless it has lost its meaning by then."""
    heapq.heappush(state.timers, (at_us, kind, index))


def _timer_counts(state: QuestState, timer: tuple[int, str, int]) -> bool:
    at_us, kind, index = timer
    match kind:
        case "retry":
            task_state = state.tasks[index].state
            counts = isinstance(task_state, Retrying) and task_state.until_us == at_us
            return counts and state.phase == "active"
        case "end_wait":
            task_state = state.tasks[index].state
            waits = isinstance(task_state, Awaiting | Sleeping) and task_state.until_us == at_us
            return waits and state.phase == "active"
        case "expire_task":
            return state.phase == "active" and not _has_ended(state.tasks[index].state)
        case "expire_quest":
            return state.phase == "active"
        case _:
            return state.phase == "stopping"


def _has_ended(state: TaskState) -> bool:
    """As far as the time of its step goes: what has its result, or its last failure, has made it in time."""
    match state:
        case Completed() | Failed() | Skipped() | Cancelled() | Settling() | Judging():
            return True
        case _:
            return isinstance(state, Waiting) and state.judged is not None


def next_wake_us(state: QuestState) -> int | None:
    """The wall time at which ``elapse`` has something to say; None when only others can move the quest."""
    while state.timers and not _timer_counts(state, state.timers[0]):
        heapq.heappop(state.timers)
    return state.timers[0][0] if state.timers else None


def elapse(state: QuestState, now_us: int) -> list[Command]:
    """Take what is due by now. A retry whose time has come asks for a place; the rest is answered as commands."""
    commands: list[Command] = []
    while (at_us := next_wake_us(state)) is not None and at_us <= now_us:
        _, kind, index = heapq.heappop(state.timers)
        match kind:
            case "retry":
                enqueue(state, state.tasks[index], at_us)
            case "end_wait":
                commands.append(EndWait(state.tasks[index].key))
            case "expire_task":
                commands.append(ExpireTask(state.tasks[index].key))
            case "expire_quest":
                commands.append(ExpireQuest())
            case _:
                commands.append(AbandonAttempts())
    admit(state)
    return commands + asks_late(state)
