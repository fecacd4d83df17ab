"""Events folded into what ``show`` and ``list`` say, with the quest's own core: there is no second idea of a quest.

Pure: payloads that are kept elsewhere are asked of a callable. Must not know where events come from.
"""

from collections.abc import Callable, Collection, Iterable
from typing import Any

from msgspec import UNSET, UnsetType

from questd.actors.quest.core import evolve, waits_of
from questd.actors.quest.item_materials import failed_of, items_of, some_failed
from questd.actors.quest.rounds import rounds_of
from questd.actors.quest.state import TERMINAL_PHASES, Plan, QuestState
from questd.actors.quest.task import (
    Cancelled,
    Completed,
    Failed,
    Judging,
    Ready,
    Retrying,
    Settling,
    Skipped,
    Task,
    Waiting,
    task_status,
)
from questd.messages import events as ev
from questd.messages.definition import decode_definition
from questd.messages.events import Record
from questd.messages.failure import CANCELLED, INTERNAL, Failure
from questd.messages.heads import TERMINAL, Head, TaskStatus, Wait, child_id
from questd.messages.payload import BlobRef, Payload, decode_json
from questd.views.decoding import shown_event
from questd.views.shapes import (
    ErrorView,
    QuestRow,
    QuestView,
    StepView,
    TaskView,
    UsageView,
    WaitView,
)
from questd.views.times import milliseconds, rfc3339, rfc3339_or_none

TextOf = Callable[[BlobRef], bytes]
"""Gives the text of a payload that is kept elsewhere."""

Wanted = tuple[str, tuple[str, ...]]
"""An agent (or "") and capabilities that a task asks for."""

WAITS_SHOWN = 1_000


class QuestFold:
    """A quest as far as its events have been read."""

    def __init__(self, quest: str, definition: bytes, digest: str) -> None:
        self.state = QuestState(quest, Plan(decode_definition(definition), digest))

    def apply(self, records: Iterable[Record]) -> None:
        """Events in order. One that is known already is passed over, so pages may overlap."""
        for record in records:
            if record.n > self.state.version:
                evolve(self.state, shown_event(record), record.at_us)
                self.state.due.clear()


def payload_value(payload: Payload | None, text_of: TextOf) -> Any:
    """The plain value; None of none. JSON text that no value can stand for (1e999, half a surrogate) stays text."""
    if payload is None:
        return None
    text = payload if isinstance(payload, bytes) else text_of(payload)
    try:
        return decode_json(text)
    except (ValueError, RecursionError):
        return text.decode(errors="replace")


def quest_view(
    fold: QuestFold, head: Head, text_of: TextOf, missing: Collection[Wanted] = ()
) -> QuestView:
    """What ``show`` says. ``missing``: what nobody connected offers, so that what waits for it is shown as blocked."""
    state = fold.state
    failure = state.failure
    parked = _parked(head)
    return QuestView(
        id=state.id,
        name=state.name,
        version=state.version_label,
        project=state.project,
        labels=state.labels,
        status="failed" if parked else state.status,
        inputs=payload_value(state.inputs, text_of),
        output=payload_value(state.output, text_of),
        error=parked or error_view(failure),
        created_at=rfc3339(state.created_us),
        started_at=rfc3339_or_none(state.started_us),
        finished_at=rfc3339_or_none(state.finished_us),
        waiting_for=tuple(wait_view(wait) for wait in waits_of(state, WAITS_SHOWN)),
        failed_steps=tuple(state.failed_steps),
        steps={
            task.step.key: step_view(state, rounds_of(state, task), text_of, missing)
            for task in state.steps_now()
        },
        usage=usage_view(state),
    )


def usage_view(state: QuestState) -> UsageView | UnsetType:
    """Left out where there is nothing to say."""
    used = state.usage
    if not used.tokens and not used.cost and used.tokens_most is None and used.cost_most is None:
        return UNSET
    return UsageView(used.tokens, used.cost, used.tokens_most, used.cost_most)


def step_view(
    state: QuestState, rounds: list[Task], text_of: TextOf, missing: Collection[Wanted] = ()
) -> StepView:
    """One step: how it stands in its latest round, and since the start of its first, with the tasks of its rounds and items."""
    task = rounds[-1]
    result, failure, finished_us = _outcome(task)
    if task.items is not None and task.items.failed and failure is None:
        failure = some_failed(task.items, failed_of(state, task.items))
    started_us = rounds[0].first_started_us
    ended = started_us and finished_us is not None
    return StepView(
        status=step_status(state, task, missing),
        attempts=sum(each.attempts for each in rounds),
        rounds=len(rounds) - (not task.first_ready_us),
        agent=task.last.agent if task.last else task.asked.agent,
        tool=task.last.tool if task.last else task.step.use or task.asked.tool,
        started_at=rfc3339_or_none(started_us),
        finished_at=rfc3339_or_none(finished_us),
        duration_ms=milliseconds(started_us, finished_us or 0) if ended else None,
        result=payload_value(result, text_of),
        error=error_view(failure),
        tasks={
            each.key: task_view(state, each, text_of, missing) for each in _tasks_of(state, rounds)
        }
        or UNSET,
        quest=child_id(state.id, task.last.epoch) if task.step.use and task.last else UNSET,
    )


def _tasks_of(state: QuestState, rounds: list[Task]) -> list[Task]:
    """Those of its rounds, where there are several, and of the items of each."""
    several = len(rounds) > 1
    tasks: list[Task] = []
    for each in rounds:
        tasks += [each, *items_of(state, each)] if several else items_of(state, each)
    return tasks


def task_view(
    state: QuestState, task: Task, text_of: TextOf, missing: Collection[Wanted] = ()
) -> TaskView:
    """One unit of a step that has several."""
    result, failure, finished_us = _outcome(task)
    started_us = task.first_started_us
    ended = started_us and finished_us is not None
    return TaskView(
        status=step_status(state, task, missing),
        attempts=task.attempts,
        agent=task.last.agent if task.last else task.asked.agent,
        tool=task.last.tool if task.last else task.asked.tool,
        started_at=rfc3339_or_none(started_us),
        finished_at=rfc3339_or_none(finished_us),
        duration_ms=milliseconds(started_us, finished_us or 0) if ended else None,
        result=payload_value(result, text_of),
        error=error_view(failure),
    )


def step_status(state: QuestState, task: Task, missing: Collection[Wanted] = ()) -> TaskStatus:
    """The word that people see: a ready task that may not start, or that nobody could take, is blocked."""
    if isinstance(task.state, Ready):
        asks = task.index in state.admitted
        if not asks or (task.asked.agent or "", task.asked.capabilities) in missing:
            return "blocked"
    return task_status(task)


def _outcome(task: Task) -> tuple[Payload | None, Failure | None, int | None]:
    """Result, failure and end of a task, as far as it has them."""
    match task.state:
        case (
            Completed(result, finished_us)
            | Judging(Completed(result, finished_us))
            | Waiting(judged=Completed(result, finished_us))
        ):
            return result, None, finished_us
        case Failed(failure, finished_us, _, result):
            return result, failure, finished_us
        case Cancelled(finished_us) | Skipped(finished_us=finished_us):
            return None, None, finished_us
        case Retrying(failure=failure) | Settling(failure=failure):
            return None, failure, None
        case _:
            return None, None, None


def error_view(failure: Failure | None) -> ErrorView | None:
    """The failure without what only the retry policy needs."""
    return None if failure is None else ErrorView(failure.kind, failure.message, failure.task)


def wait_view(wait: Wait) -> WaitView:
    """The wait with its times as text."""
    until = rfc3339_or_none(wait.until_us)
    return WaitView(wait.task, wait.what, wait.name, rfc3339(wait.since_us), until)


def _parked(head: Head) -> ErrorView | None:
    """A quest whose actor is not restarted any more counts as failed."""
    if head.parked is None or head.status in TERMINAL:
        return None
    return ErrorView(INTERNAL, head.parked)


def list_row(
    head: Head, first: Record, last: Record | None, text_of: TextOf | None = None
) -> QuestRow:
    """A quest in a list, from its head, its first event and the one that ended it. Without ``text_of`` inputs and output stay null."""
    begun, ended = shown_event(first), None if last is None else shown_event(last)
    assert isinstance(begun, ev.QuestSubmitted)
    output = ended.output if isinstance(ended, ev.QuestCompleted) else None
    parked = _parked(head)
    return QuestRow(
        id=head.quest,
        name=head.name,
        version=head.template_version,
        project=head.project,
        labels=head.labels,
        status="failed" if parked else head.status,
        inputs=None if text_of is None else payload_value(begun.inputs, text_of),
        output=None if text_of is None else payload_value(output, text_of),
        error=parked or _ended_by(ended),
        created_at=rfc3339(head.created_us),
        # A quest starts in the transaction that submits it.
        started_at=None if head.status == "pending" else rfc3339(head.created_us),
        finished_at=rfc3339_or_none(head.finished_us),
        waiting_for=tuple(wait_view(wait) for wait in head.waits),
        failed_steps=ended.failed_steps if isinstance(ended, ev.QuestCompleted) else (),
    )


def _ended_by(event: ev.Event | None) -> ErrorView | None:
    match event:
        case ev.QuestFailed(failure):
            return error_view(failure)
        case ev.QuestCancelled(reason):
            return ErrorView(CANCELLED, reason)
        case _:
            return None


def has_ended(fold: QuestFold, head: Head) -> bool:
    """Whether nothing more will come: its fold is at the end, or its actor was given up."""
    return fold.state.phase in TERMINAL_PHASES or _parked(head) is not None
