"""Golden journals: what each holds, and what this version reads in it.

A folder of tests/golden/journals is one journal as some version left it when it was killed, with what that version said of it:
``shows.json`` (by quest, what ``quest show --json`` prints) and ``history.json`` (by table, the rows). Nothing in it is ever
changed; ``SHA256SUMS`` says how it was.
"""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any, cast

import msgspec

from questd.analytics.tables import TABLES
from questd.client.client import Client
from questd.runtime.journal.reader import SqliteReader
from tests.analytics.reading import build

JOURNALS = Path(__file__).parents[1] / "golden" / "journals"
SUMS = JOURNALS / "SHA256SUMS"
KEPT = sorted(path for path in JOURNALS.glob("*") if path.is_dir())

Rows = list[dict[str, Any]]


def copy_of(golden: Path, folder: Path) -> Path:
    """A data directory with a copy: opening a journal may change its files."""
    data = folder / "data"
    data.mkdir(mode=0o700)
    for name in ("journal.db", "journal.head"):
        shutil.copyfile(golden / name, data / name)
    return data


def shows_of(data: Path) -> dict[str, Any]:
    """What ``quest show --json`` says of each quest."""
    with SqliteReader(data) as reader:
        quests = [head.quest for head in reader.heads()]
    with Client(data=data) as client:
        return {quest: msgspec.to_builtins(client.show(quest)) for quest in quests}


def history_of(data: Path, folder: Path) -> dict[str, Rows]:
    """Every row of every table of the history, by the names of its columns, as JSON says them."""
    with SqliteReader(data) as reader:
        database = build(reader, folder / "golden.duckdb")
        cursor = database.cursor()
        try:
            return {table.name: _rows(cursor, table.name) for table in TABLES}
        finally:
            cursor.close()
            database.close()


def _rows(cursor: Any, table: str) -> Rows:
    found = cursor.execute(f"FROM {table}").fetchall()
    names = [column[0] for column in cursor.description]
    rows = [dict(zip(names, row, strict=True)) for row in found]
    return ordered(json.loads(json.dumps(rows, default=str)))


def ordered(rows: Rows) -> Rows:
    """In an order that the rows alone decide."""
    return sorted(rows, key=lambda row: json.dumps(row, sort_keys=True))


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def write(path: Path, value: dict[str, Any]) -> None:
    """One line for each quest or row, so that a difference can be read."""
    parts: list[str] = []
    for name, each in value.items():
        if isinstance(each, list):
            lines: list[Any] = cast("Any", each)
            text = ",\n".join(f"  {json.dumps(row, ensure_ascii=False)}" for row in lines)
            parts.append(f"{json.dumps(name)}: [\n{text}\n]")
        else:
            parts.append(f"{json.dumps(name)}: {json.dumps(each, ensure_ascii=False)}")
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n")


def digest_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def sums() -> dict[str, str]:
    """What SHA256SUMS says: digest by path."""
    lines = (line.split("  ", 1) for line in SUMS.read_text().splitlines())
    return {name: digest for digest, name in lines}
