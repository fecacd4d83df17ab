"""The session against a model of the daemon over a network that drops, delays, doubles and reorders, with restarts."""

import heapq
import itertools
import random
from collections import Counter
from collections.abc import Callable
from functools import partial

import pytest

from questd.agent.effects import Begin, Cancel, Offer, Redial, Send, Withdraw
from questd.agent.session import Session
from questd.messages.exchange import (
    AgentFrame,
    Cancellation,
    Cancelled,
    Completed,
    DaemonFrame,
    Exchange,
    Hello,
    Invocation,
    Outcome,
    Resync,
    Welcome,
    Work,
    WorkItem,
)

HOLD_US = 200_000
ATTEMPTS = 120


class ModelDaemon:
    """One agent's daemon. ``wanted`` and ``done`` are on disk and survive a restart; the rest does not."""

    def __init__(self, reply: Callable[[int, DaemonFrame], None]) -> None:
        self.reply = reply
        self.wanted: dict[int, bool] = {}
        self.done: dict[int, Outcome] = {}
        self.boot = 0
        self.forget()

    def forget(self) -> None:
        """Die and come back."""
        self.boot += 1
        self.known = False
        self.counter = 0
        self.numbers = 0
        self.items: dict[int, WorkItem] = {}
        self.sent_in: dict[int, int] = {}
        self.acks: list[tuple[str, int]] = []
        self.held: int | None = None

    def want(self, epoch: int, *, cancel: bool = False) -> None:
        self.wanted[epoch] = cancel or self.wanted.get(epoch, False)
        if self.known:
            self._add(epoch, cancel)
            self._answer()

    def hear(self, ticket: int, frame: AgentFrame) -> None:
        if isinstance(frame, Hello):
            self._greet(ticket, frame)
        elif isinstance(frame, Exchange):
            self._exchange(ticket, frame)

    def release(self) -> None:
        if self.held is not None:
            self.reply(self.held, Work(self.held))
            self.held = None

    def _greet(self, ticket: int, hello: Hello) -> None:
        if self.known and hello.counter < self.counter:
            return
        boot = self.boot
        self.forget()
        self.boot, self.known, self.counter = boot, True, hello.counter
        self._note(hello.outcomes)
        held = {epoch for _, epoch in hello.held}
        for epoch, cancel in self.wanted.items():
            if epoch not in self.done:
                if epoch not in held:
                    self._add(epoch, False)
                if cancel:
                    self._add(epoch, True)
        self.reply(ticket, Welcome(1, str(self.boot), HOLD_US // 1000, 1 << 20))

    def _exchange(self, ticket: int, frame: Exchange) -> None:
        if not self.known or frame.boot != str(self.boot):
            self._note(frame.outcomes)
            self.reply(ticket, Resync(str(self.boot)))
            return
        self._note(frame.outcomes)
        for number in [n for n in self.items if n <= frame.ack]:
            del self.items[number]
            self.sent_in.pop(number, None)
        if frame.counter < self.counter:
            self.reply(ticket, Work(frame.counter))
            return
        self.counter = frame.counter
        for number, counter in list(self.sent_in.items()):
            if counter not in frame.open and counter < frame.counter:
                del self.sent_in[number]
        self.release()
        self.held = ticket
        self._answer()

    def _add(self, epoch: int, cancel: bool) -> None:
        self.numbers += 1
        number = self.numbers
        self.items[number] = (
            Cancellation(number, "q", epoch, "why")
            if cancel
            else Invocation(number, "q", epoch, "step", 1, "t", b"{}", "k")
        )

    def _note(self, outcomes: tuple[Outcome, ...]) -> None:
        for outcome in outcomes:
            self.done.setdefault(outcome.epoch, outcome)
            self.acks.append((outcome.quest, outcome.epoch))

    def _answer(self) -> None:
        unsent = [n for n in self.items if n not in self.sent_in]
        if self.held is None or not (unsent or self.acks):
            return
        for number in unsent:
            self.sent_in[number] = self.held
        acks, self.acks = tuple(self.acks), []
        ticket, self.held = self.held, None
        self.reply(ticket, Work(ticket, tuple(self.items[n] for n in unsent), acks))


class World:
    """Virtual time, one seed."""

    def __init__(self, seed: int, trouble: float) -> None:
        self.random = random.Random(seed)
        self.trouble = trouble
        self.now = 0
        self.order = itertools.count()
        self.events: list[tuple[int, int, Callable[[], None]]] = []
        self.daemon = ModelDaemon(self.deliver_answer)
        self.session = Session(Offer(agent="a", incarnation="i", capacity=4, prefetch=8), 0)
        self.begun: Counter[int] = Counter()
        self.running: set[int] = set()

    def later(self, delay_us: int, what: Callable[[], None]) -> None:
        heapq.heappush(self.events, (self.now + delay_us, next(self.order), what))

    def travel(self, what: Callable[[], None]) -> None:
        for _ in range(2 if self.random.random() < self.trouble / 3 else 1):
            if self.random.random() >= self.trouble:
                slow = self.random.random() < self.trouble
                self.later(self.random.randint(50, 400_000 if slow else 500), what)

    def deliver_answer(self, ticket: int, frame: DaemonFrame) -> None:
        self.travel(lambda: self.session.heard(ticket, frame, self.now))

    def step(self) -> None:
        for effect in self.session.poll(self.now):
            self.do(effect)
        wake = self.session.next_wake(self.now)
        if self.events and self.events[0][0] <= wake:
            self.now, _, what = heapq.heappop(self.events)
            what()
        else:
            self.now = max(wake, self.now + 1)

    def do(self, effect: object) -> None:
        match effect:
            case Send(ticket, frame, timeout_us):
                self.travel(lambda: self.daemon.hear(ticket, frame))
                self.later(timeout_us, lambda: self.session.lost(ticket, self.now))
            case Begin(invocation):
                self.begun[invocation.epoch] += 1
                self.running.add(invocation.epoch)
                self.session.began(("q", invocation.epoch))
                self.later(self.random.randint(1, 50_000), lambda: self.end(invocation.epoch))
            case Cancel(attempt, _):
                self.later(100, lambda: self.end(attempt[1], cancelled=True))
            case Redial() | Withdraw():
                pass
            case _:
                raise AssertionError(effect)

    def end(self, epoch: int, *, cancelled: bool = False) -> None:
        if epoch in self.running:
            self.running.discard(epoch)
            self.session.ended(Cancelled("q", epoch) if cancelled else Completed("q", epoch, b"1"))


def schedule(world: World) -> None:
    """Work, cancellations, held exchanges that are released, and a restart or two."""
    for epoch in range(1, ATTEMPTS + 1):
        at = world.random.randint(0, 3_000_000)
        world.later(at, partial(world.daemon.want, epoch))
        if world.random.random() < 0.1:
            world.later(at + 5_000, partial(world.daemon.want, epoch, cancel=True))
    for at in range(0, 120_000_000, HOLD_US):
        world.later(at, world.daemon.release)
    for _ in range(world.random.randint(0, 3)):
        world.later(world.random.randint(100_000, 4_000_000), world.daemon.forget)


@pytest.mark.parametrize("trouble", [0.0, 0.05, 0.3])
@pytest.mark.parametrize("seed", range(12))
def test_every_attempt_is_begun_at_most_once_and_every_outcome_arrives(
    seed: int, trouble: float
) -> None:
    world = World(seed, trouble)
    schedule(world)
    session, daemon = world.session, world.daemon
    while len(daemon.done) < ATTEMPTS or session.outbox.outcomes or len(daemon.wanted) < ATTEMPTS:
        world.step()
        assert world.now < 120_000_000, (seed, trouble, len(daemon.done), session.outbox.outcomes)
        assert len(world.running) <= 4
    assert max(world.begun.values()) == 1
    never = {epoch for epoch in daemon.done if not world.begun[epoch]}
    assert all(isinstance(daemon.done[epoch], Cancelled) for epoch in never)
