"""``python -m benchmarks.page RUN.json``: the table of docs/performance.md, from what ``python -m benchmarks --json`` printed.

So that no figure of the page is copied by hand. Exit codes: 0 written · 2 wrong usage, or no such run.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.processes import ROOT
from benchmarks.report import number

BEGIN, END = "<!-- one run of make bench -->", "<!-- end of the run -->"
PAGE = ROOT / "docs" / "performance.md"


def main(arguments: Sequence[str]) -> int:
    """Write the table anew."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        report = msgspec.json.decode(Path(arguments[0]).read_bytes())
        block = "\n".join([*table(report), "", conditions(report)])
    except (OSError, msgspec.DecodeError, KeyError, TypeError) as error:
        print(f"{arguments[0]} is no run of the benchmark: {error!r}", file=sys.stderr)
        return 2
    PAGE.write_text(placed(PAGE.read_text(encoding="utf-8"), block), encoding="utf-8")
    return 0


def placed(page: str, block: str) -> str:
    """The page with another block between its marks. ValueError when it has none."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page has no line {BEGIN} with a line {END} after it")
    return f"{before}{BEGIN}\n{block}\n{END}{after}"


def table(report: dict[str, Any]) -> list[str]:
    """A row a figure: what, how much (least and most of its runs), its target and whether it was met."""
    rows = ["| figure | reached | runs | target |", "| --- | --- | --- | --- |"]
    return [*rows, *(_row(figure) for figure in report["figures"])]


def _row(figure: dict[str, Any]) -> str:
    value, runs = figure["value"], figure["runs"]
    reached = (
        f"not measured: {figure['fault']}" if value is None else f"{number(value)} {figure['unit']}"
    )
    spread = f"{number(min(runs))} – {number(max(runs))}" if len(runs) > 1 else ""
    missed = ": missed" if figure["met"] is False else ""
    target = f"{figure['target']}{missed}" if figure["target"] else ""
    return f"| {figure['title']} | {reached.rstrip()} | {spread} | {target} |"


def conditions(report: dict[str, Any]) -> str:
    """When, and on what."""
    seen = report["conditions"]
    typical_us, slow_us = seen["fdatasync_us"]
    loads = [figure["load"] for figure in report["figures"]]
    return (
        f"{seen['when'][:10]}, {seen['cores']} cores ({seen['processor']}), {seen['memory_gib']:.0f} GiB, {seen['file_system']['kind']}, "
        f"fdatasync p50 {typical_us:.0f} µs, p99 {slow_us:.0f} µs, `PRAGMA synchronous={seen['synchronous']}`, {seen['python']}, "
        f"SQLite {seen['sqlite']}; load {min(loads):.1f}–{max(loads):.1f}; {report['took_s'] / 60:.0f} minutes in all."
    )


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
