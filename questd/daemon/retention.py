"""Retention: ended quests leave the journal by age and by count, a little at a time, never past the history's watermark."""

from pathlib import Path
from typing import Any, Final

from questd.runtime.clock import Clock
from questd.runtime.journal.service import ThreadedJournal

DAY_US: Final = 86_400 * 1_000_000
EVERY_S: Final = 60.0
WATERMARK_FILE: Final = "history.watermark"


class Retention:
    """Asks the journal's writer for one small piece of work at a time; goes on at once while there is more."""

    def __init__(self, keep_days: int, keep_quests: int) -> None:
        self._keep_days = keep_days
        self._keep_quests = keep_quests
        self._next_s = 0.0
        self._working = False

    def tick(self, journal: ThreadedJournal, clock: Clock, data: Path) -> None:
        """Look whether something is due; returns at once."""
        now_s = clock.monotonic_s()
        if self._working or now_s < self._next_s:
            return
        self._working = True
        self._next_s = now_s + EVERY_S
        before_us = clock.now_us() - self._keep_days * DAY_US
        watermark = read_watermark(data)
        journal.between(
            lambda store: store.retire(before_us, self._keep_quests, watermark), self._done
        )

    def _done(self, retired: Any) -> None:
        self._working = False
        if isinstance(retired, int) and retired:
            self._next_s = 0.0


def read_watermark(data: Path) -> int:
    """How far the history is, as the historian last wrote down; 0 when it never did: then nothing may go."""
    try:
        return int((data / WATERMARK_FILE).read_text())
    except (OSError, ValueError):
        return 0
