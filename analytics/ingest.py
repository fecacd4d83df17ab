"""Following the journal: short reads by seq, bounded batches, one transaction each.

Invariant: the file holds exactly the events up to its watermark, whatever ends the process and when. How often it looks
adapts: the busier the journal, the longer the pause, because a batch costs 15 ms before its first row.
"""

import logging
import time
from collections.abc import Callable
from typing import Final, Protocol

import duckdb

from questd.analytics.batch import Batch
from questd.analytics.database import Database, HistoryWriteFailed
from questd.analytics.projection import Facts, Projector
from questd.messages.events import Record

BATCH_EVENTS: Final = 10_000
BATCH_BYTES: Final = 16 * 1024 * 1024
PAUSE_MIN_S: Final = 0.02
PAUSE_MAX_S: Final = 0.25
MEMORY_TRIES: Final = 10
MEMORY_PAUSE_S: Final = 0.2
"""What an interrupted question may take to give its memory back."""

log = logging.getLogger("questd.history")


class Source(Facts, Protocol):
    """The verbs of a journal that the historian asks."""

    @property
    def journal_id(self) -> str:
        """Which journal it is."""
        ...

    def follow(self, after_seq: int, limit: int = 10_000) -> list[Record]:
        """Events of all quests with seq > after_seq, in order of seq."""
        ...

    def last_seq(self) -> int:
        """The seq of the newest durable event."""
        ...


class Ingest:
    """Brings the database up to the journal. One thread.

    ``make_room`` is called when a batch finds no memory: whoever asks questions should stop.
    """

    def __init__(
        self, source: Source, database: Database, *, make_room: Callable[[], None] = lambda: None
    ) -> None:
        self._source = source
        self._database = database
        self._make_room = make_room
        self._projector = Projector(source, database.watermark)
        self._ahead: list[Record] = []
        self.pause_s = PAUSE_MIN_S
        self.level_s = time.monotonic()
        """When the history last held all that the journal held, by the monotonic clock."""
        self.events = 0
        self.busy_s = 0.0

    @property
    def watermark(self) -> int:
        """The last event that is in the file."""
        return self._database.watermark

    def step(self) -> int:
        """Bring in one batch; how many events it had. 0: the history has all that the journal had."""
        began = time.monotonic()
        left_over = bool(self._ahead)
        records = self._ahead or self._source.follow(self.watermark, BATCH_EVENTS)
        count = self._project(records)
        self._ahead = records[count:]
        if count:
            self._write(self._projector.take())
        if not left_over and not self._ahead and count < BATCH_EVENTS:
            self.level_s = began
        self._set_pause(count, time.monotonic() - began)
        return count

    def _project(self, records: list[Record]) -> int:
        """As many as one batch may hold."""
        size = 0
        for count, record in enumerate(records, 1):
            self._projector.apply(record)
            size += len(record.body)
            if size >= BATCH_BYTES or self._projector.batch.full:
                return count
        return len(records)

    def _write(self, batch: Batch) -> None:
        for _ in range(MEMORY_TRIES):
            try:
                self._database.write(batch)
            except duckdb.OutOfMemoryException:
                log.warning("history.memory_short", extra={"rows": batch.rows})
                self._make_room()
                time.sleep(MEMORY_PAUSE_S)
            else:
                return
        raise HistoryWriteFailed(
            f"no memory for a batch of {batch.rows} rows in {self._database.path}: raise the history's memory limit"
        )

    def _set_pause(self, count: int, busy_s: float) -> None:
        self.events += count
        self.busy_s += busy_s
        if self._ahead or count >= BATCH_EVENTS:
            self.pause_s = 0.0
        elif count:
            self.pause_s = min(PAUSE_MAX_S, max(PAUSE_MIN_S, 3 * busy_s))
        else:
            self.pause_s = min(PAUSE_MAX_S, max(PAUSE_MIN_S, 1.5 * self.pause_s))
