"""Reading what can still be read of a damaged journal: row by row around damaged pages, behind damaged frames of the WAL.

Nothing here is believed: whoever gets a row checks it (an event by its CRC, a content by its digest). Changes nothing of what it
reads; the views that it makes for reading are links and copies in a folder of the caller's.
"""

import shutil
import sqlite3
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from questd.runtime.journal.opening import create_journal
from questd.runtime.journal.reader import DATABASE_NAME, DISK_ERRORS, open_connection
from questd.runtime.journal.resealing import PAGE_BYTES, frames_of, resealed

WAL_NAME: Final = f"{DATABASE_NAME}-wal"
ROWS_A_PAGE: Final = 500
"""More rows than this are on no page of a table: a bound for rowids when a table's right edge is lost."""
_STEP: Final = 5_000
_INTERIOR_TABLE: Final = 5
_SCHEMA: Final = """
    select group_concat(name || ':' || rootpage || ':' || coalesce(sql, ''), ';')
        from (select * from sqlite_master where name not like 'sqlite_stat%' order by name)"""


class Source:
    """One view of the damaged journal. ``failed``: whether anything could not be read."""

    def __init__(self, connection: sqlite3.Connection, hint: int) -> None:
        self._connection = connection
        self._hint = hint
        self.failed = False

    def rows(self, table: str, columns: str) -> Iterator[Sequence[Any]]:
        """Rows of a table in order, without those that cannot be read."""
        sql = f"select rowid, {columns} from {table} where rowid between ? and ? order by rowid"  # noqa: S608
        low, end = 1, self._end(table)
        while low <= end:
            yield from self._range(sql, low, min(end, low + _STEP - 1))
            low = self._next(table, low + _STEP)

    def value(self, sql: str) -> Any:
        """The first column of the first row; None when it cannot be had."""
        try:
            row = self._connection.execute(sql).fetchone()
        except DISK_ERRORS:
            self.failed = True
            return None
        return row[0] if row else None

    def _end(self, table: str) -> int:
        found = self.value(f"select max(rowid) from {table}")  # noqa: S608
        if self.failed:
            pages = self.value("pragma page_count") or 0
            return max(found or 0, self._hint, pages * ROWS_A_PAGE)
        return found or 0

    def _next(self, table: str, low: int) -> int:
        """Where rows go on: after retention the first ones may be far away."""
        failed, self.failed = self.failed, False
        found = self.value(f"select min(rowid) from {table} where rowid >= {low}")  # noqa: S608
        low = low if self.failed or found is None else max(low, found)
        self.failed = failed or self.failed
        return low

    def _range(self, sql: str, low: int, high: int) -> Iterator[Sequence[Any]]:
        """Halve what fails until it is one row, which is given up."""
        try:
            rows = self._connection.execute(sql, (low, high)).fetchall()
        except DISK_ERRORS:
            self.failed = True
            if low < high:
                middle = (low + high) // 2
                yield from self._range(sql, low, middle)
                yield from self._range(sql, middle + 1, high)
            return
        for row in rows:
            yield row[1:]


def views(directory: Path, workshop: Path, name: str, hint: int) -> Iterator[Source]:
    """Views of the journal in ``directory``, the best first. The one before is gone when the next is taken.

    ``hint``: a seq that is known to have been reached. ``workshop``: where folders of that name may be made.
    """
    with _folder(workshop / f"{name}-empty", b"") as empty:
        create_journal(empty, 0, "")
        with _opened(empty / DATABASE_NAME) as connection:
            schema = Source(connection, 0).value(_SCHEMA)
        failed = mistaken = False
        for number, wal in enumerate(_wals(directory / WAL_NAME)):
            if number and not wal and not failed:
                break  # without its WAL the database is an older state, which is asked only for want of another
            with _folder(workshop / f"{name}-{number}", wal) as folder:
                _link(directory / DATABASE_NAME, folder / DATABASE_NAME)
                with _opened(folder / DATABASE_NAME) as connection:
                    source = Source(connection, hint)
                    mistaken = mistaken or source.value(_SCHEMA) != schema
                    yield source
                    failed = failed or source.failed
        if mistaken or failed:
            with _folder(workshop / f"{name}-schema", next(_wals(directory / WAL_NAME))) as folder:
                _copy_with_schema(directory / DATABASE_NAME, empty / DATABASE_NAME, folder)
                with _opened(folder / DATABASE_NAME) as connection:
                    yield Source(connection, hint)


@contextmanager
def _folder(path: Path, wal: bytes) -> Generator[Path]:
    path.mkdir()
    if wal:
        (path / WAL_NAME).write_bytes(wal)
    yield path
    shutil.rmtree(path)


def _copy_with_schema(database: Path, empty: Path, folder: Path) -> None:
    """Give a database whose schema is damaged the pages of an empty journal's: they say the same, but for the number of pages."""
    pages = empty.read_bytes()
    first = bytearray(pages[:PAGE_BYTES])
    first[28:32] = (database.stat().st_size // PAGE_BYTES).to_bytes(4, "big")
    shutil.copyfile(database, folder / DATABASE_NAME)
    with (folder / DATABASE_NAME).open("r+b") as file:
        file.write(first)
        for number in _children(bytes(first)):
            file.seek((number - 1) * PAGE_BYTES)
            file.write(pages[(number - 1) * PAGE_BYTES : number * PAGE_BYTES])


def _children(first: bytes) -> list[int]:
    """The other pages of the schema's table, if it takes more than the first (https://www.sqlite.org/fileformat2.html#b_tree_pages)."""
    at = 100
    if first[at] != _INTERIOR_TABLE:
        return []
    count = int.from_bytes(first[at + 3 : at + 5], "big")
    cells = [int.from_bytes(first[at + 12 + 2 * n : at + 14 + 2 * n], "big") for n in range(count)]
    places = [at + 8, *cells]
    return [int.from_bytes(first[place : place + 4], "big") for place in places]


def _wals(path: Path) -> Iterator[bytes]:
    """The WAL as it is; without and with its damaged frames, when it has some; none at all."""
    wal = path.read_bytes() if path.exists() else b""
    yield wal
    if not wal:
        return
    found = frames_of(wal)
    if found is not None:
        yield resealed(found, without_damaged=True)
        yield resealed(found, without_damaged=False)
    yield b""


def _link(path: Path, other: Path) -> None:
    try:
        other.hardlink_to(path)
    except OSError:
        shutil.copyfile(path, other)


@contextmanager
def _opened(path: Path) -> Generator[sqlite3.Connection]:
    with closing(open_connection(path)) as connection:
        with suppress(*DISK_ERRORS):
            # Else a file shorter than it says, or a damaged schema, would not be read at all.
            connection.execute("pragma writable_schema = on").fetchall()
        yield connection
