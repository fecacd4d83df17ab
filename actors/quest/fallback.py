"""Who else does a task when its choice has failed for good: both what is decided of it and how it is folded.

A choice is the step's own agent, capability and tool, and after it each ``fallback`` in order. Every choice has the whole retry policy
to itself. Attempts are numbered on within the task, and its idempotency key stays the same.

It makes no difference of what kind the failure is: another tool may take the arguments that this one refused. No other choice is asked
where none would help: when the step's time is over, its condition cannot be said, or a person has given it up. An agent that is absent has not
failed: the quest waits for it.
"""

from msgspec import structs

from questd.actors.quest.admission import enqueue
from questd.actors.quest.moving import move
from questd.actors.quest.owed import RenderInput
from questd.actors.quest.state import QuestState
from questd.actors.quest.task import Ready, Settling, Task
from questd.messages import events as ev
from questd.messages.failure import BUDGET, Failure


def next_choice(task: Task, failure: Failure) -> ev.TaskFellBack | None:
    """The event that hands the task on; None when that was the last who could do it."""
    if task.choice == len(task.step.fallback):
        return None
    return ev.TaskFellBack(task.key, task.choice + 1, failure)


def last_word(task: Task, failure: Failure) -> Failure:
    """The failure of a task, which says so when it is that of the last of several."""
    if not task.choice or task.choice < len(task.step.fallback) or failure.kind == BUDGET:
        return failure
    return structs.replace(
        failure, message=f"{failure.message} (the last of {1 + task.choice} to try)"
    )


def fall_back(state: QuestState, task: Task, to: int, now_us: int) -> None:
    """Fold the event: the count of attempts begins again, and a late result of what was lost before does not count any more."""
    if isinstance(task.state, Settling):
        rendering = RenderInput(task.key)
        state.due = [due for due in state.due if due != rendering]
    task.choice = to
    task.spent = task.attempts
    task.losses = task.unbegun = 0
    move(state, task, "task.fell_back", Ready(now_us))
    enqueue(state, task, now_us)
