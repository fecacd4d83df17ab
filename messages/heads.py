"""Heads: the one row a quest has beside its events, replaced with every append.

A head says enough to list a quest, to find it by its idempotency key, and to know what it waits for without
reading its events.
"""

from typing import Final, Literal

from msgspec import Struct

QuestStatus = Literal[
    "pending", "running", "waiting", "paused", "compensating", "completed", "failed", "cancelled"
]
TaskStatus = Literal[
    "pending",
    "ready",
    "blocked",
    "running",
    "waiting",
    "retrying",
    "completed",
    "failed",
    "cancelled",
    "skipped",
]
TERMINAL = frozenset({"completed", "failed", "cancelled"})
WAITS_TOLD: Final = 3
"""Waits that the head of a resting quest names: its first ones. Who needs all folds its events."""
CHILD_MARK = "."
"""Between a quest's id and the epoch of the attempt that its child is: the id of the child."""


def child_id(quest: str, epoch: int) -> str:
    """The quest that an attempt of a step with ``use`` is: always the same one, however often it is begun."""
    return f"{quest}{CHILD_MARK}{epoch}"


def parent_of(quest: str) -> tuple[str, int] | None:
    """The quest and the epoch that a child belongs to; None of a quest that was submitted."""
    parent, mark, epoch = quest.rpartition(CHILD_MARK)
    return (parent, int(epoch)) if mark else None


Need = tuple[str, tuple[str, ...], str | None]
"""(agent or "", capabilities, tool or None)."""


class Want(Struct, frozen=True, array_like=True):
    """A task that could run now and asks for a place on an agent.

    ``agent`` empty means any agent with the capabilities. ``ready_us``: since when it could run (wall clock).
    """

    quest: str
    task: str
    agent: str
    capabilities: tuple[str, ...]
    tool: str | None
    priority: int
    ready_us: int

    @property
    def need(self) -> Need:
        """What a place must be fit for: tasks of one need wait in one queue."""
        return (self.agent, self.capabilities, self.tool)


class Wait(Struct, frozen=True, array_like=True):
    """Why one task does not move: what it waits for, by name, since when and until when (None: no end)."""

    task: str
    what: Literal[
        "dependency",
        "agent",
        "limit",
        "exclusive",
        "breaker",
        "retry",
        "timer",
        "signal",
        "breakpoint",
        "child",
    ]
    name: str
    since_us: int
    until_us: int | None = None


class Head(Struct, frozen=True, array_like=True):
    """``version`` is the n of the quest's last event. ``wake_us``: the wall time at which a waiting quest has something to do.

    ``wants`` and ``waits`` are what a quest without an actor needs others to know. ``parked``: why its actor is not
    restarted any more (such a quest is shown as failed). ``deaths``: daemon starts it has not survived.
    """

    quest: str
    version: int
    status: QuestStatus
    definition: str
    name: str
    template_version: str
    project: str
    labels: dict[str, str]
    key: str | None
    priority: int
    created_us: int
    finished_us: int | None = None
    wake_us: int | None = None
    wants: tuple[Want, ...] = ()
    waits: tuple[Wait, ...] = ()
    parked: str | None = None
    deaths: int = 0


def at_rest(head: Head) -> bool:
    """Does it say of an open quest what it waits for, so that no actor need be there? One whose children run is shown as running."""
    return head.status == "waiting" or (head.status == "running" and bool(head.waits))


class ListFilter(Struct, frozen=True):
    """Which heads to list, newest first. ``after``: the id that ended the previous page. ``text``: part of name or id."""

    status: tuple[str, ...] = ()
    name: str | None = None
    project: str | None = None
    labels: dict[str, str] = {}
    since_us: int | None = None
    text: str | None = None
    waiting_since_us: int | None = None
    limit: int = 50
    after: str | None = None
