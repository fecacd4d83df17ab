"""The lock of a data directory: one process at a time.

The kernel holds the lock (flock), so it ends with its process, however that dies. The file's text only says
who holds it; the file is never deleted, since two processes could then lock two files of one name.
"""

import fcntl
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from questd.runtime.errors import JournalError, JournalLocked

LOCK_NAME = "lock"


class DirectoryLock:
    """``directory`` exists. ``clock_us`` gives wall time in microseconds, for the text. Not inherited by children."""

    def __init__(self, directory: Path, *, clock_us: Callable[[], int]) -> None:
        self.path = directory / LOCK_NAME
        self._clock_us = clock_us
        self._file: int | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._file is not None

    def acquire(self) -> None:
        """Take it, or raise JournalLocked naming the holder, JournalError when the disk fails. Taking it twice is fine."""
        if self._file is not None:
            return
        try:
            self._acquire()
        except OSError as error:
            raise JournalError(
                f"{self.path} cannot be locked: {error}. See to the disk (space, health, rights)"
            ) from error

    def _acquire(self) -> None:
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(file, 200, 0).decode(errors="replace").strip()
            os.close(file)
            raise JournalLocked(str(self.path.parent), holder or "another process") from None
        except BaseException:
            os.close(file)
            raise
        since = datetime.fromtimestamp(self._clock_us() / 1_000_000, UTC)
        os.ftruncate(file, 0)
        os.pwrite(file, f"process {os.getpid()} since {since:%Y-%m-%dT%H:%M:%SZ}\n".encode(), 0)
        self._file = file

    def release(self) -> None:
        """Give it back. Releasing twice is fine."""
        if self._file is not None:
            # Closing alone would leave it to a child that is just between fork and exec.
            fcntl.flock(self._file, fcntl.LOCK_UN)
            os.close(self._file)
            self._file = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
