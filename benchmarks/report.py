"""What a benchmark says: figures with their targets, for people and as one JSON document. Pure, but for the printing."""

from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from benchmarks.conditions import Conditions
from benchmarks.statistics import median

Text = dict[str, float | int | str]
HEADINGS = ("figure", "value", "target", "", "of", "load", "sync µs")
VERDICT = 3


class Target(Struct, frozen=True):
    """A figure is to be at least, or at most, so much."""

    sense: Literal["at least", "at most"]
    bound: float

    def met_by(self, value: float) -> bool:
        """Is it reached?"""
        return value >= self.bound if self.sense == "at least" else value <= self.bound

    def __str__(self) -> str:
        return f"{'≥' if self.sense == 'at least' else '≤'} {number(self.bound)}"


class Figure(Struct, frozen=True, kw_only=True):
    """One figure. ``value`` is ``chosen`` of ``runs``; None when it could not be measured, and ``fault`` says why.

    ``target`` None: told beside the others, not judged. ``measured``: from where to where. ``load``: the machine's load average (1 min).
    ``fdatasync_us``: p50 right after the measurement: disks that others use too have their moods.
    """

    name: str
    title: str
    unit: str
    measured: str
    value: float | None = None
    target: Target | None = None
    runs: tuple[float, ...] = ()
    chosen: str = ""
    details: Text = {}
    pids: dict[str, int] = {}
    load: float = 0.0
    fdatasync_us: float = 0.0
    fault: str = ""

    @property
    def met(self) -> bool | None:
        """Is the target reached? None when there is none, or no value."""
        if self.target is None or self.value is None:
            return None
        return self.target.met_by(self.value)


class Report(Struct, frozen=True):
    """Everything of one run."""

    conditions: Conditions
    figures: tuple[Figure, ...]
    took_s: float


def middle(runs: Sequence[float]) -> tuple[float, str]:
    """The value that is reported of several runs, and how it was chosen."""
    return median(runs), f"median of {len(runs)}" if len(runs) > 1 else "one run"


def at_least(bound: float) -> Target:
    """Reached from there upwards."""
    return Target("at least", bound)


def at_most(bound: float) -> Target:
    """Reached up to there."""
    return Target("at most", bound)


def number(value: float) -> str:
    """A number as people read it: three digits that mean something, thousands apart."""
    if value == int(value) or abs(value) >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def verdict(figure: Figure) -> str:
    """In a word."""
    if figure.fault:
        return "not measured"
    return {True: "met", False: "MISSED", None: "–"}[figure.met]


def as_json(report: Report) -> bytes:
    """One document; each figure with its verdict."""
    document = msgspec.to_builtins(report)
    for plain, figure in zip(document["figures"], report.figures, strict=True):
        plain["met"] = figure.met
        plain["target"] = None if figure.target is None else str(figure.target)
    return msgspec.json.format(msgspec.json.encode(document), indent=2)


def lines_of(report: Report) -> list[str]:
    """For people, without colours or boxes: conditions, a table, what became of it."""
    rows = [HEADINGS, *(_row(figure) for figure in report.figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    table = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return [*report.conditions.lines(), "", *table, "", _summary(report)]


def _summary(report: Report) -> str:
    missed = sum(figure.met is False for figure in report.figures)
    absent = sum(bool(figure.fault) for figure in report.figures)
    return f"took {report.took_s:.0f} s; {missed} missed, {absent} not measured"


def figure_lines(figure: Figure) -> list[str]:
    """The figure, and below it what it is made of."""
    value = "–" if figure.value is None else number(figure.value)
    target = "" if figure.target is None else f" (target {figure.target})"
    lines = [f"{verdict(figure):>12}  {figure.title}: {value} {figure.unit}{target}"]
    indent = " " * 14
    lines.append(f"{indent}{figure.fault or figure.measured}")
    if figure.runs:
        runs = ", ".join(number(run) for run in figure.runs)
        lines.append(
            f"{indent}{figure.chosen}: {runs}; load {figure.load:.1f}, fdatasync {figure.fdatasync_us:.0f} µs"
        )
    if figure.details:
        lines.append(indent + "; ".join(_said(k, v) for k, v in figure.details.items()))
    if figure.pids:
        lines.append(f"{indent}pids: " + ", ".join(f"{k} {v}" for k, v in figure.pids.items()))
    return lines


def _said(name: str, value: float | str) -> str:
    return f"{name} {value if isinstance(value, str) else number(value)}"


def show(report: Report) -> None:
    """Print it: with rich where that is installed."""
    try:
        from rich.console import Console  # noqa: PLC0415 - colours are a luxury
        from rich.table import Table  # noqa: PLC0415
        from rich.text import Text as Line  # noqa: PLC0415
    except ImportError:
        print("\n".join(lines_of(report)))
        return
    table = Table(*HEADINGS)
    for figure in report.figures:
        cells = [Line(cell) for cell in _row(figure)]
        cells[VERDICT].stylize({True: "green", False: "red", None: "yellow"}[figure.met])
        table.add_row(*cells)
    console = Console()
    for line in report.conditions.lines():
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print(table)
    console.print(_summary(report), highlight=False)


def _row(figure: Figure) -> tuple[str, ...]:
    value = "–" if figure.value is None else f"{number(figure.value)} {figure.unit}"
    target = "" if figure.target is None else str(figure.target)
    chosen = figure.chosen
    if len(figure.runs) > 1:
        chosen += f" ({number(min(figure.runs))} – {number(max(figure.runs))})"
    return (
        figure.title,
        value,
        target,
        verdict(figure),
        chosen,
        f"{figure.load:.1f}",
        f"{figure.fdatasync_us:.0f}",
    )
