"""How much of the processors others used while something was measured: on a shared machine a figure needs it beside it.

Ours is what this process and all that it has waited for used; the rest of what was busy was somebody else's.
"""

import os
import time
from pathlib import Path

BUSY = (1, 2, 3, 6, 7)
"""Columns of /proc/stat's first line: user, nice, system, interrupts."""
STOLEN = 8


class Neighbours:
    """From when it is made."""

    def __init__(self) -> None:
        self._began_s, self._busy_s, self._own_s = time.monotonic(), busy_s(), own_s()

    def share(self) -> float | None:
        """0..1 of all cores, by others, since; None where it cannot be told. All children have been waited for."""
        busy = busy_s()
        if busy is None or self._busy_s is None:
            return None
        passed_s = (time.monotonic() - self._began_s) * (os.cpu_count() or 1)
        others_s = (busy - self._busy_s) - (own_s() - self._own_s)
        return min(1.0, max(0.0, others_s / max(passed_s, 1e-9)))


def busy_s() -> float | None:
    """Seconds of all cores together that were not idle since the boot, those that a hypervisor took included."""
    try:
        line = Path("/proc/stat").read_text(encoding="utf-8").partition("\n")[0]
    except OSError:
        return None
    fields = line.split()
    ticks = sum(int(fields[column]) for column in (*BUSY, STOLEN))
    return ticks / os.sysconf("SC_CLK_TCK")


def own_s() -> float:
    """Processor time of this process and of its children that ended."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system
