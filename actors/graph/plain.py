"""Is a value plain JSON data? What is not has no place in a definition, wherever it came from.

Iterative, so that no value, however deep, is a recursion.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeGuard

from questd.actors.graph.problems import At, shorten

DEPTH_MAX = 100
_INTEGER_MIN, _INTEGER_MAX = -(2**63), 2**64 - 1


def walk(value: Any, at: At) -> Iterator[tuple[At, Any]]:
    """Every value below and including this one, in document order, with its place.

    Nothing below ``DEPTH_MAX`` is visited.
    """
    pending = [(at, value)]
    deepest = len(at) + DEPTH_MAX
    while pending:
        at, value = pending.pop()
        yield at, value
        if len(at) >= deepest:
            continue
        pending.extend(reversed(inside(value, at)))


def inside(value: Any, at: At) -> list[tuple[At, Any]]:
    """What a mapping or a list holds, with places; nothing of anything else."""
    if is_mapping(value):
        return [((*at, str(key)), inner) for key, inner in value.items()]
    if is_list(value):
        return [((*at, number), inner) for number, inner in enumerate(value)]
    return []


def is_mapping(value: object) -> TypeGuard[Mapping[Any, Any]]:
    """Whether JSON would call it an object."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[Sequence[Any]]:
    """Whether JSON would call it an array."""
    return isinstance(value, list | tuple)


def plain_faults(value: Any, at: At) -> Iterator[tuple[At, str]]:
    """What JSON cannot say, or could not carry: places and messages."""
    deepest = len(at) + DEPTH_MAX
    for place, inner in walk(value, at):
        if len(place) >= deepest and (is_mapping(inner) or is_list(inner)):
            yield place, f"is nested deeper than {DEPTH_MAX}"
        elif fault := fault_of(inner):
            yield place, fault


def fault_of(value: Any) -> str:
    """What is wrong with this value itself, not looking inside; empty when nothing is."""
    match value:
        case None | bool():
            return ""
        case str():
            return text_fault(value)
        case int():
            fits = _INTEGER_MIN <= value <= _INTEGER_MAX
            return "" if fits else "does not fit 64 bits: write it as text"
        case float():
            return "" if math.isfinite(value) else "is not a number that JSON can say"
        case _ if is_mapping(value):
            return _keys_fault(value)
        case _ if is_list(value):
            return ""
        case _:
            return f"is {type(value).__name__}, not plain JSON data"


def _keys_fault(value: Mapping[Any, Any]) -> str:
    for key in value:
        if not isinstance(key, str):
            return f"has a key that is not text: {shorten(key)}"
        if fault := text_fault(key):
            return f"has a key that {fault}: {shorten(key)}"
    return ""


def text_fault(text: str) -> str:
    """NUL ends text in too many places, and half a surrogate pair is no Unicode."""
    if "\0" in text:
        return "contains the character NUL"
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        return "contains half of a surrogate pair, which is no character"
    return ""
