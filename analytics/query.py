"""A question to the history, asked and answered within limits.

Invariants: one checked statement (guard.py) in a read-only transaction, which is always rolled back; it ends when its time is over;
the answer fits the bytes that were allowed. Works on any connection of its own: a cursor of the historian's, or a file
opened locally (``database.open_for_reading``). Knows nothing of sockets.
"""

import importlib
import io
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, Self, cast

import duckdb
from msgspec import Struct

from questd.analytics.guard import BadQuery, check_parameters, check_sql
from questd.analytics.values import converter, encode_row
from questd.runtime.errors import CallerError, MachineError

CHUNK_ROWS: Final = 512
INTERRUPT_AGAIN_S: Final = 0.05
STUBBORN_S: Final = 3.0
"""How long an interrupted question may take to end: DuckDB looks up between rows, not within one function of one row."""
DAMAGED: Final = "Corrupt database file"
"""DuckDB's words for a block whose checksum differs."""
ZONED: Final = " WITH TIME ZONE"


class LimitReached(CallerError):
    """The question took too long, too much memory, or its smallest answer is too large."""


class DamagedHistory(MachineError):
    """A block of the file is not what was written: whoever holds the file should condemn it, to have it built anew."""


class Limits(Struct, frozen=True):
    """``data_bytes`` bounds the encoded rows; ``time_ms`` the whole, from the first byte of SQL to the last row."""

    rows: int = 10_000
    data_bytes: int = 3_900_000
    time_ms: int = 30_000


class Answer(Struct, frozen=True):
    """``data``: a JSON array of arrays, or an Arrow IPC stream. ``truncated``: there were more rows than a limit allowed."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    data: bytes
    rows: int
    truncated: bool


class Deadline:
    """Interrupts a connection when its time is over, and again until the question has given up.

    ``stubborn`` is called once, with the reason, when the question has not given up for STUBBORN_S.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        time_ms: int,
        stubborn: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.passed = False
        self.reason = f"not answered within {time_ms} ms: ask for less, or allow more time"
        self._connection = connection
        self._time_s = max(0, time_ms) / 1_000
        self._wake = threading.Event()
        self._stubborn = stubborn
        self._done = False
        self._thread = threading.Thread(target=self._watch, name="history-deadline", daemon=True)

    def __enter__(self) -> Self:
        """Begin to count."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop counting; no interrupt comes after this."""
        self._done = True
        self._wake.set()
        self._thread.join()

    def end_now(self, reason: str) -> None:
        """Do not wait for the time to be over."""
        self.reason = reason
        self._wake.set()

    def _watch(self) -> None:
        self._wake.wait(self._time_s)
        over_s, said = time.monotonic(), False
        while not self._done:
            self.passed = True
            self._connection.interrupt()
            threading.Event().wait(INTERRUPT_AGAIN_S)
            if not said and time.monotonic() - over_s > STUBBORN_S:
                said = True
                self._stubborn(self.reason)


def ask(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    parameters: bytes = b"[]",
    *,
    fmt: str = "json",
    limits: Limits = Limits(),  # noqa: B008 - frozen
    deadline: Deadline | None = None,
) -> Answer:
    """The answer as "json" rows or as an "arrow" stream. BadQuery, LimitReached or DamagedHistory.

    ``parameters`` is a JSON array of values for ?, or $1, $2 … ``deadline`` is the caller's, if it wants to end it early.
    """
    if fmt not in {"json", "arrow"}:
        raise BadQuery(f"there is no format {fmt!r}: write json or arrow")
    if limits.rows < 0 or limits.time_ms < 0:
        raise BadQuery("limits cannot be negative")
    statement = check_sql(sql)
    values = check_parameters(parameters)
    with deadline or Deadline(connection, limits.time_ms) as clock:
        try:
            return _run(connection, statement, values, fmt, limits)
        except duckdb.InterruptException:
            raise LimitReached(clock.reason) from None
        except (duckdb.OutOfMemoryException, MemoryError) as error:
            raise LimitReached(
                f"the question needs too much memory: {_first_line(error)}"
            ) from None
        except (duckdb.Error, OverflowError, ValueError) as error:
            if isinstance(error, duckdb.FatalException) or DAMAGED in str(error):
                raise DamagedHistory(
                    f"the history is damaged ({_first_line(error)}) and is built anew from the journal: ask again"
                ) from None
            if clock.passed:
                raise LimitReached(clock.reason) from None
            raise BadQuery(str(error)) from None


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _run(
    connection: duckdb.DuckDBPyConnection,
    statement: duckdb.Statement,
    values: list[Any],
    fmt: str,
    limits: Limits,
) -> Answer:
    connection.execute("BEGIN TRANSACTION READ ONLY")
    try:
        connection.execute(statement, values)
        if fmt == "arrow":
            return _arrow_answer(connection, limits)
        return _json_answer(connection, statement, values, limits)
    finally:
        _roll_back(connection)


def _roll_back(connection: duckdb.DuckDBPyConnection) -> None:
    try:
        connection.execute("ROLLBACK")
    except duckdb.Error:
        return  # an interrupt has ended the transaction already


def _described(connection: duckdb.DuckDBPyConnection) -> tuple[tuple[str, ...], tuple[str, ...]]:
    described = connection.description or []
    return tuple(str(column[0]) for column in described), tuple(str(c[1]) for c in described)


def _json_answer(
    connection: duckdb.DuckDBPyConnection,
    statement: duckdb.Statement,
    values: list[Any],
    limits: Limits,
) -> Answer:
    columns, types = _described(connection)
    if any(ZONED in kind for kind in types):
        connection.execute(_without_zones(statement.query, types), values)
    converters = [
        (place, convert)
        for place, kind in enumerate(types)
        if (convert := converter(kind)) is not None
    ]
    rows: list[bytes] = []
    size, truncated = 2, False
    for row in _rows(connection):
        fields = list(row)
        for place, convert in converters:
            fields[place] = convert(fields[place])
        text = encode_row(fields)
        size += len(text) + 1
        if len(rows) >= limits.rows or size > limits.data_bytes:
            truncated = True
            break
        rows.append(text)
    if truncated and not rows and limits.rows:
        raise LimitReached(
            f"one row is larger than the {limits.data_bytes} bytes that fit an answer"
        )
    return Answer(columns, types, b"[" + b",".join(rows) + b"]", len(rows), truncated)


def _rows(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while chunk := connection.fetchmany(CHUNK_ROWS):
        yield from chunk


def _without_zones(sql: str, types: tuple[str, ...]) -> str:
    """The same with zoned times as UTC: Python gets those only with pytz, which is no dependency."""
    names = [f"c{place}" for place in range(len(types))]
    casts = ", ".join(
        f"CAST({name} AS {kind.replace(ZONED, '')}) AS {name}" if ZONED in kind else name
        for name, kind in zip(names, types, strict=True)
    )
    return f"SELECT {casts} FROM (\n{_without_end(sql)}\n) AS answer({', '.join(names)})"  # noqa: S608


def _without_end(sql: str) -> str:
    """The one statement's text up to its semicolon, if it has one."""
    text = sql.encode()
    begun = False
    for place, _ in duckdb.tokenize(sql):
        if text[place : place + 1] != b";":
            begun = True
        elif begun:
            return text[:place].decode()
    return sql


def _arrow_answer(connection: duckdb.DuckDBPyConnection, limits: Limits) -> Answer:
    try:
        ipc: Any = importlib.import_module("pyarrow.ipc")
    except ImportError:
        raise BadQuery(
            "arrow answers need pyarrow: pip install 'questd[arrow]', or ask for json"
        ) from None
    columns, types = _described(connection)
    reader = cast("Any", connection.to_arrow_reader(CHUNK_ROWS))
    sink = io.BytesIO()
    count, truncated = 0, False
    with ipc.new_stream(sink, reader.schema) as writer:
        for batch in reader:
            kept = batch.slice(0, limits.rows - count)
            if kept.num_rows < batch.num_rows or sink.tell() + kept.nbytes > limits.data_bytes:
                truncated = True
            if sink.tell() + kept.nbytes > limits.data_bytes:
                break
            writer.write_batch(kept)
            count += kept.num_rows
            if truncated:
                break
    return Answer(columns, types, sink.getvalue(), count, truncated)
