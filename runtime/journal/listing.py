"""The filter of a list as SQL: newest first, page by page, each page from an index.

Must not know how a page is read.
"""

from collections.abc import Callable, Sequence
from typing import Any

from questd.messages.heads import ListFilter
from questd.messages.schedules import SCHEDULE_IDS
from questd.runtime.journal.rows import HEAD_COLUMNS

Place = tuple[int, str]
"""(created_us, quest): heads before it, newest first, are still to come."""

NEWEST: Place = (2**63 - 1, "")
OLDEST_US = -(2**63)
NO_SCHEDULE = f"quest not glob '{SCHEDULE_IDS}*'"


def anchor_after(quest: str | None, ask: Callable[[str, Sequence[Any]], list[Any]]) -> Place | None:
    """Where a page after ``quest`` begins; when that is gone, at its place by id (ids sort by time). None: nowhere."""
    if quest is None:
        return NEWEST
    rows = ask(
        "select created_us, quest from heads where quest <= ? order by quest desc limit 1", (quest,)
    )
    if not rows:
        return None
    created_us, found = rows[0]
    return (created_us, found) if found == quest else (created_us, found + "\0")


def page_query(wanted: ListFilter, before: Place, rows: int) -> tuple[str, list[Any]]:
    """The statement for at most ``rows`` heads older than ``before``, and its parameters.

    One arm for each status, united in one statement: each arm reads its own index in order, and all see one moment.
    """
    where = f"(created_us, quest) < (?, ?) and created_us >= ? and {NO_SCHEDULE}"
    values: list[Any] = [*before, OLDEST_US if wanted.since_us is None else wanted.since_us]
    for column, value in (("name", wanted.name), ("project", wanted.project)):
        if value is not None:
            where += f" and {column} = ?"
            values.append(value)
    newest = "order by created_us desc, quest desc limit ?"
    arm = f"select {HEAD_COLUMNS} from heads where {where}"  # noqa: S608
    statuses = list(dict.fromkeys(wanted.status))
    if not statuses:
        return f"{arm} {newest}", [*values, rows]
    if len(statuses) == 1:
        return f"{arm} and shown = ? {newest}", [*values, *statuses, rows]
    arms = " union all ".join([f"select * from ({arm} and shown = ? {newest})"] * len(statuses))  # noqa: S608
    parameters = [value for status in statuses for value in (*values, status, rows)]
    return f"{arms} {newest}", [*parameters, rows]


def scans(wanted: ListFilter) -> bool:
    """Whether the filter asks for something that no index answers."""
    return wanted.text is not None or wanted.waiting_since_us is not None or bool(wanted.labels)
