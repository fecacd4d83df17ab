"""Opening a journal for writing: make it when there is none, else prove that it is the one that was here.

Nothing is repaired and nothing is guessed: what does not fit is refused by name, with what to do about it.
"""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from questd.runtime.errors import BrokenChain, JournalBroken, JournalForeign
from questd.runtime.journal.head_file import (
    HEAD_NAME,
    DurableHead,
    read_durable_head,
    sync_directory,
    write_durable_head,
)
from questd.runtime.journal.reader import (
    APPLICATION_ID,
    DATABASE_NAME,
    DISK_ERRORS,
    SCHEMA_VERSION,
    SqliteReader,
    open_connection,
    schema_sql,
)
from questd.runtime.journal.upkeep import (
    cannot_open,
    close_as_it_is,
    prepare,
    reserve_wal,
    rewrite_wal,
)

CACHE_KIB = 32 * 1024


def open_journal(
    directory: Path, *, clock_us: Callable[[], int], new_id: Callable[[], str]
) -> tuple[sqlite3.Connection, DurableHead]:
    """The writer's connection, and what is durable. The caller holds the directory's lock."""
    try:
        claimed = read_durable_head(directory)
        if not _exists(directory):
            _refuse_loss(directory, claimed)
            create_journal(directory, clock_us(), new_id())
        return _open(directory, claimed)
    except (*DISK_ERRORS, OSError) as error:
        raise cannot_open(directory / DATABASE_NAME, error) from error


def _exists(directory: Path) -> bool:
    """Whether a journal was ever finished here: a crash while making one leaves a file without tables."""
    path = directory / DATABASE_NAME
    if (
        not path.exists() or not path.stat().st_size
    ):  # SQLite would delete the WAL beside an empty one
        return False
    connection = open_connection(path)
    try:
        return bool(connection.execute("select count(*) from sqlite_master").fetchone()[0])
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
            return True
        raise
    finally:
        connection.close()


def _refuse_loss(directory: Path, claimed: DurableHead | None) -> None:
    wal = directory / f"{DATABASE_NAME}-wal"
    if claimed is None and wal.exists() and wal.stat().st_size:
        raise JournalForeign(
            f"{directory / DATABASE_NAME} is gone or empty, but its WAL is here. Restore the journal from a backup; "
            f"to begin a new one, delete {wal}"
        )
    if claimed is not None:
        raise JournalForeign(
            f"{directory / DATABASE_NAME} is gone or empty, but {HEAD_NAME} says that journal {claimed.journal} "
            f"reached event {claimed.seq}. Restore the journal from a backup; to begin a new one, "
            f"delete {directory / HEAD_NAME}"
        )


def create_journal(directory: Path, created_us: int, journal_id: str) -> None:
    """Make an empty journal. sqlite3.Error or OSError when the disk will not have it.

    Beside, then renamed: cut off at any moment, it leaves no file that is neither nothing nor a journal.
    """
    path = directory / f"{DATABASE_NAME}.new"
    _remove(path)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = open_connection(path, writing=True)
    try:
        connection.execute("pragma auto_vacuum = incremental")
        connection.execute("pragma journal_mode = wal").fetchall()
        prepare(connection)
        connection.executescript(f"begin immediate; {schema_sql()}")
        connection.execute("insert into journal values (?, ?)", (journal_id, created_us))
        connection.execute(f"pragma application_id = {APPLICATION_ID}")
        connection.execute(f"pragma user_version = {SCHEMA_VERSION}")
        connection.execute("commit")
        # Closing does it too, but does not say when it fails; and the WAL does not go along.
        connection.execute("pragma wal_checkpoint(truncate)").fetchall()
    finally:
        connection.close()
    _remove(directory / DATABASE_NAME)
    path.replace(directory / DATABASE_NAME)
    sync_directory(directory)


def _remove(path: Path) -> None:
    for suffix in ("-wal", "-shm", "-journal", ""):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _open(directory: Path, claimed: DurableHead | None) -> tuple[sqlite3.Connection, DurableHead]:
    # Looked at through a read-only connection first: closing a writing one would checkpoint and delete a WAL that
    # somebody may still want to mend.
    with SqliteReader(directory) as reader:
        durable = durable_head(reader)
        if claimed is not None:
            refuse_other(reader, durable, claimed)
    rewrite_wal(directory / f"{DATABASE_NAME}-wal")
    writer = open_connection(directory / DATABASE_NAME, writing=True)
    try:
        prepare(writer)
        writer.execute(f"pragma cache_size = -{CACHE_KIB}")
        writer.execute("pragma temp_store = memory")
        reserve_wal(writer, directory / f"{DATABASE_NAME}-wal")
        write_durable_head(directory, durable)
    except BaseException:
        close_as_it_is(writer, directory / DATABASE_NAME)
        raise
    return writer, durable


def durable_head(reader: SqliteReader) -> DurableHead:
    """Say what the database holds. JournalBroken when it contradicts itself."""
    seq, newest = reader.last_seq(), reader.newest_event()
    if newest is not None and newest[0] > seq:
        raise JournalBroken(
            f"{reader.path} holds event {newest[0]} but counts only {seq}: run `quest doctor`"
        )
    crc = newest[1] if newest is not None and newest[0] == seq else 0
    return DurableHead(reader.journal_id, seq, crc)


def refuse_other(reader: SqliteReader, durable: DurableHead, claimed: DurableHead) -> None:
    """JournalForeign unless the database is the journal that the side file speaks of, and no older state of it; JournalBroken if nobody can tell."""
    path = reader.path
    advice = (
        f"If this journal is meant to be here, delete {reader.directory / HEAD_NAME} (what it lacks is then given "
        "up), and start again"
    )
    if durable.journal != claimed.journal:
        raise JournalForeign(
            f"{path} is journal {durable.journal}, but journal {claimed.journal} was here. {advice}"
        )
    if durable.seq < claimed.seq:
        raise JournalForeign(
            f"{path} ends with event {durable.seq}, but event {claimed.seq} was acknowledged: it is an older copy, "
            f"or its WAL is damaged. Restore the newest state, {DATABASE_NAME}-wal included. {advice}"
        )
    try:
        crc = reader.crc_of(claimed.seq)
    except BrokenChain as error:
        raise JournalBroken(f"{path} is damaged: {error}. Run `quest doctor`") from error
    if crc is not None and claimed.crc and crc != claimed.crc:
        raise JournalForeign(
            f"event {claimed.seq} of {path} is not the one that was acknowledged: another copy of this journal "
            f"went on separately. {advice}"
        )
