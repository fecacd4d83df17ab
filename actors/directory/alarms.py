"""Which resting quest is wanted again, and when: the daemon's timer index. It is no truth: the heads have it all. Pure.

One heap of plain pairs instead of a timer each: a hundred thousand quests may wait for months, and a timer with its message is half as
large again. Whoever owns it needs one timer, for the first of them.
"""

import heapq
from typing import Final

REBUILD_ABOVE: Final = 1_024


class Alarms:
    """A quest has one at most. What was dropped, or set anew, stays in the heap until half of it is dead."""

    __slots__ = ("_at", "_heap")

    def __init__(self) -> None:
        self._at: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []

    def __len__(self) -> int:
        return len(self._at)

    def set(self, quest: str, at_us: int) -> None:
        """Wake it then (wall clock), and at no other time."""
        if self._at.get(quest) != at_us:
            self._at[quest] = at_us
            heapq.heappush(self._heap, (at_us, quest))

    def drop(self, quest: str) -> None:
        """It is awake."""
        if self._at.pop(quest, None) is not None and self._dead > max(len(self._at), REBUILD_ABOVE):
            self._heap = [(at_us, quest) for quest, at_us in self._at.items()]
            heapq.heapify(self._heap)

    @property
    def entries(self) -> int:
        """How long the heap is, with what is dead in it."""
        return len(self._heap)

    @property
    def _dead(self) -> int:
        return len(self._heap) - len(self._at)

    def next_us(self) -> int | None:
        """When the first of them is due."""
        heap = self._heap
        while heap and self._at.get(heap[0][1]) != heap[0][0]:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def due(self, now_us: int, most: int) -> list[str]:
        """Take out those that are due, in order, at most so many."""
        found: list[str] = []
        while len(found) < most and (at_us := self.next_us()) is not None and at_us <= now_us:
            quest = heapq.heappop(self._heap)[1]
            del self._at[quest]
            found.append(quest)
        return found
