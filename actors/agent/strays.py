"""Outcomes that no step waits for, of one instance: late ones, those of before a restart, and lies.

Each wakes a quest, which reads its journal. Pure. Invariant: so many at once and no more, the others in the order in which they
came: an instance that says ten thousand of them must not stand before everybody else at the journal's reader.
"""

from typing import Final

from questd.messages.exchange import AttemptId

STRAYS_MAX: Final = 64
"""With quests at once; further ones wait until one is acknowledged."""
AGAIN_S: Final = 1.0
"""One that is said again is handed on again, in case its quest has failed with it; not more often than that."""


class Strays:
    """Times are monotonic seconds."""

    def __init__(self) -> None:
        self._out: dict[AttemptId, float] = {}
        self._waiting: dict[AttemptId, None] = {}

    def offer(self, attempt: AttemptId, now_s: float) -> bool:
        """May it be handed on now? If not, it waits for its turn."""
        since_s = self._out.get(attempt)
        if since_s is None and len(self._out) >= STRAYS_MAX:
            self._waiting[attempt] = None
            return False
        if since_s is not None and now_s - since_s < AGAIN_S:
            return False
        self._out[attempt] = now_s
        return True

    def done(self, attempt: AttemptId) -> AttemptId | None:
        """It is acknowledged; the one to offer next, if there is room."""
        self._out.pop(attempt, None)
        self._waiting.pop(attempt, None)
        if not self._waiting or len(self._out) >= STRAYS_MAX:
            return None
        following = next(iter(self._waiting))
        del self._waiting[following]
        return following
