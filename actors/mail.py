"""The messages that actors send each other, and the references they are given at birth.

Actors know each other's messages, never each other's code: whoever sends imports this file only.
"""

from typing import Any

from msgspec import Struct, structs

from questd.messages.control import Reply, ScheduleRequest, TaskProgress
from questd.messages.events import LogLine, Record
from questd.messages.exchange import AttemptId, Invocation, Outcome, ToolSpec
from questd.messages.failure import Failure
from questd.messages.heads import Head, Want
from questd.messages.payload import Blob, Payload

Address = Any
"""A reference to an actor (runtime.actor.Ref)."""


class Place(Struct, frozen=True):
    """A unit of credit on an instance, and the tool to call there. ``address`` is the instance's agent actor.

    ``passed_on``: it was granted before this actor of the quest had asked, and the router may have thought otherwise since.
    """

    agent: str
    instance: str
    tool: ToolSpec
    address: Address
    passed_on: bool = False


# -- quest → router, router → quest ---------------------------------------------------------------


class QuestResting(Struct, frozen=True):
    """To the router: the quest has no actor any more; what is granted to it goes to the directory."""

    quest: str


class Settle(Struct, frozen=True):
    """From a quest: which tasks ask for places, ask no more, gave their place back, or have one that an actor of it before this one was given.

    Who asks, or asks no more, holds none: a place that is still on its way to it is free again. Answered at once by ``Places`` when ``answer`` is set. ``takes``: (task, instance).
    """

    quest: str
    sender: Address
    wants: tuple[Want, ...] = ()
    drops: tuple[str, ...] = ()
    releases: tuple[str, ...] = ()
    takes: tuple[tuple[str, str], ...] = ()
    answer: bool = False


class ForgetQuest(Struct, frozen=True):
    """To the router: the quest's actor is gone with all that it asked for and held; it will say anew what it needs."""

    quest: str


class Places(Struct, frozen=True):
    """To a quest: places that its tasks got, and tasks that nobody can do. ``settled``: this answers a Settle.

    ``absent``: of the tasks that asked in it, those that nobody connected can do now.
    """

    granted: tuple[tuple[Want, Place], ...] = ()
    unroutable: tuple[tuple[Want, str], ...] = ()
    settled: bool = False
    absent: tuple[str, ...] = ()

    def passed_on(self) -> "Places":
        """For the quest's next actor."""
        granted = [(want, structs.replace(place, passed_on=True)) for want, place in self.granted]
        return Places(tuple(granted), self.unroutable)


# -- quest ↔ step ----------------------------------------------------------------------------------


class AttemptEnded(Struct, frozen=True):
    """To a quest, from a step actor or (a stray one) from an agent actor: an attempt's outcome.

    ``reply`` is told ``Acknowledge`` when the quest has it on disk, or has refused it there. ``instance``: who says so;
    None is the house itself.
    """

    epoch: int
    outcome: Outcome
    reply: Address | None = None
    instance: str | None = None


class AttemptVanished(Struct, frozen=True):
    """To a quest: the attempt's instance is gone. Not ``begun``: its tool was never called, so giving it away costs nothing."""

    epoch: int
    reason: str
    begun: bool = True


class AttemptWrote(Struct, frozen=True):
    """To a quest: log lines."""

    epoch: int
    lines: tuple[LogLine, ...]


class ChildStands(Struct, frozen=True):
    """To a quest, from a step actor: the attempt is a quest that needs nobody to watch it."""

    task: str
    epoch: int


class Recall(Struct, frozen=True):
    """To a step actor: ask the agent to end the attempt."""

    reason: str


class EndStep(Struct, frozen=True):
    """To a step actor: the attempt is over for the quest. ``cancel``: its agent need not go on."""

    cancel: bool


class TextsRead(Struct, frozen=True):
    """From the journal's reader: payload texts by digest. ``job`` is the asker's own number."""

    job: int
    texts: dict[str, bytes]


# -- step ↔ agent -----------------------------------------------------------------------------------


class Invoke(Struct, frozen=True):
    """To an agent actor: bring this attempt to the instance and tell ``step`` what becomes of it. The number is filled in there."""

    step: Address
    invocation: Invocation


class Attach(Struct, frozen=True):
    """To the exchange: this step watches an attempt that was given out before the daemon (or its quest) restarted."""

    step: Address
    instance: str
    attempt: AttemptId


class NeverSeen(Struct, frozen=True):
    """To a step: the instance says it never got the attempt; send it again, under the same epoch."""

    address: Address
    tools: tuple[ToolSpec, ...]


class Attached(Struct, frozen=True):
    """To a step: the instance has the attempt. ``stands``: it is an open quest, on disk, and says when it has ended whoever listens."""

    address: Address
    stands: bool = False


class AttemptBegan(Struct, frozen=True):
    """To a step: the tool has started; its timeout counts from now."""


class AttemptBeat(Struct, frozen=True):
    """To a step: the tool says that it lives."""


class AttemptSaid(Struct, frozen=True):
    """To a step: progress."""

    fraction: float | None
    text: str


class CancelWork(Struct, frozen=True):
    """To an agent actor: ask the instance to end the attempt."""

    attempt: AttemptId
    reason: str


class Detach(Struct, frozen=True):
    """To an agent actor: nobody watches this attempt any more, or not this ``step``."""

    attempt: AttemptId
    step: Address = None


class Acknowledge(Struct, frozen=True):
    """To an agent actor: the outcome is on disk, the instance may forget it."""

    attempt: AttemptId


class ChildAsks(Struct, frozen=True):
    """To a quest, from a child of that attempt which has come back: does anybody still wait for it?"""

    epoch: int


class ChildOver(Struct, frozen=True):
    """To a quest: a child of it has ended, and no step listened. Only that it is awake counts: it attaches again if it waits for that one."""


class ChildEnded(Struct, frozen=True):
    """To the children's actor: a child quest has ended, and that is on disk. ``output``: of one that is completed, else ``failure``.

    ``tokens`` and ``cost``: what its attempts have used, all together.
    """

    quest: str
    output: Payload | None
    failure: Failure | None
    duration_us: int = 0
    tokens: int = 0
    cost: float = 0.0


# -- agent → router -----------------------------------------------------------------------------------


class InstanceJoined(Struct, frozen=True):
    """An instance can take work."""

    instance: str
    agent: str
    capabilities: frozenset[str]
    tools: tuple[ToolSpec, ...]
    credit: int
    address: Address
    draining: bool = False


class InstanceLeft(Struct, frozen=True):
    """An instance is gone."""

    instance: str


class InstanceDrains(Struct, frozen=True):
    """An instance takes no new work."""

    instance: str


class InstanceResized(Struct, frozen=True):
    """An instance's credit changed."""

    instance: str
    credit: int


# -- to the directory ---------------------------------------------------------------------------------


class ToQuest(Struct, frozen=True):
    """Bring this to the quest, waking it when it has no actor."""

    quest: str
    message: Any


class QuestWoke(Struct, frozen=True):
    """From a quest that was woken, or has grown: how many tasks it holds in memory."""

    quest: str
    tasks: int


class Rested(Struct, frozen=True):
    """From a quest that has ended, or only waits: its actor has stopped, and is wanted again at that time. Its head is on disk."""

    quest: str
    wake_us: int | None


class Wake(Struct, frozen=True):
    """To a quest: something may be due."""


# -- clients -------------------------------------------------------------------------------------------


class ReplyTo(Struct, frozen=True):
    """Who asked: the control actor, and its number of the request."""

    address: Address
    job: int


class Answered(Struct, frozen=True):
    """To the control actor: the reply to a request."""

    job: int
    reply: Reply


class StartQuest(Struct, frozen=True):
    """To the directory: begin a quest of this plan. ``blobs``: texts to keep beside it. ``child``: its id, when it is another's child."""

    plan: Any
    submission: Any
    reply: ReplyTo
    blobs: tuple[Blob, ...] = ()
    child: str | None = None


class AskQuest(Struct, frozen=True):
    """To a quest: a client's command."""

    command: Any
    reply: ReplyTo


class WatchQuest(Struct, frozen=True):
    """To the directory: tell the control actor when this quest advances (or, not ``on``, no more)."""

    quest: str
    on: bool


class QuestAdvanced(Struct, frozen=True):
    """To the control actor: these events of a watched quest are on disk; its head as it stands then."""

    head: Head
    records: tuple[Record, ...]


class QuestsLoaded(Struct, frozen=True):
    """To the control actor: every open quest is known; so many of them are being folded."""

    quests: int
    folded: int


class ProgressMade(Struct, frozen=True):
    """To the control actor: what a running task says of itself; None when it has ended."""

    quest: str
    progress: TaskProgress | None
    task: str


class LookAtAgents(Struct, frozen=True):
    """From the control actor: describe the connected instances (of that name)."""

    name: str | None
    reply: ReplyTo


class DrainAgents(Struct, frozen=True):
    """From the control actor: drain an agent's instances (or one, by the start of its incarnation)."""

    name: str
    instance: str | None
    reply: ReplyTo


# -- schedules -----------------------------------------------------------------------------------------


class AskScheduler(Struct, frozen=True):
    """To the scheduler, and from it to a schedule: a client's request."""

    request: ScheduleRequest
    reply: ReplyTo


class QuestOver(Struct, frozen=True):
    """To the scheduler: a quest that somebody heeds has ended, and that is on disk. Its head as it stands then."""

    head: Head
