"""Tasks move: the part of the fold that every concern shares. A task changes its state here and nowhere else."""

from typing import Final

from questd.actors.quest import timing
from questd.actors.quest.admission import drop_want, enqueue
from questd.actors.quest.owed import (
    Decide,
    DropAttempt,
    DropWant,
    GatherItems,
    JudgeRound,
    ListItems,
    RenderInput,
    RenderOutput,
)
from questd.actors.quest.standing import stand
from questd.actors.quest.state import IllegalMove, QuestState
from questd.actors.quest.task import (
    TASK_MOVES,
    Completed,
    Deciding,
    Failed,
    Gathering,
    Item,
    Items,
    Judging,
    Listing,
    Ready,
    Running,
    Settling,
    Skipped,
    Task,
    TaskState,
)
from questd.messages.failure import Failure
from questd.messages.payload import NULL

ENDED: Final = (Completed, Failed, Skipped)
_BETWEEN: Final = (Settling, Judging)
"""Something is rendered for the task, and nothing else is needed for it to go on."""


def move(state: QuestState, task: Task, kind: str, to: TaskState) -> None:
    """The one place where a task changes its state; keeps the counters that hang on it."""
    before = task.state
    if to.phase not in TASK_MOVES.get((before.phase, kind), ()):
        raise IllegalMove(f"{state.id} {task.key}", before.phase, f"{kind} → {to.phase}")
    set_state(state, task, to)


def set_state(state: QuestState, task: Task, to: TaskState) -> None:
    """Whether legal or not; keeps the counters that hang on it."""
    before, task.state = task.state, to
    if isinstance(before, Running) is not isinstance(to, Running):
        change = 1 if isinstance(to, Running) else -1
        state.running += change
        if not task.step.parallel:
            state.exclusive_running += change
    state.settling += isinstance(to, _BETWEEN) - isinstance(before, _BETWEEN)
    if task.index in state.admitted:
        drop_want(state, task)
        if not isinstance(to, Running):
            state.due.append(DropWant(task.key))
    if isinstance(to, ENDED):
        _on_task_ended(state, task, to)


def come_up(state: QuestState, task: Task, now_us: int) -> None:
    """Every dependency has ended."""
    if state.plan.loops:
        task.skipped_by = _skipped_before(state, task)
    if task.skipped_by is not None and not task.step.allow_skipped:
        state.doomed[task.index] = None
        return
    task.first_ready_us = now_us
    if task.step.total_timeout_ms is not None:
        timing.arm(state, now_us + task.step.total_timeout_ms * 1_000, "expire_task", task.index)
    if task.step.when is not None:
        set_state(state, task, Deciding(now_us))
        state.due.append(Decide(task.key))
    elif task.step.for_each is not None:
        set_state(state, task, Listing(now_us))
        state.due.append(ListItems(task.key))
    elif task.step.wait_for is not None or task.step.sleep_ms is not None:
        set_state(state, task, stand(state, task, now_us))
    else:
        set_state(state, task, Ready(now_us))
        enqueue(state, task, now_us)


def _skipped_before(state: QuestState, task: Task) -> str | None:
    """What it waited for need not be what it depends on, where there are loops."""
    for key in task.step.dependencies:
        dependency = state.latest_of(key)
        if isinstance(dependency.state, Skipped):
            return dependency.key
    return None


def completed(state: QuestState, task: Task, done: Completed) -> Completed | Judging:
    """Completed, unless it is still to be seen whether its result stands."""
    if task.step.repeat is None or state.phase != "active":
        return done
    state.due.append(JudgeRound(task.key))
    return Judging(done)


def allow(state: QuestState, task: Task, now_us: int) -> None:
    """Its condition holds."""
    if task.step.for_each is not None:
        move(state, task, "task.allowed", Listing(now_us))
        state.due.append(ListItems(task.key))
    elif task.step.only_waits:
        move(state, task, "task.allowed", stand(state, task, now_us))
    else:
        move(state, task, "task.allowed", Ready(now_us))
        enqueue(state, task, now_us)


def close(state: QuestState, task: Task) -> None:
    """Whatever attempt counted until now is over."""
    attempt = task.open_attempt()
    if attempt is not None:
        state.due.append(DropAttempt(task.key, attempt.epoch))


def failed(state: QuestState, task: Task, failure: Failure, now_us: int) -> Failed | Settling:
    """Failed, unless what it was given is to stand in for its result."""
    if state.phase == "active" and task.step.on_error == "continue_with_input":
        state.due.append(RenderInput(task.key))
        return Settling(failure, now_us)
    return Failed(failure, now_us, False, NULL, task.last)


def _on_task_ended(state: QuestState, task: Task, to: Completed | Failed | Skipped) -> None:
    if isinstance(to, Failed) and not to.continued:
        return  # its dependants never run; TaskFailed may still say that it is continued
    if task.item is not None:
        _on_item_ended(state, task.item, to)
        return
    if isinstance(to, Failed):
        state.failed_steps.append(task.step.key)
    _release_dependents(state, task, state.last_us)  # a result may stand later than it came


def _on_item_ended(state: QuestState, item: Item, to: Completed | Failed | Skipped) -> None:
    """Its place in the window is free; the last one lets the results be gathered."""
    state.ended += 1
    items = item.of.items
    assert items is not None
    items.left -= 1
    if isinstance(to, Failed):
        items.failed.append(item.number)
    if state.phase != "active":
        return
    if items.next < items.count:
        let_items(state, items, 1, to.finished_us)
    elif not items.left:
        gather(state, item.of, to.finished_us)


def let_items(state: QuestState, items: Items, most: int, now_us: int) -> None:
    """The next items, at most so many, may run."""
    first, items.next = items.next, min(items.next + most, items.count)
    for index in range(items.first + first, items.first + items.next):
        task = state.tasks[index]
        task.first_ready_us = now_us
        set_state(state, task, Ready(now_us))
        enqueue(state, task, now_us)


def gather(state: QuestState, whole: Task, now_us: int) -> None:
    """No item is left."""
    set_state(state, whole, Gathering(now_us))
    state.due.append(GatherItems(whole.key))


def _release(state: QuestState, dependent: Task, now_us: int) -> None:
    dependent.unfinished -= 1
    if not dependent.unfinished and state.phase == "active":
        come_up(state, dependent, now_us)


def _release_dependents(state: QuestState, task: Task, now_us: int) -> None:
    state.ended += 1
    state.doomed.pop(task.index, None)
    skipped = isinstance(task.state, Skipped)
    if state.turned and state.latest(task.number) is not task:
        return  # another round of its step has begun: that one will release them
    for index in state.dependents(task):
        dependent = state.tasks[index]
        if skipped:
            dependent.skipped_by = dependent.skipped_by or task.key
        _release(state, dependent, now_us)
    if task.part is not None:
        task.part.left -= 1
        for index in () if task.part.left else task.part.waiting:
            _release(state, state.tasks[index], now_us)
    if state.ended == len(state.tasks) and state.phase == "active":
        state.due.append(RenderOutput())
