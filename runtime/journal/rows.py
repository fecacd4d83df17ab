"""Heads as rows, and statements that write many rows at once.

Must not know when something is written, nor by whom.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import structs

from questd.messages.heads import Head, Wait, Want
from questd.runtime.journal.selection import shown_status

ROW_COUNTS = (500, 200, 100, 50, 20, 10, 5, 2, 1)
"""Rows a statement. Any number is a sum of a few of these, so that every statement is prepared once and kept."""

HEAD_COLUMNS = ", ".join(field.name for field in structs.fields(Head))
"""The columns of a head, in the order of its fields."""

_msgpack = msgspec.msgpack.Encoder()
_json = msgspec.json.Encoder()
_wants: msgspec.msgpack.Decoder[tuple[Want, ...]] = msgspec.msgpack.Decoder(tuple[Want, ...])
_waits: msgspec.msgpack.Decoder[tuple[Wait, ...]] = msgspec.msgpack.Decoder(tuple[Wait, ...])
_labels: msgspec.json.Decoder[dict[str, str]] = msgspec.json.Decoder(dict[str, str])


class ManyRows:
    """One kind of INSERT for any number of rows, ≤ 500 a statement.

    Not ``executemany``: it gives the interpreter lock away at every row and then waits for it behind busy threads.
    """

    def __init__(self, before: str, columns: str, after: str = "") -> None:
        self.width = columns.count(",") + 1
        marks = f"({','.join('?' * self.width)})"
        self._statements = tuple(
            (rows, f"{before} ({columns}) values {','.join([marks] * rows)} {after}")
            for rows in ROW_COUNTS
        )

    def write(self, connection: sqlite3.Connection, values: Sequence[Any]) -> None:
        """Write ``values``: the rows' values one after another, ``width`` for each row."""
        at, end = 0, len(values)
        for rows, statement in self._statements:
            size = rows * self.width
            while end - at >= size:
                connection.execute(statement, values[at : at + size])
                at += size


def _replacing(columns: str) -> str:
    pairs = ", ".join(f"{name} = excluded.{name}" for name in columns.split(", "))
    return f"on conflict (quest) do update set {pairs}"


EVENT_ROWS = ManyRows(
    "insert into events", "seq, quest, n, at_us, kind, schema, previous_crc, crc, body"
)
HEAD_ROWS = ManyRows(
    "insert into heads",
    f"{HEAD_COLUMNS}, seq, crc, shown",
    _replacing(
        "version, status, definition, template_version, labels, priority, finished_us, wake_us, "
        "wants, waits, parked, deaths, seq, crc, shown"
    ),
)
MOVED_HEAD_ROWS = ManyRows(
    "insert into heads",
    f"{HEAD_COLUMNS}, seq, crc, shown",
    _replacing("version, wake_us, wants, waits, seq, crc"),
)
"""For heads whose ``standing`` is unchanged: leaves every index alone, which halves the pages of a commit."""
DEFINITION_ROWS = ManyRows("insert or ignore into definitions", "digest, body")
BLOB_ROWS = ManyRows("insert or ignore into blobs", "digest, body")
REFERENCE_ROWS = ManyRows("insert or ignore into quest_references", "quest, digest")


def standing(head: Head) -> int:
    """A hash of all that MOVED_HEAD_ROWS does not write."""
    return hash(
        (
            head.status,
            head.parked,
            head.finished_us,
            head.deaths,
            head.definition,
            head.template_version,
            head.priority,
            tuple(head.labels.items()),
        )
    )


def head_row(head: Head, key: str | None, seq: int, crc: int) -> tuple[Any, ...]:
    """The values of a HEAD_ROWS row. ``key`` is None for a quest that has a row: it keeps the key it has."""
    return (
        head.quest,
        head.version,
        head.status,
        head.definition,
        head.name,
        head.template_version,
        head.project,
        _json.encode(head.labels).decode() if head.labels else None,
        key,
        head.priority,
        head.created_us,
        head.finished_us,
        head.wake_us,
        _msgpack.encode(head.wants) if head.wants else None,
        _msgpack.encode(head.waits) if head.waits else None,
        head.parked,
        head.deaths,
        seq,
        crc,
        shown_status(head),
    )


def head_of(row: Sequence[Any]) -> Head:
    """Make the head of a row of HEAD_COLUMNS. ValueError (msgspec's, or of text) when its bytes are damaged, TypeError when its columns are."""
    values = list(row)
    values[7] = {} if values[7] is None else _labels.decode(values[7])
    values[13] = () if values[13] is None else _wants.decode(values[13])
    values[14] = () if values[14] is None else _waits.decode(values[14])
    return msgspec.convert(values, Head)
