"""What becomes of a task's attempts, and of a task that fails: the decisions. Reads the state, changes nothing (core.py)."""

from typing import Final, assert_never

from questd.actors.quest.admission import hold_reason
from questd.actors.quest.commands import CompleteAttempt, FailAttempt, Rejected, StartAttempt
from questd.actors.quest.fallback import last_word, next_choice
from questd.actors.quest.retrying import retry_at
from questd.actors.quest.state import TERMINAL_PHASES, QuestState
from questd.actors.quest.task import (
    Attempt,
    Awaiting,
    Completed,
    Deciding,
    Gathering,
    Judging,
    Listing,
    Planning,
    Ready,
    Retrying,
    Running,
    Sleeping,
    Spread,
    Task,
    Waiting,
)
from questd.messages import events as ev
from questd.messages.failure import AGENT_LOST, TIMEOUT, Failure
from questd.messages.payload import NULL

MAX_LOSSES: Final = 5
"""A task whose agents vanish this often in the middle of it fails as agent_lost."""
UNTRIED: Final = (
    *(Deciding, Listing, Spread, Gathering, Planning, Judging, Ready, Retrying),
    *(Waiting, Awaiting, Sleeping),
)
"""States of a task that is not in an attempt and may fail all the same."""
LOST_OPTIONS: Final = ("retry", "complete", "fail")

Events = list[ev.Event]


def start(state: QuestState, command: StartAttempt) -> Events | Rejected:
    """The task was given a place: an attempt starts, unless it asks for none or may not yet."""
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


def counting(state: QuestState, epoch: int) -> tuple[Task, Attempt] | None:
    """The task and the attempt whose outcome counts; None when another does, or none."""
    index = state.epochs.get(epoch)
    if index is None or state.phase in TERMINAL_PHASES:
        return None
    task = state.tasks[index]
    attempt = task.open_attempt()
    return (task, attempt) if attempt is not None and attempt.epoch == epoch else None


def complete(state: QuestState, command: CompleteAttempt) -> Events | Rejected:
    """The tool returned."""
    found = counting(state, command.epoch)
    if found is None:
        return refuse(state, command.epoch)
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


def refuse(state: QuestState, epoch: int) -> Events | Rejected:
    """A result that does not count is journalled once as refused; a mere repetition is not."""
    index = state.epochs.get(epoch)
    if index is None:
        return Rejected("invalid", f"{state.id} has no attempt {epoch}")
    task = state.tasks[index]
    if epoch in state.refused or completed_by(task) == epoch:
        return []
    reason = "the quest has ended" if state.phase in TERMINAL_PHASES else "superseded"
    return [ev.AttemptRefused(task.key, epoch, "completed", reason)]


def completed_by(task: Task) -> int | None:
    """The epoch that gave the task its result."""
    match task.state:
        case (
            Completed(attempt=Attempt(epoch))
            | Judging(Completed(attempt=Attempt(epoch)))
            | Waiting(judged=Completed(attempt=Attempt(epoch)))
        ):
            return epoch
        case _:
            return None


def fail(state: QuestState, command: FailAttempt, now_us: int) -> Events | Rejected:
    """The tool failed: tried again, or given up."""
    found = counting(state, command.epoch)
    if found is None:
        return Rejected("gone", "the attempt does not count any more")
    task, _ = found
    failure = located(command.failure, task.key)
    retry_at_us = retry_at(state, task, failure, command.jitter, now_us)
    failed = ev.AttemptFailed(
        task=task.key,
        epoch=command.epoch,
        failure=failure,
        retry_at_us=retry_at_us,
        duration_us=command.duration_us,
        tokens=command.tokens,
        cost=command.cost,
        model=command.model,
    )
    if retry_at_us is not None or state.phase == "stopping":
        return [failed]
    return [failed, *give_up(task, failure, tried=True)]


def located(failure: Failure, task: str) -> Failure:
    """The same failure, naming its task."""
    return Failure(failure.kind, failure.message, task, failure.retryable, failure.retry_after_ms)


def give_up(task: Task, failure: Failure, *, tried: bool) -> Events:
    """The events after the last failure of who does the task: the next one does it, or it has failed. ``tried``: in an attempt."""
    handed_on = next_choice(task, failure)
    return by_on_error(task, failure, tried=tried) if handed_on is None else [handed_on]


def by_on_error(task: Task, failure: Failure, *, tried: bool) -> Events:
    """The events of a task that has failed, whoever else could have done it. An item that must not fail takes its step along."""
    word = last_word(task, failure)
    match task.step.on_error:
        case "stop" if task.item is not None:
            return [ev.TaskFailed(task.key, word), *by_on_error(task.item.of, word, tried=False)]
        case "stop":
            return [ev.TaskFailed(task.key, word), ev.QuestStopping(word)]
        case "continue":
            return [ev.TaskFailed(task.key, word, continued=True, result=NULL)]
        case "continue_with_input":
            # It settles by its attempt's failure, or by this one; RenderInput is then due, and its answer is the TaskFailed that counts.
            return [] if tried else [ev.TaskFailed(task.key, failure)]
        case _:
            assert_never(task.step.on_error)


def end(state: QuestState, epoch: int) -> Events | Rejected:
    """The tool ended on request."""
    if state.phase != "stopping":
        return lose(state, epoch, "the agent gave it back")
    found = counting(state, epoch)
    if found is None or not isinstance(found[0].state, Running):
        return Rejected("gone", "the attempt does not run any more")
    return [ev.AttemptCancelled(found[0].key, epoch, "the quest is ending")]


def lose(state: QuestState, epoch: int, reason: str, *, begun: bool = True) -> Events | Rejected:
    """The agent vanished: tried again, given up, or asked about."""
    found = counting(state, epoch)
    if found is None or not isinstance(found[0].state, Running):
        return Rejected("gone", "the attempt does not run any more")
    task, attempt = found
    lost = ev.AttemptLost(task.key, epoch, reason, begun)
    if state.phase == "stopping" or not begun:
        return [lost]
    if task.losses + 1 >= MAX_LOSSES:
        failure = Failure(AGENT_LOST, f"lost {MAX_LOSSES} times: {reason}", task.key)
        end = (
            give_up if attempt.idempotent else by_on_error
        )  # nobody else repeats it blindly either
        return [lost, *end(task, failure, tried=False)]
    if not attempt.idempotent:
        question = (
            f"{task.key} was lost on {attempt.agent} ({reason}) and must not be repeated blindly"
        )
        return [lost, ev.BreakpointOpened(task.key, "lost_attempt", question, LOST_OPTIONS)]
    return [lost]


def log(state: QuestState, epoch: int, lines: tuple[ev.LogLine, ...]) -> Events | Rejected:
    """The tool wrote lines."""
    index = state.epochs.get(epoch)
    if index is None or state.phase in TERMINAL_PHASES:
        return Rejected("gone", "the attempt does not count any more")
    return [ev.AttemptLogged(state.tasks[index].key, epoch, lines)]


def fail_task(state: QuestState, key: str, failure: Failure) -> Events | Rejected:
    """The task fails without an attempt."""
    task = state.task(key)
    if task is None or state.phase != "active":
        return Rejected("gone", f"{key} cannot fail now")
    failure = located(failure, key)
    if not isinstance(task.state, UNTRIED):
        return Rejected("gone", f"{key} is {task.state.phase}")
    end = give_up if isinstance(task.state, Ready | Retrying | Planning) else by_on_error
    return end(task, failure, tried=False)


def expire_task(state: QuestState, key: str) -> Events | Rejected:
    """Its total timeout is over."""
    task = state.task(key)
    if task is None or state.phase != "active":
        return Rejected("gone", f"{key} cannot expire now")
    total_ms = task.step.total_timeout_ms
    failure = Failure(TIMEOUT, f"not done within its total timeout of {total_ms} ms", key, False)
    match task.state:
        case Running(attempt):
            failed = ev.AttemptFailed(key, attempt.epoch, failure)
            return [failed, *by_on_error(task, failure, tried=True)]
        case _ if isinstance(task.state, UNTRIED):
            return by_on_error(task, failure, tried=False)
        case _:
            return Rejected("gone", f"{key} is {task.state.phase}")
