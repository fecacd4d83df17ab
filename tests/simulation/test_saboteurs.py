"""The simulation looks: each breakage of one line is caught, and none is left behind."""

import pytest

from questd.simulation.budget_saboteurs import SABOTEURS_OF_BUDGETS
from questd.simulation.running import run, run_seeds, script_of
from questd.simulation.saboteurs import SABOTEURS, Saboteur
from questd.simulation.schedule_saboteurs import SABOTEURS_OF_SCHEDULES

SEEDS = 2_000
ALL = (*SABOTEURS, *SABOTEURS_OF_SCHEDULES, *SABOTEURS_OF_BUDGETS)


def name_of(saboteur: Saboteur) -> str:
    return saboteur.name.replace(" ", "-")


@pytest.mark.parametrize("saboteur", ALL, ids=name_of)
def test_the_simulation_catches(saboteur: Saboteur) -> None:
    with saboteur.at_work():
        caught = next((o.seed for o in run_seeds(0, SEEDS) if o.violation is not None), None)
    assert caught is not None, f"nobody noticed in {SEEDS} seeds: {saboteur.name}"
    whole, _ = run(script_of(caught))
    assert whole.violation is None, "the breakage was left behind, or was not what was caught"


def test_there_are_enough_of_them_and_each_has_its_own_name() -> None:
    assert len(ALL) >= 14
    assert len({saboteur.name for saboteur in ALL}) == len(ALL)
