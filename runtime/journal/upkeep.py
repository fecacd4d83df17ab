"""Upkeep of a journal on disk: the thread that checkpoints, so that no commit has to.

Must not know what is written. Its failures reach the writer, which then takes no more.
"""

import sqlite3
from pathlib import Path
from threading import Event, Thread
from typing import Protocol

from questd.runtime.journal.reader import BUSY_S, open_connection


class Tend(Protocol):
    """What is done at each turn; ``idle``: nothing was asked for since the turn before."""

    def __call__(self, checkpointer: sqlite3.Connection, *, idle: bool) -> None:
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
            checkpointer = open_connection(path, writing=True)
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
            prepare(checkpointer)
            while not self._stopping:
                hurried = self._wake.wait(self._every_s)
                self._wake.clear()
                self._tend(checkpointer, idle=not hurried)
        finally:
            checkpointer.close()


def prepare(connection: sqlite3.Connection) -> None:
    """Set what every writing connection needs: full sync (to the platter, on macOS too), no checkpoint of its own."""
    for pragma in (
        "synchronous = full",
        "fullfsync = on",
        "checkpoint_fullfsync = on",
        "wal_autocheckpoint = 0",
    ):
        connection.execute(f"pragma {pragma}").fetchall()


def truncate_wal(writer: sqlite3.Connection) -> bool:
    """Checkpoint all and empty the WAL's file, if nobody is in the way; whether it was done.

    Giving 64 MB back to the file system takes 20 ms: for idle times only.
    """
    return _checkpoint(writer, "truncate")


def restart_wal(writer: sqlite3.Connection) -> bool:
    """Checkpoint all and begin the WAL at its file's start again, if nobody is in the way; whether it was done."""
    return _checkpoint(writer, "restart")


def _checkpoint(writer: sqlite3.Connection, mode: str) -> bool:
    """Checkpoint without waiting for readers or for the thread's own checkpoint."""
    writer.execute("pragma busy_timeout = 0").fetchall()
    try:
        (busy, _, _) = writer.execute(f"pragma wal_checkpoint({mode})").fetchone()
    finally:
        writer.execute(f"pragma busy_timeout = {int(BUSY_S * 1_000)}").fetchall()
    return not busy
