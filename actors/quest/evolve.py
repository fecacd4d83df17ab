"""Fold one event into the state (core.py). Never refuses history; keeps ``state.due`` up to date in O(1)."""

from typing import Final, assert_never

from questd.actors.quest.admission import admit, drop_want, enqueue
from questd.actors.quest.outstanding import recalls
from questd.actors.quest.owed import (
    Decide,
    DropAttempt,
    DropWant,
    RecallAttempt,
    RenderInput,
    RenderOutput,
    RunAttempt,
)
from questd.actors.quest.state import (
    QUEST_MOVES,
    TASK_MOVES,
    Attempt,
    Cancelled,
    Completed,
    Deciding,
    Failed,
    IllegalMove,
    QuestState,
    Ready,
    Retrying,
    Running,
    Settling,
    Skipped,
    Task,
    TaskState,
    Waiting,
)
from questd.actors.quest.timing import arm
from questd.messages import events as ev
from questd.messages.failure import CANCELLED, TIMEOUT, Failure
from questd.messages.payload import NULL, Payload

CANCEL_GRACE_US: Final = 10_000_000
ENDED: Final = (Completed, Failed, Skipped)
OVER: Final = (Completed, Failed, Skipped, Cancelled)


def evolve(state: QuestState, event: ev.Event, now_us: int) -> None:
    """Fold one event, which happened at ``now_us``. Keeps ``state.due`` up to date."""
    state.version += 1
    state.last_us = now_us
    match event:
        case ev.AttemptStarted():
            _on_attempt_started(state, event, now_us)
        case ev.AttemptCompleted():
            _on_attempt_completed(state, event, now_us)
        case ev.AttemptFailed():
            _on_attempt_failed(state, event, now_us)
        case ev.AttemptLost():
            _on_attempt_lost(state, event, now_us)
        case ev.AttemptCancelled(key, epoch):
            _on_attempt_cancelled(state, state.at(key), epoch, now_us)
        case ev.AttemptRefused(_, epoch):
            state.refused[epoch] = None
        case ev.AttemptLogged():
            pass
        case ev.TaskFailed():
            _on_task_failed(state, event, now_us)
        case ev.TaskAllowed(key):
            task = state.at(key)
            _move(state, task, "task.allowed", Ready(now_us))
            enqueue(state, task, now_us)
        case ev.TaskSkipped(key, reason):
            _move(state, state.at(key), "task.skipped", Skipped(reason, now_us))
        case ev.TaskCompleted(key, result):
            _on_task_completed(state, state.at(key), result, now_us)
        case ev.BreakpointOpened():
            _on_breakpoint_opened(state, event, now_us)
        case ev.BreakpointResolved(_, key):
            _on_breakpoint_resolved(state, state.at(key), now_us)
        case _:
            _on_quest_event(state, event, now_us)
    admit(state)


QuestEvent = (
    ev.QuestSubmitted
    | ev.QuestStarted
    | ev.CancelRequested
    | ev.QuestStopping
    | ev.QuestCompleted
    | ev.QuestFailed
    | ev.QuestCancelled
)


def _on_quest_event(state: QuestState, event: QuestEvent, now_us: int) -> None:
    match event:
        case ev.QuestSubmitted():
            _on_submitted(state, event, now_us)
        case ev.QuestStarted():
            _on_started(state, now_us)
        case ev.CancelRequested(reason):
            _on_stopping(state, event, Failure(CANCELLED, reason, None, False), now_us)
        case ev.QuestStopping(failure):
            _on_stopping(state, event, failure, now_us)
        case ev.QuestCompleted(output):
            state.output = output
            _on_ended(state, event, now_us)
        case ev.QuestFailed(failure):
            state.failure = failure
            _on_ended(state, event, now_us)
        case ev.QuestCancelled():
            _on_ended(state, event, now_us)
        case _:
            assert_never(event)


def _move_quest(state: QuestState, kind: str) -> None:
    phase = QUEST_MOVES.get((state.phase, kind))
    if phase is None:
        raise IllegalMove(state.id, state.phase, kind)
    state.phase = phase


def _move(state: QuestState, task: Task, kind: str, to: TaskState) -> None:
    """The one place where a task changes its state; keeps the counters that hang on it."""
    before = task.state
    if to.phase not in TASK_MOVES.get((before.phase, kind), ()):
        raise IllegalMove(f"{state.id} {task.key}", before.phase, f"{kind} → {to.phase}")
    _set(state, task, to)


def _set(state: QuestState, task: Task, to: TaskState) -> None:
    before, task.state = task.state, to
    if isinstance(before, Running) is not isinstance(to, Running):
        change = 1 if isinstance(to, Running) else -1
        state.running += change
        if not task.step.parallel:
            state.exclusive_running += change
    state.settling += isinstance(to, Settling) - isinstance(before, Settling)
    if task.index in state.admitted:
        drop_want(state, task)
        if not isinstance(to, Running):
            state.due.append(DropWant(task.key))
    if isinstance(to, ENDED):
        _on_task_ended(state, task, to)


def _on_submitted(state: QuestState, event: ev.QuestSubmitted, now_us: int) -> None:
    state.created_us = now_us
    state.project = event.project
    state.inputs = event.inputs
    state.labels = event.labels
    state.priority = event.priority
    state.deadline_us = event.deadline_us
    state.total_timeout_ms = event.total_timeout_ms
    state.key = event.key


def _on_started(state: QuestState, now_us: int) -> None:
    _move_quest(state, "quest.started")
    state.started_us = now_us
    if state.total_timeout_ms is not None:
        arm(state, now_us + state.total_timeout_ms * 1_000, "expire_quest", -1)
    for task in state.tasks:
        if not task.unfinished:
            _come_up(state, task, now_us)
    if not state.tasks:
        state.due.append(RenderOutput())


def _come_up(state: QuestState, task: Task, now_us: int) -> None:
    """Every dependency has ended."""
    if task.skipped_by is not None and not task.step.allow_skipped:
        state.doomed[task.index] = None
        return
    task.first_ready_us = now_us
    if task.step.total_timeout_ms is not None:
        arm(state, now_us + task.step.total_timeout_ms * 1_000, "expire_task", task.index)
    if task.step.when is not None:
        _set(state, task, Deciding(now_us))
        state.due.append(Decide(task.key))
    else:
        _set(state, task, Ready(now_us))
        enqueue(state, task, now_us)


def _on_attempt_started(state: QuestState, event: ev.AttemptStarted, now_us: int) -> None:
    task = state.at(event.task)
    attempt = Attempt(
        state.version,
        event.attempt,
        event.agent,
        event.instance,
        event.tool,
        event.idempotent,
        event.timeout_ms,
        now_us,
    )
    task.attempts += 1
    task.last = attempt
    if not task.first_started_us:
        task.first_started_us = now_us
    state.epochs[attempt.epoch] = task.index
    _move(state, task, "attempt.started", Running(attempt))
    state.due.append(RunAttempt(task.key, attempt))


def _on_attempt_completed(state: QuestState, event: ev.AttemptCompleted, now_us: int) -> None:
    task = state.at(event.task)
    _close(state, task)
    to = Completed(event.result, now_us, event.duration_us, task.last)
    _move(state, task, "attempt.completed", to)


def _close(state: QuestState, task: Task) -> None:
    """Whatever attempt counted until now is over."""
    attempt = task.open_attempt()
    if attempt is not None:
        state.due.append(DropAttempt(task.key, attempt.epoch))


def _on_attempt_failed(state: QuestState, event: ev.AttemptFailed, now_us: int) -> None:
    task = state.at(event.task)
    if not isinstance(task.state, Running):
        task.losses -= 1  # it was not lost after all
    elif event.failure.kind == TIMEOUT:
        # Its step actor ends with it; the agent must hear that nobody waits for the tool any more.
        state.due.append(RecallAttempt(task.key, event.epoch, event.failure.message))
    _close(state, task)
    to: TaskState
    if event.retry_at_us is not None:
        to = Retrying(now_us, event.retry_at_us, event.failure)
        arm(state, event.retry_at_us, "retry", task.index)
    else:
        to = _failed(state, task, event.failure, now_us)
    _move(state, task, "attempt.failed", to)


def _failed(state: QuestState, task: Task, failure: Failure, now_us: int) -> Failed | Settling:
    """Failed, unless what it was given is to stand in for its result."""
    if state.phase == "active" and task.step.on_error == "continue_with_input":
        state.due.append(RenderInput(task.key))
        return Settling(failure, now_us)
    return Failed(failure, now_us, False, NULL, task.last)


def _on_attempt_lost(state: QuestState, event: ev.AttemptLost, now_us: int) -> None:
    """It does not count as tried. One that never began is no loss either, and nothing will come of it."""
    task = state.at(event.task)
    assert isinstance(task.state, Running)
    attempt = task.state.attempt if event.begun else None
    task.losses += event.begun
    task.unbegun += not event.begun
    state.due.append(DropAttempt(task.key, event.epoch))
    _move(state, task, "attempt.lost", Ready(now_us, attempt))
    enqueue(state, task, now_us)


def _on_attempt_cancelled(state: QuestState, task: Task, epoch: int, now_us: int) -> None:
    state.due.append(DropAttempt(task.key, epoch))
    _move(state, task, "attempt.cancelled", Cancelled(now_us, task.last))


def _on_task_failed(state: QuestState, event: ev.TaskFailed, now_us: int) -> None:
    task = state.at(event.task)
    to: TaskState
    match task.state:
        case Failed(continued=True):
            raise IllegalMove(f"{state.id} {task.key}", "failed and continued", "task.failed")
        case Deciding() | Ready() | Retrying() | Waiting() if not event.continued:
            to = _failed(state, task, event.failure, now_us)
        case _:
            to = Failed(event.failure, now_us, event.continued, event.result, task.last)
    _move(state, task, "task.failed", to)


def _on_task_completed(state: QuestState, task: Task, result: Payload, now_us: int) -> None:
    _move(state, task, "task.completed", Completed(result, now_us, 0, None))


def _on_breakpoint_opened(state: QuestState, event: ev.BreakpointOpened, now_us: int) -> None:
    task = state.at(event.task)
    lost = task.open_attempt()
    to = Waiting(state.version, now_us, event.question, event.options, lost)
    _move(state, task, "breakpoint.opened", to)


def _on_breakpoint_resolved(state: QuestState, task: Task, now_us: int) -> None:
    assert isinstance(task.state, Waiting)
    _move(state, task, "breakpoint.resolved", Ready(now_us, task.state.lost))
    enqueue(state, task, now_us)


def _on_task_ended(state: QuestState, task: Task, to: Completed | Failed | Skipped) -> None:
    if isinstance(to, Failed) and not to.continued:
        return  # its dependants never run; TaskFailed may still say that it is continued
    if isinstance(to, Failed):
        state.failed_steps.append(task.key)
    _release_dependents(state, task, to.finished_us)


def _release_dependents(state: QuestState, task: Task, now_us: int) -> None:
    state.ended += 1
    state.doomed.pop(task.index, None)
    skipped = isinstance(task.state, Skipped)
    for index in state.plan.dependents[task.index]:
        dependent = state.tasks[index]
        dependent.unfinished -= 1
        if skipped:
            dependent.skipped_by = dependent.skipped_by or task.key
        if not dependent.unfinished and state.phase == "active":
            _come_up(state, dependent, now_us)
    if state.ended == len(state.tasks) and state.phase == "active":
        state.due.append(RenderOutput())


def _on_stopping(
    state: QuestState, event: ev.CancelRequested | ev.QuestStopping, failure: Failure, now_us: int
) -> None:
    _move_quest(state, ev.kind_of(event))
    state.failure = failure
    state.stopping_us = now_us
    for index in list(state.admitted):
        task = state.tasks[index]
        drop_want(state, task)
        state.due.append(DropWant(task.key))
    state.ready.clear()
    if state.running:
        arm(state, now_us + CANCEL_GRACE_US, "abandon", -1)
        state.due.extend(recalls(state))


def _on_ended(
    state: QuestState, event: ev.QuestCompleted | ev.QuestFailed | ev.QuestCancelled, now_us: int
) -> None:
    _move_quest(state, ev.kind_of(event))
    state.finished_us = now_us
    state.timers.clear()
    for task in state.tasks:
        if not isinstance(task.state, OVER):
            _close(state, task)
            _set(state, task, Cancelled(now_us, task.last))
