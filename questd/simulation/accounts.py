"""One quest as its durable events tell it, kept apart from the production fold on purpose."""

from typing import TYPE_CHECKING, Any, Final

from questd.actors.quest.state import QuestState
from questd.messages import events as ev
from questd.messages.definition import QuestDefinition
from questd.messages.failure import TIMEOUT
from questd.messages.payload import Payload

if TYPE_CHECKING:
    from questd.simulation.budgets import Purse
    from questd.simulation.loops import Loops

NEVER_US: Final = -(10**18)
SAID_BY_THE_DAEMON: Final = frozenset(
    {TIMEOUT, "validation", "internal", "too_large", "agent_lost", "auth"}
)


class Attempt:
    """What the journal said of one attempt."""

    __slots__ = ("epoch", "event", "lost_us", "over", "started_us")

    def __init__(self, epoch: int, event: ev.AttemptStarted, started_us: int) -> None:
        self.epoch = epoch
        self.event = event
        self.started_us = started_us
        self.lost_us = NEVER_US
        self.over = False


class Account:
    """One quest, from its durable events."""

    def __init__(self, quest: str, definition: QuestDefinition, fold: QuestState) -> None:
        self.quest = quest
        self.steps = {step.key: step for step in definition.steps}
        self.limit = definition.limits.parallel
        self.fold = fold
        self.records: list[ev.Record] = []
        self.key: str | None = None
        self.attempts: dict[int, Attempt] = {}
        self.latest: dict[str, Attempt] = {}
        self.running: dict[int, str] = {}
        self.completed: dict[str, int] = {}
        self.ended: dict[str, None] = {}
        self.failed: dict[str, None] = {}
        self.allowed: dict[str, None] = {}
        self.skipped: dict[str, None] = {}
        self.not_before_us: dict[str, int] = {}
        self.choice: dict[str, int] = {}
        self.tries: dict[str, int] = {}
        self.losses: dict[str, int] = {}
        self.given_up: dict[str, None] = {}
        self.loops: Loops
        self.purse: Purse
        self.rounds: dict[str, int] = {}
        self.taken: dict[str, int] = {}
        self.judging: dict[str, bytes | None] = {}
        self.judged_failed: dict[str, None] = {}
        self.asked: dict[str, None] = {}
        self.sent_back = 0
        self.feedback: dict[str, Any] = {}
        self.undecided: dict[str, int] = {}
        self.only_waits = [step for step in definition.steps if step.only_waits]
        self.begun_us: dict[str, int] = {}
        self.signals: dict[int, ev.SignalReceived] = {}
        self.taken_by: dict[int, str] = {}
        self.refused: dict[int, None] = {}
        self.actors: dict[str, None] = {}
        self.started_us = 0
        self.total_timeout_ms: int | None = None
        self.stopping = False
        self.end: str | None = None
        self.spread: dict[str, list[Any]] = {}
        self.item_of: dict[str, tuple[str, int]] = {}
        self.results: dict[str, Payload] = {}
        self.gathered: dict[str, list[Any]] = {}
        self.planned: dict[str, list[str]] = {}
        self.keys: dict[str, str] = {}
        self.sent: dict[str, tuple[bytes, str]] = {}

    def now(self, key: str) -> str:
        """The id of a step's task in its latest round."""
        number = self.rounds.get(key, 1)
        return key if number == 1 else f"{key}@{number}"

    def round_of(self, task: str) -> int:
        """The number in its id."""
        return int(task.partition("@")[2] or 1)

    @property
    def version(self) -> int:
        """The n of its last durable event."""
        return len(self.records)
