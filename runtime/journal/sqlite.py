"""The journal on disk: SQLite in WAL mode, one writer, group commit.

Invariant: ``commit`` returns only after its transaction was synced; after the first failed write nothing is ever
written again. Must not know what an event means.

Never open the database file except through SQLite: closing any other descriptor of it in this process would drop
SQLite's locks (POSIX).
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Lock

from questd.runtime.errors import BrokenChain, JournalBroken
from questd.runtime.journal.batch import Batch, Stand
from questd.runtime.journal.head_file import DurableHead, write_durable_head
from questd.runtime.journal.lock import DirectoryLock
from questd.runtime.journal.opening import open_journal
from questd.runtime.journal.reader import SqliteReader, is_busy
from questd.runtime.journal.retention import retire
from questd.runtime.journal.rows import (
    BLOB_ROWS,
    DEFINITION_ROWS,
    EVENT_ROWS,
    HEAD_ROWS,
    MOVED_HEAD_ROWS,
    REFERENCE_ROWS,
)
from questd.runtime.journal.selection import TOMBSTONE_US
from questd.runtime.journal.store import Append, Appended, Refusal
from questd.runtime.journal.upkeep import Upkeep, close_as_it_is, restart_wal

KNOWN_STANDS = 100_000
PAGE_BYTES = 4096
WAL_CHECKPOINT_BYTES = 4 * 1024 * 1024
WAL_RESTART_BYTES = 12 * 1024 * 1024
VACUUM_PAGES = 256
_IN = 500


class SqliteStore(SqliteReader):
    """The journal in ``directory``, made when there is none; this process alone may write it.

    ``clock_us``: wall time in microseconds. ``new_id``: gives the id of a new journal. ``lock``: a held lock of the
    directory; without one the store takes its own, or raises JournalLocked. ``upkeep_s``: how often the WAL is
    checkpointed and the side file written by a thread of the store; None: only when ``tend`` is called.
    """

    def __init__(
        self,
        directory: Path,
        *,
        clock_us: Callable[[], int],
        new_id: Callable[[], str],
        lock: DirectoryLock | None = None,
        upkeep_s: float | None = 0.5,
    ) -> None:
        self._clock_us = clock_us
        self._write_lock = Lock()
        self._failed: JournalBroken | None = None
        self._stands: dict[str, Stand] = {}
        self._fresh_pages = 0
        self._wal_pages = 0
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._own_lock = DirectoryLock(directory, clock_us=clock_us) if lock is None else None
        if self._own_lock is not None:
            self._own_lock.acquire()
        try:
            self._writer, self._durable = open_journal(directory, clock_us=clock_us, new_id=new_id)
            self._begin(directory, upkeep_s)
        except BaseException:
            self._release()
            raise

    def _begin(self, directory: Path, upkeep_s: float | None) -> None:
        with ExitStack() as undo:
            undo.callback(self._writer.close)
            super().__init__(directory)
            undo.callback(super().close)
            self._written_head: DurableHead | None = None
            self._upkeep = Upkeep(self.path, self.tend, upkeep_s)
            undo.pop_all()

    @staticmethod
    def open_reader(directory: Path) -> SqliteReader:
        """Open the journal for reading only, from any process; takes no lock. JournalError when there is none."""
        return SqliteReader(directory)

    @property
    def durable(self) -> DurableHead:
        """The newest event known to be on disk."""
        return self._durable

    def commit(self, items: Sequence[Append]) -> list[Appended | Refusal]:
        """One transaction; one answer an item, in order. JournalBroken when it did not reach the disk."""
        with self._write_lock:
            self._writable()
            try:
                return self._commit(items)
            except Exception as error:
                raise self._fail("a commit", error) from error

    def _commit(self, items: Sequence[Append]) -> list[Appended | Refusal]:
        if self._wal_pages * PAGE_BYTES > WAL_RESTART_BYTES and restart_wal(self._writer):
            self._wal_pages = 0
        batch = Batch(*self._known(items), self._durable.seq)
        answers = [batch.admit(item) for item in items]
        self._write(batch)
        self._remember(batch)
        self._fresh_pages += batch.pages()
        if self._fresh_pages * PAGE_BYTES > WAL_CHECKPOINT_BYTES:
            self._fresh_pages = 0
            self._upkeep.hurry()
        return answers

    def _write(self, batch: Batch) -> None:
        writer = self._writer
        whole, moved = batch.head_rows()
        if not whole and not moved:
            return
        writer.execute("begin immediate")
        EVENT_ROWS.write(writer, batch.events)
        HEAD_ROWS.write(writer, whole)
        MOVED_HEAD_ROWS.write(writer, moved)
        for rows, contents in ((DEFINITION_ROWS, batch.definitions), (BLOB_ROWS, batch.blobs)):
            rows.write(writer, [value for content in contents.items() for value in content])
        REFERENCE_ROWS.write(writer, batch.references)
        writer.execute("commit")

    def _remember(self, batch: Batch) -> None:
        stands = self._stands
        stands.update(batch.stands)
        for quest in batch.at_rest():
            del stands[quest]
        if len(stands) > KNOWN_STANDS:
            for quest in list(stands)[: KNOWN_STANDS // 2]:
                del stands[quest]
        if batch.last_crc is not None:
            self._durable = DurableHead(self._durable.journal, batch.last_seq, batch.last_crc)

    def _known(self, items: Iterable[Append]) -> tuple[dict[str, Stand], dict[str, str]]:
        """Where the quests of these items stand, and who holds the keys of those without a head."""
        quests = {item.quest: item for item in items}
        known = self._stands
        stands = {quest: known[quest] for quest in quests if quest in known}
        unknown = [quest for quest in quests if quest not in stands]
        if unknown:
            stands.update(self._load_stands(unknown))
        keys = [
            key for item in items if item.quest not in stands and (key := item.head.key) is not None
        ]
        return stands, self._load_holders(keys) if keys else {}

    def _load_stands(self, quests: Sequence[str]) -> dict[str, Stand]:
        stands: dict[str, Stand] = {}
        sql = """
            select h.quest, h.version, h.seq, h.crc, e.seq, e.crc from heads h
                left join events e on e.quest = h.quest and e.n = h.version where h.quest in ({0})
            union all select quest, version, 0, 0, 0, 0 from retiring where quest in ({0})"""
        for part, marks in _parts(quests):
            for quest, version, seq, crc, *last in self._writer.execute(
                sql.format(marks), [*part, *part]
            ).fetchall():
                if version and last != [seq, crc]:
                    raise BrokenChain(quest, version)
                stands[quest] = (version, seq, crc, 0)
        return stands

    def _load_holders(self, keys: Sequence[str]) -> dict[str, str]:
        since = self._clock_us() - TOMBSTONE_US
        sql = """
            select key, quest from heads where key in ({0})
            union all select key, quest from tombstones where key in ({0}) and retired_us > ?"""
        holders: dict[str, str] = {}
        for part, marks in _parts(keys):
            rows = self._writer.execute(sql.format(marks), [*part, *part, since])
            holders.update(rows.fetchall())
        return holders

    def _change(self, what: str, work: Callable[[sqlite3.Connection], int]) -> int:
        """Run other work of the writer in one transaction."""
        with self._write_lock:
            self._writable()
            try:
                self._writer.execute("begin immediate")
                done = work(self._writer)
                self._writer.execute("commit")
            except Exception as error:
                raise self._fail(what, error) from error
            return done

    def count_deaths(self) -> None:
        """Add one to ``deaths`` of every open head: said at start, before anything runs."""
        self._deaths(
            "update heads set deaths = deaths + 1 "
            "where parked is null and status in ('pending', 'running') and waits is null"
        )

    def forgive_deaths(self) -> None:
        """Set ``deaths`` to 0 everywhere."""
        self._deaths("update heads set deaths = 0 where deaths > 0")

    def _deaths(self, sql: str) -> None:
        def count(writer: sqlite3.Connection) -> int:
            self._stands.clear()
            return writer.execute(sql).rowcount

        self._change("counting deaths", count)

    def retire(self, before_us: int, keep: int, watermark: int, limit: int = 1_000) -> int:
        """Delete ended quests of ``before_us`` or beyond ``keep``; how many rows went, 0 when none is left to go.

        A large quest goes over several calls: its head at once, then its events from the last to the first.
        """
        now = self._clock_us()

        def work(writer: sqlite3.Connection) -> int:
            rows, quests = retire(
                writer,
                now_us=now,
                before_us=before_us,
                keep=keep,
                watermark=watermark,
                limit=limit,
            )
            for quest in quests:
                self._stands.pop(quest, None)
            return rows

        gone = self._change("retention", work)
        if gone:
            self._vacuum()
        return gone

    def _vacuum(self) -> None:
        """Give a few free pages back to the file system, in a transaction of its own."""
        with self._write_lock:
            self._writable()
            try:
                # Not execute: that would stop after the first page.
                self._writer.executescript(f"pragma incremental_vacuum({VACUUM_PAGES})")
            except sqlite3.Error as error:
                raise self._fail("giving pages back", error) from error

    def tend(self, checkpointer: sqlite3.Connection) -> None:
        """Upkeep, off the path of commits: side file and checkpoint.

        A failed checkpoint breaks the journal: after a failed fsync the kernel may call lost pages clean, so that
        trying again would succeed and lose them.
        """
        try:
            self._write_side_file()
            _, pages, _ = checkpointer.execute("pragma wal_checkpoint(passive)").fetchone()
            self._wal_pages = pages
        except (sqlite3.Error, OSError) as error:
            if not (isinstance(error, sqlite3.Error) and is_busy(error)):
                self._failed = self._failed or self._broken("upkeep", error)

    def _write_side_file(self) -> None:
        durable = self._durable
        if durable != self._written_head:
            write_durable_head(self.directory, durable)
            self._written_head = durable

    def _writable(self) -> None:
        if self._failed is not None:
            raise self._failed
        if self._closed:
            raise JournalBroken(f"{self.path} is closed")

    def _fail(self, what: str, error: Exception) -> JournalBroken:
        """Take no further write, give up what was begun, and say so."""
        self._failed = self._failed or self._broken(what, error)
        with suppress(sqlite3.Error):
            self._writer.execute("rollback")
        return self._failed

    def _broken(self, what: str, error: Exception) -> JournalBroken:
        code = getattr(error, "sqlite_errorname", type(error).__name__)
        return JournalBroken(
            f"{what} to {self.path} failed: {error} ({code}). Nothing of it counts as done and nothing more is "
            "written. See to the disk (space, health), run `quest doctor`, then start again: "
            "everything that was acknowledged is there"
        )

    def close(self) -> None:
        """Write the side file, give everything back; the last to close leaves no WAL. Closing twice is fine.

        After a failure nothing is written any more, not even what is in the WAL into the database.
        """
        self._upkeep.stop()
        with self._write_lock:
            if self._closed:
                return
            super().close()
            if self._failed is None:
                with suppress(sqlite3.Error, OSError):
                    self._write_side_file()
                self._writer.close()
            else:
                close_as_it_is(self._writer, self.path)
            self._release()

    def _release(self) -> None:
        if self._own_lock is not None:
            self._own_lock.release()


def _parts(values: Sequence[str]) -> Iterable[tuple[Sequence[str], str]]:
    """Parts that fit the parameters of one statement, with as many marks. Few different texts: each is kept prepared."""
    for start in range(0, len(values), _IN):
        part = list(values[start : start + _IN])
        part += part[-1:] * (-len(part) % 10)
        yield part, ",".join("?" * len(part))
