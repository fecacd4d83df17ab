"""The SQL that writes a batch, made once from schema.sql and tables.py.

A batch goes in as text, one JSON line a row, one statement a table and manner (1 ms each, plus 1 to 4 µs a row). Rejected:
lists as parameters (50 µs a value where numpy is not installed), rows one by one (1 ms each), literals in the statement (their
parsing costs more than the rows), Arrow (twice as fast, and no dependency), and PREPARE (0.2 ms instead of 1 ms: but DuckDB 1.5.6
keeps what it knew of a table's contents when it made the plan, and leaves rows out that came later).

Knows DuckDB's SQL, and nothing of files or quests. Every name in it comes from our own schema, hence no S608.
"""
# ruff: noqa: S608

from collections.abc import Callable, Iterator, Sequence

import duckdb
import msgspec

from questd.analytics.batch import Batch
from questd.analytics.tables import TABLES, Row, Table

Columns = dict[str, str]
"""Name and type of columns."""

_encoder = msgspec.json.Encoder()


class Statements:
    """What is run for each table, by its name: for rows that are added, and for rows that are changed."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._adding: dict[str, str] = {}
        self._changing: dict[str, str] = {}
        for table, columns in _columns(connection):
            self._adding[table.name] = _ADDING[table.manner](table, columns)
            if table.manner == "image":
                self._changing[table.name] = _overwrite(table, columns)

    def write(self, connection: duckdb.DuckDBPyConnection, batch: Batch) -> None:
        """Run inside a transaction."""
        for table in TABLES:
            added, changed = batch.added.get(table.row), batch.changed.get(table.row)
            if added:
                connection.execute(self._adding[table.name], [_lines(added)])
            if changed:
                lines = _lines(list(changed.values()))
                connection.execute(self._changing[table.name], [lines])


def _lines(rows: Sequence[Row]) -> str:
    return _encoder.encode_lines(rows).decode().rstrip("\n")


def _columns(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[Table, Columns]]:
    """Each table with the types that schema.sql gives its columns, in the order of its row's fields."""
    found: dict[str, Columns] = {}
    for table, column, kind in connection.execute(
        "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal"
    ).fetchall():
        found.setdefault(table, {})[column] = kind
    for table in TABLES:
        fields = (name for name in table.row.__struct_fields__ if name != "released")
        yield table, {name: found[table.name][name] for name in fields}


def _source(table: Table, columns: Columns) -> str:
    """The lines as a relation with these columns; times come as microseconds, defaults are put back."""
    shape = _encoder.encode({name: _carried(kind) for name, kind in columns.items()}).decode()
    defaults = _defaults(table)
    values = ", ".join(
        f"{_value(name, kind, defaults.get(name))} AS {name}" for name, kind in columns.items()
    )
    return (
        f"SELECT {values} FROM (SELECT from_json(line, '{shape}') AS r"
        " FROM (SELECT unnest(string_split($1::VARCHAR, chr(10))) AS line))"
    )


def _carried(kind: str) -> str:
    return "BIGINT" if kind == "TIMESTAMP" else kind


def _value(name: str, kind: str, default: object) -> str:
    if kind == "TIMESTAMP":
        return f"make_timestamp(r.{name})"
    if default is None:
        return f"r.{name}"
    literal = f"'{default}'" if isinstance(default, str) else str(default)
    return f"coalesce(r.{name}, {literal})"


def _defaults(table: Table) -> dict[str, object]:
    return {
        field.name: field.default
        for field in msgspec.structs.fields(table.row)
        if field.default is not msgspec.NODEFAULT
    }


def _append(table: Table, columns: Columns) -> str:
    return f"INSERT INTO {table.name} BY NAME {_source(table, columns)}"


def _once(table: Table, columns: Columns) -> str:
    """A definition and its parts come in one batch; parts are written first, so all look at ``definitions``."""
    (key,) = table.key
    return (
        f"INSERT INTO {table.name} BY NAME SELECT * FROM ({_source(table, columns)}) AS b"
        f" WHERE NOT EXISTS (SELECT 1 FROM definitions AS d WHERE d.digest = b.{key})"
    )


def _overwrite(table: Table, columns: Columns) -> str:
    left_alone = {*table.key, *table.fixed}
    moving = {name: kind for name, kind in columns.items() if name not in left_alone}
    changes = ", ".join(
        f"{name} = CASE WHEN b.released THEN t.{name} ELSE b.{name} END"
        if name in table.payloads
        else f"{name} = b.{name}"
        for name in moving
    )
    carried = {**{name: columns[name] for name in table.key}, **moving}
    if table.payloads:
        carried["released"] = "BOOLEAN"
    return (
        f"UPDATE {table.name} AS t SET {changes} FROM ({_source(table, carried)}) AS b"
        f" WHERE {_same(table)}"
    )


def _tally(table: Table, columns: Columns) -> str:
    sums = [name for name, kind in columns.items() if kind == "BIGINT"]
    changes = ", ".join(f"{name} = t.{name} + b.{name}" for name in sums)
    return (
        f"MERGE INTO {table.name} AS t USING ({_source(table, columns)}) AS b ON ({_same(table)})"
        f" WHEN MATCHED THEN UPDATE SET {changes},"
        " first_seen_at = least(t.first_seen_at, b.first_seen_at),"
        " last_seen_at = greatest(t.last_seen_at, b.last_seen_at)"
        " WHEN NOT MATCHED THEN INSERT BY NAME"
    )


def _same(table: Table) -> str:
    return " AND ".join(f"t.{name} = b.{name}" for name in table.key)


_ADDING: dict[str, Callable[[Table, Columns], str]] = {
    "append": _append,
    "image": _append,
    "once": _once,
    "tally": _tally,
}
