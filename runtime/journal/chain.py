"""The chain: each event's CRC-32 goes on from the one of the quest's previous event.

A CRC finds accidents of the disk, not forgers. Pure; must not know where rows come from.
"""

from collections.abc import Sequence
from typing import Any, Final
from zlib import crc32

from questd.messages.events import Record
from questd.runtime.errors import BrokenChain

EVENT_COLUMNS = "seq, quest, n, at_us, kind, schema, body, previous_crc, crc"
"""The order of the rows that this module reads."""


def chained_crc(
    previous: int, quest: str, n: int, at_us: int, kind: str, schema: int, body: bytes
) -> int:
    """CRC-32 of an event that follows one with CRC ``previous`` (0 when it is the first)."""
    return crc32(body, crc32(f"{quest} {n} {at_us} {kind} {schema}".encode(), previous))


def checked_record(row: Sequence[Any]) -> Record:
    """One row's record. BrokenChain when the row is not what was written."""
    seq, quest, n, at_us, kind, schema, body, previous, crc = row
    # A damaged page can give any type in any column.
    if not (
        isinstance(body, bytes)
        and isinstance(n, int)
        and isinstance(previous, int)
        and crc == chained_crc(previous, quest, n, at_us, kind, schema, body)
    ):
        raise BrokenChain(str(quest), n if isinstance(n, int) else 0)
    return Record(seq, quest, n, at_us, kind, schema, body)


Link = tuple[int, int, int]
"""What the next event of a quest follows: n, crc and seq of the last one."""
FIRST: Final[Link] = (0, 0, 0)


class Links:
    """Checks rows as they come, in order of each quest; ``known`` says where a quest stood before them.

    No CRC covers ``seq``, which only the commit gives: that rows were not swapped shows by its rising with n.
    """

    def __init__(self, known: dict[str, Link]) -> None:
        self.known = known

    def check(self, row: Sequence[Any]) -> Record:
        """One row's record. BrokenChain when it is damaged or does not follow its predecessor."""
        record = checked_record(row)
        before = self.known.get(record.quest)
        if before is not None:
            n, crc, seq = before
            if (n, crc) != (record.n - 1, row[7]) or record.seq <= seq:
                raise BrokenChain(record.quest, n + 1)
        self.known[record.quest] = (record.n, row[8], record.seq)
        return record
