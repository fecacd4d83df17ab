"""``for_each``: a task for each item of a list, a window of them at once, and one result of them all.

The items' tasks stand side by side in the quest's list, in order. An item holds its place in the window from when it may run until it
has ended, also while it retries or waits for a decision: what says ``max_parallel: 1`` goes one by one. Every event costs O(1), but for
the one that holds the items, and the end of a step that leaves items behind.
"""

from typing import Final

from msgspec.structs import replace

from questd.actors.quest import moving
from questd.actors.quest.attempts import by_on_error
from questd.actors.quest.commands import ExpandTask, GatherTask, Rejected
from questd.actors.quest.owed import RecallAttempt
from questd.actors.quest.state import QuestState
from questd.actors.quest.task import (
    Attempt,
    Cancelled,
    Completed,
    Failed,
    Gathering,
    Item,
    Items,
    Listing,
    Running,
    Skipped,
    Spread,
    Task,
)
from questd.messages import events as ev
from questd.messages.address import address_of
from questd.messages.definition import StepDefinition
from questd.messages.failure import TOO_LARGE, Failure
from questd.messages.payload import size_of

ITEMS_MAX: Final = 10_000
"""Of one ``for_each``."""
TASKS_MAX: Final = 100_000
"""Of a quest, items included: each takes half a kilobyte of memory while its quest is awake."""
_OVER: Final = (Completed, Failed, Skipped, Cancelled)


# -- decisions -----------------------------------------------------------------------------------------


def expand(state: QuestState, command: ExpandTask) -> list[ev.Event] | Rejected:
    """The list is known: its items become tasks."""
    task = state.task(command.task)
    if task is None or not isinstance(task.state, Listing) or state.phase != "active":
        return Rejected("gone", f"{command.task} waits for no list")
    if len(state.tasks) + len(command.items) > TASKS_MAX:
        message = f"{len(command.items)} items more would be over {TASKS_MAX} tasks of the quest"
        failure = Failure(TOO_LARGE, message, task.key, False)
        return by_on_error(task, failure, tried=False)
    return [ev.TaskExpanded(task.key, command.items)]


def gather(state: QuestState, command: GatherTask) -> list[ev.Event] | Rejected:
    """The list of the results is there."""
    task = state.task(command.task)
    if task is None or not isinstance(task.state, Gathering) or state.phase != "active":
        return Rejected("gone", f"{command.task} has nothing to gather")
    return [ev.TaskGathered(task.key, command.result)]


# -- the fold ------------------------------------------------------------------------------------------


def on_expanded(state: QuestState, event: ev.TaskExpanded, now_us: int) -> None:
    """Its items join the quest; as many as fit the window may run."""
    whole = state.at(event.task)
    count = len(event.items)
    whole.items = items = Items(len(state.tasks), count, 0, count, [])
    step = item_step(whole.step)
    for number, value in enumerate(event.items):
        task = Task(items.first + number, step, 0)
        task.item = Item(whole, number, value)
        task.key = address_of(whole.step.key, number, whole.round.number)
        task.number, task.round = whole.number, whole.round
        state.join(task)
        state.weight += size_of(value)
    moving.move(state, whole, "task.expanded", Spread(now_us))
    moving.let_items(state, items, window_of(whole.step) or count, now_us)
    if not count:
        moving.gather(state, whole, now_us)


def item_step(step: StepDefinition) -> StepDefinition:
    """The step as its items' tasks know it: their timeouts and retries are its own, all else is the whole's business."""
    goes_on = step.partial == "continue"
    return replace(
        step,
        when=None,
        for_each=None,
        repeat=None,
        total_timeout_ms=None,
        parallel=True,
        on_error="continue" if goes_on else "stop",
    )


def window_of(step: StepDefinition) -> int | None:
    """How many items may be under way at once; None: all."""
    return step.max_parallel if step.parallel else 1


def on_attempt_started(whole: Task, attempt: Attempt) -> None:
    """An attempt of an item is shown as one of its step too."""
    whole.attempts += 1
    whole.last = attempt
    whole.first_started_us = whole.first_started_us or attempt.started_us


def on_gathered(state: QuestState, event: ev.TaskGathered, now_us: int) -> None:
    """The step is completed; that some of its items failed is not hidden."""
    task = state.at(event.task)
    assert task.items is not None
    if task.items.failed:
        state.failed_steps.append(task.step.key)
    state.weight += size_of(event.result)
    done = Completed(event.result, now_us, 0, None)
    moving.move(state, task, "task.gathered", moving.completed(state, task, done))


def drop_rest(state: QuestState, items: Items, reason: str, now_us: int) -> None:
    """The step fails: its other items never start, those that run are asked to end, and what comes of them does not count."""
    if not items.left:
        return
    state.ended += items.left
    items.left, items.next = 0, items.count
    for task in state.tasks[items.first : items.first + items.count]:
        if isinstance(task.state, Failed) and not task.state.continued:
            assert task.item is not None
            items.failed.append(task.item.number)
        elif not isinstance(task.state, _OVER):
            if isinstance(task.state, Running):
                state.due.append(RecallAttempt(task.key, task.state.attempt.epoch, reason))
            moving.close(state, task)
            moving.set_state(state, task, Cancelled(now_us, task.last))
