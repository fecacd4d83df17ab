"""The named questions behind `quest stats`: SQL of the files in ``queries``, each a tidy table, with filters as parameters.

Knows names and parameters; who executes the SQL (the history door, or query.py on a local file) is the caller's business.
"""

from datetime import UTC, datetime
from importlib import resources
from typing import Final

from msgspec import Struct

from questd.messages.history import Query
from questd.messages.payload import encode_json
from questd.runtime.errors import NotFound


class Statistic(Struct, frozen=True):
    """A table for people: ``source`` is a file of ``queries``; its groups and their order, where it leaves them open."""

    source: str
    group: str = ""
    order: str = ""


STATISTICS: Final = {
    "by_agent": Statistic("attempts", "agent", "attempts DESC, agent"),
    "by_day": Statistic(
        "quests",
        "CAST(date_trunc('day', submitted_at) AS DATE) AS submitted_on",
        "submitted_on DESC",
    ),
    "by_project": Statistic("quests", "project", "quests DESC, project"),
    "by_status": Statistic("statuses"),
    "by_step": Statistic("tasks"),
    "by_template": Statistic(
        "quests", "quest_name, quest_version", "quests DESC, quest_name, quest_version"
    ),
    "by_tool": Statistic("attempts", "agent, tool", "attempts DESC, agent, tool"),
    "overall": Statistic("quests", "count(DISTINCT quest_name) AS templates", "quests"),
}
"""What can be asked, by name. The days are UTC, the newest first; elsewhere the busiest come first."""


class StatisticsFilter(Struct, frozen=True):
    """None means all. ``template`` is the name of a document; ``since_us`` counts from the epoch, UTC."""

    project: str | None = None
    template: str | None = None
    since_us: int | None = None


def statistics_sql(name: str) -> str:
    """The SQL of a statistic, with $1 project, $2 template, $3 since. NotFound names those there are."""
    wanted = STATISTICS.get(name)
    if wanted is None:
        raise NotFound(f"there is no statistic {name!r}; choose one of: {', '.join(STATISTICS)}")
    file = resources.files("questd.analytics").joinpath("queries", f"{wanted.source}.sql")
    sql = file.read_text(encoding="utf-8")
    return sql.replace("{group}", wanted.group).replace("{order}", wanted.order)


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
