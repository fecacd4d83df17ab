"""The actor behind attempts that are quests of their own: to a step it is what an agent is.

A step that uses a template brings its attempt here; the child quest is begun under an id that says whose attempt it is, and when it has
ended, the step hears the outcome. All that is kept is who watches which child. After a restart the steps attach again, and what has become
of the child stands in the journal: a child that was never begun is begun then, and one that has ended says so again.

It decides nothing: whether a failed child is tried again is the parent's business, as with any attempt.
"""

from typing import Any

from msgspec import Struct

from questd.actors.children.beginning import Known, Standing, outcome_of, standing_of, submission_of
from questd.actors.house import House
from questd.actors.mail import (
    Answered,
    AskQuest,
    Attach,
    Attached,
    AttemptEnded,
    CancelWork,
    ChildEnded,
    ChildOver,
    Detach,
    Invoke,
    NeverSeen,
    ReplyTo,
    StartQuest,
    TextsRead,
    ToQuest,
    Wake,
)
from questd.actors.quest.children import tool_of
from questd.actors.quest.commands import CancelQuest
from questd.actors.rendering import TextMissing, rendering_failure, text_of
from questd.actors.texts import read_texts
from questd.messages.control import Error, Submitted
from questd.messages.exchange import AttemptId, Cancelled, Failed, Invocation
from questd.messages.failure import INTERNAL, Failure
from questd.messages.heads import TERMINAL, child_id, parent_of
from questd.messages.payload import BlobRef
from questd.runtime.actor import Actor, Ref
from questd.runtime.errors import JournalError

BY_PARENT = "its parent"


class Looked(Struct, frozen=True):
    """To itself: what the journal says of a child. ``invocation``: it is to be begun if it is not there."""

    child: str
    invocation: Invocation | None
    found: Standing | JournalError


class _Watch:
    """A step that waits for a child. ``recalled``: it wants the child to end. ``ended``: its end, while its output is fetched."""

    __slots__ = ("attempt", "ended", "job", "recalled", "step")

    def __init__(self, step: Ref, attempt: AttemptId, job: int) -> None:
        self.step = step
        self.attempt = attempt
        self.job = job
        self.recalled = False
        self.ended: ChildEnded | None = None


class ChildQuests(Actor):
    """Child of the root."""

    def __init__(self, house: House, parent: Ref) -> None:
        super().__init__(parent=parent, name="children")
        self._house = house
        self._watches: dict[str, _Watch] = {}
        self._children: dict[int, str] = {}
        self._jobs = 0

    def on_receive(self, message: Any) -> None:
        match message:
            case Invoke(step, invocation):
                self._watch(step, (invocation.quest, invocation.epoch), invocation)
            case Attach(step, _, attempt):
                self._watch(step, attempt, None)
            case Looked(child, invocation, found):
                self._on_looked(child, invocation, found)
            case ChildEnded():
                self._on_ended(message)
            case TextsRead(job, texts):
                self._on_texts(job, texts)
            case CancelWork(attempt, reason):
                self._cancel(child_id(*attempt), reason)
            case Detach(attempt, step):
                self._leave(child_id(*attempt), step)
            case Answered(job, Submitted(created=True)):
                self._on_begun(job)
            case Answered(job, Error() as error):
                self._on_refused(job, error)
            case Answered():
                pass
            case JournalError():  # the journal has failed, and the daemon is ending because of it
                pass
            case _:
                raise AssertionError(f"the children's actor got {message!r}")

    # -- looking and beginning ---------------------------------------------------------------------

    def _watch(self, step: Ref, attempt: AttemptId, invocation: Invocation | None) -> None:
        child = child_id(*attempt)
        self._forget(child)
        self._jobs += 1
        self._watches[child] = _Watch(step, attempt, self._jobs)
        self._children[self._jobs] = child
        plans, me = self._house.plans, self.ref
        template = None if invocation is None else invocation.tool
        self._house.journal.read(
            lambda store: standing_of(store, plans, attempt, template),
            lambda found: me.tell(Looked(child, invocation, found)),
        )

    def _on_looked(
        self, child: str, invocation: Invocation | None, found: Standing | JournalError
    ) -> None:
        watch = self._watches.get(child)
        if watch is None:
            return
        if isinstance(found, JournalError):
            self._report(child, Failure(INTERNAL, "the journal cannot be read"))
        elif found.head is not None:
            self._on_standing(child, watch, found)
        elif invocation is None:
            self._forget(child)
            watch.step.tell(NeverSeen(self.ref, tuple(tool_of(use) for use in found.uses)))
        else:
            self._begin(child, watch, invocation, found.known)

    def _on_standing(self, child: str, watch: _Watch, found: Standing) -> None:
        assert found.head is not None
        alive = found.head.parked is None and found.head.status not in TERMINAL
        watch.step.tell(Attached(self.ref, stands=alive))
        if found.head.parked is not None:
            self._report(child, Failure(INTERNAL, found.head.parked, None, False))
        elif found.head.status in TERMINAL:
            self._house.directory.tell(ToQuest(child, Wake()))  # it says again how it ended

    def _begin(
        self, child: str, watch: _Watch, invocation: Invocation, known: Known | None
    ) -> None:
        if watch.recalled:
            self._tell(child, AttemptEnded(invocation.epoch, Cancelled(*watch.attempt)))
            return
        begun = submission_of(invocation, known)
        if isinstance(begun, Failure):
            self._report(child, begun)
            return
        assert known is not None
        reply = ReplyTo(self.ref, watch.job)
        start = StartQuest(known.ready, begun, reply, child=child)
        self._house.directory.tell(start)

    def _on_begun(self, job: int) -> None:
        """It is on disk. One that was there already may not be yet: then its parent waits beside it."""
        child = self._children.get(job)
        if child is not None:
            self._watches[child].step.tell(Attached(self.ref, stands=True))

    def _on_refused(self, job: int, error: Error) -> None:
        """Its actor failed before it had said that the child is on disk; it may be there, and nobody would wait for it."""
        child = self._children.get(job)
        if child is not None:
            self._cancel(child, error.message)
            self._report(child, Failure(INTERNAL, error.message))

    # -- the end -----------------------------------------------------------------------------------

    def _on_ended(self, ended: ChildEnded) -> None:
        watch = self._watches.get(ended.quest)
        if watch is None:
            self._wake_parent(ended.quest)
            return
        watch.ended = ended
        if isinstance(ended.output, BlobRef):
            read_texts(self._house, self.ref, watch.job, (ended.output.digest,))
        else:
            self._hand_over(ended, {})

    def _on_texts(self, job: int, texts: dict[str, bytes]) -> None:
        child = self._children.get(job)
        ended = None if child is None else self._watches[child].ended
        if ended is not None:
            self._hand_over(ended, texts)

    def _hand_over(self, ended: ChildEnded, texts: dict[str, bytes]) -> None:
        """The step hears what became of its attempt."""
        watch = self._watches[ended.quest]
        try:
            output = None if ended.output is None else text_of(ended.output, texts)
        except TextMissing as error:
            self._report(ended.quest, rendering_failure(error))
            return
        outcome = outcome_of(ended, watch.attempt, output, recalled=watch.recalled)
        self._tell(ended.quest, AttemptEnded(watch.attempt[1], outcome))

    def _report(self, child: str, failure: Failure) -> None:
        attempt = self._watches[child].attempt
        self._tell(child, AttemptEnded(attempt[1], Failed(*attempt, failure)))

    def _tell(self, child: str, ended: AttemptEnded) -> None:
        heard = self._watches[child].step.tell(ended)
        self._forget(child)
        if not heard:  # it went to rest in the same moment
            self._wake_parent(child)

    def _wake_parent(self, child: str) -> None:
        """It rests, or is on its way to rest. It attaches again, and hears the end from the child itself."""
        parent = parent_of(child)
        assert parent is not None
        self._house.directory.tell(ToQuest(parent[0], ChildOver()))

    def _leave(self, child: str, step: Ref) -> None:
        """The step goes, and perhaps its quest to rest. Another step may have come in its place before that was heard."""
        watch = self._watches.get(child)
        if watch is not None and watch.step is step:
            self._forget(child)
            if watch.ended is not None:
                self._wake_parent(child)

    def _forget(self, child: str) -> None:
        watch = self._watches.pop(child, None)
        if watch is not None:
            del self._children[watch.job]

    def _cancel(self, child: str, reason: str) -> None:
        watch = self._watches.get(child)
        if watch is not None:
            watch.recalled = True
        ask = AskQuest(CancelQuest(reason, BY_PARENT), ReplyTo(self.ref, 0))
        self._house.directory.tell(ToQuest(child, ask))
