"""A whole house on one thread, with virtual time and a journal in memory: what a limit does is seen where it is enforced.

Requests and frames are posted as the doors post them, after the codec; ``run`` lets everything happen that follows.
"""

from collections.abc import Sequence
from itertools import count
from typing import Any

from questd.actors.control.actor import DaemonFacts
from questd.actors.control.arriving import RequestArrived
from questd.actors.exchange.actor import FrameArrived
from questd.actors.house import House, Limits
from questd.actors.quest.plans import PlanCache
from questd.daemon.composition import World, compose
from questd.daemon.ids import quest_ids
from questd.messages.control import (
    Reply,
    Request,
    Submit,
    Submitted,
    decode_reply,
    decode_request,
    encode_control,
)
from questd.messages.definition import QuestDefinition, StepDefinition, encode_definition
from questd.messages.exchange import (
    PROTOCOL_VERSION,
    AgentFrame,
    DaemonFrame,
    Exchange,
    Hello,
    Invocation,
    Parameter,
    ToolSpec,
    Welcome,
    Work,
    decode_agent_frame,
    decode_daemon_frame,
    encode_frame,
)
from questd.runtime.deterministic import (
    Agenda,
    AgendaWorker,
    SeededDispatcher,
    VirtualClock,
    VirtualTimers,
)
from questd.runtime.files import MemoryFiles
from questd.runtime.journal.memory import MemoryStore
from questd.runtime.journal.store import Append
from questd.runtime.keyring import HostKeyring
from questd.runtime.shelf import MemoryShelf, Shelf
from questd.runtime.worker import Worker
from questd.simulation.chance import stream
from questd.simulation.journal import Outcomes, SimulatedJournal
from questd.simulation.network import Route

START_US = 1_750_000_000_000_000
TOOL = ToolSpec("work", (Parameter("input", required=False),))


class _Calm:
    """Nothing goes wrong."""

    def committing(self) -> str:
        return ""

    def committed(self, items: Sequence[Append], outcomes: Outcomes) -> None:
        pass

    def died(self, why: str) -> None:
        raise AssertionError(why)


class _Door:
    """Keeps the answers, by route; ``sizes`` are those of the frames."""

    def __init__(self) -> None:
        self.answers: dict[Route, bytes] = {}
        self.hung_up: list[int] = []

    def send(self, route: Any, body: bytes) -> None:
        assert route not in self.answers, "answered twice"
        self.answers[route] = body

    def close_pipe(self, pipe: int) -> None:
        self.hung_up.append(pipe)


class Standing:
    """A house with its doors. ``gauges`` is what the daemon says of its queues."""

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        store: MemoryStore | None = None,
        worker: Worker | None = None,
        shelf: Shelf | None = None,
        slow: float = 0.0,
        files: MemoryFiles | None = None,
        start_us: int = START_US,
    ) -> None:
        """``slow``: the chance that a commit or a read takes up to a second. ``start_us``: when it is, at the start."""
        self.shelf = MemoryShelf() if shelf is None else shelf
        self.files = MemoryFiles() if files is None else files
        self.clock = VirtualClock(start_us)
        self.agenda = Agenda(self.clock, stream(1, "agenda"))
        self.store = store or MemoryStore(journal_id="standing", clock_us=self.clock.now_us)
        self.dispatcher = SeededDispatcher(stream(1, "dispatcher"))
        self.timers = VirtualTimers(self.clock)
        self.journal = SimulatedJournal(
            self.store, self.agenda, stream(1, "journal"), _Calm(), lambda: slow
        )
        self.worker = worker or AgendaWorker(self.agenda, lambda: 0)
        self.door = _Door()
        self.gauges: dict[str, int] = {}
        self.notes: list[tuple[str, dict[str, Any]]] = []
        self._numbers = count(1)
        self.house: House = compose(self._world(), limits or Limits(), self._facts(), PlanCache())
        self.run()

    def _world(self) -> World:
        chance = stream(1, "house")
        return World(
            boot="boot",
            dispatcher=self.dispatcher,
            clock=self.clock,
            timers=self.timers,
            journal=self.journal,
            worker=self.worker,
            lookout=AgendaWorker(self.agenda, lambda: 0),
            files=self.files,
            random=chance,
            new_quest_id=quest_ids(stream(len(list(self.store.heads())), "ids")),
            shelf=self.shelf,
            note=self._note,
            escalated=self._escalated,
            keyring=HostKeyring(),
        )

    def _note(self, event: str, /, **fields: Any) -> None:
        self.notes.append((event, fields))

    def _escalated(self, error: BaseException) -> None:
        raise error

    def _facts(self) -> DaemonFacts:
        return DaemonFacts(
            "", 0, START_US, {}, lambda: self.gauges, lambda: None, lambda _quests, _folded: None
        )

    @property
    def control(self) -> Any:
        """The control actor, to look at."""
        return self.house.control.actor_inbox.owner

    @property
    def directory(self) -> Any:
        """The directory, to look at."""
        return self.house.directory.actor_inbox.owner

    @property
    def exchange(self) -> Any:
        """The exchange, to look at."""
        return self.house.exchange.actor_inbox.owner

    # -- time ----------------------------------------------------------------------------------------

    def turns(self) -> None:
        """Every actor does what it has; the journal does nothing."""
        while self.dispatcher.run_one():
            pass

    def run(self) -> None:
        """Until nothing is left to do at once; timers stay armed."""
        while self.step():
            pass

    def step(self) -> bool:
        """The next thing that is left to do."""
        return self.dispatcher.run_one() or self._next()

    def _next(self) -> bool:
        if not self.agenda:
            return False
        self.agenda.run_next()
        return True

    def wait(self, seconds: float) -> None:
        """Let that much time pass."""
        until_us = self.clock.monotonic_us + int(seconds * 1e6)
        self.run()
        while (due_us := self.timers.next_us()) is not None and due_us <= until_us:
            self.clock.advance(int(due_us))
            self.timers.fire()
            self.run()
        self.clock.advance(until_us)

    # -- clients -------------------------------------------------------------------------------------

    def post(self, request: Request) -> Route:
        """Send it; nothing has happened yet."""
        route = Route(0, next(self._numbers))
        decoded = decode_request(encode_control(request))
        self.house.control.tell(RequestArrived(self.door, route, decoded))
        return route

    def answer(self, route: Route) -> Reply | None:
        """What it was answered, if it was."""
        body = self.door.answers.get(route)
        return None if body is None else decode_reply(body)

    def ask(self, request: Request) -> Any:
        """Send it, let happen what follows; the answer (None: it waits)."""
        route = self.post(request)
        self.run()
        return self.answer(route)

    def submit(self, definition: QuestDefinition, **fields: Any) -> str:
        """The id of a quest that begins."""
        reply = self.ask(Submit(encode_definition(definition), **fields))
        assert isinstance(reply, Submitted), reply
        return reply.quest

    # -- agents --------------------------------------------------------------------------------------

    def say(self, frame: AgentFrame, pipe: int) -> Route:
        """One frame of an agent."""
        route = Route(pipe, next(self._numbers))
        decoded = decode_agent_frame(encode_frame(frame))
        self.house.exchange.tell(FrameArrived(self.door, route, decoded))
        return route

    def heard(self, route: Route) -> DaemonFrame | None:
        """What the frame was answered, if it was."""
        body = self.door.answers.get(route)
        return None if body is None else decode_daemon_frame(body)


class Agent:
    """One instance, which says only what it is told to say."""

    def __init__(self, standing: Standing, pipe: int = 1, **hello: Any) -> None:
        self.standing = standing
        self.pipe = pipe
        self.incarnation = f"{pipe:032d}"
        self.counter = 0
        self.ack = 0
        fields: dict[str, Any] = {"tools": (TOOL,), "capacity": 10, **hello}
        self.hello = Hello(
            PROTOCOL_VERSION, fields.pop("agent", "worker"), self.incarnation, **fields
        )

    def greet(self) -> DaemonFrame | None:
        """Say Hello; the answer."""
        route = self.standing.say(self.hello, self.pipe)
        self.standing.run()
        return self.standing.heard(route)

    def post(self, **fields: Any) -> Route:
        """Say one exchange; its answer may be held."""
        self.counter += 1
        frame = Exchange(self.incarnation, "boot", self.counter, self.ack, **fields)
        return self.standing.say(frame, self.pipe)

    def say(self, **fields: Any) -> Work | None:
        """Say one exchange, let happen what follows; the answer if it came at once."""
        route = self.post(**fields)
        self.standing.run()
        work = self.standing.heard(route)
        if isinstance(work, Work):
            self.ack = max([self.ack, *(item.number for item in work.items)])
            return work
        assert work is None, work
        return None

    def take(self) -> list[Invocation]:
        """What it has been given."""
        work = self.say()
        items = () if work is None else work.items
        return [item for item in items if isinstance(item, Invocation)]


def greeted(standing: Standing, pipe: int = 1, **hello: Any) -> Agent:
    """An instance with a session."""
    agent = Agent(standing, pipe, **hello)
    answer = agent.greet()
    assert isinstance(answer, Welcome), answer
    return agent


def quest(*steps: StepDefinition, **fields: Any) -> QuestDefinition:
    """A quest of these steps (one, for the worker, if none is given)."""
    return QuestDefinition("q", steps or (step("a"),), **fields)


def step(key: str, **fields: Any) -> StepDefinition:
    """A step for the worker."""
    asked: dict[str, Any] = {"agent": "worker", **fields}
    return StepDefinition(key, **asked)
