"""Questions to the history: of the historian when a daemon runs one, else of the file, brought up to the journal first.

Without a daemon the directory's lock is held while the file is open, so none starts meanwhile; nothing is dispatched.
"""

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct

from questd.client.errors import InternalFault, InvalidInput
from questd.messages.exchange import FRAME_MAX_BYTES
from questd.messages.history import (
    HistoryError,
    HistoryInfo,
    Query,
    Rows,
    decode_history_reply,
    encode_history,
)
from questd.messages.payload import decode_json, encode_json
from questd.runtime.errors import BadFrame, Busy, JournalLocked, QuestdError, Refused, Unreachable

if TYPE_CHECKING:
    from questd.analytics.database import Database

FILE_NAME: Final = "history.duckdb"
PATIENCE_S: Final = 10.0
PAUSE_S: Final = 0.1


class Table(Struct, frozen=True):
    """An answer. ``truncated``: there were more rows. ``lag``: events of the journal that it does not know of yet."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: list[list[Any]]
    truncated: bool
    lag: int

    def records(self) -> list[dict[str, Any]]:
        """Each row by the names of its columns."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


Ask = Callable[[Query], Rows]


def query_of(
    sql: str,
    parameters: Sequence[Any],
    *,
    limit: int,
    timeout_ms: int,
) -> Query:
    """The question. InvalidInput when the parameters are no JSON."""
    try:
        values = encode_json(list(parameters))
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"the parameters are no plain JSON data: {error}") from None
    return Query(sql, values, row_limit=limit, time_limit_ms=timeout_ms)


def table_of(rows: Rows) -> Table:
    """The rows with their values."""
    values = decode_json(rows.data)
    return Table(rows.columns, rows.types, values, rows.truncated, rows.lag)


@contextmanager
def remote_history(url: str) -> Generator[Ask, None, None]:
    """Asks the historian at ``url``; ``busy`` and its restart are waited out for a bounded time."""
    from questd.runtime.nng import Caller  # noqa: PLC0415 - 40 ms

    caller = Caller(url, frame_max=FRAME_MAX_BYTES)
    try:
        yield lambda query: _ask_remote(caller, query)
    finally:
        caller.close()


def _ask_remote(caller: Any, query: Query) -> Rows:
    until_s = time.monotonic() + PATIENCE_S
    pause_s = PAUSE_S
    timeout_s = (query.time_limit_ms + query.wait_ms) / 1_000 + 5.0
    body = encode_history(query)
    while True:
        try:
            reply = decode_history_reply(caller.request(body, timeout_s))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadFrame(f"the historian's answer is no reply of this version: {error}") from None
        except Unreachable as error:
            pause_s = PAUSE_S
            if time.monotonic() > until_s:
                message = f"the historian does not answer ({error}): see logs/historian.log"
                raise Unreachable(message) from None
        else:
            if not isinstance(reply, HistoryError) or reply.kind != "busy":
                return _rows(reply)
            if time.monotonic() > until_s:
                raise error_of(reply)
            pause_s = (reply.retry_after_ms or PAUSE_S * 1_000) / 1_000
        time.sleep(pause_s)


def _rows(reply: Rows | HistoryInfo | HistoryError) -> Rows:
    if isinstance(reply, HistoryError):
        raise error_of(reply)
    if isinstance(reply, HistoryInfo):
        raise BadFrame("the historian answered something else than rows")
    return reply


def error_of(error: HistoryError) -> QuestdError:
    """The exception for what the historian said."""
    match error.kind:
        case "sql":
            return InvalidInput(error.message)
        case "busy":
            return Busy(error.message, retry_after_ms=error.retry_after_ms or int(PAUSE_S * 1_000))
        case "limit":
            return Refused(error.message, kind=error.kind)
        case _:
            return InternalFault(error.message)


@contextmanager
def local_history(data: Path, memory: str | None = None) -> Generator[Ask, None, None]:
    """Asks the file itself, under the directory's lock. Refused when a daemon holds it after all; JournalError when there is no journal."""
    from questd.analytics.database import DEFAULT_MEMORY, open_database  # noqa: PLC0415 - loads DuckDB
    from questd.analytics.ingest import Ingest  # noqa: PLC0415
    from questd.runtime.journal.sqlite import SqliteStore  # noqa: PLC0415

    source = SqliteStore.open_reader(data)
    try:
        with _lock(data):
            path = data / FILE_NAME
            memory = memory or DEFAULT_MEMORY
            database = open_database(path, source.journal_id, source.last_seq(), memory=memory)
            try:
                ingest = Ingest(source, database)
                while ingest.step():
                    continue
                yield lambda query: _ask_local(database, query)
            finally:
                database.close()
    finally:
        source.close()


@contextmanager
def _lock(data: Path) -> Generator[None, None, None]:
    """The directory's lock; a daemon that is just starting or stopping is waited for."""
    from questd.runtime.journal.lock import DirectoryLock  # noqa: PLC0415

    lock = DirectoryLock(data, clock_us=lambda: time.time_ns() // 1_000)
    until_s = time.monotonic() + PATIENCE_S
    while not lock.held:
        try:
            lock.acquire()
        except JournalLocked as error:
            if time.monotonic() > until_s:
                raise Refused(f"{error}, and it cannot be asked", kind="conflict") from None
            time.sleep(PAUSE_S)
    try:
        yield
    finally:
        lock.release()


def _ask_local(database: "Database", query: Query) -> Rows:
    from questd.analytics.guard import BadQuery  # noqa: PLC0415
    from questd.analytics.query import DamagedHistory, LimitReached, Limits, ask  # noqa: PLC0415

    limits = Limits(rows=query.row_limit, time_ms=query.time_limit_ms)
    cursor = database.cursor()
    try:
        answer = ask(cursor, query.sql, query.parameters, limits=limits)
    except BadQuery as error:
        raise InvalidInput(str(error)) from None
    except LimitReached as error:
        raise Refused(str(error), kind="limit") from None
    except DamagedHistory:
        database.condemn()
        raise
    finally:
        cursor.close()
    return Rows(answer.columns, answer.types, answer.data, answer.rows, answer.truncated, 0)
