"""Retention: ended quests leave the journal by age and by count, a little at a time, never past the history's watermark."""

from typing import Final

import msgspec

from questd.messages.exchange import FRAME_MAX_BYTES
from questd.messages.history import HistoryInfo, HistoryStatus, decode_history_reply, encode_history
from questd.runtime.clock import Clock
from questd.runtime.errors import JournalError, Unreachable
from questd.runtime.journal.service import Journal
from questd.runtime.journal.store import JournalStore
from questd.runtime.nng import Caller

DAY_US: Final = 86_400 * 1_000_000
EVERY_S: Final = 60.0
ASK_S: Final = 1.0
NOBODY_FOLLOWS: Final = 2**62


class Retention:
    """Looks once a minute, then goes on piece by piece while there is more: other writing comes between the pieces.

    ``history``: where the historian can be asked how far it is; None when nothing follows the journal.
    """

    def __init__(self, keep_days: int, keep_quests: int, history: str | None) -> None:
        self._history = None if history is None else Caller(history, frame_max=FRAME_MAX_BYTES)
        self._keep_days = keep_days
        self._keep_quests = keep_quests
        self._next_s = 0.0
        self._working = False

    def tick(self, journal: Journal, clock: Clock) -> None:
        """Look whether something is due; blocks for the history's answer at most."""
        now_s = clock.monotonic_s()
        if self._working or now_s < self._next_s:
            return
        self._working = True
        self._next_s = now_s + EVERY_S
        before_us = clock.now_us() - self._keep_days * DAY_US
        self._retire(journal, before_us, watermark_of(self._history))

    def close(self) -> None:
        """Hang up on the history."""
        if self._history is not None:
            self._history.close()

    def _retire(self, journal: Journal, before_us: int, watermark: int) -> None:
        def piece(store: JournalStore) -> int:
            return store.retire(before_us, self._keep_quests, watermark)

        def done(retired: int | JournalError) -> None:
            if isinstance(retired, int) and retired:
                self._retire(journal, before_us, watermark)
            else:
                self._working = False

        journal.between(piece, done)


def watermark_of(history: Caller | None) -> int:
    """How far the history is; 0 when it cannot be asked: then nothing may go."""
    if history is None:
        return NOBODY_FOLLOWS
    try:
        reply = decode_history_reply(history.request(encode_history(HistoryStatus()), ASK_S))
    except (Unreachable, msgspec.DecodeError, UnicodeDecodeError):
        return 0
    return reply.seq if isinstance(reply, HistoryInfo) else 0
