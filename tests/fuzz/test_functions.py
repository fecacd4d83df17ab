"""Every table function and pragma that this DuckDB has, called through the guard: none changes anything. A new version may bring new ones."""

import duckdb
import pytest

from questd.analytics.guard import BadQuery
from questd.analytics.query import LimitReached, ask
from tests.fuzz.sql import LIMITS, history

VALUES = {"VARCHAR": "'quests'", "BOOLEAN": "true", "BLOB": "'a'::BLOB", "DOUBLE": "1.5"}
POWERFUL = "('table', 'pragma', 'table_macro')"


def signatures() -> list[tuple[str, tuple[str, ...]]]:
    """Names with the types of their parameters."""
    sql = f"SELECT DISTINCT function_name, parameter_types FROM duckdb_functions() WHERE function_type IN {POWERFUL} ORDER BY ALL"
    return [(name, tuple(types or ())) for name, types in duckdb.sql(sql).fetchall()]


def test_no_table_function_changes_anything() -> None:
    before = history()
    found = signatures()
    assert len(found) > 100
    for name, types in found:
        arguments = ", ".join(VALUES.get(kind, "1") for kind in types)
        for sql in (f'SELECT * FROM "{name}"({arguments})', f"CALL {name}({arguments})"):
            cursor = before.database.cursor()
            try:
                ask(cursor, sql, limits=LIMITS)
            except (BadQuery, LimitReached):
                continue
            finally:
                cursor.close()
    before.check()


@pytest.mark.parametrize("name", ["checkpoint", "enable_logging", "query", "write_log"])
def test_those_that_would_are_refused_by_name(name: str) -> None:
    cursor = history().database.cursor()
    with pytest.raises(BadQuery, match=f"the function {name} may not be used here"):
        ask(cursor, f"SELECT * FROM {name}('quests')")
    cursor.close()
