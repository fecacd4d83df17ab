"""May this happen, and what happens then? Reads the state, changes nothing (core.py)."""

from typing import Final, assert_never

from questd.actors.quest.admission import hold_reason
from questd.actors.quest.commands import (
    AbandonAttempts,
    CancelQuest,
    Command,
    CompleteAttempt,
    ContinueTask,
    DecideTask,
    EndAttempt,
    ExpireQuest,
    ExpireTask,
    FailAttempt,
    FailTask,
    FinishQuest,
    LogAttempt,
    LoseAttempt,
    Rejected,
    ResolveTask,
    StartAttempt,
    SubmitQuest,
)
from questd.actors.quest.retrying import retry_at
from questd.actors.quest.state import (
    TERMINAL_PHASES,
    Attempt,
    Completed,
    Deciding,
    QuestState,
    Ready,
    Retrying,
    Running,
    Settling,
    Task,
    Waiting,
)
from questd.messages import events as ev
from questd.messages.failure import AGENT_LOST, CANCELLED, TIMEOUT, Failure
from questd.messages.payload import NULL, Payload

MAX_LOSSES: Final = 5
"""A task whose agents vanish this often in the middle of it fails as agent_lost."""
LOST_OPTIONS: Final = ("retry", "complete", "fail")

Events = list[ev.Event]


def decide(state: QuestState, command: Command, now_us: int) -> Events | Rejected:
    """May this happen, and what happens then? Reads the state, changes nothing."""
    match command:
        case StartAttempt():
            return _start_attempt(state, command)
        case CompleteAttempt():
            return _complete_attempt(state, command)
        case FailAttempt():
            return _fail_attempt(state, command, now_us)
        case EndAttempt(epoch):
            return _end_attempt(state, epoch)
        case LoseAttempt(epoch, reason, begun):
            return _lose_attempt(state, epoch, reason, begun=begun)
        case LogAttempt(epoch, lines):
            return _log_attempt(state, epoch, lines)
        case FailTask(key, failure):
            return _fail_named_task(state, key, failure)
        case DecideTask(key, holds):
            return _decide_task(state, key, holds=holds)
        case ContinueTask(key, result):
            return _continue_task(state, key, result)
        case FinishQuest(output, failure):
            return _finish_quest(state, output, failure)
        case SubmitQuest():
            return _submit(state, command)
        case CancelQuest(reason, actor):
            return _cancel(state, reason, actor)
        case ResolveTask():
            return _resolve(state, command)
        case ExpireTask(key):
            return _expire_task(state, key)
        case ExpireQuest():
            return _expire_quest(state)
        case AbandonAttempts():
            return _abandon(state)
        case _:
            assert_never(command)


def _submit(state: QuestState, command: SubmitQuest) -> Events | Rejected:
    if state.version:
        return Rejected("conflict", f"{state.id} has been submitted already")
    submitted = ev.QuestSubmitted(
        definition=state.plan.digest,
        name=state.plan.definition.name,
        version=state.plan.definition.version,
        project=command.project,
        inputs=command.inputs,
        labels=command.labels,
        priority=command.priority,
        deadline_us=command.deadline_us,
        total_timeout_ms=command.total_timeout_ms,
        key=command.key,
    )
    return [submitted, ev.QuestStarted()]


def _start_attempt(state: QuestState, command: StartAttempt) -> Events | Rejected:
    task = state.task(command.task)
    if task is None or state.phase != "active" or task.index not in state.admitted:
        return Rejected("gone", f"{command.task} asks for no place")
    held = hold_reason(state, task)
    if held is not None:
        return Rejected("held", held)
    started = ev.AttemptStarted(
        task=task.key,
        attempt=task.attempts + 1,
        agent=command.agent,
        instance=command.instance,
        tool=command.tool,
        idempotent=command.idempotent and task.step.idempotent,
        timeout_ms=command.timeout_ms,
    )
    return [started]


def _counting(state: QuestState, epoch: int) -> tuple[Task, Attempt] | None:
    index = state.epochs.get(epoch)
    if index is None or state.phase in TERMINAL_PHASES:
        return None
    task = state.tasks[index]
    attempt = task.open_attempt()
    return (task, attempt) if attempt is not None and attempt.epoch == epoch else None


def _complete_attempt(state: QuestState, command: CompleteAttempt) -> Events | Rejected:
    found = _counting(state, command.epoch)
    if found is None:
        return _refuse(state, command.epoch)
    task, _ = found
    completed = ev.AttemptCompleted(
        task=task.key,
        epoch=command.epoch,
        result=command.result,
        duration_us=command.duration_us,
        tokens=command.tokens,
        cost=command.cost,
        model=command.model,
        confidence=command.confidence,
    )
    return [completed]


def _refuse(state: QuestState, epoch: int) -> Events | Rejected:
    """A result that does not count is journalled once as refused; a mere repetition is not."""
    index = state.epochs.get(epoch)
    if index is None:
        return Rejected("invalid", f"{state.id} has no attempt {epoch}")
    task = state.tasks[index]
    if epoch in state.refused or _completed_by(task) == epoch:
        return []
    reason = "the quest has ended" if state.phase in TERMINAL_PHASES else "superseded"
    return [ev.AttemptRefused(task.key, epoch, "completed", reason)]


def _completed_by(task: Task) -> int | None:
    match task.state:
        case Completed(attempt=Attempt(epoch)):
            return epoch
        case _:
            return None


def _fail_attempt(state: QuestState, command: FailAttempt, now_us: int) -> Events | Rejected:
    found = _counting(state, command.epoch)
    if found is None:
        return Rejected("gone", "the attempt does not count any more")
    task, _ = found
    failure = _located(command.failure, task.key)
    retry_at_us = retry_at(state, task, failure, command.jitter, now_us)
    failed = ev.AttemptFailed(task.key, command.epoch, failure, retry_at_us, command.duration_us)
    if retry_at_us is not None or state.phase == "stopping":
        return [failed]
    return [failed, *_give_up(task, failure)]


def _located(failure: Failure, task: str) -> Failure:
    return Failure(failure.kind, failure.message, task, failure.retryable, failure.retry_after_ms)


def _give_up(task: Task, failure: Failure) -> Events:
    """The events after a task's last failure, by its on_error."""
    match task.step.on_error:
        case "stop":
            return [ev.TaskFailed(task.key, failure), ev.QuestStopping(failure)]
        case "continue":
            return [ev.TaskFailed(task.key, failure, continued=True, result=NULL)]
        case "continue_with_input":
            return []  # settling: RenderInput is due, and its answer is the TaskFailed
        case _:
            assert_never(task.step.on_error)


def _end_attempt(state: QuestState, epoch: int) -> Events | Rejected:
    if state.phase != "stopping":
        return _lose_attempt(state, epoch, "the agent gave it back")
    found = _counting(state, epoch)
    if found is None or not isinstance(found[0].state, Running):
        return Rejected("gone", "the attempt does not run any more")
    return [ev.AttemptCancelled(found[0].key, epoch, "the quest is ending")]


def _lose_attempt(
    state: QuestState, epoch: int, reason: str, *, begun: bool = True
) -> Events | Rejected:
    found = _counting(state, epoch)
    if found is None or not isinstance(found[0].state, Running):
        return Rejected("gone", "the attempt does not run any more")
    task, attempt = found
    lost = ev.AttemptLost(task.key, epoch, reason, begun)
    if state.phase == "stopping" or not begun:
        return [lost]
    if task.losses + 1 >= MAX_LOSSES:
        failure = Failure(AGENT_LOST, f"lost {MAX_LOSSES} times: {reason}", task.key)
        return [lost, *_give_up_untried(task, failure)]
    if not attempt.idempotent:
        question = (
            f"{task.key} was lost on {attempt.agent} ({reason}) and must not be repeated blindly"
        )
        return [lost, ev.BreakpointOpened(task.key, "lost_attempt", question, LOST_OPTIONS)]
    return [lost]


def _give_up_untried(task: Task, failure: Failure) -> Events:
    """As ``_give_up`` for a task that is not in an attempt: here it is its TaskFailed that lets it settle."""
    if task.step.on_error == "continue_with_input":
        return [ev.TaskFailed(task.key, failure)]
    return _give_up(task, failure)


def _log_attempt(state: QuestState, epoch: int, lines: tuple[ev.LogLine, ...]) -> Events | Rejected:
    index = state.epochs.get(epoch)
    if index is None or state.phase in TERMINAL_PHASES:
        return Rejected("gone", "the attempt does not count any more")
    return [ev.AttemptLogged(state.tasks[index].key, epoch, lines)]


def _fail_named_task(state: QuestState, key: str, failure: Failure) -> Events | Rejected:
    task = state.task(key)
    if task is None or state.phase != "active":
        return Rejected("gone", f"{key} cannot fail now")
    if not isinstance(task.state, Deciding | Ready | Retrying | Waiting):
        return Rejected("gone", f"{key} is {task.state.phase}")
    return _give_up_untried(task, _located(failure, key))


def _decide_task(state: QuestState, key: str, *, holds: bool) -> Events | Rejected:
    task = state.task(key)
    if task is None or not isinstance(task.state, Deciding) or state.phase != "active":
        return Rejected("gone", f"{key} has nothing to decide")
    if holds:
        return [ev.TaskAllowed(key)]
    return [ev.TaskSkipped(key, f"when: {task.step.when}")]


def _continue_task(state: QuestState, key: str, result: Payload) -> Events | Rejected:
    task = state.task(key)
    if task is None or not isinstance(task.state, Settling) or state.phase in TERMINAL_PHASES:
        return Rejected("gone", f"{key} has nothing to continue with")
    return [ev.TaskFailed(key, task.state.failure, continued=True, result=result)]


def _finish_quest(state: QuestState, output: Payload, failure: Failure | None) -> Events | Rejected:
    if state.phase != "active" or state.ended < len(state.tasks):
        return Rejected("gone", "the quest does not wait for its output")
    if failure is not None:
        return [ev.QuestFailed(failure)]
    return [ev.QuestCompleted(output, tuple(state.failed_steps))]


def _cancel(state: QuestState, reason: str, actor: str) -> Events | Rejected:
    if state.phase in TERMINAL_PHASES:
        if state.phase == "cancelled":
            return []
        return Rejected("conflict", f"{state.id} is {state.phase} already")
    if state.phase == "stopping":
        return []
    return [ev.CancelRequested(reason, actor)]


def _resolve(state: QuestState, command: ResolveTask) -> Events | Rejected:
    task = _waiting_task(state, command.task)
    if isinstance(task, Rejected):
        return task
    assert isinstance(task.state, Waiting)
    if command.choice not in task.state.options:
        options = ", ".join(task.state.options)
        return Rejected(
            "invalid", f"{command.choice!r} is no option here; choose one of: {options}"
        )
    resolved = ev.BreakpointResolved(task.state.breakpoint, task.key, command.choice, command.actor)
    match command.choice:
        case "complete":
            result = NULL if command.result is None else command.result
            return [resolved, ev.TaskCompleted(task.key, result, command.actor)]
        case "fail":
            failure = Failure(AGENT_LOST, f"given up by {command.actor}", task.key)
            return [resolved, *_give_up_untried(task, failure)]
        case _:
            return [resolved]


def _waiting_task(state: QuestState, key: str) -> Task | Rejected:
    if state.phase != "active":
        return Rejected("conflict", f"{state.id} is {state.status}: nothing waits for a decision")
    if key:
        task = state.task(key)
        if task is None:
            return Rejected("invalid", f"{state.id} has no task {key!r}")
        if not isinstance(task.state, Waiting):
            return Rejected(
                "conflict", f"{key} does not wait for a decision (it is {task.state.phase})"
            )
        return task
    waiting = [task for task in state.tasks if isinstance(task.state, Waiting)]
    if len(waiting) == 1:
        return waiting[0]
    if not waiting:
        return Rejected("conflict", f"{state.id}: nothing waits for a decision")
    names = ", ".join(task.key for task in waiting)
    return Rejected("invalid", f"several tasks wait for a decision; name one of: {names}")


def _expire_task(state: QuestState, key: str) -> Events | Rejected:
    task = state.task(key)
    if task is None or state.phase != "active":
        return Rejected("gone", f"{key} cannot expire now")
    total_ms = task.step.total_timeout_ms
    failure = Failure(TIMEOUT, f"not done within its total timeout of {total_ms} ms", key, False)
    match task.state:
        case Running(attempt):
            failed = ev.AttemptFailed(key, attempt.epoch, failure)
            return [failed, *_give_up(task, failure)]
        case Deciding() | Ready() | Retrying() | Waiting():
            return _give_up_untried(task, failure)
        case _:
            return Rejected("gone", f"{key} is {task.state.phase}")


def _expire_quest(state: QuestState) -> Events | Rejected:
    if state.phase != "active":
        return Rejected("gone", "the quest is ending already")
    message = f"not done within its total timeout of {state.total_timeout_ms} ms"
    return [ev.QuestStopping(Failure(TIMEOUT, message, None, False))]


def _abandon(state: QuestState) -> Events | Rejected:
    if state.phase != "stopping":
        return Rejected("gone", "the quest is not ending")
    return [
        ev.AttemptCancelled(task.key, task.state.attempt.epoch, "grace is over", abandoned=True)
        for task in state.tasks
        if isinstance(task.state, Running)
    ]


def conclude(state: QuestState) -> Events:
    """What must follow, until nothing does: tasks are skipped because of skipped ones; a stopping quest ends when nothing runs.

    An active quest ends by ``RenderOutput``.
    """
    if state.doomed and state.phase == "active":
        return [_skip_after(state.tasks[index]) for index in state.doomed]
    if state.phase != "stopping" or state.running:
        return []
    assert state.failure is not None
    # A tool may call its failure "cancelled" too; that one names its task.
    if state.failure.kind == CANCELLED and state.failure.task is None:
        return [ev.QuestCancelled(state.failure.message)]
    return [ev.QuestFailed(state.failure)]


def _skip_after(task: Task) -> ev.TaskSkipped:
    return ev.TaskSkipped(task.key, f"{task.skipped_by} was skipped")
