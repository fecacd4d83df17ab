"""Log files of child processes, kept bounded while the child writes.

A child writes to a descriptor of its own and outlives us, so its output is not ours to read: the end of a large file is copied
aside, in place of what was put aside before, and the file is cut to nothing. The child appends, so it goes on at the beginning. Lines written between
the copy and the cut are lost; several processes may share one file.
"""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

LOG_MAX_BYTES: Final = 8 * 1024 * 1024
LOG_LOOK_S: Final = 5.0
"""How often whoever keeps the process looks at the size of its log."""


@contextmanager
def open_log(path: Path | None) -> Generator[IO[bytes] | None]:
    """The file to append to, for a child that is about to start; None where it writes where we do."""
    if path is None:
        yield None
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if is_full(path):
        put_aside(path)
    with path.open("ab") as output:
        yield output


def is_full(path: Path) -> bool:
    """Is it larger than a log may be?"""
    try:
        return path.stat().st_size > LOG_MAX_BYTES
    except OSError:
        return False


def put_aside(path: Path) -> None:
    """Begin the file anew, unless somebody else is doing so. What cannot be done is left for the next time."""
    aside = path.with_suffix(".log.1")
    fresh = path.with_suffix(".log.new")
    try:
        with path.open("rb") as log:
            fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not is_full(path):
                return
            log.seek(max(0, path.stat().st_size - LOG_MAX_BYTES))
            fresh.write_bytes(log.read(LOG_MAX_BYTES))
            fresh.replace(aside)
            os.truncate(path, 0)
    except OSError:
        return
