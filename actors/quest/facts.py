"""The facts of steps as expressions see them: of the latest round, and where they are named of those before it."""

from collections.abc import Iterable

from msgspec.structs import replace

from questd.actors.quest.item_materials import failed_of, some_failed
from questd.actors.quest.rounds import rounds_of
from questd.actors.quest.state import QuestState
from questd.actors.quest.task import FIRST, Completed, Failed, Judging, Task, task_status
from questd.actors.rendering import FIRST_ROUND, Material, Scope, StepFacts
from questd.messages.failure import Failure
from questd.messages.payload import NULL, Payload
from questd.runtime.expressions import Template


def facts_of(state: QuestState, task: Task, former: Iterable[Task] = ()) -> StepFacts:
    """The step as expressions see it: its latest round, and what came of the ``former`` ones."""
    error: Failure | None = None
    failed_items = () if task.items is None else failed_of(state, task.items)
    if isinstance(task.state, Failed):
        error = task.state.failure
    elif isinstance(task.state, Completed) and task.items is not None and failed_items:
        error = some_failed(task.items, failed_items)
    last = task.last
    return StepFacts(
        task.step.key,
        result_of(task),
        task_status(task),
        error,
        task.attempts,
        None if last is None else last.agent,
        None if last is None else last.tool,
        failed_items,
        tuple(result_of(each) for each in former),
    )


def result_of(task: Task) -> Payload:
    """What it gave; null of what gave nothing."""
    match task.state:
        case Completed(result) | Judging(Completed(result)) | Failed(result=result):
            return result
        case _:
            return NULL


def material_of(state: QuestState, keys: Iterable[str], rounds: Iterable[str] = ()) -> Material:
    """Facts of these steps, and the inputs. ``rounds``: those whose former rounds are named."""
    facts = (_facts_of_step(state, key, former=key in rounds) for key in dict.fromkeys(keys))
    return Material(tuple(facts), state.inputs)


def _facts_of_step(state: QuestState, key: str, *, former: bool) -> StepFacts:
    latest = state.latest_of(key)
    return facts_of(state, latest, rounds_of(state, latest)[:-1] if former else ())


def material_for(state: QuestState, task: Task, template: Template) -> Material:
    """For an expression about a task."""
    return placed(material_of(state, template.steps, template.rounds), scope_of(task))


def placed(material: Material, scope: Scope) -> Material:
    """The same, seen from there."""
    return material if scope is FIRST_ROUND else replace(material, scope=scope)


def scope_of(task: Task) -> Scope:
    """Where in its step the task stands."""
    if task.item is not None:
        item = task.item
        return Scope(task.round.number, task.round.feedback, item.value, item.number)
    return FIRST_ROUND if task.round is FIRST else Scope(task.round.number, task.round.feedback)
