"""How a quest's actor gets its memory back: it asks the journal's reader, and folds what comes in small bites."""

from collections import deque
from functools import partial
from typing import Any, Final

from msgspec import Struct, structs

from questd.actors.graph import compile_steps
from questd.actors.house import House
from questd.actors.mail import Acknowledge, Answered, AskQuest, AttemptEnded, Places, Settle
from questd.actors.quest import core
from questd.actors.quest.plan_reading import grown_definition
from questd.actors.quest.plans import ReadyPlan
from questd.actors.quest.state import QuestState
from questd.messages.control import Error
from questd.messages.events import Record
from questd.messages.upcasting import event_of
from questd.runtime.actor import Ref
from questd.runtime.journal.store import JournalStore

FOLD_CHUNK: Final = 500
"""Events folded in one turn: no turn over a few milliseconds."""
READ_CHUNK: Final = 5_000


class Recorded(Struct, frozen=True):
    """From the journal's reader: the quest's plan and some of its events; None when there is no such quest.

    ``grown``: from the worker, the plan compiled with the steps that joined the quest.
    """

    ready: ReadyPlan | None
    records: tuple[Record, ...] = ()
    more: bool = False
    grown: bool = False


class Fenced(Struct, frozen=True):
    """From the journal's writer: all that the actor's forerunner had queued is on disk, or refused."""


class Recovery:
    """One recovery. ``take`` each Recorded until it gives the state."""

    __slots__ = ("_fold", "_house", "_owner", "_quest", "ready")

    def __init__(self, house: House, quest: str, owner: Ref) -> None:
        self._house = house
        self._quest = quest
        self._owner = owner
        self._fold: QuestState | None = None
        self.ready: ReadyPlan | None = None

    def begin(self, *, after_a_failure: bool) -> None:
        """Ask for the events; after a failure only when the forerunner's appends have been dealt with."""
        if after_a_failure:
            self._house.journal.between(lambda _: Fenced(), self._owner.tell)
        else:
            self.read(0)

    def read(self, after: int) -> None:
        """Ask for the events with n > after."""
        quest, plans = self._quest, self._house.plans

        def question(store: JournalStore) -> Recorded:
            head = store.head(quest)
            if head is None:
                return Recorded(None)
            ready = plans.get(head.definition)
            if ready is None:
                data = store.definition(head.definition)
                assert data is not None, f"the definition of {quest} is gone"
                ready = plans.load(data, trusted=True)
            records = store.events(quest, after, READ_CHUNK)
            more = bool(records) and records[-1].n < head.version
            return Recorded(ready, tuple(records), more)

        self._house.journal.read(question, self._owner.tell)

    def take(self, recorded: Recorded) -> QuestState | None:
        """Fold a bite; the whole state when it was the last."""
        assert recorded.ready is not None
        if self._fold is None:
            self.ready = recorded.ready
            self._fold = QuestState(self._quest, recorded.ready.plan)
        bite, rest = recorded.records[:FOLD_CHUNK], recorded.records[FOLD_CHUNK:]
        for record in bite:
            core.evolve(self._fold, event_of(record), record.at_us)
        self._fold.take_due()
        if rest:
            self._owner.tell(Recorded(recorded.ready, rest, recorded.more))
            return None
        if recorded.more:
            self.read(self._fold.version)
            return None
        if self._fold.planned and not recorded.grown:
            self._house.worker.do(partial(_grown, recorded.ready, self._fold), self._owner.tell)
            return None
        return self._fold


def _grown(ready: ReadyPlan, fold: QuestState) -> Recorded:
    definition = grown_definition(fold, ready.compiled.inputs)
    return Recorded(structs.replace(ready, compiled=compile_steps(definition)), grown=True)


def refuse_unknown(house: House, quest: str, owner: Ref, messages: deque[Any]) -> None:
    """There is no such quest: whoever waits for it hears so, and what was given to it goes back."""
    while messages:
        match messages.popleft():
            case AskQuest(_, reply):
                error = Error("not_found", f"there is no quest {quest}")
                reply.address.tell(Answered(reply.job, error))
            case AttemptEnded(epoch, _, reply) if reply is not None:
                reply.tell(Acknowledge((quest, epoch)))
            case Places(granted):
                releases = tuple(want.task for want, _ in granted)
                house.router.tell(Settle(quest, owner, releases=releases))
            case _:
                pass
