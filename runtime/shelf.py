"""A shelf: a few hundred small things by name, each replaced whole, durable when ``put`` returns.

On disk one file each. Who writes holds the directory's lock. Must not know what lies on it.
"""

import os
from pathlib import Path
from typing import Final, Protocol

from questd.runtime.errors import JournalError
from questd.runtime.journal.head_file import sync_directory

SHELF_NAME: Final = "templates"
"""In the data directory."""
_NEW: Final = ".new"


class Shelf(Protocol):
    """Names are safe as file names; it is for the caller to see to that."""

    def names(self) -> tuple[str, ...]:
        """All that is there, sorted."""
        ...

    def get(self, name: str) -> bytes | None:
        """What lies there under the name."""
        ...

    def put(self, name: str, data: bytes) -> None:
        """Put it there, in the place of what was there. On disk when this returns; JournalError when it cannot be."""
        ...

    def remove(self, name: str) -> None:
        """Take it away. What is not there may be removed."""
        ...


class FileShelf:
    """In a directory of its own, which is made when the first thing is put there."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def names(self) -> tuple[str, ...]:
        """All that is there, sorted. What a crash left unfinished is not."""
        try:
            found = [path.name for path in self._directory.iterdir()]
        except FileNotFoundError:
            return ()
        return tuple(sorted(name for name in found if not name.endswith(_NEW)))

    def get(self, name: str) -> bytes | None:
        """What lies there under the name."""
        try:
            return (self._directory / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._failed("reading", name, error) from error

    def put(self, name: str, data: bytes) -> None:
        """Beside, synced, then renamed."""
        path = self._directory / name
        try:
            self._directory.mkdir(mode=0o700, exist_ok=True)
            beside = path.with_name(name + _NEW)
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            beside.replace(path)
            sync_directory(self._directory)
        except OSError as error:
            raise self._failed("writing", name, error) from error

    def remove(self, name: str) -> None:
        """Take it away, for good when this returns."""
        try:
            (self._directory / name).unlink(missing_ok=True)
            sync_directory(self._directory)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise self._failed("removing", name, error) from error

    def _failed(self, what: str, name: str, error: OSError) -> JournalError:
        return JournalError(
            f"{what} {self._directory / name} failed: {error.strerror}. Nothing has changed"
        )


class MemoryShelf:
    """For simulation and tests."""

    def __init__(self) -> None:
        self._things: dict[str, bytes] = {}

    def names(self) -> tuple[str, ...]:
        """All that is there, sorted."""
        return tuple(sorted(self._things))

    def get(self, name: str) -> bytes | None:
        """What lies there under the name."""
        return self._things.get(name)

    def put(self, name: str, data: bytes) -> None:
        """Put it there."""
        self._things[name] = data

    def remove(self, name: str) -> None:
        """Take it away."""
        self._things.pop(name, None)


def copy_shelf(source: Path, target: Path) -> None:
    """What lies in one directory now into another that is not there yet, on disk when this returns. Who writes need not pause."""
    shelf, copy = FileShelf(source), FileShelf(target)
    for name in shelf.names():
        data = shelf.get(name)
        if data is not None:
            copy.put(name, data)
