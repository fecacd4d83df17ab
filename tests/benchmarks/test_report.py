import json

import pytest

from benchmarks.conditions import Conditions, FileSystem
from benchmarks.report import (
    Figure,
    Report,
    as_json,
    at_least,
    at_most,
    figure_lines,
    lines_of,
    middle,
    number,
    verdict,
)

CONDITIONS = Conditions(
    when="2026-01-01T00:00:00Z",
    machine="Linux",
    processor="one",
    cores=2,
    memory_gib=4.0,
    python="CPython 3.11",
    sqlite="3.40",
    packages={"questd": "0.1.0"},
    commit="abc",
    data="/data",
    file_system=FileSystem("ext4", "/dev/vda", "/"),
    fdatasync_us=(180.0, 900.0),
    journal_mode="wal",
    synchronous="FULL",
    load=(0.1, 0.2, 0.3),
    pids={"benchmark": 7},
)


def figure(value: float | None, fault: str = "") -> Figure:
    return Figure(
        name="rate",
        title="steps",
        unit="steps/s",
        measured="from here to there",
        value=value,
        target=at_least(8_000),
        runs=() if value is None else (value,),
        chosen="one run",
        pids={"daemon": 12},
        fault=fault,
    )


def test_a_target_is_met_at_its_bound() -> None:
    assert at_least(8_000).met_by(8_000)
    assert not at_least(8_000).met_by(7_999)
    assert at_most(1.3).met_by(1.3)
    assert not at_most(1.3).met_by(1.31)


def test_a_figure_that_was_not_measured_is_neither_met_nor_missed() -> None:
    assert figure(None, "no agent").met is None
    assert verdict(figure(None, "no agent")) == "not measured"
    assert verdict(figure(9_000)) == "met"
    assert verdict(figure(7_000)) == "MISSED"


def test_a_fault_is_told_in_place_of_how_it_was_measured() -> None:
    told = "\n".join(figure_lines(figure(None, "no agent")))
    assert "no agent" in told
    assert "from here" not in told


def test_the_json_says_verdict_target_conditions_and_pids() -> None:
    report = json.loads(as_json(Report(CONDITIONS, (figure(9_000), figure(None, "gone")), 1.0)))
    first, second = report["figures"]
    assert (first["met"], first["target"], first["pids"]) == (True, "≥ 8,000", {"daemon": 12})
    assert (second["met"], second["value"], second["fault"]) == (None, None, "gone")
    assert report["conditions"]["synchronous"] == "FULL"
    assert report["conditions"]["file_system"]["kind"] == "ext4"


def test_the_plain_report_counts_what_is_missed() -> None:
    lines = lines_of(Report(CONDITIONS, (figure(9_000), figure(1.0), figure(None, "gone")), 61.0))
    assert lines[-1] == "took 61 s; 1 missed, 1 not measured"


@pytest.mark.parametrize(
    ("value", "text"),
    [(8_000.0, "8,000"), (12_345.6, "12,346"), (0.2512, "0.251"), (123.4, "123"), (1.0, "1")],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert number(value) == text


def test_of_several_runs_the_median_is_reported() -> None:
    assert middle([3.0, 1.0, 2.0]) == (2.0, "median of 3")
    assert middle([3.0]) == (3.0, "one run")
