"""May this happen, and what happens then? Reads the state, changes nothing (core.py)."""

from typing import assert_never

from questd.actors.quest import attempts, budgets, extent, items, planning, rounds, waiting
from questd.actors.quest.commands import (
    AbandonAttempts,
    AskForBudget,
    CancelQuest,
    Command,
    CompleteAttempt,
    ContinueTask,
    DecideTask,
    EndAttempt,
    EndRound,
    EndWait,
    ExpandTask,
    ExpireQuest,
    ExpireTask,
    FailAttempt,
    FailTask,
    FinishQuest,
    GatherTask,
    LogAttempt,
    LoseAttempt,
    PlanTask,
    ReceiveSignal,
    Rejected,
    ResolveTask,
    StartAttempt,
    SubmitQuest,
)
from questd.actors.quest.fallback import last_word
from questd.actors.quest.state import TERMINAL_PHASES, QuestState
from questd.actors.quest.task import Deciding, Running, Settling, Task, Waiting
from questd.messages import events as ev
from questd.messages.failure import AGENT_LOST, CANCELLED, TIMEOUT, Failure
from questd.messages.payload import NULL, Payload

Events = list[ev.Event]


def decide(state: QuestState, command: Command, now_us: int) -> Events | Rejected:
    """May this happen, and what happens then? Reads the state, changes nothing."""
    match command:
        case StartAttempt():
            return attempts.start(state, command)
        case CompleteAttempt():
            return attempts.complete(state, command)
        case FailAttempt():
            return attempts.fail(state, command, now_us)
        case EndAttempt(epoch):
            return attempts.end(state, epoch)
        case LoseAttempt(epoch, reason, begun):
            return attempts.lose(state, epoch, reason, begun=begun)
        case LogAttempt(epoch, lines):
            return attempts.log(state, epoch, lines)
        case FailTask(key, failure):
            return attempts.fail_task(state, key, failure)
        case DecideTask(key, holds):
            return _decide_task(state, key, holds=holds)
        case ExpandTask():
            return items.expand(state, command)
        case GatherTask():
            return items.gather(state, command)
        case PlanTask():
            return planning.plan(state, command)
        case ContinueTask(key, result):
            return _continue_task(state, key, result)
        case EndRound():
            return rounds.end_round(state, command)
        case FinishQuest(output, failure):
            return _finish_quest(state, output, failure)
        case SubmitQuest():
            return _submit(state, command)
        case CancelQuest(reason, actor):
            return _cancel(state, reason, actor)
        case ResolveTask():
            return _resolve(state, command)
        case ReceiveSignal():
            return waiting.receive(state, command)
        case EndWait(key):
            return waiting.end_wait(state, key)
        case ExpireTask(key):
            return attempts.expire_task(state, key)
        case ExpireQuest():
            return _expire_quest(state)
        case AbandonAttempts():
            return _abandon(state)
        case AskForBudget():
            return budgets.ask_late(state)
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
        secrets=command.secrets,
        uses=command.uses,
    )
    return [submitted, ev.QuestStarted()]


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
    failure = last_word(task, task.state.failure)
    return [ev.TaskFailed(key, failure, continued=True, result=result)]


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
    if budgets.asking(state) is task:
        return budgets.resolve(state, task, command)
    resolved = ev.BreakpointResolved(task.state.breakpoint, task.key, command.choice, command.actor)
    if task.state.judged is not None:
        return [resolved, *rounds.resolve(task, command)]
    match command.choice:
        case "complete":
            result = NULL if command.result is None else command.result
            return [resolved, ev.TaskCompleted(task.key, result, command.actor)]
        case "fail":
            failure = Failure(AGENT_LOST, f"given up by {command.actor}", task.key)
            return [resolved, *attempts.by_on_error(task, failure, tried=False)]
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
    """What must follow, until nothing does: tasks are skipped because of skipped ones, or take their signals; a stopping quest ends.

    It ends when nothing runs. An active quest that is too large stops; one that has used up its budget asks for more; else it ends by
    ``RenderOutput``.
    """
    if state.phase == "active" and (stopped := extent.stop(state)):
        return stopped
    if state.doomed and state.phase == "active":
        return [_skip_after(state.tasks[index]) for index in state.doomed]
    if state.signals is not None and state.signals.handed and state.phase == "active":
        return waiting.answers(state)
    if state.usage.spent and state.phase == "active":
        return budgets.ask(state)
    if state.phase != "stopping" or state.running:
        return []
    assert state.failure is not None
    # A tool may call its failure "cancelled" too; that one names its task.
    if state.failure.kind == CANCELLED and state.failure.task is None:
        return [ev.QuestCancelled(state.failure.message)]
    return [ev.QuestFailed(state.failure)]


def _skip_after(task: Task) -> ev.TaskSkipped:
    return ev.TaskSkipped(task.key, f"{task.skipped_by} was skipped")
