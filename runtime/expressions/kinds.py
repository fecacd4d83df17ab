"""The kinds of JSON values, and operands that must be of one.

A list may come as a tuple. True and false are no numbers. Errors name kinds, never values.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from questd.runtime.errors import BadExpression


def is_list(value: Any) -> TypeGuard[Sequence[Any]]:
    """A list, or a tuple in its place."""
    return isinstance(value, (list, tuple))


def is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    """An object."""
    return isinstance(value, dict)


def is_mapping(value: Any) -> TypeGuard[Mapping[str, Any]]:
    """An object, or what reads like one and may decode its members when asked."""
    return isinstance(value, (dict, Mapping))


def kind_of(value: Any) -> str:
    """A value's kind in the words of JSON, for errors."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "a list" if is_list(value) else "an object"


def is_number(value: Any) -> bool:
    """An int or float; true and false are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def need_number(value: Any, who: str) -> Any:
    """The value, if it is a number."""
    if not is_number(value):
        raise BadExpression(f"{who} needs a number, not {kind_of(value)}")
    return value


def need_integer(value: Any, who: str) -> int:
    """The value, if it is a whole number."""
    if not is_number(value) or not math.isfinite(value) or value % 1:
        raise BadExpression(f"{who} needs a whole number, not {kind_of(value)}")
    return int(value)


def need_text(value: Any, who: str) -> str:
    """The value, if it is a text."""
    if not isinstance(value, str):
        raise BadExpression(f"{who} needs a text, not {kind_of(value)}")
    return value
