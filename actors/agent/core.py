"""The daemon's side of one agent session: numbered work, what the instance has acknowledged, what it holds.

Pure: frames and attempts go in, frames and facts come out; time, sockets and actors are the shell's.

- A work item has a number and stays *unacknowledged* until an Exchange says that everything up to it arrived. An item
  that went out in the answer to exchange c is known to be lost when a later exchange neither acknowledges it nor lists
  c among its open ones; it is then sent again.
- Acknowledgements of outcomes go out with the next answer. An instance repeats its unacknowledged outcomes after every
  exchange that failed, so a lost answer costs nothing.
- ``delivered``: outcomes that came in and are not acknowledged yet. Whoever attaches late gets them from here, so
  nothing is run again that has an outcome.
"""

from collections import deque
from typing import Final

from msgspec import structs

from questd.actors.agent.edge import check_outcome
from questd.messages.exchange import (
    AttemptId,
    Cancellation,
    Completed,
    Exchange,
    Hello,
    Invocation,
    Outcome,
    Work,
    WorkItem,
)

ITEM_OVERHEAD_BYTES: Final = 512
FRAME_RESERVE_BYTES: Final = 64 * 1024
"""Kept free in each frame for acknowledgements and its own fields."""
ITEMS_PER_FRAME: Final = 1_000
ACKS_PER_FRAME: Final = 1_000
OPEN_LOOKED_AT: Final = 64
DELIVERED_MAX: Final = 5_000
DELIVERED_MAX_BYTES: Final = 64 * 1024 * 1024
"""Outcomes that are not on disk yet. Further ones are not taken: an instance says again what nobody acknowledges."""
ACKS_MAX: Final = 200_000
"""More than an instance can hold unacknowledged; one that never takes them does not fill our memory."""


class Sent:
    """A work item, and the counter of the exchange it answered (0: not sent, or sent in vain)."""

    __slots__ = ("answer", "item")

    def __init__(self, item: WorkItem) -> None:
        self.item = item
        self.answer = 0


class Session:
    """One instance's session with one daemon."""

    def __init__(self, hello: Hello) -> None:
        self.draining = hello.draining
        self.number = 0
        self.unacknowledged: dict[int, Sent] = {}
        self.unsent: deque[Sent] = deque()
        self.invoked: dict[AttemptId, Sent] = {}
        self.counter = 0
        self.acks: deque[AttemptId] = deque(maxlen=ACKS_MAX)
        self.held: dict[AttemptId, None] = dict.fromkeys(hello.held)
        self.delivered: dict[AttemptId, Outcome] = {}
        self._delivered_bytes = 0
        self.frame_max = hello.frame_max
        self.drain_asked = False

    def restart(self, hello: Hello, watched: set[AttemptId]) -> list[AttemptId]:
        """The instance said Hello (again): numbers start anew, and what was said before it is overtaken. Returns watched attempts that it never saw."""
        self.number = 0
        self.unacknowledged.clear()
        self.unsent.clear()
        self.invoked.clear()
        self.counter = hello.counter
        self.acks.clear()
        self.frame_max = hello.frame_max
        self.draining = hello.draining
        self.held = dict.fromkeys(hello.held)
        known = {attempt_of(outcome) for outcome in hello.outcomes}
        return [
            attempt
            for attempt in sorted(watched)
            if attempt not in self.held and attempt not in known and attempt not in self.delivered
        ]

    # -- giving out ------------------------------------------------------------------------------

    def fits(self, invocation: Invocation) -> bool:
        """Can the instance take it at all? Its link would break at a larger frame, and again each time it is sent."""
        return size_of(invocation) <= self.frame_max - FRAME_RESERVE_BYTES

    def give(self, invocation: Invocation) -> None:
        """Number an invocation and queue it."""
        attempt = (invocation.quest, invocation.epoch)
        self.invoked[attempt] = self._queue(structs.replace(invocation, number=self.number + 1))
        self.held[attempt] = None

    def cancel(self, attempt: AttemptId, reason: str) -> None:
        """Queue a cancellation. An invocation that has to go out again goes no more."""
        self._take_back(attempt)
        self._queue(Cancellation(self.number + 1, *attempt, reason))

    def _queue(self, item: WorkItem) -> Sent:
        self.number += 1
        sent = Sent(item)
        self.unsent.append(sent)
        return sent

    def acknowledge(self, attempt: AttemptId) -> None:
        """The outcome is on disk."""
        outcome = self.delivered.pop(attempt, None)
        if isinstance(outcome, Completed):
            self._delivered_bytes -= len(outcome.result)
        self.acks.append(attempt)

    @property
    def talkative(self) -> bool:
        """Is there anything to say?"""
        return bool(self.unsent or self.acks or self.drain_asked)

    def answer(self, counter: int) -> Work:
        """The answer to the exchange of that number: as much as fits, by bytes first, then by count."""
        items: list[WorkItem] = []
        room = self.frame_max - FRAME_RESERVE_BYTES
        while self.unsent and len(items) < ITEMS_PER_FRAME:
            sent = self.unsent[0]
            room -= size_of(sent.item)
            if room < 0 and items:
                break
            self.unsent.popleft()
            sent.answer = counter
            self.unacknowledged[sent.item.number] = sent
            items.append(sent.item)
        acks = [self.acks.popleft() for _ in range(min(len(self.acks), ACKS_PER_FRAME))]
        drain, self.drain_asked = self.drain_asked, False
        return Work(counter, tuple(items), tuple(acks), drain or self.draining)

    # -- taking in -------------------------------------------------------------------------------

    def take(self, exchange: Exchange) -> list[Outcome]:
        """Note what the exchange acknowledges; returns its outcomes. Its counter must be higher than the last."""
        self.counter = exchange.counter
        self.draining = self.draining or exchange.draining
        self._acknowledged(exchange.ack)
        self._find_lost(exchange)
        return self.arrived(exchange.outcomes)

    def arrived(self, outcomes: tuple[Outcome, ...]) -> list[Outcome]:
        """The outcomes, checked. One that is said again is handed on again: its quest may have died with it, and knows it else."""
        taken: list[Outcome] = []
        for outcome in outcomes:
            attempt = attempt_of(outcome)
            if self._full and attempt not in self.delivered:
                continue
            self.held.pop(attempt, None)
            self._take_back(attempt)
            if attempt not in self.delivered:
                self._keep(attempt, check_outcome(outcome))
            taken.append(self.delivered[attempt])
        return taken

    @property
    def _full(self) -> bool:
        """Is there no room for one more outcome?"""
        return len(self.delivered) >= DELIVERED_MAX or self._delivered_bytes >= DELIVERED_MAX_BYTES

    def _keep(self, attempt: AttemptId, outcome: Outcome) -> None:
        self.delivered[attempt] = outcome
        if isinstance(outcome, Completed):
            self._delivered_bytes += len(outcome.result)

    def _acknowledged(self, ack: int) -> None:
        """Numbers are unacknowledged in rising order, except for those that are sent again."""
        unacknowledged = self.unacknowledged
        for number in [number for number in unacknowledged if number <= ack]:
            item = unacknowledged.pop(number).item
            if isinstance(item, Invocation):
                self.invoked.pop((item.quest, item.epoch), None)

    def _find_lost(self, exchange: Exchange) -> None:
        """The answers to closed exchanges have arrived or never will: what they carried and is not acknowledged is lost.

        So is what was in the answer to an older one that is open still: the instance takes items in order, so it could use
        nothing that came after. Waiting for that one instead would send the later items again and again, in vain.
        """
        opened = frozenset(exchange.open[:OPEN_LOOKED_AT])
        closed = exchange.counter - 1
        while closed in opened:
            closed -= 1
        lost = [number for number, sent in self.unacknowledged.items() if sent.answer <= closed]
        if not lost:
            return
        again = [self.unacknowledged.pop(number) for number in lost]
        again += self.unsent
        again.sort(key=lambda sent: sent.item.number)
        self.unsent = deque(again)

    def withdraw(self, attempt: AttemptId) -> bool:
        """Take back an invocation that never went out. False when it did."""
        sent = self.invoked.get(attempt)
        if sent is None or sent.answer:
            return False
        self._take_back(attempt)
        self.held.pop(attempt, None)
        return True

    def _take_back(self, attempt: AttemptId) -> None:
        """It shall not go out (again): of an attempt whose outcome is known it would call the tool once more.

        Its number must still be filled, or the instance would wait for it for ever.
        """
        sent = self.invoked.pop(attempt, None)
        if sent is not None:
            sent.item = Cancellation(sent.item.number, *attempt, "withdrawn")


def attempt_of(outcome: Outcome) -> AttemptId:
    """Whose outcome it is."""
    return (outcome.quest, outcome.epoch)


def size_of(item: WorkItem) -> int:
    """About how many bytes the item takes in a frame."""
    if isinstance(item, Invocation):
        return len(item.arguments) + ITEM_OVERHEAD_BYTES
    return ITEM_OVERHEAD_BYTES + len(item.reason)


def offer_of(hello: Hello) -> Hello:
    """What is kept of an introduction: outcomes can fill a frame."""
    return structs.replace(hello, held=(), outcomes=()) if hello.held or hello.outcomes else hello
