"""Plans as agents return them: read and checked as a stranger's document is, against the quest as it is now, and compiled with it."""

from collections.abc import Callable
from typing import Final

from msgspec import Struct, structs

from questd.actors.graph import CompiledQuest, compile_steps
from questd.actors.graph.growing import Ground
from questd.actors.quest.commands import Command, FailTask, PlanTask
from questd.actors.quest.planning import definition_of, planned_by
from questd.actors.quest.plans import ReadyPlan
from questd.actors.quest.state import QuestState
from questd.actors.quest.task import Planning, Task
from questd.actors.rendering import TextMissing, Texts, rendering_failure, text_of
from questd.messages.definition import InputDefinition, QuestDefinition, StepDefinition
from questd.messages.failure import VALIDATION, Failure
from questd.messages.payload import Blob, Payload
from questd.runtime.errors import CallerError


class Rendered(Struct, frozen=True):
    """What a rendering came to: a command, the blobs to write beside its events, and the quest compiled anew where it grows."""

    command: Command
    blobs: tuple[Blob, ...] = ()
    compiled: CompiledQuest | None = None

    def onto(self, ready: ReadyPlan | None) -> ReadyPlan | None:
        """The quest's plan, as it is compiled now."""
        if ready is None or self.compiled is None:
            return ready
        return structs.replace(ready, compiled=self.compiled)


ReadSteps = Callable[[bytes, Ground], tuple[StepDefinition, ...]]
"""The steps that a text says. CallerError names everything that is wrong with them."""


FAULTS_SHOWN: Final = 20
"""Of a refused plan, in its failure."""


class PlanReading(Struct, frozen=True):
    """A plan that waits to be read. Takes long for a large one, so it is done by the house's worker."""

    payloads: tuple[Payload, ...]
    after: int
    ground: Ground

    def finish(self, texts: Texts, read: ReadSteps) -> Rendered:
        """The steps, and the quest compiled with them; or a failure that says all that is wrong."""
        whole, key = self.ground.definition, self.ground.planner
        try:
            steps = read(text_of(self.payloads[0], texts), self.ground)
        except CallerError as error:
            return Rendered(FailTask(key, Failure(VALIDATION, _refusal(error), None, False)))
        except TextMissing as error:
            return Rendered(FailTask(key, rendering_failure(error)))
        grown = structs.replace(whole, steps=(*whole.steps, *steps))
        compiled = compile_steps(grown) if steps else None
        return Rendered(PlanTask(key, steps, self.after), compiled=compiled)


def _refusal(error: CallerError) -> str:
    faults = str(error).splitlines()
    more = len(faults) - FAULTS_SHOWN
    told = [*faults[:FAULTS_SHOWN], *([f"{more} more"] if more > 0 else [])]
    return f"its plan is refused: {'; '.join(told)}"


def plan_reading(state: QuestState, task: Task, inputs: tuple[str, ...]) -> PlanReading:
    """To read its plan. ``inputs``: those that the quest has."""
    assert isinstance(task.state, Planning)
    ground = Ground(grown_definition(state, inputs), task.key, planned_by(state))
    return PlanReading((task.state.result,), len(state.planned), ground)


def grown_definition(state: QuestState, inputs: tuple[str, ...]) -> QuestDefinition:
    """With all steps that have joined. They cannot ask for inputs that nobody gave: those that there are count as declared."""
    definition = definition_of(state)
    if definition.inputs is not None:
        return definition
    return structs.replace(definition, inputs={name: InputDefinition() for name in inputs})
