"""A place in the tokens of one expression, its errors, and the count of what has been read.

Every node of a tree passes ``made``, so no tree is larger or higher than the bounds, and whatever walks it by recursion
is safe.
"""

from collections.abc import Callable
from typing import TypeVar

from questd.runtime.errors import BadExpression
from questd.runtime.expressions.bounds import DEPTH_MAX, NODES_MAX
from questd.runtime.expressions.syntax import Node, children
from questd.runtime.expressions.tokens import Token

T = TypeVar("T")


class Cursor:
    """Reads forward, one token ahead. ``source`` and offsets are for errors only."""

    def __init__(self, source: str, tokens: list[Token]) -> None:
        self.source = source
        self._tokens = tokens
        self._at = 0
        self._level = 0
        self._heights: dict[int, int] = {}
        self._nodes: list[Node] = []

    @property
    def next(self) -> Token:
        """The token to be read next; the last one is of kind "end"."""
        return self._tokens[self._at]

    @property
    def before(self) -> Token:
        """The token read last."""
        return self._tokens[self._at - 1]

    def at_end(self) -> bool:
        """True when all has been read."""
        return self.next.kind == "end"

    def after(self, count: int) -> Token:
        """The token ``count`` places behind the next one."""
        return self._tokens[min(self._at + count, len(self._tokens) - 1)]

    def is_next(self, *values: str) -> bool:
        """True when the next token is one of these operators or words."""
        token = self.next
        return token.kind in ("operator", "name") and token.value in values

    def skip(self, count: int = 1) -> Token:
        """Go on; gives the first token passed."""
        token = self.next
        self._at = min(self._at + count, len(self._tokens) - 1)
        return token

    def take(self, *values: str) -> Token | None:
        """The next token, if it is one of these."""
        return self.skip() if self.is_next(*values) else None

    def expect(self, value: str) -> Token:
        """The next token, which must be this."""
        token = self.take(value)
        if token is None:
            raise self.unexpected(f"`{value}` is missing")
        return token

    def error(self, message: str, *, at: int | None = None, hint: str = "") -> BadExpression:
        """An error at the next token, or at an offset."""
        offset = self.next.start if at is None else at
        return BadExpression(message, source=self.source, offset=offset, hint=hint)

    def unexpected(self, message: str = "") -> BadExpression:
        """The next token does not belong here."""
        token = self.next
        if token.kind == "end":
            return self.error(message or "the expression is not finished")
        shown = self.source[token.start : min(token.end, token.start + 40)]
        call = "nothing is called here; filters are written VALUE|FILTER" if shown == "(" else ""
        return self.error(message or f"unexpected `{shown}`", hint=call)

    def enter(self) -> None:
        """One level deeper; whoever enters leaves."""
        self._level += 1
        if self._level > 2 * DEPTH_MAX:
            raise self._too_deep()

    def leave(self) -> None:
        """One level back."""
        self._level -= 1

    def made(self, node: Node) -> Node:
        """Count a node of the tree."""
        height = 1 + max((self._heights.get(id(child), 1) for child in children(node)), default=0)
        if height > DEPTH_MAX:
            raise self._too_deep()
        self._nodes.append(node)  # keeps it alive, so that its identity is its own
        self._heights[id(node)] = height
        if len(self._nodes) > NODES_MAX:
            raise self.error(f"an expression has more than {NODES_MAX} parts")
        return node

    def located(self, offset: int, build: Callable[[], T]) -> T:
        """Run a rule that knows no place; its error gets one."""
        try:
            return build()
        except BadExpression as error:
            if error.offset is None:
                error.source, error.offset = self.source, offset
            raise

    def _too_deep(self) -> BadExpression:
        return self.error(f"an expression nests deeper than {DEPTH_MAX}", at=self._tokens[0].start)
