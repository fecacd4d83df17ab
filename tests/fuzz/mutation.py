"""Mutations of our own: seeded, of bytes and of msgpack values, so that a run repeats and needs no fuzzing engine.

``mutate`` is also what the engine calls half of the time: it knows no msgpack, and nearly all frames that it makes are
refused by the decoder before they reach anybody.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from questd.simulation.chance import Chance

Mutator = Callable[[bytes, Chance], bytes]

NUMBERS: tuple[Any, ...] = (
    0, 1, -1, 2, 3, 255, 2**31, 2**53 - 1, 2**53, 2**63 - 1, -(2**63), 2**64 - 1,
    0.0, -0.0, 0.5, 1e308, float("inf"), float("-inf"), float("nan"), True, False, None,
)  # fmt: skip
TEXTS: tuple[Any, ...] = (
    "", " ", "\0", "\n", "é", "\U0001f9ea", "\u202e", "a" * 300, "%s{}", "../..", "{{ a.result }}", "{{", "0", "null",
)  # fmt: skip
JSONS: tuple[Any, ...] = (
    b"", b"{}", b"[]", b"null", b"1e999", b"-1e999", b"1" * 400, b"1" * 5000, b'"\\ud800"', b'"\\u0000"', b"NaN",
    b'{"a":1,"a":2}', b'{"":{"":[]}}', b"[" * 200 + b"]" * 200, b"[" * 2000 + b"]" * 2000, b" 1 ", b"18446744073709551616",
    b"1e-400", b"-0", b"\xff", b"1.0", b'{"files":[]}', b'{"files":[{}]}',
)  # fmt: skip
CODECS: tuple[Any, ...] = (msgspec.msgpack, msgspec.json)
SHAPES: tuple[Any, ...] = ([], {}, [[]], [None], {"a": 1}, ["", 0], [["", 0]], b"", b"{}")


def changed_bytes(data: bytes, chance: Chance, words: Sequence[bytes]) -> bytes:
    """One small change: a bit, a byte, a cut, a repeated part, a word of the target's language."""
    at = chance.between(0, len(data) + 1)
    end = min(len(data), at + chance.skewed(1, 40))
    match chance.between(0, 6):
        case 0 if data:
            at = min(at, len(data) - 1)
            flipped = data[at] ^ (1 << chance.between(0, 8))
            return data[:at] + bytes([flipped]) + data[at + 1 :]
        case 1:
            return data[:at] + data[end:]
        case 2:
            return data[:at] + bytes([chance.between(0, 256)]) + data[at:]
        case 3:
            return data[:end] + data[at:end] * chance.skewed(1, 20) + data[end:]
        case 4 if words:
            return data[:at] + chance.pick(words) + data[at:]
        case _ if words:
            return data[:at] + chance.pick(words) + data[end:]
        case _:
            return data[:at] + data[at:end][::-1] + data[end:]


def changed_value(value: Any, chance: Chance, words: Sequence[bytes]) -> Any:
    """A value with one of its parts changed."""
    if isinstance(value, list) and value and chance.maybe(0.85):
        return _changed_list(value, chance, words)  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, dict) and value and chance.maybe(0.85):
        return _changed_object(value, chance, words)  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, bytes) and chance.maybe(0.7):
        return changed_frame(value, chance, words)
    if isinstance(value, str) and chance.maybe(0.4):
        return changed_bytes(value.encode(), chance, words).decode(errors="replace")
    if isinstance(value, int) and chance.maybe(0.4):
        return value + chance.pick((-2, -1, 1, 2, 100))
    return _another(value, chance, words)


def _another(value: Any, chance: Chance, words: Sequence[bytes]) -> Any:
    """Mostly of the same kind."""
    kind = value if chance.maybe(0.8) else chance.pick((0, "", b"", None))
    match kind:
        case str() if words and chance.maybe(0.6):
            return chance.pick(words).decode(errors="replace")
        case str():
            return chance.pick(TEXTS)
        case bytes():
            return chance.pick(JSONS)
        case bool() | int() | float():
            return chance.pick(NUMBERS)
        case _:
            return chance.pick(SHAPES)


def _changed_list(value: list[Any], chance: Chance, words: Sequence[bytes]) -> list[Any]:
    at = chance.between(0, len(value))
    found = list(value)
    match chance.between(0, 12):
        case 0:
            del found[at]
        case 1:
            found.insert(at, found[at])
        case 2:
            found.append(_another("", chance, words))
        case 3:
            other = chance.between(0, len(value))
            found[at], found[other] = found[other], found[at]
        case 4:
            found = found[:at] + [found[at]] * chance.skewed(1, 300) + found[at:]
        case _:
            found[at] = changed_value(found[at], chance, words)
    return found


def _changed_object(
    value: dict[Any, Any], chance: Chance, words: Sequence[bytes]
) -> dict[Any, Any]:
    key = chance.pick(list(value))
    found = dict(value)
    match chance.between(0, 10):
        case 0:
            del found[key]
        case 1:
            found[_another("", chance, words) if words else "x"] = found[key]
        case 2:
            found[key] = _another(chance.pick((0, "", b"", None)), chance, words)
        case _:
            found[key] = changed_value(found[key], chance, words)
    return found


def changed_frame(data: bytes, chance: Chance, words: Sequence[bytes]) -> bytes:
    """A msgpack value (or JSON text) with one of its parts changed; sometimes, and of what is neither, only the bytes."""
    if chance.maybe(0.85):
        for codec in CODECS:
            try:
                value: Any = codec.decode(data)
                if isinstance(value, list | dict):
                    return bytes(codec.encode(changed_value(value, chance, words)))
            except (ValueError, TypeError, RecursionError, OverflowError, msgspec.MsgspecError):
                continue
    return chance.pick(JSONS) if chance.maybe(0.2) else changed_bytes(data, chance, words)


def changed_text(data: bytes, chance: Chance, words: Sequence[bytes]) -> bytes:
    """A text with a few small changes, mostly words put in or exchanged."""
    for _ in range(chance.skewed(1, 6)):
        data = changed_bytes(data, chance, words)
    return data
