"""File descriptors: as many as the system gives, and how many connections of strangers may take of them.

Invariant: journal, logs and children always find one. A connection takes one each, and a process that has none left cannot write
its journal any more: without a bound anybody who may connect could end the daemon.
"""

import resource
from typing import Final

DESCRIPTORS_MAX: Final = 65_536
"""What is asked of the system; the hard limit of the process may be lower."""
DESCRIPTORS_KEPT: Final = 128
"""For journal, logs, children and timers; strangers' connections get the rest."""
CONNECTIONS_MIN: Final = 16


def raise_limit() -> int:
    """Allow this process as many as it may have; the number it has then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS_MAX if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS_MAX)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return DESCRIPTORS_MAX if soft == resource.RLIM_INFINITY else soft
    for limit in (wanted, 10_240):  # macOS gives no more, whatever its hard limit says
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        except (ValueError, OSError):
            continue
        return limit
    return soft


def share(descriptors: int, doors: int) -> int:
    """How many connections each of so many doors may hold."""
    return max(CONNECTIONS_MIN, (descriptors - DESCRIPTORS_KEPT) // max(1, doors))
