"""How far the history is, told by the thread that writes and awaited by those that ask."""

import threading
import time


class Progress:
    """``seq`` is the watermark. Any thread."""

    def __init__(self, seq: int) -> None:
        self._condition = threading.Condition()
        self._seq = seq
        self._level_s = time.monotonic()
        self._closed = False

    @property
    def seq(self) -> int:
        """The last event that is in the history."""
        return self._seq

    def advance(self, seq: int, level_s: float) -> None:
        """The history holds all up to ``seq``, and all that the journal held at ``level_s`` (monotonic)."""
        with self._condition:
            self._seq = seq
            self._level_s = level_s
            self._condition.notify_all()

    def wait_for(self, seq: int, timeout_s: float) -> None:
        """Return when the history holds ``seq``, when the time is over, or when nothing more will come."""
        with self._condition:
            self._condition.wait_for(lambda: self._seq >= seq or self._closed, timeout_s)

    def lag_ms(self, journal_seq: int) -> int:
        """How old the oldest event can be that the history does not have; 0 when it has them all."""
        with self._condition:
            if self._seq >= journal_seq:
                return 0
            return int((time.monotonic() - self._level_s) * 1_000)

    def close(self) -> None:
        """Let everybody go who waits."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()
