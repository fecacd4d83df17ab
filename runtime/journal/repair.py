"""``quest doctor --repair``: a damaged journal is built anew from all that can still be proven of it.

Invariants: what was there is kept, whole, in a folder of its own, and is never written to; the journal that takes its place has
been verified and is on disk before it does; whatever could not be saved is named. No seq is ever given twice, so that a
history can tell that it has read what is gone.

Repairing in place was rejected: a tool that is wrong must not be able to make it worse. Must not know what an event means: the head
of a quest whose row is lost is told by whoever does.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from msgspec import Struct

from questd.runtime.errors import (
    JournalBroken,
    JournalError,
    JournalForeign,
    JournalLocked,
    JournalNewer,
    MachineError,
    Refused,
)
from questd.runtime.journal.head_file import (
    HEAD_NAME,
    DurableHead,
    read_durable_head,
    sync_directory,
    write_durable_head,
)
from questd.runtime.journal.lock import DirectoryLock
from questd.runtime.journal.opening import durable_head
from questd.runtime.journal.reader import DATABASE_NAME, DISK_ERRORS, SqliteReader
from questd.runtime.journal.rebuilding import Loss, Rebuilt, rebuild
from questd.runtime.journal.salvage import WAL_NAME, Source, views
from questd.runtime.journal.verify import Finding, HeadTold, verify

WORKSHOP: Final = ".repair"
ASIDE: Final = "damaged"
_KEPT: Final = (DATABASE_NAME, WAL_NAME, HEAD_NAME)


class Repair(Struct, frozen=True):
    """What was done. ``aside``: the folder that holds what was there. ``acknowledged``: the newest event that the side file knew of.

    ``rebuilt`` is False when only the side file had to be written; ``losses`` is empty when nothing is lost.
    """

    aside: str
    rebuilt: bool
    acknowledged: int | None
    seq: int
    quests: int
    events: int
    losses: tuple[Loss, ...] = ()
    told: tuple[str, ...] = ()

    @property
    def lost(self) -> bool:
        """Whether anything that was acknowledged is gone."""
        return bool(self.losses) or self.seq < (self.acknowledged or 0)


def repair(
    directory: Path, told: HeadTold, *, clock_us: Callable[[], int], new_id: Callable[[], str]
) -> Repair | None:
    """Mend the journal in ``directory``; None when nothing is wrong with it.

    Refused while a daemon holds it, and when a person must decide first (another journal, a newer program's). MachineError when
    there is no room or the disk fails, JournalBroken when nothing can be saved: then everything is as it was.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(DirectoryLock(directory, clock_us=clock_us))
        except JournalLocked as error:
            raise Refused(f"{error}: end it first", kind="not_allowed") from error
        workshop = directory / WORKSHOP
        interrupted = workshop.exists()
        findings = [] if interrupted else verify(directory, told)
        if not findings and not interrupted:
            return None
        try:
            return _Mending(directory, told, clock_us(), new_id()).mend(findings)
        except (*DISK_ERRORS, OSError) as error:
            raise MachineError(
                f"repairing {directory} failed: {error}. What was there is there still, or in the newest "
                f"{ASIDE}-… folder; see to the space and try again"
            ) from error


class _Mending:
    """One repair."""

    def __init__(self, directory: Path, told: HeadTold, now_us: int, new_id: str) -> None:
        self._directory = directory
        self._workshop = directory / WORKSHOP
        self._told = told
        self._new_id = new_id
        self._now_us = now_us
        self._origins = [directory, *self._interrupted()]

    def _interrupted(self) -> list[Path]:
        """The folder that an earlier repair had just filled when it was cut off: this time it is read too."""
        aside = sorted(self._directory.glob(f"{ASIDE}-*"))
        return aside[-1:] if self._workshop.exists() else []

    def mend(self, findings: Sequence[Finding]) -> Repair:
        claimed = self._claimed()
        if findings and all("side_file" in one.what for one in findings) and claimed is None:
            return self._write_side_file()
        shutil.rmtree(self._workshop, ignore_errors=True)
        fresh = self._workshop / "fresh"
        fresh.mkdir(mode=0o700, parents=True)
        made = rebuild(fresh, self._views(claimed), claimed, self._told, self._new_id)
        self._prove(fresh, made)
        aside = self._set_aside()
        self._publish(fresh)
        shutil.rmtree(self._workshop)
        sync_directory(self._directory)
        return Repair(
            str(aside),
            True,
            None if claimed is None else claimed.seq,
            made.seq,
            made.quests,
            made.events,
            made.losses,
            made.told,
        )

    def _claimed(self) -> DurableHead | None:
        """The side file's word; None when it is lost or damaged. Refused when it speaks of another journal."""
        heads = [head for origin in self._origins if (head := _side_file(origin)) is not None]
        claimed = max(heads, key=lambda head: head.seq, default=None)
        for origin in self._origins:
            _refuse_foreign(origin, claimed)
        return claimed

    def _views(self, claimed: DurableHead | None) -> Iterator[Source]:
        hint = 0 if claimed is None else claimed.seq
        for number, origin in enumerate(self._origins):
            if (origin / DATABASE_NAME).exists():
                yield from views(origin, self._workshop, f"view-{number}", hint)

    def _prove(self, fresh: Path, made: Rebuilt) -> None:
        """Nothing is put in the place of a journal before it was opened and read to the end."""
        if not made.quests:
            shutil.rmtree(self._workshop)
            raise JournalBroken(
                f"of {self._directory / DATABASE_NAME} nothing can be saved: restore a backup. Nothing was changed"
            )
        with SqliteReader(fresh) as reader:
            write_durable_head(fresh, durable_head(reader))
        lost = {loss.quest for loss in made.losses}
        wrong = [one for one in verify(fresh, self._told) if one.quest not in lost]
        if wrong:
            raise JournalBroken(
                f"the rebuilt journal is not whole ({wrong[0].message}). Nothing was changed"
            )
        for suffix in ("-wal", "-shm"):
            (fresh / f"{DATABASE_NAME}{suffix}").unlink(missing_ok=True)
        _sync(fresh / DATABASE_NAME)

    def _set_aside(self) -> Path:
        """Give everything that is there a second name; the first goes when the rebuilt journal takes its place."""
        moment = datetime.fromtimestamp(self._now_us / 1_000_000, UTC)
        aside = self._directory / f"{ASIDE}-{moment:%Y%m%dT%H%M%S%f}"
        aside.mkdir(mode=0o700)
        for name in _KEPT:
            if (self._directory / name).exists():
                _keep(self._directory / name, aside / name)
        sync_directory(aside)
        sync_directory(self._directory)
        return aside

    def _publish(self, fresh: Path) -> None:
        """The old WAL goes first: SQLite would play it into whatever database stands beside it.

        Cut off in between, the old database is refused (the side file claims more than it holds) until the repair is
        run again; that reads the folder set aside, because the workshop is still there.
        """
        for suffix in ("-wal", "-shm"):
            (self._directory / f"{DATABASE_NAME}{suffix}").unlink(missing_ok=True)
        sync_directory(self._directory)
        (fresh / DATABASE_NAME).replace(self._directory / DATABASE_NAME)
        (fresh / HEAD_NAME).replace(self._directory / HEAD_NAME)
        sync_directory(self._directory)

    def _write_side_file(self) -> Repair:
        aside = self._set_aside()
        with SqliteReader(self._directory) as reader:
            durable = durable_head(reader)
            (quests,), (events,) = (
                reader.ask(f"select count(*) from {table}")[0]  # noqa: S608
                for table in ("heads", "events")
            )
        write_durable_head(self._directory, durable)
        return Repair(str(aside), False, None, durable.seq, quests, events)


def _side_file(directory: Path) -> DurableHead | None:
    try:
        return read_durable_head(directory)
    except JournalNewer as error:
        raise Refused(str(error), kind="not_allowed") from error
    except JournalForeign:
        return None


def _refuse_foreign(directory: Path, claimed: DurableHead | None) -> None:
    """Refused when the journal can be read and is no damaged one, but a newer program's, or another than was here."""
    try:
        with SqliteReader(directory) as reader:
            journal = reader.journal_id
            durable = durable_head(reader)
            crc = None if claimed is None else reader.crc_of(claimed.seq)
    except JournalNewer as error:
        raise Refused(str(error), kind="not_allowed") from error
    except JournalError:
        return
    if claimed is None:
        return
    if journal != claimed.journal or (
        durable.seq >= claimed.seq and crc is not None and claimed.crc and crc != claimed.crc
    ):
        raise Refused(
            f"{directory / DATABASE_NAME} is another journal than the one that {HEAD_NAME} speaks of: no repair can "
            f"tell which one you want. To keep what is here, delete {directory / HEAD_NAME}",
            kind="not_allowed",
        )


def _keep(path: Path, other: Path) -> None:
    try:
        other.hardlink_to(path)
    except OSError:  # a file system without hard links
        shutil.copyfile(path, other)
        _sync(other)


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDWR)
    try:
        os.fsync(file)
    finally:
        os.close(file)
