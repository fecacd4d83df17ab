"""What a benchmark reads from a journal on disk while a daemon writes it: how far it is, and when what happened.

What a reader sees has been synced: SQLite shows a WAL commit only after its fsync. Reads in short statements, writes nothing.
"""

import sqlite3
import time
from pathlib import Path

from questd.messages.events import AttemptCompleted, decode_event
from questd.runtime.journal.reader import DATABASE_NAME, open_connection

POLL_S = 0.005


class TooSlow(Exception):
    """What a figure waits for did not happen in time."""


class Tail:
    """The events of a journal after the moment at which this was made."""

    def __init__(self, data: Path) -> None:
        self._database: sqlite3.Connection = open_connection(data / DATABASE_NAME)
        self.first_seq = self.last_seq() + 1
        self._counted: dict[str, tuple[int, int]] = {}

    def last_seq(self) -> int:
        """Newest durable event's seq."""
        row = self._database.execute(
            "select seq from sqlite_sequence where name = 'events'"
        ).fetchone()
        return int(row[0]) if row else 0

    def count(self, kind: str) -> int:
        """How many events of that kind there are by now; reads only those that are new."""
        seq, total = self._counted.get(kind, (self.first_seq - 1, 0))
        newest = self.last_seq()
        row = self._database.execute(
            "select count(*) from events where seq > ? and seq <= ? and kind = ?",
            (seq, newest, kind),
        ).fetchone()
        total += int(row[0])
        self._counted[kind] = (newest, total)
        return total

    def wait_for(self, kind: str, wanted: int, timeout_s: float) -> int:
        """Wait until so many events of that kind are durable; the wall time (µs) at which they were seen. TooSlow."""
        deadline = time.monotonic() + timeout_s
        while (found := self.count(kind)) < wanted:
            if time.monotonic() > deadline:
                raise TooSlow(f"{found} of {wanted} {kind} within {timeout_s:.0f} s")
            time.sleep(POLL_S)
        return time.time_ns() // 1_000

    def times_us(self, kind: str | None = None) -> list[int]:
        """When events of that kind (or all) happened, in order."""
        only = "" if kind is None else "and kind = ?"
        rows = self._database.execute(
            f"select at_us from events where seq >= ? {only} order by seq",
            (self.first_seq,) if kind is None else (self.first_seq, kind),
        )
        return [row[0] for row in rows]

    def first_completion(self) -> list[int]:
        """When the first of the attempts that were started in this tail was completed; nothing while none was."""
        rows = self._database.execute(
            "select quest, n, kind, at_us, body from events where seq >= ? order by seq limit 20000",
            (self.first_seq,),
        )
        started: set[tuple[str, int]] = set()
        for quest, n, kind, at_us, body in rows:
            if kind == "attempt.started":
                started.add((quest, n))
            elif kind == "attempt.completed":
                event = decode_event(body)
                if isinstance(event, AttemptCompleted) and (quest, event.epoch) in started:
                    return [at_us]
        return []

    def sleep_of(self, quest: str) -> tuple[int, int]:
        """When the quest started, and when its sleep ended."""
        kinds = "('quest.started', 'task.woke')"
        rows = self._database.execute(
            f"select at_us from events where quest = ? and kind in {kinds} order by n",
            (quest,),
        )
        (started_us,), (woke_us,) = rows
        return int(started_us), int(woke_us)

    def waiting(self) -> int:
        """Quests that rest, waiting."""
        row = self._database.execute(
            "select count(*) from heads where shown = 'waiting'"
        ).fetchone()
        return int(row[0])

    def close(self) -> None:
        """Let go."""
        self._database.close()
