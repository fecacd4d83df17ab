"""Upkeep of a journal on disk: the thread that checkpoints, so that no commit has to, and the WAL's file.

A commit that overwrites a part of the file syncs in half the time of one that makes the file longer, and does not wait for what
other programs have written to the file system. So the WAL gets its size at the start, begins again when it is full, and is
never truncated while the journal is open.

Must not know what is written. Its failures reach the writer, which then takes no more.
"""

import os
import sqlite3
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Protocol

from questd.runtime.errors import JournalBroken, JournalError
from questd.runtime.journal.reader import BUSY_S, is_busy, open_connection

WAL_ROOM_BYTES = 16 * 1024 * 1024
COPY_BYTES = 1024 * 1024
WAL_MAX_BYTES = 64 * 1024 * 1024
"""What a slow reader let it grow beyond is given back when it begins again."""


class Tend(Protocol):
    """What is done at each turn."""

    def __call__(self, checkpointer: sqlite3.Connection) -> None:
        """Do one turn."""
        ...


class Upkeep:
    """Calls ``tend`` every ``every_s`` seconds, earlier on ``hurry``; never when ``every_s`` is None."""

    def __init__(self, path: Path, tend: Tend, every_s: float | None) -> None:
        self._tend = tend
        self._every_s = every_s
        self._wake = Event()
        self._stopping = False
        self._thread: Thread | None = None
        if every_s is not None:
            # Opened here, so that a failure is the opener's and not a thread's last word.
            checkpointer = open_checkpointer(path)
            self._thread = Thread(
                target=self._run, args=(checkpointer,), name="journal-upkeep", daemon=True
            )
            self._thread.start()

    def hurry(self) -> None:
        """Ask for a turn now."""
        self._wake.set()

    def stop(self) -> None:
        """Return when the last turn is over. Stopping twice is fine."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self, checkpointer: sqlite3.Connection) -> None:
        try:
            while not self._stopping:
                self._wake.wait(self._every_s)
                self._wake.clear()
                self._tend(checkpointer)
        finally:
            checkpointer.close()


def open_checkpointer(path: Path) -> sqlite3.Connection:
    """The connection of ``tend``. JournalError when the disk will not have it."""
    try:
        checkpointer = open_connection(path, writing=True)
        try:
            prepare(checkpointer)
        except BaseException:
            checkpointer.close()
            raise
    except sqlite3.Error as error:
        raise cannot_open(path, error) from error
    return checkpointer


def cannot_open(path: Path, error: Exception) -> JournalError:
    """What the disk said, in words that help."""
    if is_busy(error):
        return JournalError(f"{path} is in use by a program that is no questd: end it")
    return JournalBroken(
        f"opening {path} failed: {error}. See to the disk (space, health) and run `quest doctor`"
    )


def prepare(connection: sqlite3.Connection) -> None:
    """Set what every writing connection needs: full sync (to the platter, on macOS too), no checkpoint of its own."""
    for pragma in (
        "synchronous = full",
        "fullfsync = on",
        "checkpoint_fullfsync = on",
        "wal_autocheckpoint = 0",
        f"journal_size_limit = {WAL_MAX_BYTES}",
    ):
        connection.execute(f"pragma {pragma}").fetchall()


def reserve_wal(writer: sqlite3.Connection, wal: Path) -> None:
    """Empty the WAL, then give it its size, if the disk has room: what a transaction spills before it is given up stays in the file."""
    _checkpoint(writer, "truncate")
    cache = writer.execute("pragma cache_size").fetchone()[0]
    writer.execute("pragma cache_size = 10")
    writer.execute("begin immediate")
    try:
        writer.execute("insert into blobs values ('', zeroblob(?))", (WAL_ROOM_BYTES,))
    except sqlite3.OperationalError as error:
        if (
            error.sqlite_errorcode != sqlite3.SQLITE_FULL
        ):  # of that the first commit that finds no room will speak
            raise
    if writer.in_transaction:
        writer.execute("rollback")
    writer.execute(f"pragma cache_size = {cache}")
    descriptor = os.open(wal, os.O_RDWR)  # unlike the database's own file it bears no locks
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def rewrite_wal(wal: Path) -> None:
    """Write what a WAL holds once more, and sync: after a failed sync the kernel calls pages clean that are not on disk.

    Whoever found that sync failed has ended; the next one reads those pages from the kernel's memory, takes them for durable and
    begins to write them into the database, which a power cut then leaves half written, without a WAL to mend it.
    """
    with suppress(FileNotFoundError):
        descriptor = os.open(wal, os.O_RDWR)
        try:
            at = 0
            while chunk := os.pread(descriptor, COPY_BYTES, at):
                at += os.pwrite(descriptor, chunk, at)
            if at:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)


def close_as_it_is(writer: sqlite3.Connection, path: Path) -> None:
    """Close the last connection after a failure: no checkpoint, which would sync again as if nothing had failed.

    SQLite leaves the WAL alone while another connection is open; one that only reads never touches it. Where none can be opened,
    because nothing can be read, a checkpoint cannot read either.
    """
    with ExitStack() as open_until_then:
        with suppress(sqlite3.Error, UnicodeDecodeError):
            guard = open_until_then.enter_context(closing(open_connection(path)))
            guard.execute("select count(*) from sqlite_master").fetchone()
        writer.close()


def restart_wal(writer: sqlite3.Connection) -> bool:
    """Checkpoint all and begin the WAL at its file's start again, unless a reader or the thread's own checkpoint is in the way; whether it was done."""
    return _checkpoint(writer, "restart")


def _checkpoint(writer: sqlite3.Connection, mode: str) -> bool:
    writer.execute("pragma busy_timeout = 0").fetchall()
    try:
        (busy, _, _) = writer.execute(f"pragma wal_checkpoint({mode})").fetchone()
    finally:
        writer.execute(f"pragma busy_timeout = {int(BUSY_S * 1_000)}").fetchall()
    return not busy
