"""The simulation looks: each breakage of one line is caught, and none is left behind."""

from itertools import chain

import pytest

from questd.simulation.budget_saboteurs import SABOTEURS_OF_BUDGETS
from questd.simulation.running import run, run_seeds, script_of
from questd.simulation.saboteurs import SABOTEURS, Saboteur
from questd.simulation.schedule_saboteurs import SABOTEURS_OF_SCHEDULES

SEEDS = 2_000
CAUGHT_LAST = {
    "begin whatever the daemon knows": 162,
    "forget how far a trigger has looked": 79,
    "keep what was fetched over a resync": 355,
    "lose what was fired at a restart": 127,
    "pass over an end of a quest": 149,
    "pass over files that have gone": 79,
    "recover before the last append": 121,
    "start on a place for a former choice": 955,
    "wake nobody at a start": 193,
}
"""The seeds that caught those which few seeds catch: they are tried first, to save time. Where one no longer does the search goes on."""
ALL = (*SABOTEURS, *SABOTEURS_OF_SCHEDULES, *SABOTEURS_OF_BUDGETS)


def name_of(saboteur: Saboteur) -> str:
    return saboteur.name.replace(" ", "-")


@pytest.mark.parametrize("saboteur", ALL, ids=name_of)
def test_the_simulation_catches(saboteur: Saboteur) -> None:
    with saboteur.at_work():
        tried = chain(run_seeds(CAUGHT_LAST.get(saboteur.name, 0), 1), run_seeds(0, SEEDS))
        caught = next((outcome.seed for outcome in tried if outcome.violation is not None), None)
    assert caught is not None, f"nobody noticed in {SEEDS} seeds: {saboteur.name}"
    whole, _ = run(script_of(caught))
    assert whole.violation is None, "the breakage was left behind, or was not what was caught"


def test_there_are_enough_of_them_and_each_has_its_own_name() -> None:
    assert len(ALL) >= 14
    assert len({saboteur.name for saboteur in ALL}) == len(ALL)
