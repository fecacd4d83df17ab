"""The file of the history: opened, guarded, written in batches.

Invariants: one process holds it; a batch and its watermark are one transaction, so every event is in it exactly once;
the file is disposable: one that is damaged, of another journal or of another schema is set aside and built anew.
It never runs a user's SQL (query.py does, on cursors of this connection).
"""

from contextlib import suppress
from importlib import resources
from pathlib import Path

import duckdb

from questd.analytics.batch import Batch
from questd.analytics.statements import Statements
from questd.runtime.errors import JournalForeign, MachineError

SCHEMA_NUMBER = 2
DEFAULT_MEMORY = "512MB"
DEFAULT_THREADS = 1
SPILL_MAX = "2GB"
CHECKPOINT_AT = "64MB"
"""Of WAL. A checkpoint takes 0.2 s whatever its size, and 64 MB are replayed in about a second."""
SUSPECT_AFTER = 2
"""A file whose writes fail this often in a row, over restarts, is taken for damaged."""


class UnusableFile(Exception):
    """Why a file cannot be used as the history; ``word`` names it in the set-aside file."""

    def __init__(self, word: str, reason: str) -> None:
        super().__init__(reason)
        self.word = word


class HistoryWriteFailed(MachineError):
    """DuckDB cannot write the history any more; the process should end, the next one looks at the file afresh."""


class Database:
    """The open history. Use from one thread, but for ``cursor``; ``rebuilt`` says why the file was built anew, if it was."""

    def __init__(
        self, path: Path, connection: duckdb.DuckDBPyConnection, rebuilt: str | None
    ) -> None:
        self.path = path
        self.rebuilt = rebuilt
        self._root = connection
        self._connection = connection.cursor()
        self._statements = Statements(connection)
        self._doubted = _suspicion(path) > 0
        self.watermark = _watermark(connection)[2]

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection of its own to the same database, for one question on one thread."""
        return self._root.cursor()

    def write(self, batch: Batch) -> None:
        """Add a batch that follows the watermark. On an error nothing of it is in the file.

        duckdb.OutOfMemoryException: try again when others have given memory back. HistoryWriteFailed: give up.
        """
        assert batch.after == self.watermark, "a batch must follow the one before"
        try:
            self._connection.begin()
            self._statements.write(self._connection, batch)
            self._connection.execute("UPDATE watermark SET seq = ?", [batch.last])
            self._connection.commit()
        except duckdb.OutOfMemoryException:
            self._start_afresh()
            raise
        except duckdb.Error as error:
            self._start_afresh()
            _suspect(self.path).write_text(str(_suspicion(self.path) + 1))
            raise HistoryWriteFailed(f"cannot write {self.path}: {error}") from error
        if self._doubted:
            self._doubted = False
            _suspect(self.path).unlink(missing_ok=True)
        self.watermark = batch.last
        batch.release()

    def condemn(self) -> None:
        """It has been found damaged: whoever opens it next sets it aside and builds it anew. Any thread."""
        _suspect(self.path).write_text(str(SUSPECT_AFTER))

    def _start_afresh(self) -> None:
        """A rollback can fail for want of memory too; the transaction of a closed connection is gone for certain."""
        self._connection.close()
        with suppress(duckdb.Error):
            self._connection = self._root.cursor()

    def close(self) -> None:
        """Checkpoint and give the file back; closes every cursor. Closing twice is fine."""
        self._root.close()


def open_database(
    path: Path,
    journal_id: str,
    journal_seq: int,
    *,
    memory: str = DEFAULT_MEMORY,
    threads: int = DEFAULT_THREADS,
) -> Database:
    """Open the history of this journal for writing, or build it anew.

    MachineError when another process holds the file; JournalForeign when the journal ends before what the history has
    already read: then the journal, not the history, is an older copy.
    """
    config = _config(memory, threads)
    rebuilt = None
    if path.exists():
        try:
            return Database(path, _open_existing(path, journal_id, journal_seq, config), None)
        except UnusableFile as found:
            aside = set_aside(path, found.word)
            rebuilt = f"{found}; set aside as {aside.name}"
    _create(path, journal_id, config)
    return Database(path, _connect(path, config), rebuilt)


def open_for_reading(path: Path, *, memory: str = DEFAULT_MEMORY) -> duckdb.DuckDBPyConnection:
    """Open a history that no historian holds, to ask it questions (query.py). MachineError when that cannot be."""
    config = {**_config(memory, DEFAULT_THREADS), "access_mode": "read_only"}
    if not path.exists():
        raise MachineError(f"there is no history at {path} yet: start the daemon to build it")
    try:
        return _connect(path, config)
    except UnusableFile as found:
        raise MachineError(f"{found}; start the daemon to build it anew") from None


def _config(memory: str, threads: int) -> dict[str, str]:
    return {
        "memory_limit": memory,
        "threads": str(threads),
        "max_temp_directory_size": SPILL_MAX,
        "checkpoint_threshold": CHECKPOINT_AT,
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "allow_community_extensions": "false",
        "allow_persistent_secrets": "false",
        "enable_external_access": "false",
        "python_enable_replacements": "false",
    }


def _connect(path: Path, config: dict[str, str]) -> duckdb.DuckDBPyConnection:
    try:
        connection = duckdb.connect(str(path), config=dict(config))
    except duckdb.Error as error:
        raise _reason(path, error) from error
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET lock_configuration = true")
    return connection


def _reason(path: Path, error: duckdb.Error) -> Exception:
    text = str(error)
    if "lock on file" in text or "already attached" in text or "different configuration" in text:
        return MachineError(f"{path} is held by another process: {text}")
    if isinstance(error, duckdb.InvalidInputException | duckdb.OutOfMemoryException):
        return MachineError(f"{path} cannot be opened: {text}")
    if isinstance(error, duckdb.PermissionException) or "Permission denied" in text:
        return MachineError(f"{path} may not be opened: {text}")
    if "newer version" in text or "version number" in text:
        return UnusableFile("newer", f"{path.name} was written by another DuckDB")
    return UnusableFile("damaged", f"{path.name} is damaged ({text.splitlines()[0]})")


def _open_existing(
    path: Path, journal_id: str, journal_seq: int, config: dict[str, str]
) -> duckdb.DuckDBPyConnection:
    if _suspicion(path) >= SUSPECT_AFTER:
        raise UnusableFile("damaged", f"{path.name} was found damaged, or could not be written")
    connection = _connect(path, config)
    try:
        _check(path, connection, journal_id, journal_seq)
    except BaseException:
        connection.close()
        raise
    return connection


def _check(
    path: Path, connection: duckdb.DuckDBPyConnection, journal_id: str, journal_seq: int
) -> None:
    try:
        found_id, schema_number, watermark = _watermark(connection)
    except (duckdb.Error, TypeError) as error:
        raise UnusableFile("damaged", f"{path.name} is no history ({error})") from error
    if schema_number != SCHEMA_NUMBER:
        word = "newer" if schema_number > SCHEMA_NUMBER else "older"
        raise UnusableFile(word, f"{path.name} has schema {schema_number}, not {SCHEMA_NUMBER}")
    if found_id != journal_id:
        raise UnusableFile("foreign", f"{path.name} belongs to another journal ({found_id})")
    if watermark > journal_seq:
        raise JournalForeign(
            f"{path} has read event {watermark}, but the journal ends at {journal_seq}: the journal is"
            " an older copy. Bring back the newer one, or move the history away to have it built anew"
        )


def _watermark(connection: duckdb.DuckDBPyConnection) -> tuple[str, int, int]:
    row = connection.execute("SELECT journal_id, schema_number, seq FROM watermark").fetchone()
    journal_id, schema_number, seq = row or (None, None, None)
    if not isinstance(journal_id, str):
        raise TypeError("it has no watermark")
    return journal_id, int(schema_number or 0), int(seq or 0)


def _create(path: Path, journal_id: str, config: dict[str, str]) -> None:
    """Beside, then renamed: a file of this name always has its whole schema. DDL stands alone and is checkpointed."""
    unfinished = path.with_name(path.name + ".new")
    _remove(unfinished)
    connection = duckdb.connect(str(unfinished), config=dict(config))
    for name in ("schema.sql", "views.sql"):
        connection.execute(_sql(name))
    connection.execute("INSERT INTO watermark VALUES (?, ?, 0)", [journal_id, SCHEMA_NUMBER])
    connection.execute("CHECKPOINT")
    connection.close()
    _wal(unfinished).unlink(missing_ok=True)
    unfinished.replace(path)


def _sql(name: str) -> str:
    return resources.files("questd.analytics").joinpath(name).read_text(encoding="utf-8")


def set_aside(path: Path, word: str) -> Path:
    """Rename a history that nobody holds to PATH.word, so that it is built anew; the answer is its new path.

    One file a reason is kept: damage that comes again cannot fill the disk.
    """
    aside = path.with_name(f"{path.name}.{word}")
    _remove(aside)
    if _wal(path).exists():
        _wal(path).replace(_wal(aside))
    path.replace(aside)
    _suspect(path).unlink(missing_ok=True)
    return aside


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    _wal(path).unlink(missing_ok=True)


def _wal(path: Path) -> Path:
    return path.with_name(path.name + ".wal")


def _suspect(path: Path) -> Path:
    return path.with_name(path.name + ".suspect")


def _suspicion(path: Path) -> int:
    try:
        return int(_suspect(path).read_text())
    except (OSError, ValueError):
        return 0
