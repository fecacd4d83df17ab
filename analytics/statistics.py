"""The named questions behind `quest stats`: SQL files in ``queries``, each a tidy table, with filters as parameters.

Knows names and parameters; who executes the SQL (the history door, or query.py on a local file) is the caller's business.
"""

from datetime import UTC, datetime
from importlib import resources
from typing import Final

from msgspec import Struct

from questd.messages.history import Query
from questd.messages.payload import encode_json
from questd.runtime.errors import NotFound

STATISTICS: Final = (
    "by_agent",
    "by_day",
    "by_project",
    "by_status",
    "by_step",
    "by_template",
    "by_tool",
    "overall",
)
"""What can be asked. The first lines of each file say what its rows are."""


class StatisticsFilter(Struct, frozen=True):
    """None means all. ``template`` is the name of a document; ``since_us`` counts from the epoch, UTC."""

    project: str | None = None
    template: str | None = None
    since_us: int | None = None


def statistics_sql(name: str) -> str:
    """The SQL of a statistic, with $1 project, $2 template, $3 since. NotFound names those there are."""
    if name not in STATISTICS:
        raise NotFound(f"there is no statistic {name!r}; choose one of: {', '.join(STATISTICS)}")
    folder = resources.files("questd.analytics").joinpath("queries")
    return folder.joinpath(f"{name}.sql").read_text(encoding="utf-8")


def statistics_parameters(wanted: StatisticsFilter) -> bytes:
    """The JSON array that goes with it."""
    since = None if wanted.since_us is None else _timestamp(wanted.since_us)
    return encode_json([wanted.project, wanted.template, since])


def statistics_query(name: str, wanted: StatisticsFilter = StatisticsFilter()) -> Query:  # noqa: B008 - frozen
    """A statistic as a question to the history door."""
    return Query(statistics_sql(name), statistics_parameters(wanted))


def _timestamp(at_us: int) -> str:
    seconds, micros = divmod(at_us, 1_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}.{micros:06d}"
