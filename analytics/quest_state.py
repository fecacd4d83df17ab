"""What the projection must remember of one open quest: its graph, and the rows that later events still change.

It is the fold of the quest's own events and nothing else, so it may be forgotten at any batch boundary and folded
again from the journal. It holds no payloads.
"""

from collections import Counter

import msgspec

from questd.analytics.batch import DefinitionPart
from questd.analytics.tables import (
    AttemptRow,
    BreakpointRow,
    DefinitionStepRow,
    DependencyRow,
    QuestRow,
    SignalRow,
    TaskRow,
    WaitRow,
)
from questd.messages.address import address_of
from questd.messages.definition import QuestDefinition, StepDefinition
from questd.messages.loops import wired

ENDED = frozenset({"completed", "failed", "cancelled"})


class Plan:
    """A definition as the projection needs it: who waits for whom, by place in the document (messages/loops.py)."""

    __slots__ = (
        "body",
        "definition",
        "dependents",
        "keys",
        "loops",
        "needs",
        "places",
        "standing",
        "waits",
    )

    def __init__(self, definition: QuestDefinition | None) -> None:
        steps = () if definition is None else definition.steps
        self.definition = definition
        self.body = b"" if definition is None else msgspec.json.encode(definition)
        """The definition as JSON."""
        self.keys = tuple(step.key for step in steps)
        self.standing = {place: step for place, step in enumerate(steps) if step.only_waits}
        self.places = {key: place for place, key in enumerate(self.keys)}
        self.dependents: list[list[int]] = [[] for _ in steps]
        made = wired(steps)
        self.waits, self.loops = made.waits, made.loops
        self.needs = [len(waits) for waits in made.waits]
        for place, waits in enumerate(made.waits):
            for other in waits:
                self.dependents[other].append(place)

    def window(self, place: int) -> int | None:
        """How many items of the step may be under way at once; None: all."""
        if self.definition is None or place >= len(self.keys):
            return None
        step = self.definition.steps[place]
        return step.max_parallel if step.parallel else 1

    def plans(self, place: int) -> bool:
        """Is the step's result a plan?"""
        if self.definition is None or place >= len(self.keys):
            return False
        return self.definition.steps[place].plan_steps is not None

    def parts(self, digest: str) -> list[DefinitionPart]:
        """Steps and edges as rows of the definition with this digest."""
        steps = () if self.definition is None else self.definition.steps
        parts: list[DefinitionPart] = []
        for place, step in enumerate(steps):
            parts.append(
                DefinitionStepRow(digest, place, step.key, step.agent, step.tool, step.capabilities)
            )
            parts += [DependencyRow(digest, step.key, key) for key in step.dependencies]
        return parts


class Part:
    """What some step planned: how many of these steps have not ended, and the ids of what waits for all."""

    __slots__ = ("left", "waiting")

    def __init__(self, left: int) -> None:
        self.left = left
        self.waiting: list[str] = []


class StepState:
    """A step, or an item ``of`` one: its task's row once there is one, since when it could run, and its latest attempt.

    ``coming``: of a step with items, the ids of those that have not come up yet, the last one first; ``came``: of those that have.
    ``after``: planned steps that wait for it; ``part``: the plan that it is of itself; ``plans``: its own.
    """

    __slots__ = (
        "after",
        "came",
        "coming",
        "epoch",
        "of",
        "part",
        "place",
        "plans",
        "ready_us",
        "released",
        "task",
        "unfinished",
        "wait",
        "waits",
    )

    def __init__(self, place: int, unfinished: int, waits: StepDefinition | None = None) -> None:
        self.place = place
        self.waits = waits
        self.unfinished = unfinished
        self.task: TaskRow | None = None
        self.ready_us: int | None = None
        self.released = False
        self.wait: WaitRow | None = None
        self.epoch = 0
        self.of: StepState | None = None
        self.coming: list[str] = []
        self.came: list[str] = []
        self.after: list[str] = []
        self.part: Part | None = None
        self.plans: Part | None = None


class QuestState:
    """An open quest. ``n`` is its last folded event; ``steps`` by the id of their task; ``rounds`` of steps that run again.

    ``signals`` are those that are kept; ``hearing``: how many steps have not had theirs, by its name.
    """

    __slots__ = (
        "active",
        "attempt_count",
        "attempts",
        "breakpoints",
        "hearing",
        "n",
        "plan",
        "quest",
        "retry_count",
        "rounds",
        "row",
        "running",
        "signals",
        "steps",
    )

    def __init__(self, quest: str) -> None:
        self.quest = quest
        self.n = 0
        self.plan = Plan(None)
        self.row: QuestRow | None = None
        self.steps: dict[str, StepState] = {}
        self.rounds: dict[str, int] = {}
        self.attempts: dict[int, AttemptRow] = {}
        self.breakpoints: dict[int, BreakpointRow] = {}
        self.signals: dict[int, SignalRow] = {}
        self.hearing: Counter[str] = Counter()
        self.running = 0
        self.attempt_count = 0
        self.retry_count = 0
        self.active = False

    @property
    def ended(self) -> bool:
        """Whether no later event can change a row of it, but for what is not expected any more."""
        return self.row is not None and self.row.status in ENDED

    @property
    def weight(self) -> int:
        """How much memory it takes, in steps."""
        return 1 + len(self.steps)

    def latest(self, key: str) -> tuple[StepState, str]:
        """The step in its latest round, and the id of that task."""
        name = address_of(key, None, self.rounds[key]) if key in self.rounds else key
        return self.steps[name], name

    def hear(self, step: StepState) -> None:
        """One more step, which may wait for a signal."""
        if step.waits is not None and step.waits.wait_for is not None:
            self.hearing[step.waits.wait_for.signal] += 1

    def count_attempt(self, number: int) -> None:
        """One more; ``number`` is its place within its task."""
        self.attempt_count += 1
        self.retry_count += number > 1

    def release(self) -> None:
        """Drop the payloads that folding again has brought in: they are on disk."""
        if self.row is not None:
            self.row.inputs = self.row.result = None
            self.row.released = True
        for signal in self.signals.values():
            signal.payload = None
        for step in self.steps.values():
            if step.task is not None:
                step.task.result, step.task.released = None, True
