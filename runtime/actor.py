"""Actors: pykka's model and references on our own mailboxes and dispatchers.

An actor handles one message at a time, owns its state, and is reached only by its reference. Unlike pykka's
own actors it has no thread: a mailbox with messages is put on a dispatcher's ready queue and run for a bounded
batch (``runtime.dispatch``).

Invariants:
- A mailbox is run by one worker at a time (the *turn token*: whoever takes it schedules or runs).
- The urgent lane (stop, supervision) overtakes the normal one; each lane is FIFO.
- One failure policy, however the message came: the caller of an ask gets the error, the parent gets ``ChildFailed``,
  the actor stops. Nobody waits for ever: what is left in the mailbox goes to ``on_undelivered``.
- Neither ``start`` nor ``_stop`` touches pykka's ActorRegistry, which scans all actors.

This file must not know of quests, journals or sockets.
"""

import contextlib
import sys
from collections import deque
from typing import Any, Final, Protocol, Self, cast

import pykka
from msgspec import Struct
from pykka import ActorDeadError, ActorRef, ThreadingFuture
from pykka._envelope import Envelope
from pykka.messages import _ActorStop

ASK_TIMEOUT_S: Final = 30.0
BATCH: Final = 64


class ChildFailed(Struct, frozen=True):
    """To the parent: a child ended by an exception. ``ref`` is dead already."""

    ref: "Ref"
    name: str
    error: BaseException


class ChildStopped(Struct, frozen=True):
    """To the parent: a child ended in order."""

    ref: "Ref"
    name: str


URGENT: Final = frozenset({ChildFailed, ChildStopped, _ActorStop})


class Turn(Protocol):
    """What a dispatcher runs: a mailbox, or the journal."""

    def run(self, budget: int = BATCH) -> None:
        """Do what is there, at most so much."""
        ...


class Dispatcher(Protocol):
    """Runs mailboxes that have messages."""

    def schedule(self, mailbox: "Mailbox") -> None:
        """Run this mailbox soon; called once per turn token, from any thread."""
        ...


class _Flag:
    """The part of threading.Event that a pooled actor needs, without its lock and condition."""

    __slots__ = ("raised",)

    def __init__(self) -> None:
        self.raised = False

    def is_set(self) -> bool:
        return self.raised

    def set(self) -> None:
        self.raised = True


class Mailbox:
    """Two lanes and a turn token. pykka sees an inbox; the dispatcher sees something to run."""

    __slots__ = ("__weakref__", "_actor", "_dispatcher", "_normal", "_token", "_urgent")

    def __init__(self) -> None:
        self._normal: deque[Any] = deque()
        self._urgent: deque[Any] = deque()
        self._token: list[None] = []
        self._actor: Actor | None = None
        self._dispatcher: Dispatcher | None = None

    def bind(self, actor: "Actor", dispatcher: Dispatcher) -> None:
        """Give the mailbox its owner; the first turn runs ``on_start``."""
        self._actor = actor
        self._dispatcher = dispatcher
        dispatcher.schedule(self)

    def put(self, item: Any, /) -> None:
        """From any thread. list.pop and deque.append are atomic, so exactly one putter takes the token."""
        kind = type(item)
        if kind is Envelope:
            kind = type(item.message)
        if kind in URGENT:
            self._urgent.append(item)
        else:
            self._normal.append(item)
        if self._token:
            self._schedule()

    def _schedule(self) -> None:
        try:
            self._token.pop()
        except IndexError:
            return
        assert self._dispatcher is not None
        self._dispatcher.schedule(self)

    def get(self) -> Any:
        """The next item, urgent ones first; None when there is none (nobody sends None)."""
        if self._urgent:
            return self._urgent.popleft()
        return self._normal.popleft() if self._normal else None

    def empty(self) -> bool:
        """Is there nothing in either lane?"""
        return not (self._urgent or self._normal)

    def __len__(self) -> int:
        return len(self._urgent) + len(self._normal)

    def run(self, budget: int = BATCH) -> None:
        """One turn: at most ``budget`` messages, then the actor's end of batch, then give the token back."""
        actor = self._actor
        assert actor is not None
        actor.take_turn(self, budget)
        self._token.append(None)
        if self._normal or self._urgent:
            self._schedule()

    @property
    def owner(self) -> "Actor | None":
        """The actor, for logs and for the deterministic dispatcher."""
        return self._actor


class Ref(ActorRef["Actor"]):
    """A reference. ``tell`` never raises: it says whether the actor was alive."""

    actor_stopped: Any
    actor_inbox: Mailbox

    def tell(self, message: Any) -> bool:  # type: ignore[override]
        """Post and return. False: the actor has stopped and the message went nowhere."""
        if self.actor_stopped.raised:
            return False
        self.actor_inbox.put(message)
        return True

    def ask(self, message: Any, *, block: bool = True, timeout: float | None = None) -> Any:
        """Post and wait (never from an actor). Every ask has a timeout; pykka.Timeout when it is over."""
        return super().ask(message, block=block, timeout=timeout or ASK_TIMEOUT_S)


class Actor(pykka.Actor):
    """Base of all actors. Subclasses implement ``on_receive`` and may use the hooks below."""

    parent: Ref | None
    name: str
    tells_parent = True
    """Does the parent hear of an orderly end? (Of a failure it always does.)"""

    def __init__(self, *, parent: Ref | None = None, name: str = "") -> None:
        # pykka's own __init__ makes a uuid4 and a threading.Event for each actor: half of what a start costs.
        self.actor_urn = name or type(self).__name__
        self.actor_inbox = Mailbox()
        self._stopped = _Flag()
        self.actor_stopped = cast("Any", self._stopped)
        self._actor_ref = Ref(self)
        self.parent = parent
        self.name = name or type(self).__name__
        self._began = False

    @classmethod
    def start(cls, *args: Any, **kwargs: Any) -> ActorRef[Self]:
        """Not used: an actor needs a dispatcher. See ``launch``."""
        del args, kwargs
        raise TypeError("start an actor with launch(dispatcher)")

    def launch(self, dispatcher: Dispatcher) -> Ref:
        """Begin to live on this dispatcher."""
        self.mailbox.bind(self, dispatcher)
        return self.ref

    @property
    def ref(self) -> Ref:
        """This actor's reference."""
        return cast("Ref", self._actor_ref)

    @property
    def mailbox(self) -> Mailbox:
        """This actor's mailbox."""
        return cast("Mailbox", self.actor_inbox)

    # -- hooks ---------------------------------------------------------------------------------

    def on_receive(self, message: Any) -> Any:
        """Handle one message; what it returns answers an ask."""
        raise NotImplementedError

    def after_batch(self) -> None:
        """The turn is over: send what was gathered."""

    def on_undelivered(self, message: Any) -> None:
        """The actor has stopped and this message was still in its mailbox."""

    # -- the turn ------------------------------------------------------------------------------

    def take_turn(self, mailbox: Mailbox, budget: int) -> None:
        """Run a batch. Only the dispatcher calls this."""
        stopped = self._stopped
        if not stopped.raised:
            try:
                self._run_batch(mailbox, budget, stopped)
            except BaseException as error:  # noqa: BLE001 - one failure policy for whatever was raised
                self._crash(error)
        if stopped.raised:
            self._rejoin(mailbox)
            self._empty(mailbox)
            self._part()

    def _rejoin(self, mailbox: Mailbox) -> None:
        """Something came after the last turn: ``on_undelivered`` may still name the actor."""
        if "actor_inbox" not in vars(self):
            self.actor_inbox = mailbox
            self._actor_ref = Ref(self)

    def _part(self) -> None:
        """Let go of the mailbox, which holds the actor: no cycle, so no step that ends leaves work for the garbage collector."""
        vars(self).pop("actor_inbox", None)
        vars(self).pop("_actor_ref", None)

    def _run_batch(self, mailbox: Mailbox, budget: int, stopped: _Flag) -> None:
        if not self._began:
            self._began = True
            self.on_start()
        while budget and not stopped.raised:
            item = mailbox.get()
            if item is None:
                break
            budget -= 1
            kind = type(item)
            if kind is Envelope:
                self._serve_ask(item)
            elif kind is _ActorStop:
                self._stop()
            else:
                self.on_receive(item)
        if not stopped.raised:
            self.after_batch()

    def _serve_ask(self, envelope: "Envelope[Any]") -> None:
        reply_to = envelope.reply_to
        try:
            answer = None
            if type(envelope.message) is _ActorStop:
                self._stop()
            else:
                answer = self.on_receive(envelope.message)
        except BaseException:
            if reply_to is not None:
                reply_to.set_exception(sys.exc_info())
            raise
        if reply_to is not None:
            reply_to.set(answer)

    def _stop(self) -> None:
        """Stop now; what is still in the mailbox goes to ``on_undelivered``."""
        self.actor_stopped.set()
        self.on_stop()
        if self.parent is not None and self.tells_parent:
            self.parent.tell(ChildStopped(self.ref, self.name))

    def _crash(self, error: BaseException) -> None:
        self.actor_stopped.set()
        # A cleanup that fails too must not hide the first error.
        with contextlib.suppress(Exception):
            self.on_failure(type(error), error, error.__traceback__)
        if self.parent is not None:
            self.parent.tell(ChildFailed(self.ref, self.name, error))

    def _empty(self, mailbox: Mailbox) -> None:
        while not mailbox.empty():
            item = mailbox.get()
            if type(item) is Envelope:
                self._refuse_ask(item)
            else:
                # It has ended and whoever must know has been told: what fails here must not take the worker along.
                with contextlib.suppress(Exception):
                    self.on_undelivered(item)

    def _refuse_ask(self, envelope: "Envelope[Any]") -> None:
        if envelope.reply_to is None:
            return
        if isinstance(envelope.message, _ActorStop):
            envelope.reply_to.set(None)
            return
        dead = ActorDeadError(f"{self.name} stopped before handling the message")
        envelope.reply_to.set_exception((ActorDeadError, dead, None))

    # -- what pykka asks of a new actor type ----------------------------------------------------

    @staticmethod
    def _create_actor_inbox() -> Any:
        return Mailbox()

    @staticmethod
    def _create_future() -> "ThreadingFuture[Any]":
        return ThreadingFuture()

    def _start_actor_loop(self) -> None:
        raise TypeError("start an actor with launch(dispatcher)")


def stop(ref: Ref) -> None:
    """Ask an actor to stop, ahead of everything in its mailbox."""
    ref.tell(_ActorStop())
