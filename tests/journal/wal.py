"""Where a WAL ends: its file is longer than what is written in it.

As SQLite's file format says: a frame counts when its salts are the header's and its checksum continues those before it.
"""

import struct

HEADER_BYTES = 32
FRAME_HEADER_BYTES = 24
_MASK = 0xFFFFFFFF


def wal_end(wal: bytes) -> int:
    """Offset behind the last frame that counts."""
    magic, _, page_bytes, _, *salts = struct.unpack(">6I", wal[:24])
    order = ">" if magic & 1 else "<"
    sums = _checksum((0, 0), wal[:24], order)
    at = HEADER_BYTES
    while at + FRAME_HEADER_BYTES + page_bytes <= len(wal):
        _, _, *frame_salts, first, second = struct.unpack(">6I", wal[at : at + 24])
        page = wal[at + FRAME_HEADER_BYTES : at + FRAME_HEADER_BYTES + page_bytes]
        sums = _checksum(_checksum(sums, wal[at : at + 8], order), page, order)
        if frame_salts != salts or sums != (first, second):
            break
        at += FRAME_HEADER_BYTES + page_bytes
    return at


def _checksum(sums: tuple[int, int], data: bytes, order: str) -> tuple[int, int]:
    first, second = sums
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for left, right in zip(words[::2], words[1::2], strict=True):
        first = (first + left + second) & _MASK
        second = (second + right + first) & _MASK
    return first, second
