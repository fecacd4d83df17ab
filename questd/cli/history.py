"""``stats`` and ``sql``: the history in tables."""

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from typing import Any, Final

from questd.cli.codes import DONE
from questd.cli.inputs import json_or_text
from questd.cli.marks import MARKS, length
from questd.cli.opening import client_of
from questd.cli.output import Out, one_line, table
from questd.client.filters import duration_ms
from questd.client.history import Table
from questd.client.questions import DEFAULT_STATISTICS

BAR: Final = 24
CELL: Final = 120
_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"
_NUMBERS: Final = ("INT", "DOUBLE", "FLOAT", "DECIMAL")
TABLES_SQL: Final = """
select table_name as name, comment from duckdb_tables() where not internal
union all
select view_name, comment from duckdb_views() where not internal
order by name
"""


def sql(options: argparse.Namespace, out: Out) -> int:
    """The answer as a table, CSV or JSON."""
    text = sys.stdin.read() if options.sql == "-" else options.sql or TABLES_SQL
    parameters = [json_or_text(given) for given in options.parameter]
    timeout_ms = duration_ms("--timeout", options.timeout)
    with client_of(options) as client:
        found = client.sql(text, parameters, limit=options.limit, timeout_ms=timeout_ms)
    if out.as_json:
        out.document(found)
    elif options.format == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(found.columns)
        writer.writerows(found.rows)
    else:
        draw_table(found, out)
    _tell_limits(found, options.limit, out)
    return DONE


def _tell_limits(found: Table, limit: int, out: Out) -> None:
    if found.truncated:
        out.say(f"only the first {len(found.rows)} rows (--limit {limit})", style="yellow")
    if found.lag:
        out.say(f"the history lags: {found.lag} events are not in it yet", style="yellow")


def draw_table(found: Table, out: Out) -> None:
    """Rows under their columns; numbers to the right."""
    right = [
        column
        for column, kind in zip(found.columns, found.types, strict=True)
        if any(word in kind for word in _NUMBERS)
    ]
    rows = [[cell_text(value) for value in row] for row in found.rows]
    out.draw(table(found.columns, rows, right=right))


def cell_text(value: Any) -> str:
    """A value in a table, on one line and cut."""
    if value is None:
        return ""
    if isinstance(value, bool | list | dict):
        return one_line(json.dumps(value, ensure_ascii=False), CELL)
    if isinstance(value, float):
        return f"{value:,.3f}".rstrip("0").rstrip(".").replace(",", "")
    return one_line(str(value), CELL)


def stats(options: argparse.Namespace, out: Out) -> int:
    """Tables, the first of them as a sentence, counts with bars."""
    names = [name.replace("-", "_") for name in options.names] or list(DEFAULT_STATISTICS)
    with client_of(options) as client:
        found = client.stats(
            names, project=options.project, template=options.template, since=options.since
        )
    if out.as_json:
        out.document({name: each.records() for name, each in found.items()})
    else:
        for name, each in found.items():
            _draw_statistic(name, each, out)
    lag = max((each.lag for each in found.values()), default=0)
    if lag:
        out.say(f"the history lags: {lag} events are not in it yet", style="yellow")
    return DONE


def _draw_statistic(name: str, found: Table, out: Out) -> None:
    from rich.text import Text  # noqa: PLC0415

    if name == "overall":
        _draw_overall(found.records()[0], out)
        return
    if not found.rows:
        return
    out.draw("", Text(name.replace("_", " "), style="bold"))
    counted = next((column for column in COUNTED if column in found.columns), None)
    most = max((row[counted] or 0 for row in found.records()), default=0) if counted else 0
    shown = [column for column in found.columns if column in SHOWN and _says(column, found)]
    columns = [SHORT.get(column, column) for column in shown]
    rows = [_statistic_row(record, shown, counted, most) for record in found.records()]
    right = [SHORT.get(column, column) for column in SHOWN if column not in NAMES]
    out.draw(table(["  ", *columns], rows, right=right))


COUNTED: Final = ("quests", "attempts", "tasks")
NAMES: Final = (
    "status",
    "quest_name",
    "quest_version",
    "project",
    "agent",
    "tool",
    "step",
    "submitted_on",
)
SHOWN: Final = (
    *NAMES,
    "quests",
    "attempts",
    "tasks",
    "completed",
    "failed",
    "cancelled",
    "lost",
    "active",
    "retries",
    "success_rate",
    "p50_ms",
    "p95_ms",
    "mean_queue_ms",
    "tokens",
    "cost_total",
)
SHORT: Final = {
    "quest_name": "quest",
    "quest_version": "version",
    "submitted_on": "day",
    "success_rate": "success",
    "p50_ms": "p50",
    "p95_ms": "p95",
    "mean_queue_ms": "queue",
    "cost_total": "cost",
}


def _says(column: str, found: Table) -> bool:
    """Whether a column is worth its room: of what never happened a person need not read zeros."""
    place = found.columns.index(column)
    return column in ("completed", *COUNTED) or any(row[place] for row in found.rows)


def _statistic_row(
    record: dict[str, Any], shown: Sequence[str], counted: str | None, most: int
) -> list[Any]:
    from rich.text import Text  # noqa: PLC0415

    share = (record[counted] or 0) / most if counted and most else 0.0
    style = MARKS.get(str(record.get("status", "")), ("", "cyan"))[1]
    drawn = Text(bar(share, BAR // 2), style=style)
    return [drawn, *(_figure(name, record[name]) for name in shown)]


def _figure(name: str, value: Any) -> str:
    if value is None:
        return "–"
    if name.endswith("_ms"):
        return length(value)
    if name == "success_rate":
        return f"{value:.1%}"
    return cell_text(value)


def bar(share: float, width: int) -> str:
    """A bar of at most ``width`` characters for a share of 0 to 1, to an eighth of one."""
    eighths = round(min(1.0, max(0.0, share)) * width * 8)
    whole, rest = divmod(eighths, 8)
    return ("█" * whole + (_EIGHTHS[rest] if rest else "")).ljust(width)


def _draw_overall(row: dict[str, Any], out: Out) -> None:
    from rich.text import Text  # noqa: PLC0415

    facts: Sequence[tuple[str, str]] = [
        (name, str(row[name])) for name in ("quests", "completed", "failed", "cancelled", "active")
    ]
    line = Text("  ")
    for name, value in facts:
        style = MARKS.get(name, ("", "bold"))[1]
        line.append(value, style="bold" if value == "0" else style)
        line.append(f" {name}   ", style="dim")
    out.draw(line)
    rate = row.get("success_rate")
    if rate is not None:
        out.draw(
            Text.assemble("  ", (bar(rate, BAR), "green"), f" {rate:.1%} of ended quests completed")
        )
    times = ", ".join(
        f"{name} {length(row[f'{name}_ms'])}"
        for name in ("p50", "p95", "p99")
        if row.get(f"{name}_ms") is not None
    )
    if times:
        out.draw(Text(f"  took {times} (per quest)", style="dim"))
