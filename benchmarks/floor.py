"""The floor: what a step costs without quests. ``python -m benchmarks.floor DATA`` serves what the daemon serves.

The same doors, the same frames to the same agent program, the same journal with events and heads of the same size, as many
appends a step, and pooled actors that pass as many messages by the same ways: control → directory → quest ⇄ router, quest → step
→ agent actor → agent, and back. What is missing is what a quest *is*: no definition, no checks, no state to fold, no expressions, no
routing, no recovery, no time limits, no re-sending. A floor process runs for one measurement and forgets everything.
"""

import argparse
import json
import secrets
import signal
import sys
import tempfile
import threading
from collections import deque
from pathlib import Path
from typing import Any

from msgspec import Struct

from benchmarks.definitions import CHAIN_STEPS
from benchmarks.processes import end_with_parent
from questd.actors.agent.core import Session
from questd.messages.control import (
    Agents,
    Error,
    InstanceView,
    ListAgents,
    Request,
    Submit,
    Submitted,
    decode_request,
    encode_control,
)
from questd.messages.definition import definition_digest
from questd.messages.events import (
    AttemptCompleted,
    AttemptStarted,
    Event,
    QuestCompleted,
    QuestStarted,
    QuestSubmitted,
    encode_event,
    kind_of,
)
from questd.messages.exchange import (
    FRAME_MAX_BYTES,
    PROTOCOL_VERSION,
    AgentFrame,
    AttemptId,
    Completed,
    Exchange,
    Hello,
    Invocation,
    Outcome,
    Welcome,
    Work,
    decode_agent_frame,
    encode_frame,
)
from questd.messages.heads import Head
from questd.messages.payload import NULL
from questd.runtime.actor import Actor, Ref
from questd.runtime.clock import SystemClock
from questd.runtime.dispatch import PooledDispatcher
from questd.runtime.journal.service import ThreadedJournal
from questd.runtime.journal.sqlite import SqliteStore
from questd.runtime.journal.store import Append, Appended, NewEvent
from questd.runtime.nng import Door, Route

HOLD_MS = 120_000
"""Longer than a floor lives, so that it needs no timer to answer an idle exchange."""
TIMEOUT_MS = 600_000


class Arrived(Struct, frozen=True):
    """From a door to control or exchange, and on to the agent actor."""

    door: Door
    route: Route
    frame: Any


class Start(Struct, frozen=True):
    """Control to directory: begin one."""

    definition: bytes
    sender: Ref
    job: int


class Begun(Struct, frozen=True):
    """Quest to control: it is on disk."""

    job: int
    quest: str


class Settle(Struct, frozen=True):
    """Quest to router: places given back, places wanted."""

    sender: Ref
    wants: int
    releases: int


class Places(Struct, frozen=True):
    """Router to quest: a place, or none yet. ``settled``: this answers a Settle."""

    instance: "Ref | None"
    settled: bool


class Joined(Struct, frozen=True):
    """Agent actor to router: so many places."""

    agent: Ref
    credit: int


class Invoke(Struct, frozen=True):
    """Step to agent actor."""

    step: Ref
    invocation: Invocation


class Began(Struct, frozen=True):
    """Agent actor to step: the tool has started."""


class Ended(Struct, frozen=True):
    """Agent actor to step, step to quest: its outcome."""

    outcome: Completed
    reply: Ref


class Acknowledge(Struct, frozen=True):
    """Quest to agent actor: it is on disk."""

    attempt: AttemptId


class Detach(Struct, frozen=True):
    """Step to agent actor: nobody watches."""

    attempt: AttemptId


class EndStep(Struct, frozen=True):
    """Quest to step: it is over."""


class Rest(Struct, frozen=True):
    """Quest to directory: may I go?"""

    quest: str


class Leave(Struct, frozen=True):
    """Directory to quest: go."""


class Place:
    """Where everybody is, and what they may use."""

    router: Ref
    directory: Ref
    control: Ref
    exchange: Ref

    def __init__(self, journal: ThreadedJournal) -> None:
        self.journal = journal
        self.dispatcher = PooledDispatcher()
        self.clock = SystemClock()


class Loud(Actor):
    """A failure is a bug: said, and the measurement fails by what it waits for."""

    def on_failure(self, *error: Any) -> None:
        print(self.name, repr(error[1]), file=sys.stderr, flush=True)


class Control(Loud):
    """Answers submits."""

    def __init__(self, place: Place) -> None:
        super().__init__(name="control")
        self._place = place
        self._open: dict[int, tuple[Door, Route]] = {}
        self._jobs = 0
        self._agents = 0

    def on_receive(self, message: Any) -> None:
        match message:
            case Arrived(door, route, frame):
                self._on_request(door, route, frame)
            case Begun(job, quest):
                door, route = self._open.pop(job)
                door.send(route, encode_control(Submitted(quest, created=True)))
            case Joined():
                self._agents += 1
            case _:
                raise AssertionError(message)

    def _on_request(self, door: Door, route: Route, request: Request) -> None:
        match request:
            case Submit(definition):
                self._jobs += 1
                self._open[self._jobs] = (door, route)
                self._place.directory.tell(Start(definition, self.ref, self._jobs))
            case ListAgents():
                door.send(route, encode_control(Agents((_view(),) * self._agents)))
            case _:
                door.send(route, encode_control(Error("refused", "the floor takes submits only")))


def _view() -> InstanceView:
    return InstanceView("floor", "", "", 0, "", (), {}, 0, 0, 0, 0, False, 0, 0, 0, 0)


class Directory(Loud):
    """Begins quests and lets them go."""

    def __init__(self, place: Place) -> None:
        super().__init__(name="directory")
        self._place = place
        self._quests: dict[str, Ref] = {}
        self._count = 0

    def on_receive(self, message: Any) -> None:
        match message:
            case Start():
                self._count += 1
                name = f"q_{self._count:018d}"
                self._quests[name] = Quest(self._place, name, message).launch(
                    self._place.dispatcher
                )
            case Rest(quest):
                self._quests.pop(quest).tell(Leave())
            case _:
                raise AssertionError(message)


class Router(Loud):
    """Counts places and gives them out in order."""

    def __init__(self, place: Place) -> None:
        super().__init__(name="router")
        self._place = place
        self._agent: Ref | None = None
        self._free = 0
        self._waiting: deque[Ref] = deque()

    def on_receive(self, message: Any) -> None:
        match message:
            case Settle(sender, wants, releases):
                self._free += releases
                self._serve()
                if wants and self._free:
                    self._free -= 1
                    sender.tell(Places(self._agent, settled=True))
                elif wants:
                    self._waiting.append(sender)
                    sender.tell(Places(None, settled=True))
            case Joined(agent, credit):
                self._agent = agent
                self._free = credit
                self._place.control.tell(message)
                self._serve()
            case _:
                raise AssertionError(message)

    def _serve(self) -> None:
        while self._free and self._waiting:
            self._free -= 1
            self._waiting.popleft().tell(Places(self._agent, settled=False))


class Quest(Loud):
    """Ten attempts, one after the other."""

    def __init__(self, place: Place, name: str, start: Start) -> None:
        super().__init__(name=name)
        self._place = place
        self._start = start
        self._digest = definition_digest(start.definition)
        self._version = 0
        self._done = 0
        self._events: list[NewEvent] = []
        self._effects: list[Any] = []
        self._in_flight: deque[list[Any]] = deque()
        self._settling = False
        self._step: Ref | None = None
        self._created_us = place.clock.now_us()

    def on_start(self) -> None:
        self._note(QuestSubmitted(self._digest, "floor", "1", "default", b"{}"))
        self._note(QuestStarted())
        self._effects.append(Begun(self._start.job, self.name))
        self._settle(wants=1, releases=0)

    def on_receive(self, message: Any) -> None:
        match message:
            case Ended(outcome, reply):
                self._on_ended(outcome, reply)
            case Places(instance, settled):
                self._settling = self._settling and not settled
                if instance is not None:
                    self._begin(instance)
            case Appended():
                for effect in self._in_flight.popleft():
                    self._do(effect)
            case Leave():
                self._stop()
            case _:
                raise AssertionError(message)

    def _note(self, event: Event) -> None:
        self._version += 1
        now_us = self._place.clock.now_us()
        self._events.append(NewEvent(now_us, kind_of(event), encode_event(event)))

    def _settle(self, *, wants: int, releases: int) -> None:
        self._settling = bool(wants)
        self._place.router.tell(Settle(self.ref, wants, releases))

    def _begin(self, instance: Ref) -> None:
        task = f"s{self._done}"
        self._note(
            AttemptStarted(task, 1, "bench", instance.actor_urn, "noop", timeout_ms=TIMEOUT_MS)
        )
        self._effects.append(Step(self._place, self.name, self._version, task, instance, self.ref))

    def _on_ended(self, outcome: Completed, reply: Ref) -> None:
        self._note(
            AttemptCompleted(f"s{self._done}", outcome.epoch, outcome.result, outcome.duration_us)
        )
        self._effects.append((reply, Acknowledge((self.name, outcome.epoch))))
        self._effects.append(EndStep())
        self._done += 1
        if self._done < CHAIN_STEPS:
            self._settle(wants=1, releases=1)
        else:
            self._note(QuestCompleted(NULL))
            self._effects.append(Rest(self.name))
            self._settle(wants=0, releases=1)

    def _do(self, effect: Any) -> None:
        match effect:
            case Step():
                self._step = effect.launch(self._place.dispatcher)
            case (reply, acknowledge):
                reply.tell(acknowledge)
            case EndStep():
                assert self._step is not None
                self._step.tell(effect)
            case Begun():
                self._place.control.tell(effect)
            case Rest():
                self._place.directory.tell(effect)
            case _:
                raise AssertionError(effect)

    def after_batch(self) -> None:
        if self._settling or not self._events:
            return
        first = self._version == len(self._events)
        item = Append(
            self.name,
            self._version - len(self._events),
            tuple(self._events),
            self._head(),
            definition=(self._digest, self._start.definition) if first else None,
        )
        self._in_flight.append(self._effects)
        self._events, self._effects = [], []
        self._place.journal.append(item, self.ref.tell)

    def _head(self) -> Head:
        ended = self._done == CHAIN_STEPS
        return Head(
            self.name,
            self._version,
            "completed" if ended else "running",
            self._digest,
            "floor",
            "1",
            "default",
            {},
            None,
            5,
            self._created_us,
            self._place.clock.now_us() if ended else None,
        )


class Step(Loud):
    """One attempt."""

    def __init__(
        self, place: Place, quest: str, epoch: int, task: str, agent: Ref, parent: Ref
    ) -> None:
        super().__init__(parent=parent, name=task)
        self._agent = agent
        self._quest = parent
        key = f"{quest}/{task}"
        self._invocation = Invocation(
            0, quest, epoch, task, 1, "noop", b'{"input":null}', key, TIMEOUT_MS
        )

    def on_start(self) -> None:
        self._agent.tell(Invoke(self.ref, self._invocation))

    def on_receive(self, message: Any) -> None:
        match message:
            case Ended():
                self._quest.tell(message)
            case Began():
                pass
            case EndStep():
                self._agent.tell(Detach((self._invocation.quest, self._invocation.epoch)))
                self.actor_stopped.set()
            case _:
                raise AssertionError(message)


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


class Floor:
    """All of it on one data directory and one folder of sockets."""

    def __init__(self, data: Path, folder: Path) -> None:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        clock = SystemClock()
        self._store = SqliteStore(data, clock_us=clock.now_us, new_id=lambda: secrets.token_hex(16))
        self._journal = ThreadedJournal(
            self._store, alarm=lambda error: print(error, file=sys.stderr)
        )
        self._place = place = Place(self._journal)
        dispatcher = place.dispatcher
        place.control = Control(place).launch(dispatcher)
        place.directory = Directory(place).launch(dispatcher)
        place.router = Router(place).launch(dispatcher)
        place.exchange = Instances(place).launch(dispatcher)
        control = Door(self._on_request, frame_max=FRAME_MAX_BYTES, name="control")
        exchange = Door(self._on_frame, frame_max=FRAME_MAX_BYTES, name="exchange")
        self._control, self._exchange = control, exchange
        self.addresses = {
            "control": control.listen(f"ipc://{folder}/c"),
            "exchange": exchange.listen(f"ipc://{folder}/e"),
        }

    def start(self) -> None:
        """Serve."""
        for part in (self._journal, self._place.dispatcher, self._control, self._exchange):
            part.start()

    def stop(self) -> None:
        """End."""
        for part in (self._control, self._exchange, self._place.dispatcher, self._journal):
            part.stop()
        self._store.close()

    def _on_request(self, route: Route, body: bytes) -> None:
        self._place.control.tell(Arrived(self._control, route, decode_request(body)))

    def _on_frame(self, route: Route, body: bytes) -> None:
        self._place.exchange.tell(Arrived(self._exchange, route, decode_agent_frame(body)))


def main() -> None:
    """Serve until SIGTERM, or until whoever started it is gone."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    given = parser.parse_args()
    sys.setswitchinterval(0.0002)
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    with tempfile.TemporaryDirectory(prefix="floor-") as folder:
        floor = Floor(given.data, Path(folder))
        floor.start()
        end_with_parent()
        print(json.dumps(floor.addresses), flush=True)
        while not over.wait(1.0):
            pass
        floor.stop()


if __name__ == "__main__":
    main()
