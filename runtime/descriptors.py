"""File descriptors: as many as the system gives, and how many connections of strangers may take of them.

Invariant: journal, logs and children always find one. A connection takes one each, and a process that has none left cannot write
its journal any more: without a bound anybody who may connect could end the daemon.

Doors count connections that have greeted. nng takes those that have not said a word as well, up to what the process may have, and
holds them for ten seconds. So the last descriptors are kept back: only what is opened inside of ``reserved`` gets them.
"""

import resource
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

DESCRIPTORS_MAX: Final = 65_536
"""What is asked of the system; the hard limit of the process may be lower."""
DESCRIPTORS_KEPT: Final = 128
"""For journal, logs, children and timers; strangers' connections get the rest."""
CONNECTIONS_MIN: Final = 16
RESERVED: Final = 64
"""Of those that are kept; the rest of them are in use from the start on."""


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


class _Reserve:
    """Soft limits of the process; no reserve until ``keep``."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._whole = 0

    def keep(self, descriptors: int) -> None:
        """Take the last of so many away from everybody else."""
        with self._lock:
            self._whole = descriptors
            self._allow(descriptors - RESERVED)

    def enter(self) -> None:
        with self._lock:
            self._users += 1
            if self._whole and self._users == 1:
                self._allow(self._whole)

    def leave(self) -> None:
        with self._lock:
            self._users -= 1
            if self._whole and not self._users:
                self._allow(self._whole - RESERVED)

    def _allow(self, descriptors: int) -> None:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, hard))


_reserve = _Reserve()


def keep_reserve(descriptors: int) -> None:
    """Of so many that the process may have, the last ``RESERVED`` are for ``reserved``; not where that would be half of them."""
    if descriptors > 2 * RESERVED:
        _reserve.keep(descriptors)


@contextmanager
def reserved() -> Generator[None]:
    """What is opened in the block, from any thread, finds a descriptor when others have taken all. Keep it short."""
    _reserve.enter()
    try:
        yield
    finally:
        _reserve.leave()
