"""What every actor is given: the world it may use, and where its neighbours are.

The composition root builds one ``House``; a restarted neighbour is entered anew, so actors ask the house each time
and never keep a neighbour's reference.
"""

import random
from collections.abc import Callable
from typing import Any, Final, Protocol

from msgspec import Struct

from questd.actors.graph.growing import Ground
from questd.actors.quest.plans import PlanCache
from questd.messages.definition import StepDefinition
from questd.messages.schedules import SCHEDULE_IDS
from questd.runtime.actor import Dispatcher, Ref
from questd.runtime.clock import Clock, Timers
from questd.runtime.files import Files
from questd.runtime.journal.service import Journal
from questd.runtime.keyring import Keyring
from questd.runtime.shelf import Shelf
from questd.runtime.worker import Worker

VERSION: Final = "0.1.0"


class Limits(Struct, frozen=True):
    """Bounds of a daemon, by name (docs/limits.md). Seconds and counts.

    A quest that only waits keeps its actor for ``rest_after_s``; in a queue for a connected agent for ``rest_in_queue_s``, unless
    more than ``awake_quests`` have actors; for an absent agent not at all. With more than ``awake_steps`` in memory those that only
    wait go at once, and no more quests are taken.
    """

    parallel: int | None = None
    rest_after_s: float = 2.0
    rest_in_queue_s: float = 60.0
    awake_quests: int = 10_000
    awake_steps: int = 500_000
    hold_s: float = 5.0
    lease_s: float = 15.0
    closed_pipe_s: float = 2.0
    reattach_grace_s: float = 15.0
    submits_in_flight: int = 4_096
    requests_in_flight: int = 20_000
    connections: int = 4_096
    journal_queue: int = 20_000
    open_quests: int = 1_000_000


class Answers(Protocol):
    """A door, seen from behind."""

    def send(self, route: Any, body: bytes) -> None:
        """Answer one request."""
        ...

    def close_pipe(self, pipe: int) -> None:
        """Hang up."""
        ...


class House:
    """``shelf``: where templates lie. ``files`` are looked at on ``lookout``, which may take long. ``read_steps`` reads a plan. ``random`` and ``new_quest_id`` are the only sources of chance; ``note`` takes events for the log (noun.verb_past, fields)."""

    router: Ref
    exchange: Ref
    children: Ref
    directory: Ref
    control: Ref
    scheduler: Ref

    def __init__(
        self,
        *,
        boot: str,
        dispatcher: Dispatcher,
        clock: Clock,
        timers: Timers,
        journal: Journal,
        worker: Worker,
        lookout: Worker,
        files: Files,
        plans: PlanCache,
        random: random.Random,
        new_quest_id: Callable[[int], str],
        shelf: Shelf,
        limits: Limits,
        note: Callable[..., None],
        read_steps: Callable[[bytes, Ground], tuple[StepDefinition, ...]],
        keyring: Keyring,
    ) -> None:
        self.boot = boot
        self.dispatcher = dispatcher
        self.clock = clock
        self.timers = timers
        self.journal = journal
        self.worker = worker
        self.lookout = lookout
        self.files = files
        self.plans = plans
        self.random = random
        self.new_quest_id = new_quest_id
        self.shelf = shelf
        self.limits = limits
        self.note = note
        self.read_steps = read_steps
        self.keyring = keyring
        self.awake = 0
        """Quests that have an actor now (the directory counts)."""
        self.awake_steps = 0
        """Their steps (the directory counts)."""
        self.heeded: dict[str, str] = {}
        """Quests whose end the scheduler wants to hear of, and for which schedule."""
        self.watching: dict[str, None] = {}
        """Schedules that want to hear of the end of any quest."""

    def new_schedule_id(self) -> str:
        """As a quest's, with a mark of its own."""
        return SCHEDULE_IDS + self.new_quest_id(self.clock.now_us()).removeprefix("q_")
