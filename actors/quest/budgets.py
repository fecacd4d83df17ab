"""``limits.tokens`` and ``limits.cost``: a quest whose budget is used up starts nothing more until a person has decided.

Attempts that run end, and count. One task, the first of those that could run, asks for the whole quest; the others neither ask
for a place nor open a decision of their own, and go on by themselves when there is budget again. Does the task that asks need no
answer any more (a late result of its lost attempt, the end of its time), the next one asks.

Opening costs O(tasks that asked for a place), which it takes back; all else O(1). A quest without budgets is never looked at.
"""

from typing import Any, Final

import msgspec
from msgspec import Struct

from questd.actors.quest.admission import asked_since, drop_want, enqueue
from questd.actors.quest.commands import AskForBudget, Rejected, ResolveTask
from questd.actors.quest.owed import DropWant
from questd.actors.quest.state import QuestState
from questd.actors.quest.task import Judging, Task, Waiting
from questd.messages import events as ev
from questd.messages.definition import COST_MAX, TOKENS_MAX
from questd.messages.failure import BUDGET, Failure

BUDGET_OPTIONS: Final = ("more", "fail")
Events = list[ev.Event]


class Amounts(Struct, frozen=True, forbid_unknown_fields=True):
    """What ``more`` may come with: how much more."""

    tokens: int | None = None
    cost: float | None = None


# -- decisions -----------------------------------------------------------------------------------------


def asking(state: QuestState) -> Task | None:
    """The task that waits for more budget, for the whole quest."""
    if state.usage.asked is None:
        return None
    index, wait = state.usage.asked
    task = state.tasks[index]
    return task if task.state is wait else None


def ask(state: QuestState) -> Events:
    """The budget is used up and a task could run: a person is asked, unless one is already."""
    if state.phase != "active" or asking(state) is not None:
        return []
    task = _first(state)
    if task is None:
        return []
    question = f"{_used_up(state)}: may it use more? {task.key} would be next"
    return [ev.BreakpointOpened(task.key, BUDGET, question, BUDGET_OPTIONS)]


def asks_late(state: QuestState) -> list[AskForBudget]:
    """Time has made a task ready, and no event says so: the command that asks for it."""
    return [AskForBudget()] if state.usage.spent and ask(state) else []


def ask_late(state: QuestState) -> Events | Rejected:
    """The answer to that command."""
    asked = ask(state) if state.usage.spent else []
    return asked or Rejected("gone", "there is nothing to ask for")


def _first(state: QuestState) -> Task | None:
    """``admit`` leaves no stale entry first."""
    for index in state.admitted:
        return state.tasks[index]
    return state.tasks[state.ready[0][2]] if state.ready else None


def _used_up(state: QuestState) -> str:
    """In words: both, if both are."""
    usage, said = state.usage, list[str]()
    if usage.tokens_spent:
        said.append(f"{usage.tokens:,} tokens of limits.tokens {usage.tokens_most:,}")
    if usage.cost_spent:
        said.append(f"cost {usage.cost:.10g} of limits.cost {usage.cost_most:.10g}")
    return f"the quest has used {' and '.join(said)}"


def resolve(state: QuestState, task: Task, command: ResolveTask) -> Events | Rejected:
    """A person has decided whether the quest may use more."""
    assert isinstance(task.state, Waiting)
    number, choice, actor = task.state.breakpoint, command.choice, command.actor
    if choice == "fail":
        failure = Failure(BUDGET, f"given up by {actor}: {_used_up(state)}", None, False)
        resolved = ev.BreakpointResolved(number, task.key, choice, actor)
        return [resolved, ev.QuestStopping(failure)]
    amounts = _amounts(state, command)
    if isinstance(amounts, Rejected):
        return amounts
    tokens, cost = amounts.tokens or 0, amounts.cost or 0.0
    return [ev.BreakpointResolved(number, task.key, choice, actor, tokens, cost)]


def _amounts(state: QuestState, command: ResolveTask) -> Amounts | Rejected:
    """What the answer says; without, of whatever is used up as much again as the document gives."""
    usage, limits = state.usage, state.plan.definition.limits
    if command.result is None:
        return Amounts(
            limits.tokens if usage.tokens_spent else None, limits.cost if usage.cost_spent else None
        )
    try:
        said: Any = command.result if isinstance(command.result, bytes) else b""
        amounts = msgspec.json.decode(said, type=Amounts)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Rejected("invalid", f"more comes with {{tokens, cost}}, or with nothing: {error}")
    fault = _fault_of(state, amounts)
    return amounts if fault is None else Rejected("invalid", fault)


def _fault_of(state: QuestState, amounts: Amounts) -> str | None:
    usage = state.usage
    for name, more, most, bounded, spent in (
        ("tokens", amounts.tokens, TOKENS_MAX, usage.tokens_most is not None, usage.tokens_spent),
        ("cost", amounts.cost, COST_MAX, usage.cost_most is not None, usage.cost_spent),
    ):
        if more is None and spent:
            return f"limits.{name} is used up: say how much more of it"
        if more is not None and not bounded:
            return f"the quest has no limits.{name}"
        if more is not None and not 0 < more <= most:
            return f"{name}: {more} is not above 0 and at most {most:.10g}"
    return None


# -- the fold ------------------------------------------------------------------------------------------


def is_for(event: ev.BreakpointOpened, task: Task) -> bool:
    """Is this about what the quest may use? One more round is asked for under the same name."""
    return event.kind == BUDGET and not isinstance(task.state, Judging)


def hold_all(state: QuestState, task: Task, wait: Waiting) -> None:
    """The task waits for all, and no other one asks for a place."""
    state.usage.asked = (task.index, wait)
    for index in list(state.admitted):
        other = state.tasks[index]
        drop_want(state, other)
        state.due.append(DropWant(other.key))
        enqueue(state, other, asked_since(other))
