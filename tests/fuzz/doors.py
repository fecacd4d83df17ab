"""A house without sockets, disk and threads, with strangers at its doors and one honest agent in it.

The actors and the decoding at the doors are those of ``quest serve``; time, chance and the order of turns follow from nothing, so
that the same script always does the same. What must hold whatever strangers say is checked here (``Fault``).
"""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from questd.actors.control.actor import DaemonFacts
from questd.actors.exchange.actor import DoorPipeClosed
from questd.actors.house import House, Limits
from questd.actors.quest.plans import PlanCache
from questd.daemon.composition import World, compose
from questd.daemon.doors import take_frame, take_request
from questd.messages import control as ctl
from questd.messages import exchange as ex
from questd.messages.definition import QuestDefinition, encode_definition
from questd.messages.events import QuestCompleted
from questd.messages.heads import TERMINAL, Head
from questd.runtime.deterministic import (
    Agenda,
    AgendaWorker,
    SeededDispatcher,
    VirtualClock,
    VirtualTimers,
)
from questd.runtime.files import MemoryFiles
from questd.runtime.journal.memory import MemoryStore
from questd.runtime.keyring import HostKeyring
from questd.runtime.shelf import MemoryShelf
from questd.simulation.chance import stream
from questd.simulation.daemon import insides
from questd.simulation.historian import whole
from questd.simulation.journal import SimulatedJournal
from questd.views import QuestFold, event_view, list_row, log_views, quest_view
from questd.views.decoding import shown_event
from tests.fuzz.afar import from_afar
from tests.fuzz.place import Fault, QuietJournal

BOOT = "boot"
START_US = 1_750_000_000_000_000
SECOND = 1_000_000
TURNS_MAX = 200_000
LIMITS = Limits()
CREDIT = 32
SILENCE_S = LIMITS.lease_s + LIMITS.hold_s
HONEST = "honest" + "7f3a" * 8
"""An incarnation that no stranger guesses, as is true of those that agents draw."""
BUGS = frozenset(
    {"quest.crashed", "step.failed", "session.failed", "actor.restarted", "tree.escalated"}
)


class Route(Struct, frozen=True):
    """Where to answer."""

    line: int
    pipe: int
    number: int


class Gate:
    """A door without a socket (``actors.house.Answers``): counts what is asked and answered, and hangs up on floods as a door does.

    Whoever asks by a line that was closed has dialled again: ``pipe`` in a route is a number that is never used twice.
    """

    def __init__(self, closed: Callable[[int], object], credit: int) -> None:
        self.heard: Callable[[Route, bytes], None] = lambda _route, _body: None
        self._lines: dict[int, int] = {}
        self._waiting: dict[int, dict[int, None]] = {}
        self._closed = closed
        self._credit = credit
        self._numbers = 0

    def ask(self, line: int) -> Route | None:
        """A request comes in by this line; None when the door hangs up instead."""
        self._numbers += 1
        pipe = self._lines.setdefault(line, self._numbers)
        waiting = self._waiting.setdefault(pipe, {})
        if len(waiting) >= self._credit:
            self.close_pipe(pipe)
            return None
        waiting[self._numbers] = None
        return Route(line, pipe, self._numbers)

    def send(self, route: Any, body: bytes) -> None:
        """Answer one request."""
        if len(body) > ex.FRAME_MAX_BYTES:
            raise Fault(f"an answer of {len(body)} bytes: no peer takes it")
        waiting = self._waiting.get(route.pipe)
        if waiting is None:
            return
        if route.number not in waiting:
            raise Fault(f"a second answer to request {route.number}: {body[:200]!r}")
        del waiting[route.number]
        self.heard(route, body)

    def close_pipe(self, pipe: int) -> None:
        """Hang up."""
        if self._waiting.pop(pipe, None) is not None:
            self._lines = {line: its for line, its in self._lines.items() if its != pipe}
            self._closed(pipe)

    def hang_up(self, line: int) -> None:
        """The other side hangs up."""
        self.close_pipe(self._lines.get(line, 0))

    def unanswered(self, line: int) -> list[int]:
        """Requests of this line that wait for an answer."""
        return list(self._waiting.get(self._lines.get(line, 0), ()))


class Ground:
    """A house on a journal. Another one on the same journal is the daemon after a restart."""

    def __init__(self, store: MemoryStore | None = None, at_us: int = START_US) -> None:
        self.clock = VirtualClock(at_us)
        self.store = store or MemoryStore(journal_id="fuzzed", clock_us=self.clock.now_us)
        self.agenda = Agenda(self.clock, stream(0, "agenda"))
        self.dispatcher = SeededDispatcher(stream(0, "dispatcher"))
        self.timers = VirtualTimers(self.clock)
        self.journal = SimulatedJournal(
            self.store, self.agenda, stream(0, "journal"), QuietJournal(), lambda: 0.0
        )
        self.stopped = self.ready = False
        self.turns = self._quests = 0
        self.faults: list[str] = []
        self.house = self._compose()
        self.agents = Gate(self._agent_hung_up, CREDIT)
        self.clients = Gate(lambda _: None, 1_000)
        while not hasattr(self.house, "control"):
            self.dispatcher.run_one()

    def _compose(self) -> House:
        world = World(
            BOOT,
            self.dispatcher,
            self.clock,
            self.timers,
            self.journal,
            AgendaWorker(self.agenda, lambda: 0),
            AgendaWorker(self.agenda, lambda: 0),
            MemoryFiles(),
            stream(0, "house"),
            self._new_quest,
            MemoryShelf(),
            self._note,
            lambda error: self.faults.append(f"the tree gave up: {error!r}"),
            HostKeyring(),
        )
        facts = DaemonFacts("", 0, START_US, {}, dict, self._stop, self._on_ready)
        return compose(world, LIMITS, facts, PlanCache())

    def _new_quest(self, _now_us: int) -> str:
        self._quests += 1
        self._quests += sum(1 for _ in self.store.heads()) if self._quests == 1 else 0
        return quest_id(self._quests)

    def _note(self, event: str, **fields: object) -> None:
        if event in BUGS:
            self.faults.append(f"{event} {fields}")

    def _agent_hung_up(self, pipe: int) -> None:
        self.house.exchange.tell(DoorPipeClosed(self.agents, pipe))

    def _stop(self) -> None:
        self.stopped = True

    def _on_ready(self, _quests: int, _folded: int) -> None:
        self.ready = True

    def run(self, for_us: int) -> None:
        """Let that much time pass, with all that happens in it."""
        until_us = self.clock.monotonic_us + for_us
        while True:
            while self.dispatcher.run_one():
                self.turns += 1
                if self.turns > TURNS_MAX:
                    raise Fault("the house does not come to rest")
            moments = [m for m in (self.agenda.next_us(), self.timers.next_us()) if m is not None]
            if not moments or min(moments) > until_us:
                break
            if self.agenda.next_us() == min(moments):
                self.agenda.run_next()
            else:
                self.clock.advance(int(min(moments)))
            self.timers.fire()
        self.clock.advance(until_us)
        if self.faults:
            raise Fault(self.faults[0])

    def agent_says(self, line: int, body: bytes) -> Route | None:
        """A frame comes in at the exchange."""
        route = self.agents.ask(line)
        if route is not None:
            take_frame(self.house, self.agents, route, body, None)
        return route

    def client_says(self, line: int, body: bytes) -> Route | None:
        """A request comes in at the control door, and what other hosts could do with it is looked at."""
        from_afar(body)
        route = self.clients.ask(line)
        if route is not None:
            take_request(self.house, self.clients, route, body)
        return route

    def inside(self, name: str) -> dict[str, Any]:
        """The private parts of an actor of the static tree."""
        return insides(getattr(self.house, name).actor_inbox.owner)


def quest_id(number: int) -> str:
    """The n-th quest of a house here."""
    return f"q_{number:018d}"


class Client:
    """Whoever starts quests and asks: one request at a time, by a pipe of its own."""

    LINE = 90

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._replies: dict[int, ctl.Reply] = {}
        self._others = ground.clients.heard
        ground.clients.heard = self._heard

    def _heard(self, route: Route, body: bytes) -> None:
        if route.line == self.LINE:
            self._replies[route.number] = ctl.decode_reply(body)
        else:
            self._others(route, body)

    def ask(self, request: ctl.Request) -> ctl.Reply:
        """The answer, which comes within a second."""
        route = self._ground.client_says(self.LINE, ctl.encode_control(request))
        assert route is not None
        self._ground.run(SECOND)
        if route.number not in self._replies:
            raise Fault(f"an honest client hears nothing to {type(request).__name__}")
        return self._replies.pop(route.number)

    def submit(self, definition: QuestDefinition, inputs: bytes = b"{}") -> str:
        """The id of a quest that is good."""
        reply = self.ask(ctl.Submit(encode_definition(definition), inputs))
        if not isinstance(reply, ctl.Submitted):
            raise Fault(f"an honest submit was refused: {reply}")
        return reply.quest


class HonestAgent:
    """An agent that does what it is told: gives its arguments back. ``holds``: it keeps its outcomes for itself for now."""

    def __init__(self, ground: Ground, name: str, incarnation: str, line: int) -> None:
        self.name, self.incarnation, self.line = name, incarnation, line
        self.holds = self.gone = False
        self._ground = ground
        self._counter = self._taken = self._open = 0
        self._outcomes: dict[ex.AttemptId, ex.Outcome] = {}
        self._tickets: dict[int, int] = {}
        self._others = ground.agents.heard
        ground.agents.heard = self._heard
        self.greet()

    def greet(self) -> None:
        """Say Hello."""
        self._counter += 1
        self._taken = 0
        hello = ex.Hello(
            ex.PROTOCOL_VERSION,
            self.name,
            self.incarnation,
            tools=(ex.ToolSpec("work", any_parameters=True),),
            capabilities=("code",),
            capacity=50,
            outcomes=tuple(self._outcomes.values()),
            counter=self._counter,
        )
        self._ground.agent_says(self.line, ex.encode_frame(hello))

    def exchange(self) -> None:
        """Ask for work, and tell what is done."""
        self._counter += 1
        said = () if self.holds else tuple(self._outcomes.values())
        frame = ex.Exchange(self.incarnation, BOOT, self._counter, self._taken, outcomes=said)
        self._ground.agent_says(self.line, ex.encode_frame(frame))

    def work_on(self) -> None:
        """Bring out what was held."""
        self.holds = False
        self.exchange()

    def leave(self) -> None:
        """Vanish."""
        self.gone = True
        self._ground.agents.hang_up(self.line)

    def _heard(self, route: Route, body: bytes) -> None:
        if route.line != self.line or self.gone:
            self._others(route, body)
            return
        match ex.decode_daemon_frame(body):
            case ex.Work() as work:
                self._take(work)
            case ex.Welcome():
                self._taken = 0
                self.exchange()
            case ex.Resync():
                self.greet()
            case ex.Denied() as denied:
                raise Fault(f"an honest agent was denied: {denied}")

    def _take(self, work: ex.Work) -> None:
        for item in work.items:
            if item.number == self._taken + 1:
                self._taken += 1
                if isinstance(item, ex.Invocation):
                    attempt = (item.quest, item.epoch)
                    self._outcomes[attempt] = ex.Completed(*attempt, item.arguments)
                elif (item.quest, item.epoch) not in self._outcomes:
                    attempt = (item.quest, item.epoch)
                    self._outcomes[attempt] = ex.Cancelled(*attempt)
        for attempt in work.acks:
            self._outcomes.pop(attempt, None)
        if work.counter >= self._counter:
            self.exchange()


def all_answered(gate: Gate, lines: range) -> None:
    """Whoever asked has been answered."""
    for line in lines:
        if waiting := gate.unanswered(line):
            raise Fault(f"line {line} waits in vain for answers to {waiting}")


def all_readable(store: MemoryStore) -> None:
    """What strangers made us write can be read, folded, shown and brought into the history."""
    for head in list(store.heads()):
        data = store.definition(head.definition)
        assert data is not None
        records = store.events(head.quest)
        fold = QuestFold(head.quest, data, head.definition)
        fold.apply(records)
        text = _texts(store)
        shown = quest_view(fold, head, text)
        listed = list_row(head, records[0], records[-1], text)
        views = [event_view(record, text).flat() for record in records]
        logs = [list(log_views(record)) for record in records]
        for view in (shown, listed, views, logs):
            msgspec.json.encode(view)
    whole(store)


def _texts(store: MemoryStore) -> Callable[[Any], bytes]:
    def text_of(payload: Any) -> bytes:
        text = store.blob(payload.digest)
        if text is None:
            raise Fault(f"the text {payload.digest} is not there")
        return text

    return text_of


def head_of(store: MemoryStore, quest: str) -> Head:
    """The quest's head, of a quest that is there."""
    head = store.head(quest)
    if head is None:
        raise Fault(f"{quest} is gone")
    return head


def completed_with(store: MemoryStore, quest: str, output: bytes) -> None:
    """The quest has ended as it should, with its own result."""
    head = head_of(store, quest)
    last = [shown_event(record) for record in store.events(quest)]
    found = [event.output for event in last if isinstance(event, QuestCompleted)]
    if head.status != "completed" or found != [output]:
        raise Fault(f"{quest} is {head.status} with {found}, not completed with {output!r}")


def restarts(ground: Ground) -> None:
    """A daemon that starts on this journal knows every quest and crashes on none."""
    unfinished = [head.quest for head in ground.store.heads() if head.status not in TERMINAL]
    again = Ground(ground.store, ground.clock.now_us())
    again.run(3 * SECOND)
    if not again.ready:
        raise Fault(f"a daemon that starts anew is not ready; unfinished: {unfinished}")
