"""Conditions of simulated steps, each with what it must come to: said by the journal alone, without the production expressions.

Of things that never change once the dependencies have ended: they must be answered alike after a restart.
"""

from collections.abc import Callable
from typing import Final

from questd.messages import events as ev
from questd.simulation import loops
from questd.simulation.accounts import Account
from questd.simulation.chance import Chance
from questd.simulation.items import failed_steps, items_of

ALONE: Final[dict[str, bool]] = {"true": True, "1 > 2": False}


def _was_tried_once(account: Account, key: str) -> bool:
    tasks = (key, *items_of(account, key))
    return sum(account.latest[t].event.attempt for t in tasks if t in account.latest) < 2


ABOUT: Final[dict[str, Callable[[Account, str], bool]]] = {
    "{}.status == 'completed'": lambda account, key: (
        key in account.completed and key not in account.failed
    ),
    "{}.attempts < 2": _was_tried_once,
    "not {}.error": lambda account, key: account.steps[key].key not in failed_steps(account),
    "{}.status != 'skipped'": lambda account, key: key not in account.skipped,
}


def draw_condition(chance: Chance, dependencies: tuple[str, ...]) -> str:
    """About the first of the dependencies, if there are any."""
    if not dependencies or chance.maybe(0.2):
        return chance.pick(tuple(ALONE))
    return chance.pick(tuple(ABOUT)).format(dependencies[0])


def note_decision(
    account: Account,
    event: ev.TaskAllowed | ev.TaskSkipped,
    expect: Callable[[bool, str], None],
) -> None:
    """By its condition, or because something before it was skipped; once, when all before it has ended."""
    task, skipped = event.task, isinstance(event, ev.TaskSkipped)
    where, step = f"{account.quest} {task}", account.steps[task]
    before = task in account.allowed or task in account.latest or task in account.skipped
    expect(not before, f"{where}: decided twice, or after it had begun")
    expect(loops.over(account, step), f"{where}: decided too soon")
    after = not step.allow_skipped and any(
        account.now(key) in account.skipped for key in step.dependencies
    )
    right = after or step.when is not None
    if right and not after and step.when is not None:
        right = skipped is not holds(account, step.when, step.dependencies)
    expect(right and (skipped or not after), f"{where}: decided wrongly")
    if skipped:
        account.skipped[task] = account.ended[task] = None
    else:
        account.allowed[task] = None


def holds(account: Account, condition: str, dependencies: tuple[str, ...]) -> bool:
    """What it must come to."""
    if condition in ALONE:
        return ALONE[condition]
    first = dependencies[0]
    return next(said for text, said in ABOUT.items() if text.format(first) == condition)(
        account, account.now(first)
    )
