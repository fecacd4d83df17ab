"""What strangers do at a door, as bytes: any bytes are a script, so a mutation of one is another.

A step is a byte and what belongs to it. The byte modulo 8 says what happens: 0–3 a frame comes by the line of that number
(two bytes of length, little-endian, then the frame, cut where the script ends), 4–5 line 0 or 1 is closed, 6 time passes
(the next byte squared, in milliseconds), 7 nothing. After a byte of 128 or more nobody gets a turn before the next step.
"""

from collections.abc import Iterable

from msgspec import Struct

STEPS_MAX = 64
LINES = 4


class Say(Struct, frozen=True):
    """A frame by a line. ``at_once``: the next step follows before any actor has its turn."""

    line: int
    frame: bytes
    at_once: bool = False


class Hang(Struct, frozen=True):
    """The line is closed."""

    line: int


class Wait(Struct, frozen=True):
    """Time passes: ``root`` squared, in milliseconds (at most 65 s)."""

    root: int


Step = Say | Hang | Wait


def write(steps: Iterable[Step]) -> bytes:
    """The script's bytes."""
    parts: list[bytes] = []
    for step in steps:
        match step:
            case Say(line, frame, at_once):
                frame = frame[:0xFFFF]
                parts.append(
                    bytes([line + 128 * at_once]) + len(frame).to_bytes(2, "little") + frame
                )
            case Hang(line):
                parts.append(bytes([4 + line]))
            case Wait(root):
                parts.append(bytes([6, root]))
    return b"".join(parts)


def read(data: bytes) -> list[Step]:
    """The steps of any bytes."""
    steps: list[Step] = []
    at = 0
    while at < len(data) and len(steps) < STEPS_MAX:
        kind, at_once = data[at] % 8, data[at] >= 128
        at += 1
        if kind < LINES:
            size = int.from_bytes(data[at : at + 2], "little")
            steps.append(Say(kind, data[at + 2 : at + 2 + size], at_once))
            at += 2 + size
        elif kind < 6:
            steps.append(Hang(kind - 4))
        elif kind == 6:
            steps.append(Wait(data[at] if at < len(data) else 0))
            at += 1
    return steps
