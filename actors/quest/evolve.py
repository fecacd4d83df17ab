"""Fold one event into the state (core.py). Never refuses history; keeps ``state.due`` up to date in O(1)."""

from typing import Final, assert_never

from questd.actors.quest import (
    budgets,
    extent,
    fallback,
    items,
    moving,
    planning,
    rounds,
    standing,
    timing,
    waiting,
)
from questd.actors.quest.admission import admit, drop_want, enqueue
from questd.actors.quest.attempts import UNTRIED
from questd.actors.quest.outstanding import recalls
from questd.actors.quest.owed import (
    DropAttempt,
    DropWant,
    JudgeRound,
    RecallAttempt,
    RenderOutput,
    RunAttempt,
    TellParent,
)
from questd.actors.quest.state import QUEST_MOVES, IllegalMove, QuestState
from questd.actors.quest.task import (
    Attempt,
    Cancelled,
    Completed,
    Failed,
    Judging,
    Ready,
    Retrying,
    Running,
    Skipped,
    Task,
    TaskState,
    Waiting,
)
from questd.messages import events as ev
from questd.messages.failure import CANCELLED, TIMEOUT, Failure
from questd.messages.heads import parent_of
from questd.messages.payload import NULL, Payload, size_of

CANCEL_GRACE_US: Final = 10_000_000


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
            extent.weigh_lines(state, event)
        case ev.TaskFailed():
            _on_task_failed(state, event, now_us)
        case ev.TaskFellBack(key, to):
            fallback.fall_back(state, state.at(key), to, now_us)
        case ev.TaskAccepted(key):
            rounds.accept(state, state.at(key))
        case ev.TaskSentBack(key, _, feedback):
            rounds.send_back(state, state.at(key), feedback, now_us)
        case ev.TaskAllowed(key):
            moving.allow(state, state.at(key), now_us)
        case ev.TaskSkipped(key, reason):
            task = state.at(key)
            standing.leave(state, task)
            moving.move(state, task, "task.skipped", Skipped(reason, now_us))
        case ev.TaskExpanded():
            items.on_expanded(state, event, now_us)
        case ev.TaskGathered():
            items.on_gathered(state, event, now_us)
        case ev.TaskPlanned():
            planning.on_planned(state, event, now_us)
        case ev.SignalReceived():
            waiting.on_received(state, event)
        case ev.TaskSignalled(key, _, result):
            waiting.on_over(state, state.at(key), "task.signalled", result, now_us)
        case ev.TaskDefaulted(key, result):
            waiting.on_over(state, state.at(key), "task.defaulted", result, now_us)
        case ev.TaskWoke(key):
            waiting.on_over(state, state.at(key), "task.woke", NULL, now_us)
        case ev.TaskCompleted(key, result):
            _on_task_completed(state, state.at(key), result, now_us)
        case ev.BreakpointOpened():
            _on_breakpoint_opened(state, event, now_us)
        case ev.BreakpointResolved():
            _on_breakpoint_resolved(state, event, now_us)
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


def _on_submitted(state: QuestState, event: ev.QuestSubmitted, now_us: int) -> None:
    state.created_us = now_us
    state.project = event.project
    state.inputs = event.inputs
    state.labels = event.labels
    state.priority = event.priority
    state.deadline_us = event.deadline_us
    state.total_timeout_ms = event.total_timeout_ms
    state.key = event.key
    state.secrets = event.secrets


def _on_started(state: QuestState, now_us: int) -> None:
    _move_quest(state, "quest.started")
    state.started_us = now_us
    if state.total_timeout_ms is not None:
        timing.arm(state, now_us + state.total_timeout_ms * 1_000, "expire_quest", -1)
    for task in state.tasks:
        if not task.unfinished:
            moving.come_up(state, task, now_us)
    if not state.tasks:
        state.due.append(RenderOutput())


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
    if task.item is not None:
        items.on_attempt_started(task.item.of, attempt)
    moving.move(state, task, "attempt.started", Running(attempt))
    state.due.append(RunAttempt(task.key, attempt))


def _on_attempt_completed(state: QuestState, event: ev.AttemptCompleted, now_us: int) -> None:
    task = state.at(event.task)
    state.weight += size_of(event.result)
    if event.tokens or event.cost:
        state.usage.add(event.tokens, event.cost)
    moving.close(state, task)
    done = Completed(event.result, now_us, event.duration_us, task.last)
    moving.move(state, task, "attempt.completed", _done(state, task, done))


def _on_attempt_failed(state: QuestState, event: ev.AttemptFailed, now_us: int) -> None:
    task = state.at(event.task)
    if event.tokens or event.cost:
        state.usage.add(event.tokens, event.cost)
    if not isinstance(task.state, Running):
        task.losses -= 1  # it was not lost after all
    elif event.failure.kind == TIMEOUT:
        # Its step actor ends with it; the agent must hear that nobody waits for the tool any more.
        state.due.append(RecallAttempt(task.key, event.epoch, event.failure.message))
    moving.close(state, task)
    to: TaskState
    if event.retry_at_us is not None:
        to = Retrying(now_us, event.retry_at_us, event.failure)
        timing.arm(state, event.retry_at_us, "retry", task.index)
    else:
        to = moving.failed(state, task, event.failure, now_us)
    moving.move(state, task, "attempt.failed", to)


def _on_attempt_lost(state: QuestState, event: ev.AttemptLost, now_us: int) -> None:
    """It does not count as tried. One that never began is no loss either, and nothing will come of it."""
    task = state.at(event.task)
    assert isinstance(task.state, Running)
    attempt = task.state.attempt if event.begun else None
    task.losses += event.begun
    task.unbegun += not event.begun
    state.due.append(DropAttempt(task.key, event.epoch))
    moving.move(state, task, "attempt.lost", Ready(now_us, attempt))
    enqueue(state, task, now_us)


def _on_attempt_cancelled(state: QuestState, task: Task, epoch: int, now_us: int) -> None:
    state.due.append(DropAttempt(task.key, epoch))
    moving.move(state, task, "attempt.cancelled", Cancelled(now_us, task.last))


def _on_task_failed(state: QuestState, event: ev.TaskFailed, now_us: int) -> None:
    task = state.at(event.task)
    standing.leave(state, task)
    to: TaskState
    if task.items is not None:
        items.drop_rest(state, task.items, event.failure.message, now_us)
    match task.state:
        case Failed(continued=True):
            raise IllegalMove(f"{state.id} {task.key}", "failed and continued", "task.failed")
        case _ if isinstance(task.state, UNTRIED) and not event.continued:
            rounds.discard(state, task)
            to = moving.failed(state, task, event.failure, now_us)
        case _:
            rounds.discard(state, task)
            to = Failed(event.failure, now_us, event.continued, event.result, task.last)
    moving.move(state, task, "task.failed", to)


def _on_task_completed(state: QuestState, task: Task, result: Payload, now_us: int) -> None:
    state.weight += size_of(result)
    done = Completed(result, now_us, 0, None)
    moving.move(state, task, "task.completed", _done(state, task, done))


def _done(state: QuestState, task: Task, done: Completed) -> TaskState:
    """Completed, but for a plan that is to be read, or a result that is to be judged."""
    if task.step.plan_steps is not None:
        return planning.returned(state, task, done)
    return moving.completed(state, task, done)


def _on_breakpoint_opened(state: QuestState, event: ev.BreakpointOpened, now_us: int) -> None:
    task = state.at(event.task)
    lost = task.open_attempt()
    judged = task.state.done if isinstance(task.state, Judging) else None
    to = Waiting(state.version, now_us, event.question, event.options, lost, judged)
    for_all = budgets.is_for(event, task)
    moving.move(state, task, "breakpoint.opened", to)
    if for_all:
        budgets.hold_all(state, task, to)


def _on_breakpoint_resolved(state: QuestState, event: ev.BreakpointResolved, now_us: int) -> None:
    task = state.at(event.task)
    assert isinstance(task.state, Waiting)
    if event.tokens or event.cost:
        state.usage.grant(event.tokens, event.cost)
    if task.state.judged is not None:
        state.due.append(JudgeRound(task.key))
        moving.move(state, task, "breakpoint.resolved", Judging(task.state.judged, granted=True))
    else:
        moving.move(state, task, "breakpoint.resolved", Ready(now_us, task.state.lost))
        enqueue(state, task, now_us)


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
        timing.arm(state, now_us + CANCEL_GRACE_US, "abandon", -1)
        state.due.extend(recalls(state))


def _on_ended(
    state: QuestState, event: ev.QuestCompleted | ev.QuestFailed | ev.QuestCancelled, now_us: int
) -> None:
    _move_quest(state, ev.kind_of(event))
    state.finished_us = now_us
    state.timers.clear()
    for task in state.tasks:
        match task.state:
            case Judging(done) | Waiting(judged=Completed() as done):
                moving.set_state(state, task, done)
            case Completed() | Failed() | Skipped() | Cancelled():
                pass
            case _:
                moving.close(state, task)
                moving.set_state(state, task, Cancelled(now_us, task.last))
    if parent_of(state.id):
        state.due.append(TellParent())
