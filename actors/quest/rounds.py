"""``repeat``: a step whose result does not stand sends the quest back. What is decided of it, and how it is folded.

Going back makes new tasks of the loop's whole body (messages/loops.py), each one the next round of its step; those of the round before stay
as they ended, and the quest never looks at them again but to show them. Whoever waits for the end of the loop is released by the task
of its step that is accepted, fails or is skipped.

A round costs O(steps of the body). A loop counts its own rounds anew when one around it goes back.
"""

from typing import Final

from questd.actors.quest import moving
from questd.actors.quest.attempts import by_on_error, located
from questd.actors.quest.commands import EndRound, Rejected, ResolveTask
from questd.actors.quest.items import TASKS_MAX
from questd.actors.quest.owed import JudgeRound
from questd.actors.quest.state import NOTHING_TURNED, QuestState
from questd.actors.quest.task import Judging, Round, Task
from questd.messages import events as ev
from questd.messages.address import address_of
from questd.messages.failure import BUDGET, TOO_LARGE, Failure
from questd.messages.payload import Payload, size_of

ROUND_OPTIONS: Final = ("again", "accept", "fail")
Events = list[ev.Event]


# -- decisions -----------------------------------------------------------------------------------------


def end_round(state: QuestState, command: EndRound) -> Events | Rejected:
    """Its ``until`` was looked at: its result stands, or the quest goes back, as far as it may."""
    task = state.task(command.task)
    if task is None or not isinstance(task.state, Judging) or state.phase != "active":
        return Rejected("gone", f"{command.task} has no result to judge")
    if command.holds:
        return [ev.TaskAccepted(task.key)]
    repeat = task.step.repeat
    assert repeat is not None
    if task.round.taken >= repeat.max_rounds:
        return _exhausted(task, repeat.max_rounds)
    if len(state.tasks) + len(state.plan.loops[task.number].body) > TASKS_MAX:
        message = f"another round would be over {TASKS_MAX} tasks of the quest"
        return by_on_error(task, Failure(TOO_LARGE, message, task.key, False), tried=False)
    if state.sent_back >= state.plan.definition.limits.rounds and not task.state.granted:
        return [_ask(state, task)]
    return [ev.TaskSentBack(task.key, repeat.back_to or task.step.key, command.feedback)]


def _exhausted(task: Task, rounds: int) -> Events:
    assert task.step.repeat is not None
    if task.step.repeat.on_exhausted == "continue":
        return [ev.TaskAccepted(task.key, exhausted=True)]
    failure = Failure(BUDGET, f"`until` does not hold after {rounds} rounds", task.key, False)
    return by_on_error(task, failure, tried=False)


def _ask(state: QuestState, task: Task) -> ev.BreakpointOpened:
    question = (
        f"the quest was sent back {state.sent_back} times, which is its limits.rounds: "
        f"{task.key} asks for one round more"
    )
    return ev.BreakpointOpened(task.key, "budget", question, ROUND_OPTIONS)


def resolve(task: Task, command: ResolveTask) -> Events:
    """A person has decided whether there is one more round. ``again``: what to feed back is rendered once more."""
    match command.choice:
        case "accept":
            return [ev.TaskAccepted(task.key, exhausted=True)]
        case "fail":
            failure = Failure(BUDGET, f"given up by {command.actor}", task.key, False)
            return by_on_error(task, located(failure, task.key), tried=False)
        case _:
            return []


# -- the fold ------------------------------------------------------------------------------------------


def accept(state: QuestState, task: Task) -> None:
    """Its result stands: the loop is over."""
    assert isinstance(task.state, Judging)
    _no_more_judging(state, task)
    moving.move(state, task, "task.accepted", task.state.done)


def send_back(state: QuestState, task: Task, feedback: Payload, now_us: int) -> None:
    """The next round of all steps of the loop's body."""
    assert isinstance(task.state, Judging)
    body = dict.fromkeys(state.plan.loops[task.number].body)
    state.sent_back += 1
    state.weight += size_of(feedback)
    if state.turned is NOTHING_TURNED:
        state.turned = {}
    begun = [_next_round(state, number, body, feedback, task) for number in body]
    if state.failed_steps:
        again = {each.step.key for each in begun}
        state.failed_steps = [key for key in state.failed_steps if key not in again]
    moving.move(state, task, "task.sent_back", task.state.done)
    for each in begun:
        if not each.unfinished:
            moving.come_up(state, each, now_us)


def _next_round(
    state: QuestState, number: int, body: dict[int, None], feedback: Payload, by: Task
) -> Task:
    before = state.latest(number)
    unfinished = sum(other in body for other in state.plan.waits[number])
    task = Task(len(state.tasks), before.step, unfinished)
    taken = before.round.taken + 1 if before is by else 1
    task.number = number
    task.round = Round(before.round.number + 1, feedback, taken, before.index)
    task.key = address_of(before.step.key, None, task.round.number)
    state.turned[number] = task.index
    state.join(task)
    return task


def discard(state: QuestState, task: Task) -> None:
    """It fails: a result that did not stand is known nevertheless, so that its repetition is no news."""
    if isinstance(task.state, Judging):
        _no_more_judging(state, task)
        state.failed_steps = [key for key in state.failed_steps if key != task.step.key]
        if task.state.done.attempt is not None:
            state.refused[task.state.done.attempt.epoch] = None


def _no_more_judging(state: QuestState, task: Task) -> None:
    rendering = JudgeRound(task.key)
    if rendering in state.due:
        state.due = [due for due in state.due if due != rendering]


# -- what was ------------------------------------------------------------------------------------------


def rounds_of(state: QuestState, task: Task) -> list[Task]:
    """The tasks of its step, from the first round to this one."""
    found = [task]
    while task.round.before >= 0:
        task = state.tasks[task.round.before]
        found.append(task)
    return found[::-1]
