"""``plan``: a step returns further steps, which join the quest. Both what is decided of it and how it is folded.

A plan is read and checked outside (plan_reading.py); what is accepted stands in the event, so that a replay needs neither the agent nor the
check. A planned step may wait for any step that does not itself wait for the plan. Whatever depends on the planning step waits until all that it
planned has ended. Every event costs O(1), but for the one that holds the steps.
"""

from msgspec import structs

from questd.actors.quest import moving
from questd.actors.quest.attempts import give_up
from questd.actors.quest.commands import PlanTask, Rejected
from questd.actors.quest.items import TASKS_MAX
from questd.actors.quest.owed import ReadPlan
from questd.actors.quest.state import QuestState
from questd.actors.quest.task import Completed, Failed, Part, Planning, Skipped, Task
from questd.messages import events as ev
from questd.messages.definition import QuestDefinition, StepDefinition
from questd.messages.failure import TOO_LARGE, Failure


def plan(state: QuestState, command: PlanTask) -> list[ev.Event] | Rejected:
    """The plan has been read: its steps join, if the quest is still the one that it was checked against."""
    task = state.task(command.task)
    if task is None or not isinstance(task.state, Planning) or state.phase != "active":
        return Rejected("gone", f"{command.task} plans nothing")
    if command.after != len(state.planned):
        return Rejected("stale", "other steps have joined the quest meanwhile")
    if len(state.tasks) + len(command.steps) > TASKS_MAX:
        message = f"{len(command.steps)} steps more would be over {TASKS_MAX} tasks of the quest"
        return give_up(task, Failure(TOO_LARGE, message, task.key, False), tried=False)
    return [ev.TaskPlanned(task.key, command.steps)]


def returned(state: QuestState, task: Task, done: Completed) -> Planning:
    """The step plans, and this is its result: to be read. Said again it is no news, whether the plan is refused or not."""
    if done.attempt is not None:
        state.refused[done.attempt.epoch] = None
    if state.phase == "active":
        state.due.append(ReadPlan(task.key))
    return Planning(done.result, done.duration_us, state.last_us, done.attempt)


def on_planned(state: QuestState, event: ev.TaskPlanned, now_us: int) -> None:
    """The steps join the quest, and the task that planned them is completed."""
    of = state.at(event.task)
    assert isinstance(of.state, Planning)
    part = of.plans = Part(of, len(event.steps), [])
    for index in state.dependents(of) if event.steps else ():
        _wait_for(state, part, index)
    tasks = [_join(state, step, part) for step in event.steps]
    state.planned.extend(event.steps)
    for task in tasks:
        _tie(state, task)
    free = [task for task in tasks if not task.unfinished]
    to = Completed(of.state.result, now_us, of.state.duration_us, of.state.attempt)
    moving.move(state, of, "task.planned", to)
    for task in free:
        moving.come_up(state, task, now_us)


def _join(state: QuestState, step: StepDefinition, part: Part) -> Task:
    task = Task(len(state.tasks), step, 0)
    task.part = part
    state.join(task)
    return task


def _wait_for(state: QuestState, part: Part, index: int) -> None:
    part.waiting.append(index)
    state.tasks[index].unfinished += 1


def _tie(state: QuestState, task: Task) -> None:
    """It waits for those of its dependencies that have not ended."""
    for key in task.step.dependencies:
        other = state.at(key)
        match other.state:
            case Completed() | Failed(continued=True):
                if other.plans is not None and other.plans.left and other.plans is not task.part:
                    _wait_for(state, other.plans, task.index)
            case Skipped():
                task.skipped_by = task.skipped_by or key
            case _:
                task.unfinished += 1
                state.edges.setdefault(other.number, []).append(task.index)


def definition_of(state: QuestState) -> QuestDefinition:
    """The definition with all steps that have joined."""
    whole = state.plan.definition
    return structs.replace(whole, steps=(*whole.steps, *state.planned)) if state.planned else whole


def planned_by(state: QuestState) -> dict[str, str]:
    """Who planned each step that has joined."""
    tasks = (state.at(step.key) for step in state.planned)
    return {task.key: task.part.of.key for task in tasks if task.part is not None}


def sinks_of(state: QuestState) -> list[str]:
    """The steps whose results are the quest's: nothing waits for them, and they planned nothing."""
    if not state.planned:
        return [state.plan.steps[index].key for index in state.plan.sinks]
    steps = definition_of(state).steps
    needed = {key for step in steps for key in step.dependencies}
    needed.update(planned_by(state).values())
    return [step.key for step in steps if step.key not in needed]
