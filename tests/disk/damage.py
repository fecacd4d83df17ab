"""What a disk does to a file: a bit that flips, an end that is torn off, a page of zeros."""

import random
from collections.abc import Iterator, Sequence

from msgspec import Struct

PAGE = 4096
LAST_PAGES = 4
WAL_HEADER = 32
FRAME = 24 + PAGE


class Damage(Struct, frozen=True):
    """``kind``: flip (bit ``bit`` of the byte at ``at``), cut (the file ends at ``at``) or zero (the page that holds ``at``)."""

    kind: str
    at: int
    bit: int = 0

    def done_to(self, data: bytes) -> bytes:
        if self.kind == "cut":
            return data[: self.at]
        if self.kind == "flip":
            return data[: self.at] + bytes([data[self.at] ^ 1 << self.bit]) + data[self.at + 1 :]
        start = self.at - self.at % PAGE
        return data[:start] + bytes(len(data[start : start + PAGE])) + data[start + PAGE :]


def every_damage(data: bytes, offsets: Sequence[int], chance: random.Random) -> Iterator[Damage]:
    """A flip and a cut at every offset, and a zero for every page."""
    for at in offsets:
        yield Damage("flip", at, chance.randrange(8))
        yield Damage("cut", at)
    for at in range(0, len(data), PAGE):
        yield Damage("zero", at)


def some_damage(
    data: bytes, offsets: Sequence[int], chance: random.Random, count: int
) -> Iterator[Damage]:
    for number in range(count):
        kind = ("flip", "flip", "cut", "zero")[number % 4]
        yield Damage(kind, chance.choice(offsets), chance.randrange(8))


def database_offsets(data: bytes) -> Sequence[int]:
    """The first page, which says what the file is, and the last ones."""
    return [*range(PAGE), *range(max(PAGE, len(data) - LAST_PAGES * PAGE), len(data))]


def wal_offsets(data: bytes) -> Sequence[int]:
    """The header and that of every frame, and all of the last frames."""
    frames = range(WAL_HEADER, len(data), FRAME)
    heads = [at for frame in frames for at in range(frame, min(frame + 24, len(data)))]
    last = range(max(WAL_HEADER, len(data) - LAST_PAGES * FRAME), len(data))
    return sorted({*range(WAL_HEADER), *heads, *last})
