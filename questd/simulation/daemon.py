"""One life of the daemon: everything that is lost when it dies. What survives is the store and its clock."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from questd.actors.control.actor import DaemonFacts
from questd.actors.control.arriving import RequestArrived
from questd.actors.exchange.actor import DoorPipeClosed, FrameArrived
from questd.actors.house import House, Limits
from questd.actors.quest.plans import PlanCache
from questd.daemon.composition import World, compose
from questd.daemon.ids import quest_ids
from questd.messages.control import decode_request
from questd.messages.exchange import AgentFrame, decode_agent_frame
from questd.runtime.actor import Actor, Mailbox, Ref
from questd.runtime.deterministic import (
    Agenda,
    AgendaWorker,
    SeededDispatcher,
    VirtualClock,
    VirtualTimers,
)
from questd.runtime.files import MemoryFiles
from questd.runtime.journal.memory import MemoryStore
from questd.runtime.shelf import MemoryShelf
from questd.simulation.chance import Chance
from questd.simulation.concealed import SimulatedKeyring
from questd.simulation.journal import SimulatedJournal, Watcher
from questd.simulation.network import Door, Network, Route


class Ground(Struct):
    """What a life stands on."""

    clock: VirtualClock
    agenda: Agenda
    store: MemoryStore
    shelf: MemoryShelf
    files: MemoryFiles
    network: Network
    watcher: Watcher
    slow: Callable[[], float]
    note: Callable[..., None]
    turn: Callable[[Mailbox], None]
    agent_said: Callable[[AgentFrame], None]
    agent_answer: Callable[[Any, bytes], None]
    client_answer: Callable[[Any, bytes], None]


class Life:
    """From one start of the daemon to its death."""

    def __init__(
        self, ground: Ground, boot: str, limits: Limits, draw: Callable[[str], Chance]
    ) -> None:
        self.boot = boot
        self._ground = ground
        self.alive = True
        self.ready = False
        self.dispatcher = SeededDispatcher(draw("dispatcher"), ground.turn)
        self.timers = VirtualTimers(ground.clock)
        self.journal = SimulatedJournal(
            ground.store, ground.agenda, draw("journal"), ground.watcher, ground.slow
        )
        work = draw("worker")
        worker = AgendaWorker(ground.agenda, lambda: work.skewed(20, 3_000))
        looks = draw("lookout")
        lookout = AgendaWorker(ground.agenda, lambda: looks.skewed(20, 50_000))
        self.exchange_door = Door(ground.agent_answer, ground.network.hang_up)
        self.control_door = Door(ground.client_answer, lambda _: None)
        ground.store.count_deaths()
        ids = draw("ids")
        world = World(
            boot=boot,
            dispatcher=self.dispatcher,
            clock=ground.clock,
            timers=self.timers,
            journal=self.journal,
            worker=worker,
            lookout=lookout,
            files=ground.files,
            random=draw("house"),
            new_quest_id=quest_ids(ids),
            shelf=ground.shelf,
            note=ground.note,
            escalated=lambda error: ground.note("tree.escalated", error=repr(error)),
            keyring=SimulatedKeyring(ground.clock),
        )
        self.house: House = compose(world, limits, self._facts(ground), PlanCache())
        self.settle()

    def _facts(self, ground: Ground) -> DaemonFacts:
        return DaemonFacts(
            data="",
            pid=0,
            started_us=ground.clock.now_us(),
            addresses={},
            gauges=dict,
            stop=lambda: None,
            ready=self._on_ready,
        )

    def _on_ready(self, _quests: int, _folded: int) -> None:
        self.ready = True

    def settle(self) -> None:
        """Let the static tree stand before anybody knocks."""
        while not hasattr(self.house, "scheduler"):
            self.dispatcher.run_one()

    # -- the doors -----------------------------------------------------------------------------------

    def agent_frame(self, route: Route, body: bytes) -> None:
        """A frame came in at the exchange."""
        frame = decode_agent_frame(body)
        self._ground.agent_said(frame)
        self.house.exchange.tell(FrameArrived(self.exchange_door, route, frame))

    def pipe_closed(self, pipe: int) -> None:
        """The exchange's socket has noticed."""
        self.house.exchange.tell(DoorPipeClosed(self.exchange_door, pipe))

    def client_request(self, route: Route, body: bytes) -> None:
        """A request came in at the control door."""
        self.house.control.tell(RequestArrived(self.control_door, route, decode_request(body)))

    def die(self) -> None:
        """Nothing of it runs any more."""
        self.alive = False
        self.journal.closed = True
        self.dispatcher.clear()

    # -- looking in ------------------------------------------------------------------------------------

    def actor(self, ref: Ref) -> Any:
        """The actor behind a reference."""
        return ref.actor_inbox.owner

    def static_refs(self) -> list[Ref]:
        """The static tree's children."""
        house = self.house
        return [house.router, house.exchange, house.directory, house.control, house.scheduler]

    def quest_refs(self) -> list[Ref]:
        """Quests that have an actor."""
        return list(insides(self.actor(self.house.directory))["_quests"].values())

    def schedule_refs(self) -> list[Ref]:
        """Schedules."""
        return list(insides(self.actor(self.house.scheduler))["_schedules"].values())

    def agent_refs(self) -> list[Ref]:
        """Sessions."""
        return list(insides(self.actor(self.house.exchange))["_agents"].values())

    def step_refs(self) -> list[Ref]:
        """Running steps."""
        quests = [self.actor(ref) for ref in self.quest_refs() if not ref.actor_stopped.is_set()]
        return [ref for quest in quests for ref in insides(quest)["_steps"].refs()]


class InjectedBug:
    """A message that no actor knows: whoever gets it dies, as of a bug of its own."""

    def __repr__(self) -> str:
        return "InjectedBug"


def insides(actor: object) -> dict[str, Any]:
    """An actor's private parts: the simulation looks in, and touches nothing."""
    found: dict[str, Any] = actor.__dict__
    return found


def is_alive(actor: Actor) -> bool:
    """Has it not stopped?"""
    return not actor.actor_stopped.is_set()
