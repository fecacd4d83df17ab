"""Files as they lie there now, by pattern: looked at as a whole each time, so that what changed while nobody looked is found as well.

A pattern is an absolute path whose names may hold ``*``, ``?`` and ``[…]`` as in a shell; ``**`` stands for any folders, and as the last
name for all that is below. As in a shell none of these matches a name that begins with a dot. Links to files are followed, and links to
folders where the pattern names them, but ``**`` follows none, so that no loop can hold it.

Why not the system's notices of changes: they tell nothing of the time in which no daemon was there, are lost when there are many, do not
come from other hosts' disks, and cannot be replayed from a seed. A look is needed anyway, and costs 15 µs a file.
"""

import fnmatch
import os
import re
import stat
import time
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, Protocol

from msgspec import Struct

ENTRIES_PER_FILE: Final = 20
"""A look goes through so many entries of folders for each file that it may find, and no more."""
TROUBLES_TOLD: Final = 5
REST_FACTOR: Final = 19
"""After a look it rests so many times longer than the look took: at most a twentieth of a processor, however many files there are."""
REST_MAX_S: Final = 10.0
_WILD: Final = re.compile(r"[*?\[]")

Mark = tuple[int, int]
"""Bytes, and the time of the last change in nanoseconds. Not the number of the file: it differs after a restore, and from host to host."""


class Sight(Struct, frozen=True):
    """What was there. ``blind``: paths (and all below them) of which nothing is known; ``troubles`` says why, of the first ones.

    ``too_many``: there is more than was allowed, and ``files`` is not the whole.
    """

    files: dict[str, Mark]
    blind: tuple[str, ...] = ()
    troubles: tuple[str, ...] = ()
    too_many: bool = False


class Files(Protocol):
    """Looks."""

    def look(self, patterns: tuple[str, ...], most: int) -> Sight:
        """The files that match one of the patterns, at most so many. It may take long."""
        ...


# -- patterns --------------------------------------------------------------------------------------------


def names_of(pattern: str) -> tuple[str, ...]:
    """Its names from the root on; a ``**`` at the end is ``**`` and ``*``, and two in a row are one."""
    names: list[str] = []
    for name in pattern.split("/"):
        if name not in ("", ".") and not (name == "**" and names[-1:] == ["**"]):
            names.append(name)
    return (*names, "*") if names[-1:] == ["**"] else tuple(names)


def fault_of_pattern(pattern: str) -> str | None:
    """Why nobody can look for it."""
    if not pattern.startswith("/"):
        return "is not an absolute path"
    if ".." in pattern.split("/"):
        return "leads back with .."
    return None if names_of(pattern) and pattern.isprintable() else "names nothing"


def is_wild(name: str) -> bool:
    """Does it match other names than its own?"""
    return _WILD.search(name) is not None


def name_matches(name: str, wanted: str) -> bool:
    """Does the name of a file or folder match a name of a pattern (but ``**``)?"""
    if name.startswith(".") and not wanted.startswith("."):
        return False
    return _compiled(wanted).fullmatch(name) is not None


@lru_cache(maxsize=512)
def _compiled(wanted: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(wanted))


# -- the disk --------------------------------------------------------------------------------------------


class DiskFiles:
    """Those of this machine. For one thread; it rests between two looks."""

    def __init__(self) -> None:
        self._rested_s = 0.0

    def look(self, patterns: tuple[str, ...], most: int) -> Sight:
        """Everything anew."""
        time.sleep(max(0.0, min(REST_MAX_S, self._rested_s - time.monotonic())))
        began_s = time.monotonic()
        walk = _Walk(most)
        for pattern in patterns:
            walk.go(names_of(pattern))
        ended_s = time.monotonic()
        self._rested_s = ended_s + REST_FACTOR * (ended_s - began_s)
        return walk.sight(patterns)


class _Walk:
    """One look. Folders that are still to be gone through are on a list, not on the call stack: a tree may be deeper than that."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._entries = 0
        self._files: dict[str, Mark] = {}
        self._blind: dict[str, str] = {}
        self._ahead: list[tuple[str, tuple[str, ...]]] = []

    @property
    def _full(self) -> bool:
        return len(self._files) > self._most or self._entries > self._most * ENTRIES_PER_FILE

    def go(self, names: tuple[str, ...]) -> None:
        self._ahead = [("", names)]
        while self._ahead and not self._full:
            folder, left = self._ahead.pop()
            name, rest = left[0], left[1:]
            if name == "**":
                self._below(folder, left)
            elif is_wild(name):
                self._beside(folder, name, rest)
            elif rest:
                self._ahead.append((f"{folder}/{name}", rest))
            else:
                self._found(f"{folder}/{name}")

    def _below(self, folder: str, left: tuple[str, ...]) -> None:
        """``**``: what comes after it is here, or in a folder below."""
        self._ahead.append((folder, left[1:]))
        for entry in self._entries_of(folder):
            if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False):
                self._ahead.append((f"{folder}/{entry.name}", left))

    def _beside(self, folder: str, wanted: str, rest: tuple[str, ...]) -> None:
        for entry in self._entries_of(folder):
            if not name_matches(entry.name, wanted):
                continue
            path = f"{folder}/{entry.name}"
            if rest:
                self._ahead.append((path, rest))
            elif not entry.is_dir(follow_symlinks=False):
                self._found(path)

    def _entries_of(self, folder: str) -> list["os.DirEntry[str]"]:
        entries: list[os.DirEntry[str]] = []
        try:
            with os.scandir(folder or "/") as listing:
                for entry in listing:
                    entries.append(entry)
                    self._entries += 1
                    if self._full:
                        break
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            self._cannot(folder, error)
        return entries

    def _found(self, path: str) -> None:
        """A file, unless it is something else, or gone by now."""
        self._entries += 1
        try:
            found = os.stat(path)  # noqa: PTH116 (a Path costs as much again)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            self._cannot(path, error)
            return
        if stat.S_ISREG(found.st_mode):
            self._files[_told(path)] = (found.st_size, found.st_mtime_ns)

    def _cannot(self, path: str, error: OSError) -> None:
        self._blind[_told(path)] = f"{_told(path)}: {error.strerror}"

    def sight(self, patterns: Iterable[str]) -> Sight:
        return sight_of(patterns, self._files, self._blind, too_many=self._full)


def _told(path: str) -> str:
    """A name of other bytes than UTF-8 could be kept nowhere as it is."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def sight_of(
    patterns: Iterable[str], files: dict[str, Mark], blind: dict[str, str], *, too_many: bool
) -> Sight:
    """What is known of it, in order."""
    troubles = [blind[path] for path in sorted(blind)]
    if not (files or troubles):
        troubles = [f"no file matches {', '.join(patterns)}"[:500]]
    if len(troubles) > TROUBLES_TOLD:
        troubles[TROUBLES_TOLD:] = [f"and {len(troubles) - TROUBLES_TOLD} more"]
    ordered = {path: files[path] for path in sorted(files)}
    return Sight(ordered, tuple(sorted(blind)), tuple(troubles), too_many)


# -- memory ----------------------------------------------------------------------------------------------


class MemoryFiles:
    """For simulation and tests. ``blind``: folders that cannot be read."""

    def __init__(self) -> None:
        self._files: dict[str, Mark] = {}
        self.blind: set[str] = set()

    def write(self, path: str, size: int, at_ns: int) -> None:
        """There it is, so large, changed then."""
        self._files[path] = (size, at_ns)

    def remove(self, path: str) -> None:
        """It is not there any more."""
        self._files.pop(path, None)

    def look(self, patterns: tuple[str, ...], most: int) -> Sight:
        """Those that match."""
        wanted = [names_of(pattern) for pattern in patterns]
        seen: dict[str, Mark] = {}
        hidden: dict[str, str] = {}
        for path, mark in self._files.items():
            names = tuple(path.split("/")[1:])
            if any(_matches(names, each) for each in wanted):
                above = next((one for one in self.blind if path.startswith(f"{one}/")), None)
                if above is None:
                    seen[path] = mark
                else:
                    hidden[above] = f"{above}: Permission denied"
        too_many = len(seen) > most
        return sight_of(patterns, seen, hidden, too_many=too_many)


def _matches(names: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    if not (names and wanted):
        return not (names or wanted)
    if wanted[0] != "**":
        return name_matches(names[0], wanted[0]) and _matches(names[1:], wanted[1:])
    deeper = len(names) > 1 and not names[0].startswith(".") and _matches(names[1:], wanted)
    return deeper or _matches(names, wanted[1:])
