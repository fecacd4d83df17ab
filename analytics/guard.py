"""Which SQL may be asked of the history: exactly one statement, of DuckDB's type SELECT or EXPLAIN.

SUMMARIZE, DESCRIBE, SHOW, VALUES, FROM … are of type SELECT and pass. The statement then runs in a read-only transaction
(query.py): neither rule is enough alone. What both let through are functions that change the database's own behaviour, or
run text as SQL: those are named here. Knows nothing of connections that hold data.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

import duckdb

from questd.analytics.values import is_list, is_object
from questd.messages.payload import decode_json
from questd.runtime.errors import CallerError

SQL_MAX_BYTES: Final = 65_536
PARAMETERS_MAX_BYTES: Final = 65_536
PARAMETERS_MAX_VALUES: Final = 1_000
"""Counted through lists and objects: DuckDB takes 50 µs a value where numpy is not installed."""

FORBIDDEN_FUNCTIONS: Final = frozenset(
    {
        "arrow_scan",
        "arrow_scan_dumb",
        "checkpoint",
        "disable_logging",
        "disable_profiling",
        "enable_logging",
        "enable_profiling",
        "force_checkpoint",
        "json_execute_serialized_sql",
        "pandas_scan",
        "python_map_function",
        "query",
        "truncate_duckdb_logs",
        "write_log",
    }
)
_MENTION = re.compile("|".join(sorted(FORBIDDEN_FUNCTIONS)), re.IGNORECASE)
_ALLOWED = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)


class BadQuery(CallerError):
    """The SQL, or its parameters, are wrong or not allowed."""


def check_sql(sql: str) -> duckdb.Statement:
    """The one statement, or BadQuery."""
    try:
        size = len(sql.encode())
    except UnicodeEncodeError as error:
        raise BadQuery(f"the SQL is no text: {error}") from None
    if size > SQL_MAX_BYTES:
        raise BadQuery(f"the SQL has {size} bytes; the limit is {SQL_MAX_BYTES}")
    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise BadQuery(str(error)) from None
    if len(statements) != 1:
        raise BadQuery(f"write exactly one statement; this is {_count(len(statements))}")
    statement = statements[0]
    if statement.type not in _ALLOWED:
        raise BadQuery(
            f"only SELECT and EXPLAIN may be asked of the history, not {statement.type.name}"
        )
    name = _forbidden_function(statement)
    if name is not None:
        raise BadQuery(f"the function {name} may not be used here")
    return statement


def check_parameters(text: bytes) -> list[Any]:
    """The values of a JSON array, or BadQuery."""
    if len(text) > PARAMETERS_MAX_BYTES:
        raise BadQuery(
            f"the parameters have {len(text)} bytes; the limit is {PARAMETERS_MAX_BYTES}"
        )
    try:
        values: Any = decode_json(text)
    except (ValueError, RecursionError) as error:
        raise BadQuery(f"the parameters are no JSON: {error}") from None
    if not is_list(values):
        raise BadQuery("the parameters must be a JSON array")
    if _count_values(values) > PARAMETERS_MAX_VALUES:
        raise BadQuery(f"the parameters hold more than {PARAMETERS_MAX_VALUES} values")
    return list(values)


def _count(number: int) -> str:
    return "none" if number == 0 else str(number)


def _count_values(values: Sequence[Any]) -> int:
    found, open_values = 0, list(values)
    while open_values and found <= PARAMETERS_MAX_VALUES:
        value = open_values.pop()
        found += 1
        if is_list(value):
            open_values += value
        elif is_object(value):
            open_values += value.values()
    return found


def _forbidden_function(statement: duckdb.Statement) -> str | None:
    """Names in texts and columns are fine: only where a name is mentioned is the parse tree asked whether it is called."""
    mention = _MENTION.search(statement.query)
    if mention is None:
        return None
    tree = _tree(statement.query)
    if tree is None:
        return mention.group().lower()
    nodes: list[Any] = [tree]
    while nodes:
        node = nodes.pop()
        if is_object(node):
            name = str(node.get("function_name", "")).lower()
            if name in FORBIDDEN_FUNCTIONS:
                return name
            nodes += node.values()
        elif is_list(node):
            nodes += node
    return None


def _tree(sql: str) -> dict[str, Any] | None:
    """DuckDB's parse tree; None for what it cannot show (EXPLAIN)."""
    with duckdb.connect(config={"threads": "1"}) as parser:
        row = parser.execute("SELECT json_serialize_sql($1::VARCHAR)", [sql]).fetchone()
    try:
        tree: Any = decode_json(str(row[0]).encode()) if row else None
    except (ValueError, RecursionError):
        return None
    return tree if is_object(tree) and not tree.get("error") else None
