"""How many steps the awake quests hold in memory, and whom to ask to rest when they are too many. Pure."""

from typing import Final

from questd.messages.control import Error

RETRY_AFTER_MS: Final = 500
ENOUGH: Final = 0.75
"""Of the limit: who makes room makes some for those who come next."""


class Room:
    """Quests by when they were used last, the longest ago first. ``steps``: of all of them."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: dict[str, int] = {}
        self.steps = 0

    @property
    def crowded(self) -> bool:
        """More than there should be."""
        return self.steps > self._limit

    @property
    def ample(self) -> bool:
        """Nobody need be asked to go."""
        return self.steps <= ENOUGH * self._limit

    def hold(self, quest: str, steps: int) -> None:
        """It is awake, with so many."""
        self.steps += steps - self._held.pop(quest, 0)
        self._held[quest] = steps

    def refusal(self, steps: int) -> Error | None:
        """Why a quest of so many may not begin. One alone always may."""
        if not self.steps or self.steps + steps <= self._limit:
            return None
        said = f"awake quests have {self.steps} steps; with {steps} more it would be over {self._limit}"
        advice = "try again, or raise it in questd.toml"
        message = f"limits.awake_steps: {said}: {advice}"
        return Error("busy", message, retry_after_ms=RETRY_AFTER_MS)

    def use(self, quest: str) -> None:
        """Somebody had something for it."""
        steps = self._held.pop(quest, None)
        if steps is not None:
            self._held[quest] = steps

    def leave(self, quest: str) -> None:
        """It has no actor any more."""
        self.steps -= self._held.pop(quest, 0)

    def longest_unused(self) -> list[str]:
        """All of them, in that order."""
        return list(self._held)
