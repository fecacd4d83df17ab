"""A copy of a journal that may be in use: a directory that can be served as it is, with its templates, or the journal alone as a single file.

Invariant: under the target's name stands nothing, or a whole copy that is on disk. It is written beside it, checked, synced,
then renamed. The copy is the journal of one moment: what was acknowledged before is in it, and its side file names its
last event.

Nobody is asked and the writer is not held up: pages are read from one snapshot, a few at a time. While it lasts the
WAL cannot begin again, so it grows by what is written meanwhile. SQLite's backup without a snapshot was rejected: it begins
again whenever somebody writes between two steps, so on a busy journal it never ends. ``VACUUM INTO`` was rejected: it
builds every index anew and tells nothing until it is done.
"""

import errno
import os
import shutil
import sqlite3
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from questd.runtime.errors import JournalBroken, JournalLocked, MachineError, Refused
from questd.runtime.journal.head_file import (
    read_durable_head,
    sync_directory,
    write_durable_head,
)
from questd.runtime.journal.lock import LOCK_NAME, DirectoryLock
from questd.runtime.journal.opening import durable_head, refuse_other
from questd.runtime.journal.reader import DATABASE_NAME, SqliteReader, open_connection
from questd.runtime.shelf import SHELF_NAME, copy_shelf

STEP_PAGES: Final = 256
"""Copied and synced at a time. Four times as much made single commits of a busy daemon wait twice as long."""
FILE_SUFFIX: Final = ".db"
"""A target of such a name is a single file."""

_TAKEN: Final = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)

Told = Callable[[int, int], object]
"""Hears (bytes copied, bytes in all) after each step."""


class Backup(Struct, frozen=True):
    """What was copied. ``seq``: the journal's last event in it. ``open_quests``: those that will go on where it is served."""

    path: str
    journal: str
    seq: int
    quests: int
    open_quests: int
    bytes: int


def back_up(
    data: Path, target: Path, *, clock_us: Callable[[], int], told: Told | None = None
) -> Backup:
    """Copy the journal in ``data`` to ``target``, which must not be there yet (an empty directory may be).

    Refused when it is; JournalError when there is no journal, or one that would not open again; MachineError when
    the copy cannot be written: then nothing is left of it.
    """
    target = Path(os.path.abspath(target))  # noqa: PTH100 - resolve() would follow a link to elsewhere
    _refuse_taken(target)
    claimed = read_durable_head(data)
    with SqliteReader(data) as reader:
        if claimed is not None:
            refuse_other(reader, durable_head(reader), claimed)
    try:
        with _workshop(target, clock_us) as folder:
            _copy(data / DATABASE_NAME, folder / DATABASE_NAME, told)
            if target.suffix != FILE_SUFFIX:
                copy_shelf(data / SHELF_NAME, folder / SHELF_NAME)
            made = _finish(folder, target)
            _publish(folder, target)
    except OSError as error:
        raise MachineError(f"writing {target} failed: {error}. Nothing is left of it") from error
    return made


def _refuse_taken(target: Path) -> None:
    if not target.parent.is_dir():
        raise MachineError(f"there is no directory {target.parent} to put a backup into: make it")
    is_room = target.is_dir() and target.suffix != FILE_SUFFIX and not any(target.iterdir())
    if os.path.lexists(target) and not is_room:
        raise _taken(target)


def _taken(target: Path) -> Refused:
    return Refused(f"{target} is there already: a backup overwrites nothing, name a new one")


@contextmanager
def _workshop(target: Path, clock_us: Callable[[], int]) -> Generator[Path]:
    """A private folder beside the target. What a killed backup left in it goes; a living one's is not touched."""
    folder = target.with_name(f".{target.name}.partial")
    folder.mkdir(mode=0o700, exist_ok=True)
    lock = DirectoryLock(folder, clock_us=clock_us)
    try:
        lock.acquire()
    except JournalLocked as error:
        raise Refused(f"another backup to {target} is being written: {error}") from error
    try:
        for name in folder.iterdir():
            if name.is_dir():
                shutil.rmtree(name)
            elif name.name != LOCK_NAME:
                name.unlink()
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.release()


def _copy(database: Path, copy: Path, told: Told | None) -> None:
    """Page by page, as the journal stands now."""
    file = os.open(copy, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with (
            closing(open_connection(database)) as source,
            closing(open_connection(copy, writing=True)) as target,
        ):
            source.execute("begin")  # the snapshot: begins with the next statement
            page_bytes = source.execute("pragma page_size").fetchone()[0]
            pages = source.execute("pragma page_count").fetchone()[0]
            _refuse_no_room(copy, pages * page_bytes)
            # No commit can tear what has no name yet, so SQLite need not sync.
            target.execute("pragma synchronous = off").fetchall()

            def step(_: int, left: int, total: int) -> None:
                # Bit by bit: one sync of it all at the end makes the daemon's own syncs wait for it.
                os.fsync(file)
                if told is not None:
                    told((total - left) * page_bytes, total * page_bytes)

            source.backup(target, pages=STEP_PAGES, progress=step)
            source.execute("rollback")
    except sqlite3.Error as error:
        raise MachineError(
            f"copying {database} to {copy.parent} failed: {error}. Nothing is left of the copy. See to the "
            "space there; if it is not that, run `quest doctor`"
        ) from error
    finally:
        os.close(file)  # not before: closing it would drop SQLite's locks


def _refuse_no_room(copy: Path, size: int) -> None:
    free = shutil.disk_usage(copy.parent).free
    if free < size:
        raise MachineError(
            f"the backup takes {size} bytes, and {copy.parent.parent} has {free} free: make room, or name another disk"
        )


def _finish(folder: Path, target: Path) -> Backup:
    """Look at the copy, say what it holds, write its side file, sync."""
    path = folder / DATABASE_NAME
    with SqliteReader(folder) as reader:
        # Chains and contents are `quest doctor`'s to check; this finds a page that the disk gave wrong.
        found = [text for (text,) in reader.ask("pragma quick_check(3)")]
        if found != ["ok"]:
            raise JournalBroken(f"the copy is damaged ({'; '.join(found)}): run `quest doctor`")
        durable = durable_head(reader)
        (quests,) = reader.ask("select count(*) from heads")[0]
        open_quests = reader.count_open()
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    write_durable_head(folder, durable)
    _sync(path)
    size = path.stat().st_size
    return Backup(str(target), durable.journal, durable.seq, quests, open_quests, size)


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDWR)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _publish(folder: Path, target: Path) -> None:
    """Give it its name. Neither a file nor a directory with something in it is replaced, whoever made it meanwhile."""
    try:
        if target.suffix == FILE_SUFFIX:
            _publish_file(folder / DATABASE_NAME, target)
        else:
            # Its lock goes with it: a directory that is served has one, and who waits for it must not get another.
            sync_directory(folder)
            folder.rename(target)
    except OSError as error:
        if error.errno in _TAKEN:
            raise _taken(target) from error
        raise
    sync_directory(target.parent)


def _publish_file(path: Path, target: Path) -> None:
    try:
        target.hardlink_to(path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        _refuse_taken(target)
        path.rename(target)
