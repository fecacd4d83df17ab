"""Deaths at every append of the reference runs, in simulation: a first seed here, ten thousand schedules in ``make sim``."""

import pytest

from questd.simulation.__main__ import main
from questd.simulation.crash_points import WAYS, CrashPoint, parse, schedules
from questd.simulation.references import SHAPES
from questd.simulation.saboteurs import SABOTEURS


def test_a_death_at_any_append_in_any_way_changes_nothing_that_counts() -> None:
    met: dict[tuple[str, str], int] = {}
    for point, outcome in schedules(range(1, 2)):  # the first ones are those of the command line
        replay = f"python -m questd.simulation --crash-point {point.name} --trace"
        assert outcome.violation is None, f"{outcome.violation}\n{replay}"
        if point.commit:
            met[point.shape, point.way] = met.get((point.shape, point.way), 0) + 1
    assert set(met) == {(shape, way) for shape in SHAPES for way in WAYS}
    assert sum(met.values()) > 100


@pytest.mark.parametrize(
    "name", ["acknowledge before append", "forget running attempts at recovery"]
)
def test_a_house_that_breaks_its_word_is_caught_at_its_crash_points(name: str) -> None:
    saboteur = next(each for each in SABOTEURS if each.name == name)
    with saboteur.at_work():
        assert any(outcome.violation for _, outcome in schedules(range(1, 4)))


def test_the_command_line_counts_what_it_tried(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--crash-points", "1", "--quiet"]) == 0
    shown = capsys.readouterr().out
    assert "schedules" in shown
    assert "the daemon died: before" in shown
    assert "every invariant held" in shown


def test_a_crash_point_is_replayed_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    point = CrashPoint("chain", 4, 3, "after")
    assert parse(point.name) == point
    assert main(["--crash-point", point.name]) == 0
    first = capsys.readouterr().out
    assert main(["--crash-point", point.name]) == 0
    assert capsys.readouterr().out == first
