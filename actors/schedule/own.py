"""Messages between a schedule's actor, the scheduler and those that answer it, and what is said to clients."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from questd.actors.mail import Answered, ReplyTo
from questd.actors.schedule import core
from questd.messages.control import Done, Error, Reply, ScheduleView, Submit, decode_reply
from questd.messages.events import Record
from questd.messages.heads import TERMINAL
from questd.messages.schedules import ScheduleEvent
from questd.runtime.actor import Ref
from questd.runtime.journal.store import JournalStore


class Begin(Struct, frozen=True):
    """A schedule to begin: its first events, its definition (unless the journal has it), and who asked."""

    events: tuple[ScheduleEvent, ...]
    definition: bytes | None
    reply: ReplyTo | None


class Shown(Struct, frozen=True):
    """To the scheduler: how the schedule stands, durably. ``over``: nothing will happen to it any more. ``renews``: its forerunner."""

    view: ScheduleView
    over: bool
    renews: str | None


class CarryOn(Struct, frozen=True):
    """To the scheduler: this schedule does nothing more; ``by`` is to begin with ``events``, unless it has."""

    schedule: str
    by: str
    events: tuple[ScheduleEvent, ...]


class NeverWas(Struct, frozen=True):
    """To the scheduler: the journal has no such schedule; its first append failed."""

    schedule: str


class Do(Struct, frozen=True):
    """From the scheduler: a command, who waits for its answer, and the bytes of a definition that it names."""

    command: core.Command
    reply: ReplyTo | None = None
    definition: bytes | None = None


class Then(Struct, frozen=True):
    """To the scheduler, from whoever worked something out beside it: go on with this request."""

    reply: ReplyTo
    outcome: Any
    resume: Callable[[Any, ReplyTo], None]


class Recorded(Struct, frozen=True):
    """From the journal's reader: some of its events."""

    records: tuple[Record, ...]
    more: bool


class Fenced(Struct, frozen=True):
    """From the journal's writer: what a forerunner had queued is on disk, or refused."""


class Prepared(Struct, frozen=True):
    """From the journal's reader: the submit of an occasion."""

    occasion: str
    submit: Submit | Error


class Said(Struct, frozen=True):
    """From the control actor, by way of ``send``: the answer to a submit."""

    occasion: str
    reply: Reply


class Again(Struct, frozen=True):
    """To itself: submit this once more."""

    occasion: str


class Look(Struct, frozen=True):
    """To itself: how do the quests stand?"""


class LookForEnds(Struct, frozen=True):
    """From the scheduler: quests have ended, perhaps such as the trigger waits for."""


class GoOn(Struct, frozen=True):
    """To itself: there was more to do than fits a turn."""


class Seen(Struct, frozen=True):
    """From the journal's reader: quests that have ended."""

    ended: tuple[tuple[str, str], ...]


class LostRace(Exception):
    """The journal refused an append: this memory is stale."""


class Door:
    """What the control actor answers to."""

    def __init__(self, owner: Ref) -> None:
        self._owner = owner

    def send(self, route: Any, body: bytes) -> None:
        """The answer to the submit of that occasion."""
        self._owner.tell(Said(route, decode_reply(body)))

    def close_pipe(self, pipe: int) -> None:
        """It has no connections."""


def ended(store: JournalStore, quest: str) -> str | None:
    """How the quest has ended; None while it is open."""
    head = store.head(quest)
    if head is None:
        return "gone"
    if head.parked is not None:
        return "failed"
    return head.status if head.status in TERMINAL else None


def answer(reply: ReplyTo, said: Reply) -> None:
    """Tell who asked."""
    reply.address.tell(Answered(reply.job, said))


def said_of(command: core.Command, outcome: core.Rejected | bool) -> Reply:
    """What a client hears of its command."""
    if isinstance(outcome, core.Rejected):
        return Error(outcome.kind, outcome.message, 200 if outcome.kind == "busy" else None)
    if isinstance(command, core.MakeUpFor):
        return Done(outcome, str(len(command.dues_us)))
    return Done(outcome)
