"""What a quest is at a moment: the fold of its events, and the table of its legal moves.

A quest is *pending* until it has started, *active* while steps may start, *stopping* while it lets running attempts
end after a failure or a cancel, and then completed, failed or cancelled. People see an active quest as ``running``
while an attempt runs, and as ``waiting`` when it only waits.

This file must not know of actors, time, or the disk.
"""

from typing import Final, Literal

from questd.actors.quest.owed import Due
from questd.actors.quest.signals import Signals, signals_of
from questd.actors.quest.task import Ended, Task
from questd.actors.quest.usage import usage_of
from questd.messages.definition import QuestDefinition, StepDefinition
from questd.messages.failure import Failure
from questd.messages.heads import QuestStatus
from questd.messages.loops import wired
from questd.messages.payload import Payload

Phase = Literal["pending", "active", "stopping"] | Ended

QUEST_MOVES: Final[dict[tuple[Phase, str], Phase]] = {
    ("pending", "quest.started"): "active",
    ("pending", "quest.cancel_requested"): "stopping",
    ("active", "quest.cancel_requested"): "stopping",
    ("active", "quest.stopping"): "stopping",
    ("active", "quest.completed"): "completed",
    ("active", "quest.failed"): "failed",
    ("stopping", "quest.cancel_requested"): "stopping",
    ("stopping", "quest.failed"): "failed",
    ("stopping", "quest.cancelled"): "cancelled",
}
"""Which quest events are legal in which phase, and where they lead."""

TERMINAL_PHASES: Final = frozenset({"completed", "failed", "cancelled"})
NOTHING_GROWN: Final[dict[str, int]] = {}
NOTHING_TURNED: Final[dict[int, int]] = {}


class IllegalMove(Exception):
    """An event that the tables do not allow here: a bug, never a refusal."""

    def __init__(self, where: str, state: str, event: str) -> None:
        super().__init__(f"{where} is {state}: {event} is not a legal move")
        self.where = where
        self.state = state
        self.event = event


class Plan:
    """The immutable shape of a definition, shared by all its quests.

    ``waits``: for each step those whose end it waits for, its dependencies but for loops (messages/loops.py); ``dependents`` the other way.
    ``sinks``: the steps on which none depends. ``hears``: whether one waits for a signal.
    """

    __slots__ = (
        "definition",
        "dependents",
        "digest",
        "hears",
        "index",
        "loops",
        "sinks",
        "steps",
        "uses_templates",
        "waits",
    )

    def __init__(self, definition: QuestDefinition, digest: str) -> None:
        self.definition = definition
        self.digest = digest
        self.steps = definition.steps
        self.index = {step.key: n for n, step in enumerate(self.steps)}
        made = wired(self.steps)
        self.waits, self.loops = made.waits, made.loops
        self.hears = any(step.wait_for is not None for step in self.steps)
        dependents: list[list[int]] = [[] for _ in self.steps]
        for n, waits in enumerate(self.waits):
            for other in waits:
                dependents[other].append(n)
        self.dependents = tuple(tuple(each) for each in dependents)
        self.uses_templates = any(step.use is not None for step in self.steps)
        needed = {key for step in self.steps for key in step.dependencies}
        self.sinks = tuple(n for n, step in enumerate(self.steps) if step.key not in needed)


class QuestState:
    """The fold. ``due`` is the delta that the shell takes; ``admitted``: the tasks that ask for a place, and is it in vain?

    ``tasks`` begins with the document's steps. ``grown``: the places of those that came while it ran. ``planned``: the steps that joined
    it; ``edges``: which of them wait for a step (by its number). ``turned``: for a step (by its place in the document) that runs again, the
    place of its latest round's task. ``sent_back``: how often it was, by all its loops.
    ``weight``: bytes of what its events hold (extent.py). ``standing``: how many wait for a signal or a time. ``signals`` is None where no step waits for one.
    """

    __slots__ = (
        "admitted",
        "created_us",
        "deadline_us",
        "doomed",
        "due",
        "edges",
        "ended",
        "epochs",
        "exclusive_running",
        "exclusive_wanted",
        "failed_steps",
        "failure",
        "finished_us",
        "grown",
        "id",
        "in_vain",
        "inputs",
        "key",
        "labels",
        "last_us",
        "name",
        "output",
        "phase",
        "plan",
        "planned",
        "priority",
        "project",
        "ready",
        "refused",
        "running",
        "secrets",
        "sent_back",
        "settling",
        "signals",
        "standing",
        "started_us",
        "stopping_us",
        "tasks",
        "timers",
        "total_timeout_ms",
        "turned",
        "usage",
        "version",
        "version_label",
        "weight",
    )

    def __init__(self, quest: str, plan: Plan) -> None:
        self.id = quest
        self.plan = plan
        self.version = 0
        self.weight = 0
        self.phase: Phase = "pending"
        self.name = plan.definition.name
        self.version_label = plan.definition.version
        self.project = plan.definition.project
        self.labels: dict[str, str] = {}
        self.priority = plan.definition.priority
        self.key: str | None = None
        self.inputs: Payload = b"{}"
        self.secrets: dict[str, str] = {}
        self.output: Payload | None = None
        self.failure: Failure | None = None
        self.failed_steps: list[str] = []
        self.usage = usage_of(plan.definition.limits)
        self.created_us = 0
        self.started_us = 0
        self.stopping_us = 0
        self.finished_us: int | None = None
        self.last_us = 0
        self.deadline_us: int | None = None
        self.total_timeout_ms: int | None = None
        self.tasks = [Task(n, s, len(plan.waits[n])) for n, s in enumerate(plan.steps)]
        self.grown = NOTHING_GROWN
        self.planned: list[StepDefinition] = []
        self.edges: dict[int, list[int]] = {}
        self.turned = NOTHING_TURNED
        self.sent_back = 0
        self.ended = 0
        self.running = 0
        self.settling = 0
        self.standing = 0
        self.signals = signals_of(self.tasks) if plan.hears else None
        self.epochs: dict[int, int] = {}
        self.refused: dict[int, None] = {}
        self.ready: list[tuple[int, int, int]] = []
        self.admitted: dict[int, bool] = {}
        self.in_vain = 0
        self.exclusive_wanted: Task | None = None
        self.exclusive_running = 0
        self.timers: list[tuple[int, str, int]] = []
        self.doomed: dict[int, None] = {}
        self.due: list[Due] = []

    def task(self, key: str) -> Task | None:
        """The task of that id."""
        index = self.plan.index.get(key)
        if index is None:
            index = self.grown.get(key)
        return None if index is None else self.tasks[index]

    def at(self, key: str) -> Task:
        """The task of that id, which must exist: for ids that come from our own events."""
        index = self.plan.index.get(key)
        return self.tasks[self.grown[key] if index is None else index]

    def latest(self, number: int) -> Task:
        """The task of a step, by its place in the document, in its latest round."""
        return self.tasks[self.turned.get(number, number)]

    def latest_of(self, key: str) -> Task:
        """The task of a step, planned or of the document, in its latest round."""
        number = self.plan.index.get(key)
        return self.tasks[self.grown[key]] if number is None else self.latest(number)

    def steps_now(self) -> list[Task]:
        """Every step in its latest round: those of the document, then those that joined."""
        own = [self.latest(number) for number in range(len(self.plan.steps))]
        return [*own, *(self.at(step.key) for step in self.planned)]

    def join(self, task: Task) -> None:
        """One more task of a quest that runs, at the next place."""
        assert task.index == len(self.tasks)
        if self.grown is NOTHING_GROWN:
            self.grown = {}
        self.grown[task.key] = task.index
        self.tasks.append(task)
        if task.step.wait_for is not None:
            self.signals = self.signals or Signals({})
            self.signals.open.setdefault(task.step.wait_for.signal, {})[task.index] = None

    def dependents(self, task: Task) -> tuple[int, ...]:
        """The places of the tasks that wait for this one's end."""
        own = self.plan.dependents[task.number] if task.part is None else ()
        if self.turned:
            own = tuple(self.turned.get(number, number) for number in own)
        return (*own, *self.edges.get(task.number, ())) if self.edges else own

    @property
    def status(self) -> QuestStatus:
        """The word that people see."""
        match self.phase:
            case "active":
                busy = self.running or self.settling or self.ended == len(self.tasks)
                return "running" if busy else "waiting"
            case "stopping":
                return "running"
            case "pending" | "completed" | "failed" | "cancelled":
                return self.phase

    def take_due(self) -> list[Due]:
        """The delta since the last call, in order."""
        due, self.due = self.due, []
        return due
