"""What a door knows of the peers on its connections: who has not been heard of, and who does not read what it was answered.

Pure accounts, no socket; their owner's lock guards them. Invariant: what is kept here is bounded by the connections.
"""

from collections.abc import Mapping
from typing import Final

UNREAD_MAX_BYTES: Final = 64 * 1024 * 1024
"""Answers that nng holds because nobody reads them are memory of ours. It holds up to 64 of each connection."""
STANDSTILL_S: Final = 1.0


class Unread:
    """Bytes of answers that were given to nng and may not have gone out. ``sent`` is nng's own count, by pipe.

    nng is asked only when there may be too many: until then ``_most`` is all that was given since it was asked.
    """

    def __init__(self) -> None:
        self._given: dict[int, int] = {}
        self._most = 0

    def give(self, pipe: int, size: int) -> bool:
        """Note an answer; whether nng should be asked what has gone out."""
        self._given[pipe] = self._given.get(pipe, 0) + size
        self._most += size
        return self._most > UNREAD_MAX_BYTES

    def forget(self, pipe: int) -> None:
        """The connection is gone, and what waited there with it."""
        self._given.pop(pipe, None)

    def settle(self, sent: Mapping[int, int]) -> list[int]:
        """Note what has gone out; the pipes that read least, so many that half of what is allowed is left."""
        left = {
            pipe: max(0, given - sent[pipe]) for pipe, given in self._given.items() if pipe in sent
        }
        self._given = {pipe: size + sent[pipe] for pipe, size in left.items()}
        self._most = sum(left.values())
        slow: list[int] = []
        for pipe in sorted(left, key=lambda pipe: left[pipe], reverse=True):
            if self._most <= UNREAD_MAX_BYTES // 2:
                break
            self._most -= left[pipe]
            slow.append(pipe)
        return slow


class Silence:
    """Since when each peer has said nothing. Times are monotonic seconds."""

    def __init__(self, most_s: float, now_s: float) -> None:
        self._most_s = most_s
        self._heard: dict[int, float] = {}
        self._looked_s = now_s

    def hear(self, pipe: int, now_s: float) -> None:
        """It has said something, or has just come."""
        self._heard[pipe] = now_s

    def forget(self, pipe: int) -> None:
        """It is gone."""
        self._heard.pop(pipe, None)

    def look(self, now_s: float) -> list[int]:
        """Who has been silent too long. While we stood still ourselves nobody could be heard: that does not count."""
        late_s = now_s - self._looked_s
        self._looked_s = now_s
        if late_s > STANDSTILL_S:
            self._heard = {pipe: heard + late_s for pipe, heard in self._heard.items()}
        since_s = now_s - self._most_s
        return [pipe for pipe, heard in self._heard.items() if heard < since_s]
