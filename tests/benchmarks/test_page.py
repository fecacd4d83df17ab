"""The page's table says what a run printed."""

from pathlib import Path

import msgspec
import pytest

from benchmarks import page
from benchmarks.conditions import observe
from benchmarks.report import Figure, Report, as_json, at_least


def a_run(folder: Path) -> bytes:
    figures = (
        Figure(
            name="a",
            title="steps",
            unit="steps/s",
            measured="",
            value=9.0,
            target=at_least(10),
            runs=(8.0, 9.5),
            load=0.5,
        ),
        Figure(name="b", title="memory", unit="MB", measured="", value=3.0, target=at_least(2)),
        Figure(name="c", title="time", unit="s", measured="", fault="no time was left"),
    )
    return as_json(Report(observe(folder), figures, 60.0))


def test_a_row_says_what_was_reached_and_what_was_missed(tmp_path: Path) -> None:
    rows = page.table(msgspec.json.decode(a_run(tmp_path)))
    assert rows[2:] == [
        "| steps | 9 steps/s | 8 – 9.5 | ≥ 10: missed |",
        "| memory | 3 MB |  | ≥ 2 |",
        "| time | not measured: no time was left |  |  |",
    ]


def test_the_conditions_are_the_run_s(tmp_path: Path) -> None:
    said = page.conditions(msgspec.json.decode(a_run(tmp_path)))
    assert "SQLite" in said
    assert "1 minutes in all" in said


def test_the_page_keeps_what_is_around_the_table() -> None:
    around = f"before\n{page.BEGIN}\nold\n{page.END}\nafter"
    assert page.placed(around, "new") == f"before\n{page.BEGIN}\nnew\n{page.END}\nafter"
    with pytest.raises(ValueError, match="has no line"):
        page.placed("nothing", "new")


def test_what_is_no_run_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.json").write_text("{}")
    assert page.main([str(tmp_path / "x.json")]) == 2
    assert "is no run of the benchmark" in capsys.readouterr().err
