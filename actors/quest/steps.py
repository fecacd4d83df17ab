"""The step actors of one quest: one for each running task, and what is being rendered for the quest itself."""

from collections.abc import Iterator
from functools import partial

from questd.actors.graph import CompiledQuest
from questd.actors.house import House
from questd.actors.mail import ChildAsks, ChildOver, ChildStands, EndStep, Place, Recall
from questd.actors.quest.attempts import counting
from questd.actors.quest.children import CHILDREN_MAX, answer_child
from questd.actors.quest.materials import Rendering, order_for, rendering_for
from questd.actors.quest.owed import ReadPlan, Renders, RunAttempt
from questd.actors.quest.plan_reading import PlanReading, Rendered, plan_reading
from questd.actors.quest.state import QuestState
from questd.actors.quest.writing import Writing
from questd.actors.rendering import Texts, missing
from questd.actors.step.actor import StepActor
from questd.actors.texts import read_texts
from questd.runtime.actor import Ref


class Steps:
    """Children by task."""

    __slots__ = ("_house", "_owner", "_standing", "_steps")

    def __init__(self, house: House, owner: Ref) -> None:
        self._house = house
        self._owner = owner
        self._steps: dict[str, Ref] = {}
        self._standing: set[str] = set()

    def hear(self, state: QuestState, said: ChildAsks | ChildStands | ChildOver) -> None:
        """The word of a child, or about one."""
        match said:
            case ChildAsks(epoch):
                answer_child(self._house, state, epoch)
            case ChildStands(task, epoch):
                if counting(state, epoch) is not None and task in self._steps:
                    self._standing.add(task)
            case ChildOver():
                pass  # it is awake, and attaches to those that it waits for

    def busy(self, state: QuestState) -> bool:
        """Does anything run but quests of their own, which wake this one when they have ended?"""
        standing = len(self._standing)
        alone = state.running == len(self._steps) == standing <= CHILDREN_MAX
        return bool(state.running or self._steps) and not (alone and state.phase == "active")

    def __len__(self) -> int:
        return len(self._steps)

    def __iter__(self) -> Iterator[str]:
        return iter(self._steps)

    def refs(self) -> tuple[Ref, ...]:
        """Their addresses."""
        return tuple(self._steps.values())

    def launch(
        self, state: QuestState, compiled: CompiledQuest, due: RunAttempt, place: Place | None
    ) -> None:
        """Begin to see an attempt through, unless it ended while its start was on the way to the disk."""
        task = state.at(due.task)
        if task.open_attempt() == due.attempt:
            order = order_for(state, compiled, task, due.attempt, place)
            step = StepActor(self._house, order, self._owner)
            self._standing.discard(due.task)
            self._steps[due.task] = step.launch(self._house.dispatcher)

    def end(self, task: str) -> None:
        """The attempt is over for the quest, however its agent sees it."""
        step = self._steps.pop(task, None)
        self._standing.discard(task)
        if step is not None:
            step.tell(EndStep(cancel=True))

    def recall(self, task: str, reason: str) -> None:
        """Ask the agent to end it."""
        step = self._steps.get(task)
        if step is not None:
            step.tell(Recall(reason))

    def forget(self, task: str) -> None:
        """The step actor is dead."""
        self._steps.pop(task, None)
        self._standing.discard(task)

    def end_all(self) -> None:
        """The quest's actor goes; its successor attaches to what runs."""
        for step in self._steps.values():
            step.tell(EndStep(cancel=False))


class Renderings:
    """Renderings that wait for payload texts, by number, and plans that are being read."""

    __slots__ = ("_house", "_numbers", "_owner", "_reading", "_waiting")

    def __init__(self, house: House, owner: Ref) -> None:
        self._house = house
        self._owner = owner
        self._waiting: dict[int, Rendering | PlanReading] = {}
        self._numbers = 0
        self._reading = 0

    def __len__(self) -> int:
        return len(self._waiting) + self._reading

    def begin(
        self,
        state: QuestState,
        compiled: CompiledQuest,
        due: Renders | ReadPlan,
        writing: Writing,
    ) -> Rendered | None:
        """Render something for the quest: at once, or when the texts it needs have been read.

        They are read when all that was decided is on disk: one of them may be a result that came just now.
        """
        rendering: Rendering | PlanReading
        if isinstance(due, ReadPlan):
            rendering = plan_reading(state, state.at(due.task), compiled.inputs)
        else:
            rendering = rendering_for(state, compiled, due)
        digests = missing(rendering.payloads)
        if not digests:
            return self._finish(rendering, {})
        self._numbers += 1
        self._waiting[self._numbers] = rendering
        read = partial(read_texts, self._house, self._owner, self._numbers, digests)
        writing.when_durable(read)
        return None

    def ready(self, number: int, texts: Texts) -> Rendered | None:
        """Its texts have been read."""
        rendering = self._waiting.pop(number, None)
        return None if rendering is None else self._finish(rendering, texts)

    def _finish(self, rendering: Rendering | PlanReading, texts: Texts) -> Rendered | None:
        if not isinstance(rendering, PlanReading):
            return Rendered(*rendering.finish(texts))
        self._reading += 1
        work = partial(rendering.finish, texts, self._house.read_steps)
        self._house.worker.do(work, self._owner.tell)
        return None

    def read(self, rendered: Rendered) -> Rendered:
        """A plan has been read."""
        self._reading -= 1
        return rendered
