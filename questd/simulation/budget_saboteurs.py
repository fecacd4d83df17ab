"""Breakages of budgets, as saboteurs.py has them of everything else."""

from typing import Any, Final

from msgspec import structs

from questd.actors.children import actor as children_actor
from questd.actors.quest import budgets, incoming, timing
from questd.actors.quest.usage import Usage
from questd.simulation.saboteurs import Broken, Saboteur, giving


def _for_nothing(whole: Broken) -> Broken:
    def failure_command(*arguments: Any) -> Any:
        return structs.replace(whole(*arguments), tokens=0, cost=0.0)

    return failure_command


def _grown_up_for_nothing(whole: Broken) -> Broken:
    def outcome_of(ended: Any, *rest: Any, **named: Any) -> Any:
        return whole(structs.replace(ended, tokens=0, cost=0.0), *rest, **named)

    return outcome_of


def _at_any_rest(_: Broken) -> Broken:
    def look(self: Any) -> None:
        self.spent = self.tokens_most is not None or self.cost_most is not None

    return look


SABOTEURS_OF_BUDGETS: Final = (
    Saboteur("spend beyond the budget", Usage, "_look", giving(None)),
    Saboteur("stop while budget is left", Usage, "_look", _at_any_rest),
    Saboteur("forget the cost of failures", incoming, "_failure_command", _for_nothing),
    Saboteur("let children spend for nothing", children_actor, "outcome_of", _grown_up_for_nothing),
    Saboteur("ask twice", budgets, "asking", giving(None)),
    Saboteur("ask nobody for budget when time passes", timing, "asks_late", giving([])),
    Saboteur("forget what was granted", Usage, "grant", giving(None)),
)
