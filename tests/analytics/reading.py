"""What a history holds, for comparison."""

from pathlib import Path
from typing import Any

import duckdb

from questd.analytics.database import Database, open_database
from questd.analytics.ingest import Ingest, Source
from questd.analytics.tables import TABLES

Tables = dict[str, list[tuple[Any, ...]]]


def build(source: Source, path: Path) -> Database:
    """A history of the whole journal."""
    database = open_database(path, source.journal_id, source.last_seq())
    ingest = Ingest(source, database)
    while ingest.step():
        continue
    return database


def tables_of(connection: duckdb.DuckDBPyConnection) -> Tables:
    """Every row of every table, in a fixed order."""
    names = [table.name for table in TABLES]
    return {name: connection.execute(f"FROM {name} ORDER BY ALL").fetchall() for name in names}


def rows(database: Database, sql: str) -> list[tuple[Any, ...]]:
    cursor = database.cursor()
    try:
        return cursor.execute(sql).fetchall()
    finally:
        cursor.close()


def one(database: Database, sql: str) -> tuple[Any, ...]:
    (row,) = rows(database, sql)
    return row
