"""What a child quest is begun with, and what its end means to the attempt that it is. Pure, but for the question to the journal."""

from msgspec import Struct

from questd.actors.graph import check_inputs, secrets_of
from questd.actors.graph.checks import LABELS_MAX
from questd.actors.mail import ChildEnded
from questd.actors.quest.commands import SubmitQuest
from questd.actors.quest.plans import PlanCache, ReadyPlan
from questd.messages.events import QuestSubmitted
from questd.messages.exchange import AttemptId, Cancelled, Completed, Failed, Invocation, Outcome
from questd.messages.failure import CANCELLED, TIMEOUT, VALIDATION, Failure
from questd.messages.heads import Head, child_id
from questd.messages.payload import NULL, decode_json, encode_json
from questd.messages.upcasting import event_of
from questd.runtime.journal.store import JournalStore


class Known(Struct, frozen=True):
    """What the parent's submit says of its children, and the template of this one."""

    parent: QuestSubmitted
    ready: ReadyPlan


class Standing(Struct, frozen=True):
    """What the journal says of a child: its head, if it was begun; else what it would be begun with, as far as that is there.

    ``uses``: the templates that its parent may use.
    """

    head: Head | None
    uses: tuple[str, ...] = ()
    known: Known | None = None


def standing_of(
    store: JournalStore, plans: PlanCache, attempt: AttemptId, template: str | None
) -> Standing:
    """Runs where the journal is read. ``template``: what it is to be begun with, if it is not there."""
    head = store.head(child_id(*attempt))
    if head is not None:
        return Standing(head)
    parent = event_of(store.events(attempt[0], 0, 1)[0])
    assert isinstance(parent, QuestSubmitted)
    uses = parent.uses or {}
    digest = uses.get(template or "")
    data = None if digest is None else store.blob(digest)
    if data is None:
        return Standing(None, tuple(uses))
    return Standing(None, tuple(uses), Known(parent, plans.load(data, trusted=True)))


def submission_of(invocation: Invocation, known: Known | None) -> SubmitQuest | Failure:
    """The child's submit: as its parent's where its document says nothing else. A failure when the inputs do not fit."""
    if known is None:
        message = f"{invocation.tool} was no template when this quest was submitted"
        return Failure(VALIDATION, message, None, False)
    parent, definition = known.parent, known.ready.plan.definition
    values = decode_json(invocation.arguments)
    complete, problems = check_inputs(definition.inputs, known.ready.compiled.inputs, values)
    if problems:
        faults = "; ".join(str(problem) for problem in problems[:5])
        return Failure(VALIDATION, f"inputs of {invocation.tool}: {faults}", None, False)
    labels = {**definition.labels, **parent.labels}
    limits = (invocation.timeout_ms, definition.total_timeout_ms)
    return SubmitQuest(
        inputs=encode_json(complete),
        project=parent.project,
        labels=labels if len(labels) <= LABELS_MAX else parent.labels,
        priority=parent.priority,
        deadline_us=invocation.deadline_us,
        total_timeout_ms=min((ms for ms in limits if ms is not None), default=None),
        key=None,
        secrets=secrets_of(definition.inputs, complete),
        uses=parent.uses if known.ready.plan.uses_templates else None,
    )


def outcome_of(
    ended: ChildEnded, attempt: AttemptId, output: bytes | None, *, recalled: bool
) -> Outcome:
    """The attempt's outcome. A child that was cancelled for itself is a failure that nobody repeats."""
    (quest, epoch), failure = attempt, ended.failure
    used = ended.duration_us, ended.tokens, ended.cost
    if failure is None:
        return Completed(quest, epoch, NULL if output is None else output, *used)
    cancelled = failure.kind == CANCELLED and failure.task is None
    if cancelled and recalled:
        return Cancelled(*attempt)
    message = f"{ended.quest}: {failure.message}"
    retryable = (failure.retryable or failure.kind == TIMEOUT) and not cancelled
    told = Failure(failure.kind, message, None, retryable)
    return Failed(quest, epoch, told, *used)
