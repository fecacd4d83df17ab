"""The historian: a process of its own that brings the history up to the journal and answers questions about it.

    python -m questd.analytics.historian --journal DIR --database FILE --listen URL

It ends when its standard input does (if that is a pipe: its parent holds the other end), on SIGTERM and on SIGINT. It prints one
line on stdout when it can be asked: ``ready URL``. Exit codes: 0 asked to end · 2 wrong arguments · 3 the journal or the
database may not be used · 4 the database cannot be written any more, start again.

The main thread writes; a crash, a heavy question or too little memory in here never touches a quest.
"""

import argparse
import logging
import os
import signal
import stat
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Final

from msgspec import Struct

from questd.analytics.database import (
    DEFAULT_MEMORY,
    DEFAULT_THREADS,
    Database,
    HistoryWriteFailed,
    open_database,
)
from questd.analytics.door import HistoryDoor
from questd.analytics.ingest import Ingest, Source
from questd.analytics.memory import bound_memory
from questd.analytics.progress import Progress
from questd.analytics.query import DamagedHistory
from questd.runtime.errors import QuestdError
from questd.runtime.journal.sqlite import SqliteStore

DONE: Final = 0
UNUSABLE: Final = 3
TRY_AGAIN: Final = 4
NICE: Final = 5
"""Where processors are scarce, quests come before questions about them."""

ANSWER_LEAVES_S: Final = 0.2

log = logging.getLogger("questd.history")


class HistorianSettings(Struct, frozen=True):
    """``journal`` is the directory of the journal, ``database`` the DuckDB file, ``listen`` the door's address."""

    journal: Path
    database: Path
    listen: str
    memory: str = DEFAULT_MEMORY
    threads: int = DEFAULT_THREADS
    askers: int = 4


def parse_arguments(arguments: Sequence[str]) -> HistorianSettings:
    """Exits with 2 and says what is wrong, as argparse does."""
    parser = argparse.ArgumentParser(prog="questd.analytics.historian")
    parser.add_argument("--journal", type=Path, required=True, help="directory of the journal")
    parser.add_argument("--database", type=Path, required=True, help="the DuckDB file")
    parser.add_argument("--listen", required=True, help="address of the history door: ipc://PATH")
    parser.add_argument("--memory", default=DEFAULT_MEMORY, help="DuckDB's memory limit")
    parser.add_argument("--threads", type=int, default=DEFAULT_THREADS, help="DuckDB's threads")
    parser.add_argument("--askers", type=int, default=4, help="questions answered at once")
    found = parser.parse_args(arguments)
    if found.threads < 1 or found.askers < 1:
        parser.error("--threads and --askers must be at least 1")
    return HistorianSettings(**vars(found))


class Historian:
    """The parts, put together. ``run`` returns when ``stop`` was called, from any thread or signal handler."""

    def __init__(self, settings: HistorianSettings, source: Source, database: Database) -> None:
        self._stopped = False
        self._damage: DamagedHistory | None = None
        self._wake = threading.Event()
        self._database = database
        self._progress = Progress(database.watermark)
        self._door = HistoryDoor(
            database,
            self._progress,
            journal_seq=source.last_seq,
            hurry=self._wake.set,
            path=str(settings.database),
            pid=os.getpid(),
            askers=settings.askers,
            damaged=self._condemn,
            stubborn=_end_at_once,
        )
        self._ingest = Ingest(source, database, make_room=self._door.make_room)

    def listen(self, url: str) -> str:
        """Open the door; the answer is the bound URL."""
        bound = self._door.listen(url)
        self._door.start()
        return bound

    def run(self) -> None:
        """Write until told to stop. HistoryWriteFailed when the file turned out to be damaged."""
        while not self._stopped:
            self._ingest.step()
            self._progress.advance(self._ingest.watermark, self._ingest.level_s)
            self._wake.wait(self._ingest.pause_s)
            self._wake.clear()
        if self._damage is not None:
            raise HistoryWriteFailed(str(self._damage))

    def _condemn(self, damage: DamagedHistory) -> None:
        """Let ``run`` end: the next historian builds the file anew."""
        self._database.condemn()
        self._damage = damage
        self.stop()

    def stop(self) -> None:
        """Let ``run`` return after the batch at hand."""
        self._stopped = True
        self._wake.set()

    def close(self) -> None:
        """Close the door, then the database."""
        self._door.stop()
        self._database.close()


def main(arguments: Sequence[str]) -> int:
    """Run until asked to end; the exit code."""
    settings = parse_arguments(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        return _serve(settings)
    except HistoryWriteFailed as error:
        log.error("%s", error)  # noqa: TRY400 - the message says it all
        return TRY_AGAIN
    except QuestdError as error:
        log.error("%s", error)  # noqa: TRY400 - the message says it all
        return UNUSABLE


def _serve(settings: HistorianSettings) -> int:
    os.nice(NICE)
    source = SqliteStore.open_reader(settings.journal)
    database = open_database(
        settings.database,
        source.journal_id,
        source.last_seq(),
        memory=settings.memory,
        threads=settings.threads,
    )
    cursor = database.cursor()
    bound_memory(cursor)
    cursor.close()
    if database.rebuilt is not None:
        log.warning("history.rebuilt: %s", database.rebuilt)
    historian = Historian(settings, source, database)
    try:
        bound = historian.listen(settings.listen)
        _end_with(historian)
        print(f"ready {bound}", flush=True)  # noqa: T201 - the readiness line
        historian.run()
    finally:
        historian.close()
        source.close()
    return DONE


def _end_at_once(reason: str) -> None:
    """There is no other way to end a question that does not hear: a thread cannot be killed. What is written stays whole."""
    log.error("history.question_stuck: %s", reason)
    time.sleep(ANSWER_LEAVES_S)
    os._exit(TRY_AGAIN)


def _end_with(historian: Historian) -> None:
    """By signal, or when the parent is gone: then the pipe that it holds as our standard input ends."""

    def on_signal(_signal: int, _frame: FrameType | None) -> None:
        historian.stop()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    if stat.S_ISFIFO(os.fstat(0).st_mode) or stat.S_ISSOCK(os.fstat(0).st_mode):
        threading.Thread(
            target=_watch_parent, args=(historian,), name="parent-watch", daemon=True
        ).start()


def _watch_parent(historian: Historian) -> None:
    while os.read(0, 4_096):
        continue
    historian.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
