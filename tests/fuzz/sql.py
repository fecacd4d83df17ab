"""The history's SQL under any text, on a small real DuckDB file: rows, ``BadQuery`` or ``LimitReached``, and nothing that was there has changed.

The SQL and its parameters are parted by a zero byte; parameters that begin with ``!`` ask for an Arrow stream. What is compared after
each question: every row of every table, settings, schemas, databases, functions, secrets, and the files beside the database.
"""

from functools import cache
from pathlib import Path
from typing import Any, Final

import duckdb

from questd.analytics.database import Database, open_database
from questd.analytics.guard import BadQuery
from questd.analytics.ingest import Ingest
from questd.analytics.query import LimitReached, Limits, ask
from questd.analytics.tables import TABLES
from questd.messages.payload import decode_json
from questd.simulation.chance import Chance
from tests.analytics.making import memory_store, random_journal
from tests.analytics.reading import Tables, tables_of
from tests.fuzz.mutation import changed_text
from tests.fuzz.place import Fault, folder

NAME: Final = "sql"
MEMORY: Final = "96MB"
LIMITS: Final = Limits(rows=100, data_bytes=500_000, time_ms=300)
STANDING: Final = {
    "settings": "SELECT name, value FROM duckdb_settings() ORDER BY 1",
    "databases": "SELECT database_name, path, readonly FROM duckdb_databases() ORDER BY 1",
    "tables": "SELECT database_name, schema_name, table_name, temporary, sql FROM duckdb_tables() ORDER BY ALL",
    "views": "SELECT schema_name, view_name, sql FROM duckdb_views() WHERE NOT internal ORDER BY ALL",
    "functions": "SELECT function_name FROM duckdb_functions() WHERE NOT internal ORDER BY ALL",
    "types": "SELECT type_name FROM duckdb_types() WHERE NOT internal ORDER BY ALL",
    "schemas": "SELECT schema_name FROM duckdb_schemas() ORDER BY ALL",
    "secrets": "SELECT name FROM duckdb_secrets() ORDER BY ALL",
    "sequences": "SELECT sequence_name FROM duckdb_sequences() ORDER BY ALL",
}


class _History:
    """A database, and how it stood in the beginning."""

    def __init__(self) -> None:
        self.place = folder() / "history"
        self.place.mkdir()
        store = memory_store()
        random_journal(3, store, quests=3, length=40)
        path = self.place / "history.duckdb"
        self.database: Database = open_database(path, "j_test", store.last_seq(), memory=MEMORY)
        ingest = Ingest(store, self.database)
        while ingest.step():
            pass
        self.rows = self._rows()
        self.standing = self._standing()
        self.files = self._files()

    def check(self) -> None:
        """Fault when anything is not as it was."""
        for name, found in self._standing().items():
            if found != self.standing[name]:
                raise Fault(f"{name} have changed: {_difference(self.standing[name], found)}")
        rows = self._rows()
        for table, found in rows.items():
            if found != self.rows[table]:
                raise Fault(f"{table} has changed: {_difference(self.rows[table], found)}")
        if self._files() != self.files:
            raise Fault(f"the files have changed: {self.files} -> {self._files()}")

    def _rows(self) -> Tables:
        cursor = self.database.cursor()
        try:
            return tables_of(cursor)
        finally:
            cursor.close()

    def _standing(self) -> dict[str, list[Any]]:
        cursor = self.database.cursor()
        try:
            return {name: cursor.execute(sql).fetchall() for name, sql in STANDING.items()}
        finally:
            cursor.close()

    def _files(self) -> dict[str, tuple[int, int]]:
        """Those beside the database and in the working folder; what a question spills goes with it."""
        here = [each for each in Path().iterdir() if not each.name.startswith(".")]
        found = [each for each in (*self.place.rglob("*"), *here) if each.is_file()]
        return {str(each): _stamp(each) for each in found if ".tmp" not in str(each)}


def _stamp(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns if path.is_absolute() else 0


def _difference(before: list[Any], after: list[Any]) -> str:
    gone = [each for each in before if each not in after]
    new = [each for each in after if each not in before]
    return f"-{gone[:3]} +{new[:3]}"[:600]


@cache
def history() -> _History:
    """The one of this process."""
    return _History()


def change(data: bytes, chance: Chance, words: tuple[bytes, ...]) -> bytes:
    """A question like this one."""
    if chance.maybe(0.3):
        words = functions()
    return changed_text(data, chance, words)


@cache
def functions() -> tuple[bytes, ...]:
    """Every function of DuckDB that can be named, with a bracket."""
    rows = duckdb.sql("SELECT DISTINCT function_name FROM duckdb_functions()").fetchall()
    return tuple(sorted(f"{row[0]}(".encode() for row in rows))


def one(data: bytes) -> None:
    """Fault when a question does anything else than be answered or refused."""
    before = history()
    sql, _, parameters = data.partition(b"\0")
    fmt = "arrow" if parameters[:1] == b"!" else "json"
    cursor = before.database.cursor()
    try:
        answer = ask(
            cursor,
            sql.decode("utf-8", "surrogateescape"),
            parameters.removeprefix(b"!") or b"[]",
            fmt=fmt,
            limits=LIMITS,
        )
    except (BadQuery, LimitReached) as refused:
        if not str(refused):
            raise Fault("refused without a reason") from refused
    else:
        if len(answer.data) > LIMITS.data_bytes or answer.rows > LIMITS.rows:
            raise Fault(f"{answer.rows} rows in {len(answer.data)} bytes")
        if fmt == "json":
            decode_json(answer.data)
    finally:
        cursor.close()
    before.check()


SOURCES: Final = (
    "SELECT quest, status, count(*) FROM quests GROUP BY ALL ORDER BY 3 DESC LIMIT 5", "FROM steps SELECT step, avg(duration_us) OVER (PARTITION BY agent) QUALIFY row_number() OVER () < 3",
    "WITH RECURSIVE r(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM r WHERE n < $1) SELECT sum(n) FROM r\0[9]", "EXPLAIN ANALYZE SELECT * FROM agent_stats", "DESCRIBE quests", "SHOW ALL TABLES",
    "SUMMARIZE attempts", "PIVOT quests ON status USING count(*)", "SELECT unnest([1, 2.5, NULL]), {'a': now()}, MAP {1: 'x'}, INTERVAL 1 DAY, '\\x00'::BLOB, 1::HUGEINT, 'nan'::DOUBLE\0![]",
    "SELECT * FROM range(10) t(a) JOIN generate_series(1, 3) s(b) ON a = b", "SELECT list_transform([1,2], lambda x: x + 1), list_reduce([1,2,3], lambda a, b: a * b)", 'VALUES (1, ?), (2, ?)\0["a", {"b": [1]}]',
    "INSERT INTO quests SELECT * FROM quests", "SELECT 1; DROP TABLE quests", "COPY quests TO 'x.csv'", "CREATE OR REPLACE TEMP TABLE t AS SELECT 1", "ATTACH 'y.db' AS y", "SET threads = 4", "PRAGMA database_size",
    "SELECT * FROM read_csv('/etc/passwd')", "SELECT * FROM 'history.duckdb'", "CALL pragma_version()", "SELECT * FROM query('DROP TABLE quests')", "SELECT repeat('x', 100000000)", "SELECT count(*) FROM range(100000) a, range(100000) b",
    "CHECKPOINT", "EXPORT DATABASE 'z'", "LOAD json", "PREPARE p AS SELECT 1", "SELECT getenv('HOME'), current_setting('threads'), nextval('s')", "BEGIN; DELETE FROM tasks; COMMIT", "EXPLAIN DELETE FROM tasks", "FROM duckdb_secrets()",
)  # fmt: skip


def seeds() -> dict[str, bytes]:
    """Questions of every kind."""
    return {f"q{number:02d}": source.encode() for number, source in enumerate(SOURCES)}


WORDS: Final = (
    *(table.name.encode() for table in TABLES), b"SELECT ", b"* ", b" FROM ", b" WHERE ", b" GROUP BY ALL ", b" ORDER BY 1 ", b" LIMIT ", b" JOIN ", b" UNION ALL ", b" WITH x AS (", b"MATERIALIZED ", b"RECURSIVE ",
    b" AS ", b"DISTINCT ", b"(", b")", b",", b";", b"--", b"/*", b"*/", b"'", b'"', b"$1", b"?", b"::INTEGER", b"::VARCHAR", b"::JSON", b"::BLOB", b"::TIMESTAMPTZ", b"::HUGEINT[]", b"::BIT", b"NULL", b"1e308", b"'inf'", b"[1, 2]",
    b"{'a': 1}", b"MAP {1: 2}", b"INTERVAL 1 YEAR", b"EXPLAIN ", b"EXPLAIN ANALYZE ", b"DESCRIBE ", b"SHOW ", b"SUMMARIZE ", b"PIVOT ", b"UNPIVOT ", b"VALUES ", b"TABLE ", b"INSERT INTO ", b"UPDATE ", b"DELETE FROM ", b"RETURNING *",
    b"MERGE INTO ", b"DROP TABLE ", b"CREATE TABLE ", b"ALTER TABLE ", b"TRUNCATE ", b"COPY ", b" TO 'out.csv'", b"ATTACH ", b"DETACH ", b"USE ", b"SET ", b"RESET ", b"PRAGMA ", b"CALL ", b"BEGIN;", b"COMMIT;", b"ROLLBACK;", b"VACUUM ", b"ANALYZE ",
    b"CHECKPOINT ", b"LOAD ", b"INSTALL ", b"EXECUTE ", b"PREPARE p AS ", b"DEALLOCATE ", b"COMMENT ON ", b"EXPORT DATABASE ", b"IMPORT DATABASE ", b"read_csv('x')", b"read_text('/etc/passwd')", b"glob('*')", b"range(9)", b"lambda x: x",
    b" OVER ()", b" FILTER (WHERE true)", b"QUALIFY ", b"POSITIONAL JOIN ", b"ASOF JOIN ", b"LATERAL ", b"TABLESAMPLE 10%", b"COLUMNS(*)", b"EXCLUDE (", b"REPLACE (", b"TRY_CAST(", b"\0", b"\0[1]", b"\0![]", b"\xff", b"\xe2\x80\x8b",
)  # fmt: skip
