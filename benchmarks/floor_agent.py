"""The floor's side of an agent: its exchange, and the actor of each instance."""

# ruff: noqa: D102 - the hooks of an actor say what they are where runtime.actor declares them

from typing import Any

from benchmarks.floor_mail import (
    Acknowledge,
    Arrived,
    Began,
    Detach,
    Ended,
    Invoke,
    Joined,
    Loud,
    Place,
)
from questd.actors.agent.core import Session
from questd.messages.exchange import (
    FRAME_MAX_BYTES,
    PROTOCOL_VERSION,
    AgentFrame,
    AttemptId,
    Completed,
    Exchange,
    Hello,
    Outcome,
    Welcome,
    Work,
    encode_frame,
)
from questd.runtime.actor import Ref
from questd.runtime.nng import Door, Route

HOLD_MS = 120_000
"""Longer than a floor lives, so that it needs no timer to answer an idle exchange."""


class Instances(Loud):
    """The exchange: brings each frame to its agent actor."""

    def __init__(self, place: Place) -> None:
        super().__init__(name="exchange")
        self._place = place
        self._agents: dict[str, Ref] = {}

    def on_receive(self, message: Any) -> None:
        assert isinstance(message, Arrived)
        incarnation = message.frame.incarnation
        if isinstance(message.frame, Hello):
            agent = Instance(self._place, message.frame)
            self._agents[incarnation] = agent.launch(self._place.dispatcher)
        self._agents[incarnation].tell(message)


class Instance(Loud):
    """One agent: keeps its exchange open, brings outcomes home. Numbering and repeating are the daemon's own: frames do cross."""

    def __init__(self, place: Place, hello: Hello) -> None:
        super().__init__(name=hello.incarnation)
        self._place = place
        self._credit = hello.capacity + hello.prefetch
        self._session = Session(hello)
        self._steps: dict[AttemptId, Ref] = {}
        self._open: tuple[Door, Route, int] | None = None

    def on_receive(self, message: Any) -> None:
        match message:
            case Arrived(door, route, frame):
                self._on_frame(door, route, frame)
            case Invoke(step, invocation):
                self._steps[invocation.quest, invocation.epoch] = step
                self._session.give(invocation)
            case Acknowledge(attempt):
                self._session.acknowledge(attempt)
            case Detach(attempt):
                self._steps.pop(attempt, None)
            case _:
                raise AssertionError(message)

    def _on_frame(self, door: Door, route: Route, frame: AgentFrame) -> None:
        match frame:
            case Hello():
                welcome = Welcome(PROTOCOL_VERSION, "floor", HOLD_MS, FRAME_MAX_BYTES)
                door.send(route, encode_frame(welcome))
                self._place.router.tell(Joined(self.ref, self._credit))
            case Exchange():
                self._on_exchange(door, route, frame)
            case _:
                door.send(route, encode_frame(Work(0)))

    def _on_exchange(self, door: Door, route: Route, exchange: Exchange) -> None:
        session = self._session
        if exchange.counter <= session.counter:
            door.send(route, encode_frame(Work(exchange.counter)))
            self._deliver(session.arrived(exchange.outcomes))
            return
        self._answer()
        self._deliver(session.take(exchange))
        self._open = (door, route, exchange.counter)
        for attempt in exchange.started:
            step = self._steps.get(attempt)
            if step is not None:
                step.tell(Began())

    def _deliver(self, outcomes: list[Outcome]) -> None:
        for outcome in outcomes:
            assert isinstance(outcome, Completed), outcome
            step = self._steps.pop((outcome.quest, outcome.epoch), None)
            if step is not None:
                step.tell(Ended(outcome, self.ref))

    def _answer(self) -> None:
        if self._open is not None:
            door, route, counter = self._open
            self._open = None
            door.send(route, encode_frame(self._session.answer(counter)))

    def after_batch(self) -> None:
        if self._session.talkative:
            self._answer()
