"""What happened, line by line: kept as text when somebody wants to read it, else as a checksum only."""

import zlib
from collections.abc import Callable

from questd.runtime.deterministic import VirtualClock


class Trace:
    """``lines`` is None unless the text is wanted; ``checksum`` is of all lines either way."""

    def __init__(self, clock: VirtualClock, *, keep: bool) -> None:
        self._clock = clock
        self.lines: list[str] | None = [] if keep else None
        self.checksum = 0
        self.counts: dict[str, int] = {}

    def note(self, what: str, *facts: object) -> None:
        """One line: the time, a noun.verb_past, and facts that print the same in every process."""
        self.counts[what] = self.counts.get(what, 0) + 1
        line = " ".join((str(self._clock.monotonic_us), what, *map(str, facts)))
        self.checksum = zlib.crc32(line.encode(), self.checksum)
        if self.lines is not None:
            self.lines.append(line)

    def show(self, write: Callable[[str], object]) -> None:
        """Write all lines."""
        for line in self.lines or ():
            write(line + "\n")
