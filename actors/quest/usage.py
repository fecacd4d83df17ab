"""What a quest has used, as its tools report it, and what it may use. A count, and no more: budgets.py says what follows when it is used up.

Every report costs O(1). What is counted stands still at what a number can say (TOKENS_MAX, COST_MAX).
"""

from msgspec import Struct

from questd.actors.quest.task import Waiting
from questd.messages.definition import COST_MAX, TOKENS_MAX, QuestLimits


class Usage(Struct):
    """``tokens_most`` and ``cost_most``: when so much is used nothing more starts (None: no bound). ``spent``: is it?

    ``asked``: the place of the task that asks for more, and its wait: over as soon as the task is in another state.
    """

    tokens_most: int | None
    cost_most: float | None
    tokens: int = 0
    cost: float = 0.0
    spent: bool = False
    asked: tuple[int, Waiting] | None = None

    def add(self, tokens: int, cost: float) -> None:
        """An attempt has used this."""
        self.tokens = min(self.tokens + tokens, TOKENS_MAX)
        self.cost = min(self.cost + cost, COST_MAX)
        self._look()

    def grant(self, tokens: int, cost: float) -> None:
        """From here on so much more may be used, whatever was used too much before."""
        if self.tokens_most is not None and tokens:
            self.tokens_most = max(self.tokens_most, self.tokens) + tokens
        if self.cost_most is not None and cost:
            self.cost_most = max(self.cost_most, self.cost) + cost
        self._look()

    @property
    def tokens_spent(self) -> bool:
        """Is the budget of tokens used up?"""
        return self.tokens_most is not None and self.tokens >= self.tokens_most

    @property
    def cost_spent(self) -> bool:
        """Is the budget of cost used up?"""
        return self.cost_most is not None and self.cost >= self.cost_most

    @property
    def limit(self) -> str:
        """The limit that is used up, by its name in the document."""
        return "limits.tokens" if self.tokens_spent else "limits.cost"

    def _look(self) -> None:
        self.spent = self.tokens_spent or self.cost_spent


def usage_of(limits: QuestLimits) -> Usage:
    """Of a quest that begins."""
    return Usage(limits.tokens, limits.cost)
