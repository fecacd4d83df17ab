"""Plans of simulated steps: what a tool returns, and what the journal must say of the steps that join.

A good plan joins whole, a bad one not at all; what depends on the step that planned waits until all of its plan has ended.
"""

import json
from collections.abc import Callable
from typing import Any, Final, cast

from questd.messages import events as ev
from questd.messages.payload import Payload
from questd.simulation.accounts import Account
from questd.simulation.chance import Chance

Expect = Callable[[bool, str], None]
TextOf = Callable[[Account, Payload], bytes | None]

MOST: Final = 4
"""Steps of a plan."""
REFUSED: Final = "its plan is refused"
BAD: Final[tuple[dict[str, Any], ...]] = (
    {"key": "bad"},
    {"key": "bad", "agent": "alder", "dependencies": ["nobody"]},
    {"key": "bad", "agent": "alder", "dependencies": ["bad"]},
    {"key": "bad", "agent": "alder", "prompt": "{{ never }}"},
    {"key": "bad", "agent": "alder", "plan": {"max_steps": 1}},
    {"key": "bad", "agnt": "alder"},
)


def draw_plan(chance: Chance, task: str, agents: tuple[str, ...]) -> dict[str, Any]:
    """A tool's result. Bad ones have a step that is called so."""
    steps: list[dict[str, Any]] = []
    for number in range(chance.between(0, MOST - 1)):
        before = [task, *(step["key"] for step in steps)]
        steps.append(
            {
                "key": f"{task}_{number}",
                "agent": chance.pick(agents),
                "tool": "work",
                "dependencies": [key for key in before if chance.maybe(0.4)],
                "parallel": not chance.maybe(0.1),
                "on_error": chance.pick(("stop", "continue")),
                **({"for_each": "[1, 2, 3]"} if chance.maybe(0.2) else {}),
            }
        )
    return {"steps": [*steps, chance.pick(BAD)] if chance.maybe(0.15) else steps}


def returned(account: Account, epoch: int, task: str, result: Payload) -> bool:
    """Is the result of this task a plan? Then it is completed only when that has been read."""
    if account.steps[task].plan_steps is None or task in account.planned:
        return False
    account.results[task] = result
    if epoch > 0:
        account.refused[epoch] = None  # said again, it is no news
    return True


def planned(account: Account, event: ev.TaskPlanned, text: TextOf, expect: Expect) -> None:
    """Once, of a good plan, and all of it."""
    where = f"{account.quest} {event.task}"
    expect(event.task not in account.planned, f"{where}: planned twice")
    keys = [step.key for step in event.steps]
    said = text(account, account.results[event.task]) or b""
    expect(keys == _keys(said), f"{where}: planned {keys}, and the tool said {said!r}")
    new = len(set(keys)) == len(keys) and not any(key in account.steps for key in keys)
    expect(new, f"{where}: planned steps that there were")
    account.steps.update((step.key, step) for step in event.steps)
    account.loops.join(event.steps)
    account.only_waits += [step for step in event.steps if step.only_waits]
    account.planned[event.task] = keys


def check_failed(account: Account, event: ev.TaskFailed, text: TextOf, expect: Expect) -> None:
    """Only a bad plan is refused."""
    if REFUSED in event.failure.message and event.task in account.results:
        said = text(account, account.results[event.task]) or b""
        expect(_keys(said) is None, f"{account.quest} {event.task}: a good plan was refused")


def check_started(account: Account, task: str, expect: Expect) -> None:
    """All that its dependencies planned has ended, unless it is a part of the same plan."""
    where = f"{account.quest} {task}"
    expect(are_over(account, task), f"{where}: started before a plan that it follows had ended")


def are_over(account: Account, task: str) -> bool:
    """Has all ended that its dependencies planned?"""
    plans = [account.planned.get(key, []) for key in account.steps[task].dependencies]
    return all(task in plan or all(part in account.ended for part in plan) for plan in plans)


def _keys(text: bytes) -> list[str] | None:
    """The keys of a good plan's steps."""
    said: Any = json.loads(text)
    if not isinstance(said, dict):
        return None
    plan = cast("dict[str, list[dict[str, Any]]]", said)
    if set(plan) != {"steps"}:
        return None
    keys: list[str] = [step["key"] for step in plan["steps"]]
    return None if "bad" in keys else keys
