"""The schema says what every table and column is, in words that need no quotes."""

from pathlib import Path

import duckdb
import pytest

from questd.analytics.database import Database
from questd.analytics.tables import TABLES
from tests.analytics.making import memory_store
from tests.analytics.reading import build, rows

NAMES = [
    "definitions",
    "dependencies",
    "quests",
    "steps",
    "tasks",
    "attempts",
    "events",
    "breakpoints",
    "usage",
    "agents",
    "instances",
    "tools",
    "waits",
    "logs",
    "active_quests",
    "template_stats",
    "agent_stats",
    "tool_stats",
    "step_stats",
    "recent_events",
    "slowest",
    "flakiest",
    "costliest",
    "schedule_runs",
]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Database:
    return build(memory_store(), tmp_path_factory.mktemp("empty") / "history.duckdb")


@pytest.mark.parametrize("name", NAMES)
def test_every_promised_relation_is_there_and_can_be_asked(empty: Database, name: str) -> None:
    assert rows(empty, f"FROM {name}") == []


def test_no_column_and_no_relation_is_a_keyword(empty: Database) -> None:
    keywords = {name for (name,) in rows(empty, "SELECT keyword_name FROM duckdb_keywords()")}
    names = rows(empty, "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal")
    assert [pair for pair in names if keywords & {part.lower() for part in pair}] == []


def test_every_relation_and_every_column_of_a_table_is_documented(empty: Database) -> None:
    relations = "SELECT table_name, comment FROM duckdb_tables() UNION ALL SELECT view_name, comment FROM duckdb_views() WHERE NOT internal"
    assert [name for name, comment in rows(empty, relations) if not comment] == []
    columns = (
        "SELECT table_name, column_name FROM duckdb_columns() JOIN duckdb_tables() USING (table_name)"
        " WHERE duckdb_columns.comment IS NULL"
    )
    assert rows(empty, columns) == []


def test_rows_have_the_columns_of_their_tables(empty: Database) -> None:
    for table in TABLES:
        columns = rows(
            empty, f"SELECT column_name FROM duckdb_columns() WHERE table_name = '{table.name}'"
        )
        fields = set(table.row.__struct_fields__) - {"released"}
        assert fields == {name for (name,) in columns}, table.name
        assert {*table.key, *table.fixed, *table.payloads} <= fields


def test_times_are_utc_without_a_zone(empty: Database) -> None:
    kinds = rows(
        empty,
        "SELECT DISTINCT data_type FROM duckdb_columns() WHERE NOT internal AND column_name LIKE '%_at'",
    )
    assert kinds == [("TIMESTAMP",)]


def test_a_file_can_be_read_without_a_daemon(empty: Database, tmp_path: Path) -> None:
    from questd.analytics.database import open_for_reading
    from questd.analytics.query import ask
    from questd.runtime.errors import MachineError

    path = tmp_path / "h.duckdb"
    with pytest.raises(MachineError, match="no history"):
        open_for_reading(path)
    build(memory_store(), path).close()
    connection = open_for_reading(path)
    assert ask(connection, "SELECT count(*) FROM quests").data == b"[[0]]"
    with pytest.raises(duckdb.Error):
        connection.execute("SET memory_limit = '10GB'")
    connection.close()
