"""Questions are answered, attacks are not."""

import time
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from questd.analytics.database import Database
from questd.analytics.guard import BadQuery, check_sql
from questd.analytics.query import Answer, LimitReached, Limits, ask
from tests.analytics.making import memory_store, random_journal
from tests.analytics.reading import build, tables_of


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Database:
    store = memory_store()
    random_journal(3, store)
    return build(store, tmp_path_factory.mktemp("history") / "history.duckdb")


def answer(database: Database, sql: str, parameters: bytes = b"[]", **limits: int) -> Answer:
    cursor = database.cursor()
    try:
        return ask(cursor, sql, parameters, limits=Limits(**limits))
    finally:
        cursor.close()


def values(database: Database, sql: str, parameters: bytes = b"[]") -> Any:
    return msgspec.json.decode(answer(database, sql, parameters).data)


ALLOWED = [
    "SELECT 1",
    "select 1;",
    "-- first\nSELECT 1 -- last",
    "/* a ; b */ SELECT ';' /* ; */ ;;",
    "FROM quests",
    "VALUES (1)",
    "WITH q AS (FROM quests) FROM q SELECT count(*)",
    "SUMMARIZE tasks",
    "DESCRIBE quests",
    "SHOW TABLES",
    "SHOW ALL TABLES",
    "EXPLAIN SELECT * FROM quests",
    "EXPLAIN ANALYZE SELECT * FROM quests",
    "SELECT 'checkpoint', 'query' AS query, 'enable_logging()'",
    "SELECT now(), current_date, now() AS n; -- zoned",
    "SELECT [now()], {'at': now()}",
    "SELECT * FROM duckdb_columns()",
]


@pytest.mark.parametrize("sql", ALLOWED)
def test_reading_is_allowed(database: Database, sql: str) -> None:
    assert answer(database, sql).columns


ATTACKS = [
    "",
    "-- only a comment",
    "SELECT 1; SELECT 2",
    "SELECT 1; COMMIT; DROP TABLE quests",
    "commit; drop table quests",
    "COMMIT",
    "BEGIN",
    "DROP TABLE quests",
    "DELETE FROM quests",
    "INSERT INTO quests SELECT * FROM quests",
    "UPDATE quests SET status = 'x'",
    "TRUNCATE quests",
    "CREATE TABLE t (a INT)",
    "CREATE TEMP TABLE t AS SELECT 1",
    "CREATE MACRO m() AS 1",
    "ALTER TABLE quests ADD COLUMN x INT",
    "MERGE INTO quests USING quests AS q ON (false) WHEN NOT MATCHED THEN INSERT",
    "COPY quests TO '/tmp/stolen.csv'",
    "COPY (SELECT 1) TO '/tmp/stolen.csv'",
    "COPY quests FROM '/etc/passwd'",
    "EXPORT DATABASE '/tmp/stolen'",
    "IMPORT DATABASE '/tmp/stolen'",
    "ATTACH '/tmp/other.duckdb'",
    "DETACH history",
    "USE memory",
    "INSTALL httpfs",
    "LOAD httpfs",
    "PRAGMA enable_profiling",
    "PRAGMA memory_limit='100GB'",
    "SET memory_limit = '100GB'",
    "RESET memory_limit",
    "SET VARIABLE x = 1",
    "CALL force_checkpoint()",
    "CHECKPOINT",
    "VACUUM",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "CREATE SECRET s (TYPE s3)",
    "PIVOT quests ON status",
    "EXPLAIN ANALYZE DELETE FROM quests",
    "EXPLAIN ANALYZE INSERT INTO quests SELECT * FROM quests",
    "EXPLAIN ANALYZE SELECT * FROM enable_logging()",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM read_text('/proc/self/environ')",
    "SELECT * FROM read_blob('/etc/passwd')",
    "SELECT * FROM glob('/*')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM read_parquet('https://example.invalid/x')",
    "SELECT * FROM enable_logging()",
    "SELECT * FROM EnAbLe_LoGgInG/**/()",
    'SELECT * FROM "enable_logging"()',
    "WITH x AS MATERIALIZED (FROM enable_logging()) FROM x",
    "SUMMARIZE SELECT * FROM enable_logging()",
    "SELECT * FROM checkpoint()",
    "SELECT * FROM force_checkpoint()",
    "SELECT write_log('x')",
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM query('from enable_' || 'logging()')",
    "FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
    "SELECT * FROM arrow_scan(1, 2, 3)",
    "SELECT * FROM pandas_scan(1)",
    "SELECT nextval('s')",
    "SELECT * FROM database",
    "SELECT",
    "SELECT * FROM nothing_of_that_name",
    "SELECT error('boom')",
    "SELECT 'a'::INTEGER",
    "SELECT \x00",
    "SELECT " + "(" * 30_000 + "1" + ")" * 30_000,
    "SELECT " + "NOT " * 16_000 + "true",
    "SELECT 1 /*" + "x" * 1_000_000 + "*/",
    "SELECT '\ud800'",
]


@pytest.mark.parametrize("sql", ATTACKS, ids=lambda sql: ascii(sql[:60]))
def test_everything_else_is_refused_and_changes_nothing(database: Database, sql: str) -> None:
    before = tables_of(database.cursor())
    with pytest.raises(BadQuery):
        answer(database, sql)
    assert tables_of(database.cursor()) == before


@given(st.text(max_size=200))
def test_no_text_breaks_the_guard(sql: str) -> None:
    try:
        check_sql(sql)
    except BadQuery:
        return


ENDLESS = [
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r",
    "SELECT count(*) FROM range(1000000) a, range(1000000) b, range(1000000) c",
    "SELECT sum(a.range % 7) FROM range(10000000000) a",
    "SELECT sleep_ms(60000)",
]


@pytest.mark.parametrize("sql", ENDLESS)
def test_a_question_ends_when_its_time_is_over(database: Database, sql: str) -> None:
    began = time.monotonic()
    with pytest.raises(LimitReached, match="not answered within 200 ms"):
        answer(database, sql, time_ms=200)
    assert time.monotonic() - began < 5


def test_an_endless_result_ends_too(database: Database) -> None:
    found = answer(database, "SELECT * FROM range(10000000000)", rows=3)
    assert (found.data, found.rows, found.truncated) == (b"[[0],[1],[2]]", 3, True)


HOGS = [
    "SELECT list(a.range) FROM range(2000000000) a",
    "SELECT string_agg(repeat('x', 1000000), '') FROM range(5000)",
    "SELECT count(DISTINCT md5(range::VARCHAR || repeat('x', 2000))) FROM range(100000000)",
]


@pytest.mark.parametrize("sql", HOGS)
def test_a_hog_is_refused_and_the_next_question_answered(database: Database, sql: str) -> None:
    with pytest.raises(LimitReached):
        answer(database, sql, time_ms=5_000)
    assert values(database, "SELECT 1") == [[1]]


def test_an_answer_never_exceeds_its_bytes(database: Database) -> None:
    found = answer(
        database, "SELECT repeat('x', 1000) FROM range(100000)", rows=100_000, data_bytes=10_000
    )
    assert len(found.data) <= 10_000
    assert (found.rows, found.truncated) == (9, True)
    with pytest.raises(LimitReached, match="one row is larger"):
        answer(database, "SELECT repeat('x', 100000000)")


def test_all_rows_means_not_truncated(database: Database) -> None:
    found = answer(database, "SELECT * FROM range(3)", rows=3)
    assert (found.rows, found.truncated) == (3, False)


def test_no_rows_wanted_gives_the_columns(database: Database) -> None:
    found = answer(database, "SELECT 1 AS a, 'x' AS b", rows=0)
    assert (found.columns, found.types, found.data) == (("a", "b"), ("INTEGER", "VARCHAR"), b"[]")


def test_values_are_told_as_json(database: Database) -> None:
    sql = """SELECT TIMESTAMP '2020-01-02 03:04:05', TIMESTAMPTZ '2020-01-02 03:04:05.5+01', DATE '2020-01-02', TIME '03:04',
      NULL, 'nan'::DOUBLE, 170141183460469231731687303715884105727::HUGEINT, 1.50::DECIMAL(10,2), '\\xFF'::BLOB,
      INTERVAL 90 MINUTE, [1, NULL], {'a': 1}, MAP {2: 'x'}, [TIMESTAMPTZ '2020-01-01 00:00:00Z'], true, 'é"',
      uuid '00000000-0000-0000-0000-000000000001', TIMESTAMP 'infinity', sum(1)"""
    (row,) = values(database, sql)
    assert row == [
        "2020-01-02T03:04:05.000000Z",
        "2020-01-02T02:04:05.500000Z",
        "2020-01-02",
        "03:04:00",
        None,
        None,
        170141183460469231731687303715884105727,
        1.5,
        "/w==",
        "PT5400S",
        [1, None],
        {"a": 1},
        {"2": "x"},
        ["2020-01-01T00:00:00.000000Z"],
        True,
        'é"',
        "00000000-0000-0000-0000-000000000001",
        "9999-12-31T23:59:59.999999Z",
        1,
    ]


def test_every_type_of_duckdb_can_be_told_or_is_refused(database: Database) -> None:
    for (name,) in (
        database.cursor()
        .execute("SELECT column_name FROM (DESCRIBE FROM test_all_types())")
        .fetchall()
    ):
        try:
            values(database, f'SELECT "{name}" FROM test_all_types()')
        except BadQuery as error:
            assert name in {"date", "timestamp_tz", "interval"}, (name, error)  # noqa: PT017


@pytest.mark.parametrize(
    ("sql", "parameters", "expected"),
    [
        ("SELECT ? + ?", b"[1, 2]", [[3]]),
        ("SELECT $2, $1", b'["a", null]', [[None, "a"]]),
        ("SELECT len(?), ?", b'[[1,2], {"a":1}]', [[2, {"a": 1}]]),
        ("SELECT count(*) FROM quests WHERE quest = ?", b'["x\'; drop table quests; --"]', [[0]]),
    ],
)
def test_parameters_are_values_never_sql(
    database: Database, sql: str, parameters: bytes, expected: Any
) -> None:
    assert values(database, sql, parameters) == expected


@pytest.mark.parametrize(
    ("sql", "parameters"),
    [
        ("SELECT ?", b"[]"),
        ("SELECT ?", b"[1,2]"),
        ("SELECT 1", b"[1]"),
        ("SELECT $name", b"[1]"),
        ("SELECT ?", b'{"a":1}'),
        ("SELECT ?", b"nonsense"),
        ("SELECT ?", b"[" * 10_000),
        ("SELECT ?", msgspec.json.encode([list(range(5_000))])),
        ("SELECT ?", b'["' + b"x" * 100_000 + b'"]'),
    ],
    ids=range(9),
)
def test_wrong_parameters_are_refused(database: Database, sql: str, parameters: bytes) -> None:
    with pytest.raises(BadQuery):
        answer(database, sql, parameters)


def test_an_answer_can_be_arrow(database: Database) -> None:
    pa = pytest.importorskip("pyarrow")
    cursor = database.cursor()
    sql = "SELECT range AS n, now() AS t FROM range(2000)"
    found = ask(cursor, sql, fmt="arrow", limits=Limits(rows=1_500))
    table = pa.ipc.open_stream(found.data).read_all()
    assert (table.num_rows, table.column_names) == (1_500, ["n", "t"])
    assert (found.rows, found.truncated) == (1_500, True)
    small = ask(cursor, sql, fmt="arrow", limits=Limits(data_bytes=8_000))
    assert small.truncated
    assert len(small.data) < 10_000
    cursor.close()


def test_arrow_without_pyarrow_says_what_to_install(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.ipc", None)
    with pytest.raises(BadQuery, match=r"pip install 'questd\[arrow\]'"):
        ask(database.cursor(), "SELECT 1", fmt="arrow")


def test_an_unknown_format_is_refused(database: Database) -> None:
    with pytest.raises(BadQuery, match="no format 'xml'"):
        ask(database.cursor(), "SELECT 1", fmt="xml")


def test_python_variables_are_no_tables(database: Database) -> None:
    secret = {"a": [1]}
    assert secret
    with pytest.raises(BadQuery, match="secret"):
        answer(database, "SELECT * FROM secret")


def test_a_cursor_can_ask_again_after_an_error(database: Database, tmp_path: Path) -> None:
    assert tmp_path
    cursor = database.cursor()
    for sql in ("SELECT error('x')", "SELECT * FROM nothing", "SELECT 1; SELECT 2"):
        with pytest.raises(BadQuery):
            ask(cursor, sql)
    with pytest.raises(LimitReached):
        ask(cursor, ENDLESS[0], limits=Limits(time_ms=50))
    assert ask(cursor, "SELECT 1").data == b"[[1]]"
    assert isinstance(cursor, duckdb.DuckDBPyConnection)
    cursor.close()
