"""What `quest stats` asks: tidy tables that can be filtered."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from questd.analytics.database import Database
from questd.analytics.query import ask
from questd.analytics.statistics import (
    STATISTICS,
    StatisticsFilter,
    statistics_parameters,
    statistics_query,
    statistics_sql,
)
from questd.messages import events as ev
from questd.messages.failure import Failure
from questd.runtime.errors import NotFound
from tests.analytics.making import CHAIN, FORK, Writer, memory_store
from tests.analytics.reading import build

DAY_US = 86_400_000_000


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Database:
    """Two good forks in p, one failed chain a day later in default, one fork still active."""
    writer = Writer(memory_store())
    for n in range(2):
        quest = f"q_{n}"
        writer.submit(quest, FORK, project="p")
        for task in "abcd":
            epoch = writer.attempt(quest, task)
            writer.append(quest, ev.AttemptCompleted(task, epoch, b"1", tokens=5, cost=0.5))
        writer.append(quest, ev.QuestCompleted(b"1"))
    writer.now_us += DAY_US
    writer.submit("q_2", CHAIN)
    failure = Failure("exception", "no")
    epoch = writer.attempt("q_2", "s0", agent="y")
    writer.append("q_2", ev.AttemptFailed("s0", epoch, failure, writer.now_us))
    epoch = writer.attempt("q_2", "s0", 2, agent="y")
    writer.append("q_2", ev.AttemptFailed("s0", epoch, failure), ev.TaskFailed("s0", failure))
    writer.append("q_2", ev.QuestStopping(failure), ev.QuestFailed(failure))
    writer.submit("q_3", FORK, project="p")
    return build(writer.store, tmp_path_factory.mktemp("statistics") / "history.duckdb")


def table(database: Database, name: str, wanted: StatisticsFilter) -> list[dict[str, Any]]:
    query = statistics_query(name, wanted)
    answer = ask(database.cursor(), query.sql, query.parameters)
    rows = msgspec.json.decode(answer.data)
    return [dict(zip(answer.columns, row, strict=True)) for row in rows]


ALL = StatisticsFilter()


@pytest.mark.parametrize("name", STATISTICS)
def test_every_statistic_answers_and_says_what_it_is(database: Database, name: str) -> None:
    assert table(database, name, ALL)
    assert statistics_sql(name).startswith("-- ")


@pytest.mark.parametrize("name", [name for name in STATISTICS if name != "overall"])
def test_a_filter_that_fits_nothing_gives_no_rows(database: Database, name: str) -> None:
    assert table(database, name, StatisticsFilter(project="nobody")) == []


def test_all_in_one_row(database: Database) -> None:
    (row,) = table(database, "overall", ALL)
    counts = ("quests", "completed", "failed", "cancelled", "active", "attempts", "retries")
    assert [row[name] for name in counts] == [4, 2, 1, 0, 1, 10, 1]
    assert row["success_rate"] == pytest.approx(2 / 3, abs=1e-4)
    assert row["p50_ms"] == 9


def test_filters_by_project_template_and_time(database: Database) -> None:
    (row,) = table(database, "overall", StatisticsFilter(project="p"))
    assert row["quests"] == 3
    (row,) = table(database, "overall", StatisticsFilter(template="chain"))
    assert (row["quests"], row["success_rate"]) == (1, 0)
    days = table(database, "by_day", ALL)
    assert [(day["submitted_on"], day["quests"]) for day in days] == [
        ("2023-11-15", 2),
        ("2023-11-14", 2),
    ]
    since_us = 1_700_006_400_000_000
    assert [
        day["quests"] for day in table(database, "by_day", StatisticsFilter(since_us=since_us))
    ] == [2]


def test_by_agent_and_tool(database: Database) -> None:
    rows = table(database, "by_agent", ALL)
    shown = ("agent", "attempts", "completed", "failed", "retries", "tokens", "cost_total")
    assert [tuple(row[name] for name in shown) for row in rows] == [
        ("x", 8, 8, 0, 0, 40, 4.0),
        ("y", 2, 0, 2, 1, 0, 0.0),
    ]
    assert rows[0]["p99_ms"] == 1
    assert [row["tool"] for row in table(database, "by_tool", ALL)] == ["run", "run"]


def test_by_step_shows_where_time_goes(database: Database) -> None:
    rows = table(database, "by_step", ALL)
    assert (rows[0]["step"], rows[0]["attempts"], rows[0]["retries"]) == ("s0", 2, 1)


def test_an_unknown_statistic_names_those_there_are() -> None:
    with pytest.raises(NotFound, match="choose one of: by_agent, by_day"):
        statistics_sql("by_moon")


def test_the_list_names_every_file() -> None:
    folder = Path(__file__).parents[2] / "analytics" / "queries"
    sources = {statistic.source for statistic in STATISTICS.values()}
    assert {file.stem for file in folder.glob("*.sql")} == sources


def test_times_reach_the_query_exactly() -> None:
    parameters = statistics_parameters(StatisticsFilter(since_us=1_700_000_000_000_001))
    assert parameters == b'[null,null,"2023-11-14 22:13:20.000001"]'


def test_views_agree_with_the_tables(database: Database) -> None:
    sql = """SELECT (SELECT sum(quests) FROM template_stats), (SELECT sum(attempts) FROM agent_stats),
      (SELECT sum(attempts) FROM tool_stats), (SELECT sum(attempts) FROM step_stats), (SELECT count(*) FROM active_quests),
      (SELECT count(*) FROM recent_events), (SELECT count(*) FROM slowest), (SELECT retries FROM flakiest),
      (SELECT cost_total FROM costliest WHERE quest_name = 'fork')"""
    (row,) = msgspec.json.decode(ask(database.cursor(), sql).data)
    events = msgspec.json.decode(ask(database.cursor(), "SELECT count(*) FROM events").data)[0][0]
    assert row == [4, 10, 10, 10, 1, events, 8, 1, 4.0]
