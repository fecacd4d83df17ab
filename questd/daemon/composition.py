"""The composition root: the one place that names all actors.

``compose`` builds the house out of a world (dispatcher, clock, timers, journal, chance) and starts its static tree.
``quest serve`` gives it threads, sockets and a disk; the simulation gives it one thread, a seed and a memory. Neither
has an actor of its own.

The tree is rest-for-one in the order router, exchange, children, directory, control, scheduler: whoever restarts takes down those
that were told something by it, and the directory brings the quests back from the journal.
"""

import random
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from questd.actors.children.actor import ChildQuests
from questd.actors.control.actor import ControlActor, DaemonFacts
from questd.actors.directory.actor import Directory
from questd.actors.exchange.actor import ExchangeActor
from questd.actors.house import House, Limits
from questd.actors.quest.plans import PlanCache
from questd.actors.router.actor import Router
from questd.actors.schedule.scheduler import Scheduler
from questd.documents.reading import load_plan
from questd.runtime.actor import Actor, Dispatcher, Ref
from questd.runtime.clock import Clock, Timers
from questd.runtime.files import Files
from questd.runtime.journal.service import Journal
from questd.runtime.keyring import Keyring
from questd.runtime.shelf import Shelf
from questd.runtime.supervision import ChildSpec, Supervisor
from questd.runtime.worker import Worker


class World(Struct, frozen=True):
    """Everything that a daemon is given. ``note(event, **fields)`` writes a log event; ``escalated`` is told when the tree gave up."""

    boot: str
    dispatcher: Dispatcher
    clock: Clock
    timers: Timers
    journal: Journal
    worker: Worker
    lookout: Worker
    files: Files
    random: random.Random
    new_quest_id: Callable[[int], str]
    shelf: Shelf
    note: Callable[..., None]
    escalated: Callable[[BaseException], None]
    keyring: Keyring


class _Warden(Actor):
    """Parent of the root: hears when the tree has given up."""

    def __init__(self, escalated: Callable[[BaseException], None]) -> None:
        super().__init__(name="warden")
        self._escalated = escalated

    def on_receive(self, message: Any) -> None:
        error = getattr(message, "error", None)
        if error is not None:
            self._escalated(error)


def compose(world: World, limits: Limits, facts: DaemonFacts, plans: PlanCache) -> House:
    """Start the actors; the house says where they are."""
    house = House(
        boot=world.boot,
        dispatcher=world.dispatcher,
        clock=world.clock,
        timers=world.timers,
        journal=world.journal,
        worker=world.worker,
        lookout=world.lookout,
        files=world.files,
        plans=plans,
        random=world.random,
        new_quest_id=world.new_quest_id,
        shelf=world.shelf,
        limits=limits,
        note=world.note,
        read_steps=load_plan,
        keyring=world.keyring,
    )
    warden = _Warden(world.escalated).launch(world.dispatcher)
    root = Supervisor(
        _children(house, facts),
        clock=world.clock,
        strategy="rest_for_one",
        parent=warden,
        name="root",
        on_restart=lambda name, error: world.note("actor.restarted", actor=name, error=repr(error)),
    )
    root.launch(world.dispatcher)
    return house


def _children(house: House, facts: DaemonFacts) -> list[ChildSpec]:
    heard: dict[str, int] = {}

    def router(parent: Ref) -> Ref:
        house.router = Router(house, parent).launch(house.dispatcher)
        return house.router

    def exchange(parent: Ref) -> Ref:
        house.exchange = ExchangeActor(house, parent, heard).launch(house.dispatcher)
        return house.exchange

    def children(parent: Ref) -> Ref:
        house.children = ChildQuests(house, parent).launch(house.dispatcher)
        return house.children

    def directory(parent: Ref) -> Ref:
        house.directory = Directory(house, parent).launch(house.dispatcher)
        return house.directory

    def control(parent: Ref) -> Ref:
        house.control = ControlActor(house, facts, parent).launch(house.dispatcher)
        return house.control

    def scheduler(parent: Ref) -> Ref:
        house.scheduler = Scheduler(house, parent).launch(house.dispatcher)
        return house.scheduler

    return [
        ChildSpec("router", router),
        ChildSpec("exchange", exchange),
        ChildSpec("children", children),
        ChildSpec("directory", directory),
        ChildSpec("control", control),
        ChildSpec("scheduler", scheduler),
    ]
