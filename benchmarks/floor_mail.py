"""What the actors of the floor say to each other, and what they share."""

# ruff: noqa: ARG002, D102 - the hooks of an actor say what they are where runtime.actor declares them

import sys
from types import TracebackType
from typing import Any

from msgspec import Struct

from questd.messages.exchange import (
    AttemptId,
    Completed,
    Invocation,
)
from questd.runtime.actor import Actor, Ref
from questd.runtime.clock import SystemClock
from questd.runtime.dispatch import PooledDispatcher
from questd.runtime.journal.service import Journal
from questd.runtime.nng import Door, Route


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

    def __init__(self, journal: Journal, dispatcher: PooledDispatcher) -> None:
        self.journal = journal
        self.dispatcher = dispatcher
        self.clock = SystemClock()


class Loud(Actor):
    """A failure is a bug: said, and the measurement fails by what it waits for."""

    def on_failure(
        self,
        exception_type: type[BaseException] | None,
        exception_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        print(self.name, repr(exception_value), file=sys.stderr, flush=True)
