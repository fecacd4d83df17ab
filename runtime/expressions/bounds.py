"""What an expression may cost, by name, and the meter that one rendering runs on.

Invariant: whatever a document says and whatever the values are, a rendering touches at most ``WORK_MAX`` bytes,
builds at most ``TEXT_MAX_BYTES`` of text, and nests no deeper than the stack bears. The meter counts bytes and not
seconds, so the same rendering succeeds or fails alike on every machine and at every replay.
"""

from typing import Any, Final

import msgspec

from questd.messages.payload import PAYLOAD_MAX_BYTES
from questd.runtime.errors import BadExpression
from questd.runtime.expressions.kinds import is_list, is_object

EXPRESSION_MAX_CHARACTERS: Final = 8_192
"""The source of one expression."""
NODES_MAX: Final = 400
"""Operators, names, literals and calls of one expression."""
DEPTH_MAX: Final = 40
"""How deep an expression nests. MiniJinja stops at 150 brackets, and we emit at most two a level."""
SOURCE_MAX_CHARACTERS: Final = 1_048_576
"""A text with its expressions."""
EXPRESSIONS_MAX: Final = 1_000
"""Expressions in one text or nested value."""
VALUE_DEPTH_MAX: Final = 64
"""How deep a nested value with expressions in it may nest."""
TEXT_MAX_BYTES: Final = 1_048_576
"""Any text or list that an expression builds, and the text a template renders to."""
VALUE_MAX_BYTES: Final = PAYLOAD_MAX_BYTES
"""A nested value that holds several results: as JSON, what an agent could be sent."""
WORK_MAX: Final = 32 * 1_048_576
"""Bytes that the operations of one rendering may read and write together."""
CONSTANT_WORK_MAX: Final = 1_048_576
"""The same for what names nothing, which is evaluated when the document is checked."""
RANGE_MAX: Final = 10_000
"""Numbers that ``range`` may give."""
FUEL: Final = 50_000
"""MiniJinja's own steps; without statements an expression needs less than one a character."""
INTEGER_MAX: Final = 2**64 - 1
"""The largest whole number, in magnitude, that JSON readers agree on."""

_encode = msgspec.json.Encoder().encode


def weigh(value: Any) -> int:
    """The bytes of a value as JSON; of a text its characters. BadExpression when it is no JSON or nests too deep."""
    if isinstance(value, str):
        return len(value)
    if is_list(value) or is_object(value):
        return len(to_json(value))
    return 8


def to_json(value: Any) -> bytes:
    """Compact JSON. BadExpression when the value is no plain data or nests too deep."""
    try:
        return _encode(value)
    except RecursionError:
        raise BadExpression("a value nests too deep") from None
    except (TypeError, ValueError, OverflowError, msgspec.MsgspecError):
        raise BadExpression("a value is not plain JSON data") from None


class Meter:
    """Counts what one rendering touches. ``weight`` remembers, so a large value is measured once."""

    __slots__ = ("_known", "_left", "_room")

    def __init__(self, work: int = WORK_MAX) -> None:
        self._left = work
        self._room = VALUE_MAX_BYTES
        self._known: dict[int, tuple[Any, int]] = {}

    def weight(self, value: Any) -> int:
        """As ``weigh``; keeps the value alive, so that its identity stays its own."""
        if not is_list(value) and not is_object(value):
            return weigh(value)
        known = self._known.get(id(value))
        if known is None:
            known = self._known[id(value)] = (value, weigh(value))
            self.charge(known[1])
        return known[1]

    def charge(self, size: int) -> None:
        """Take from what is left. BadExpression when nothing is."""
        self._left -= size
        if self._left < 0:
            raise BadExpression(
                "the expression works on too many bytes",
                hint="do this in a tool instead",
            )

    def built(self, size: int) -> None:
        """Charge for something new, before it is built, and refuse what is too large."""
        if size > TEXT_MAX_BYTES:
            raise BadExpression(f"the expression builds more than {TEXT_MAX_BYTES} bytes")
        self.charge(size)

    def counted(self, size: int) -> None:
        """Count a part of the value that is rendered. BadExpression when the whole gets too large."""
        self._room -= size
        if self._room < 0:
            raise BadExpression(f"the value is larger than {VALUE_MAX_BYTES} bytes")
