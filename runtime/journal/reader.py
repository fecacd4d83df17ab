"""Reading a journal on disk, from any process and any thread.

Every statement is its own short read transaction on a connection that only one thread uses at that moment; long
answers are read in pages, so that no reader keeps the WAL from being reset. Creates nothing and writes nothing.
"""

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from questd.messages.events import EVENT_SCHEMA_VERSION, Record
from questd.messages.heads import CHILD_MARK, Head, ListFilter
from questd.runtime.descriptors import reserved
from questd.runtime.errors import (
    BrokenChain,
    JournalBroken,
    JournalError,
    JournalForeign,
    JournalNewer,
)
from questd.runtime.journal.chain import EVENT_COLUMNS, FIRST, Link, Links, checked_record
from questd.runtime.journal.listing import NO_SCHEDULE, Place, anchor_after, page_query, scans
from questd.runtime.journal.rows import HEAD_COLUMNS, head_of
from questd.runtime.journal.selection import END_KINDS, ENDINGS_SPAN, passes_scan

DATABASE_NAME = "journal.db"
APPLICATION_ID = 0x71757374
SCHEMA_VERSION = 1
PAGE_ROWS = 1_000
BUSY_S = 5.0

DISK_ERRORS = (sqlite3.Error, UnicodeDecodeError)
"""What a disk's faults look like: the text of an SQLite error can hold bytes of the damaged page."""

Row = Sequence[Any]

_OPEN = "parked is null and status not in ('completed', 'failed', 'cancelled')"
COUNT_OPEN = f"select count(*) from heads where {_OPEN} and {NO_SCHEDULE}"  # noqa: S608


def open_connection(path: Path, *, writing: bool = False) -> sqlite3.Connection:
    """A connection in autocommit mode to a database that exists. sqlite3.Error when it cannot be opened."""
    return sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?mode={'rw' if writing else 'ro'}",
        uri=True,
        timeout=BUSY_S,
        isolation_level=None,
        check_same_thread=False,
    )


def is_busy(error: Exception) -> bool:
    """Whether somebody was merely in the way."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def fails_everywhere(sql: str, parameters: Sequence[Any] = ()) -> bool:
    """Whether a statement fails on an empty journal too: SQLite's words for a bad question are those for a damaged schema."""
    with closing(sqlite3.connect(":memory:")) as empty:
        empty.executescript(schema_sql())
        try:
            empty.execute(sql, parameters)
        except sqlite3.Error:
            return True
        return False


def schema_sql() -> str:
    """What makes the tables of a journal."""
    return files(__package__ or "").joinpath("schema.sql").read_text(encoding="utf-8")


class SqliteReader:
    """The reading verbs of a journal in ``directory``. JournalForeign when it is none, or a newer program's."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / DATABASE_NAME
        self._idle: list[sqlite3.Connection] = []
        self._closed = False
        if not self.path.exists():
            raise JournalError(
                f"there is no journal in {directory}: start a daemon there (`quest serve`), "
                "or name another directory with --data"
            )
        if not self.path.stat().st_size:  # SQLite would delete the WAL beside it
            raise JournalForeign(
                f"{self.path} is empty: restore it from a backup, or name another directory with --data"
            )
        try:
            self._id = self._identify()
        except BaseException:
            self._close_idle()
            raise

    def _identify(self) -> str:
        try:
            (application,), (version,) = (
                self.ask("pragma application_id")[0],
                self.ask("pragma user_version")[0],
            )
        except JournalBroken as error:
            raise JournalForeign(
                f"{self.path} is no journal of questd, or its first page is damaged ({error.__cause__}). "
                "Restore it from a backup, or name another directory with --data"
            ) from error
        if application != APPLICATION_ID:
            raise JournalForeign(f"{self.path} is no journal of questd: name another directory")
        if version > SCHEMA_VERSION:
            raise JournalNewer(
                f"{self.path} has schema {version}; this program knows {SCHEMA_VERSION}: "
                "it was written by a newer questd. Install that version"
            )
        ids = self.ask("select id from journal")
        if len(ids) != 1 or not isinstance(ids[0][0], str):
            raise JournalBroken(f"{self.path} has lost its name: run `quest doctor`")
        return ids[0][0]

    @property
    def journal_id(self) -> str:
        """Given at creation, never changed."""
        return self._id

    def ask(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """All rows of one statement, for this package only. JournalBroken when the disk or a page fails.

        A statement that no journal understands is its asker's mistake: sqlite3.Error, and nothing is said of this journal.
        """
        if self._closed:
            raise JournalError(f"{self.path} is closed")
        try:
            connection = self._take()
            try:
                return connection.execute(sql, parameters).fetchall()
            finally:
                self._give_back(connection)
        except DISK_ERRORS as error:
            if is_busy(error):
                raise JournalError(f"{self.path} was busy for {BUSY_S:g} s: try again") from error
            if fails_everywhere(sql, parameters):
                raise
            raise JournalBroken(
                f"reading {self.path} failed: {error}. Run `quest doctor` before anything else"
            ) from error

    def _take(self) -> sqlite3.Connection:
        try:
            return self._idle.pop()
        except IndexError:
            with reserved():
                return self._opened()

    def _opened(self) -> sqlite3.Connection:
        connection = open_connection(self.path)
        try:
            # SQLite opens the WAL when it first reads.
            connection.execute("select count(*) from sqlite_master").fetchone()
        except BaseException:
            connection.close()
            raise
        return connection

    def _give_back(self, connection: sqlite3.Connection) -> None:
        self._idle.append(connection)
        if self._closed:
            self._close_idle()

    def _close_idle(self) -> None:
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return
            connection.close()

    def events(self, quest: str, after: int = 0, limit: int = 10_000) -> list[Record]:
        """Events of the quest with n > after, in order. BrokenChain when a CRC does not fit."""
        head = self.ask("select version, crc, seq from heads where quest = ?", (quest,))
        if not head or after >= head[0][0]:
            return []
        version, *last = self._whole(*head[0])
        end = min(version, after + limit)
        links = Links({quest: self._link(quest, after)})
        records: list[Record] = []
        for start in range(after, end, PAGE_ROWS):
            records += self._event_page(quest, start, min(end, start + PAGE_ROWS), links)
        if records and end == version and links.known[quest] != (version, *last):
            raise BrokenChain(quest, version)
        return records

    def _link(self, quest: str, n: int) -> Link:
        if n == 0:
            return FIRST
        rows = self.ask("select crc, seq from events where quest = ? and n = ?", (quest, n))
        if not rows:
            raise BrokenChain(quest, n)
        crc, seq = self._whole(*rows[0])
        return n, crc, seq

    def _whole(self, *values: Any) -> tuple[int, ...]:
        """These values of one row, if they are what they must be: a damaged page can give any type."""
        if not all(isinstance(value, int) for value in values):
            raise JournalBroken(f"a row of {self.path} is damaged: run `quest doctor`")
        return values

    def _event_page(self, quest: str, start: int, end: int, links: Links) -> list[Record]:
        rows = self.ask(
            f"select {EVENT_COLUMNS} from events where quest = ? and n > ? and n <= ? order by n",  # noqa: S608
            (quest, start, end),
        )
        records = [links.check(row) for row in rows]
        if len(records) < end - start and self.head(quest) is not None:
            raise BrokenChain(quest, start + len(records) + 1)
        return records

    def follow(self, after_seq: int, limit: int = 10_000) -> list[Record]:
        """Events of all quests with seq > after_seq, in order of seq: what the history reads."""
        links = Links({})
        records: list[Record] = []
        while len(records) < limit:
            size = min(PAGE_ROWS, limit - len(records))
            rows = self.ask(
                f"select {EVENT_COLUMNS} from events where seq > ? order by seq limit ?",  # noqa: S608
                (records[-1].seq if records else after_seq, size),
            )
            records += [links.check(row) for row in rows]
            if len(rows) < size:
                break
        return records

    def endings(self, after_seq: int, limit: int) -> tuple[list[tuple[int, str]], int]:
        """The first ``limit`` events that ended a quest, and how far it looked."""
        until = min(after_seq + ENDINGS_SPAN, max(after_seq, self.last_seq()))
        marks = ",".join("?" * len(END_KINDS))
        rows = self.ask(
            f"select seq, quest from events where seq > ? and seq <= ? and kind in ({marks}) order by seq limit ?",  # noqa: S608
            (after_seq, until, *sorted(END_KINDS), limit),
        )
        ends = [(seq, quest) for seq, quest in rows]
        return ends, ends[-1][0] if len(ends) == limit else until

    def last_seq(self) -> int:
        """Newest durable event's seq; 0 when there never was one."""
        rows = self.ask("select seq from sqlite_sequence where name = 'events'")
        return self._whole(*rows[0])[0] if rows else 0

    def newest_event(self) -> tuple[int, int] | None:
        """Seq and CRC of the newest event that is still there. JournalNewer when a newer program wrote it.

        Schema numbers never fall from one event to the next, for an older program refuses the journal here: so one look is enough.
        """
        rows = self.ask("select seq, crc, schema from events order by seq desc limit 1")
        if not rows:
            return None
        seq, crc, schema = self._whole(*rows[0])
        if schema > EVENT_SCHEMA_VERSION:
            raise JournalNewer(
                f"{self.path} holds events of schema {schema}; this program knows {EVENT_SCHEMA_VERSION}: "
                "a newer questd has served it. Install that version"
            )
        return seq, crc

    def crc_of(self, seq: int) -> int | None:
        """CRC of the event with this seq; None when it was retired, or never was. BrokenChain when it is not what was written."""
        rows = self.ask(f"select {EVENT_COLUMNS} from events where seq = ?", (seq,))  # noqa: S608
        if not rows:
            return None
        checked_record(rows[0])
        (*_, crc) = rows[0]
        return int(crc)

    def head(self, quest: str) -> Head | None:
        """Head of the quest."""
        found = self._heads(f"select {HEAD_COLUMNS} from heads where quest = ?", (quest,))  # noqa: S608
        return found[0] if found else None

    def _heads(self, sql: str, parameters: Sequence[Any]) -> list[Head]:
        try:
            return [head_of(row) for row in self.ask(sql, parameters)]
        except (ValueError, TypeError) as error:
            raise JournalBroken(
                f"a head in {self.path} is damaged ({error}): run `quest doctor`"
            ) from error

    def heads(self, *, open_only: bool = False, after: str = "") -> Iterator[Head]:
        """All heads by id, from behind ``after`` on; with ``open_only`` those of quests that have not ended and are not parked."""
        only = f"and {_OPEN}" if open_only else ""
        sql = f"select {HEAD_COLUMNS} from heads where quest > ? {only} order by quest limit ?"  # noqa: S608
        page = self._heads(sql, (after, PAGE_ROWS))
        while page:
            yield from page
            page = self._heads(sql, (page[-1].quest, PAGE_ROWS))

    def count_open(self) -> int:
        """How many quests have not ended and are not parked, from the index that holds just them."""
        return self._whole(*self.ask(COUNT_OPEN)[0])[0]

    def select(self, wanted: ListFilter) -> list[Head]:
        """Heads that pass the filter, newest first."""
        limit = max(0, wanted.limit)
        rows = PAGE_ROWS if scans(wanted) else min(limit, PAGE_ROWS)
        return list(islice(self._matching(wanted, rows), limit)) if limit else []

    def _matching(self, wanted: ListFilter, rows: int) -> Iterator[Head]:
        place: Place | None = anchor_after(wanted.after, self.ask)
        while place is not None:
            page = self._heads(*page_query(wanted, place, rows))
            yield from (head for head in page if passes_scan(head, wanted))
            last = page[-1] if len(page) == rows else None
            place = None if last is None else (last.created_us, last.quest)

    def resolve_prefix(self, prefix: str) -> list[str]:
        """Up to two quest ids that start so: none, the one, or proof that it is ambiguous. Children go by their whole ids."""
        rows = self.ask(
            f"select quest from heads where quest >= ? and quest < ? and {NO_SCHEDULE} "  # noqa: S608
            "and instr(quest, ?) = 0 order by quest limit 2",
            (prefix, prefix + "\U0010ffff", CHILD_MARK),
        )
        return [row[0] for row in rows]

    def holder(self, key: str) -> str | None:
        """Whose idempotency key it is, or was until its tombstone went."""
        rows = self.ask(
            "select quest from heads where key = ? union all select quest from tombstones where key = ?",
            (key, key),
        )
        return rows[0][0] if rows else None

    def definition(self, digest: str) -> bytes | None:
        """Canonical bytes of a definition. JournalBroken when they are damaged."""
        return self._content("definitions", digest)

    def blob(self, digest: str) -> bytes | None:
        """Text of a payload, by its digest. JournalBroken when it is damaged."""
        return self._content("blobs", digest)

    def _content(self, table: str, digest: str) -> bytes | None:
        rows = self.ask(f"select body from {table} where digest = ?", (digest,))  # noqa: S608
        if not rows:
            return None
        body = rows[0][0]
        if not isinstance(body, bytes) or hashlib.sha256(body).hexdigest() != digest:
            raise JournalBroken(
                f"{digest} among the {table} of {self.path} is not what was written: run `quest doctor`"
            )
        return body

    def close(self) -> None:
        """Give every connection back. Closing twice is fine."""
        self._closed = True
        self._close_idle()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
