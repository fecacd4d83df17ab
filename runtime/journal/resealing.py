"""A WAL with a damaged frame, made readable behind it: for salvage alone, never for a journal that is served.

SQLite takes the first frame whose checksum does not fit for the end. But each frame's checksum goes on from the one *written*
in the frame before it, so the frames behind are told sound from damaged one by one. Pure: bytes in, bytes out.
(https://www.sqlite.org/fileformat2.html#walformat)
"""

import struct
from collections.abc import Sequence

from msgspec import Struct

HEADER_BYTES = 32
FRAME_HEADER_BYTES = 24
PAGE_BYTES = 4096
_FRAME_BYTES = FRAME_HEADER_BYTES + PAGE_BYTES
_MAGIC = 0x377F0682
_VERSION = 3007000
_MASK = 0xFFFFFFFF

Sums = tuple[int, int]


class Frames(Struct, frozen=True):
    """The frames of one generation of a WAL. ``damaged``: the indices of those that are not what was written."""

    salts: tuple[int, int]
    frames: Sequence[bytes]
    damaged: frozenset[int]


def frames_of(wal: bytes) -> Frames | None:
    """Look at every frame; None when nothing is damaged before the last sound one."""
    if len(wal) < HEADER_BYTES + _FRAME_BYTES:
        return None
    magic, _, _, _, first, second, *sums = struct.unpack(">8I", wal[:HEADER_BYTES])
    order = ">" if magic & 1 else "<"
    header_sound = magic & ~1 == _MAGIC and _add((0, 0), wal[:24], order) == tuple(sums)
    cut = range(HEADER_BYTES, len(wal) - _FRAME_BYTES + 1, _FRAME_BYTES)
    frames = [wal[at : at + _FRAME_BYTES] for at in cut]
    salts = (first, second) if header_sound else _salts(frames[0])
    # What lies behind the last commit was never acknowledged, or only gives the file its size.
    commits = [n for n, frame in enumerate(frames, 1) if _salts(frame) == salts and any(frame[4:8])]
    count = max(commits, default=0)
    damaged = _damaged(frames[:count], salts, tuple(sums), order)
    if header_sound and not damaged:
        return None
    return Frames(salts, frames[:count], damaged)


def resealed(found: Frames, *, without_damaged: bool) -> bytes:
    """A WAL of these frames in which every checksum fits."""
    salts = struct.pack(">2I", *found.salts)
    head = struct.pack(">4I", _MAGIC | 1, _VERSION, PAGE_BYTES, 0) + salts
    sums = _add((0, 0), head, ">")
    parts = [head, struct.pack(">2I", *sums)]
    for number, frame in enumerate(found.frames):
        if without_damaged and number in found.damaged:
            continue
        page = frame[FRAME_HEADER_BYTES:]
        sums = _add(_add(sums, frame[:8], ">"), page, ">")
        parts += [frame[:8], salts, struct.pack(">2I", *sums), page]
    return b"".join(parts)


def _damaged(
    frames: Sequence[bytes], salts: tuple[int, int], seed: tuple[int, ...], order: str
) -> frozenset[int]:
    found: set[int] = set()
    first, second = seed
    before: Sums = (first, second)
    for number, frame in enumerate(frames):
        written: Sums = struct.unpack(">2I", frame[16:24])
        page = frame[FRAME_HEADER_BYTES:]
        if _salts(frame) != salts or _add(_add(before, frame[:8], order), page, order) != written:
            found.add(number)
        before = written
    return frozenset(found)


def _salts(frame: bytes) -> tuple[int, int]:
    first, second = struct.unpack(">2I", frame[8:16])
    return first, second


def _add(sums: Sums, data: bytes, order: str) -> Sums:
    first, second = sums
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for left, right in zip(words, words, strict=True):
        first = (first + left + second) & _MASK
        second = (second + right + first) & _MASK
    return first, second
