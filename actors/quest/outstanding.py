"""What the world owes a quest now, computed from its states alone: for recovery, and for tests of the delta."""

from collections.abc import Iterator

from questd.actors.quest.owed import (
    Decide,
    Due,
    GatherItems,
    JudgeRound,
    ListItems,
    ReadPlan,
    RecallAttempt,
    RenderInput,
    RenderOutput,
    RunAttempt,
    TellParent,
    WantPlace,
)
from questd.actors.quest.state import TERMINAL_PHASES, QuestState
from questd.actors.quest.task import (
    Deciding,
    Gathering,
    Judging,
    Listing,
    Planning,
    Running,
    Settling,
)
from questd.messages.heads import parent_of


def outstanding(state: QuestState) -> list[Due]:
    """What the world owes the quest now, computed from its states alone, in document order."""
    due: list[Due] = [WantPlace(state.tasks[index].key) for index in state.admitted]
    if state.phase in TERMINAL_PHASES:
        return [*due, TellParent()] if parent_of(state.id) else due
    for task in state.tasks:
        match task.state:
            case Running(attempt):
                due.append(RunAttempt(task.key, attempt))
            case Settling() if state.phase == "active":
                due.append(RenderInput(task.key))
            case Deciding() if state.phase == "active":
                due.append(Decide(task.key))
            case Judging() if state.phase == "active":
                due.append(JudgeRound(task.key))
            case Listing() if state.phase == "active":
                due.append(ListItems(task.key))
            case Gathering() if state.phase == "active":
                due.append(GatherItems(task.key))
            case Planning() if state.phase == "active":
                due.append(ReadPlan(task.key))
            case _:
                pass
    if state.phase == "stopping":
        due.extend(recalls(state))
    if state.phase == "active" and state.ended == len(state.tasks):
        due.append(RenderOutput())
    return due


def recalls(state: QuestState) -> Iterator[RecallAttempt]:
    """Ask every running attempt to end."""
    assert state.failure is not None
    for task in state.tasks:
        if isinstance(task.state, Running):
            yield RecallAttempt(task.key, task.state.attempt.epoch, state.failure.message)
