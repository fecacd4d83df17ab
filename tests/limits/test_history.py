"""Questions to the history: what they may hold, take and wait for; one beyond is refused by name and the next is answered."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from questd.analytics import door, guard, projection
from questd.analytics.batch import ROWS_MAX, TEXT_MAX_BYTES, Batch
from questd.analytics.database import Database
from questd.analytics.door import HistoryDoor
from questd.analytics.guard import BadQuery, check_parameters, check_sql
from questd.analytics.progress import Progress
from questd.analytics.query import LimitReached, Limits, ask
from questd.messages.exchange import FRAME_MAX_BYTES
from questd.messages.history import (
    HistoryError,
    HistoryInfo,
    HistoryReply,
    HistoryStatus,
    Query,
    Rows,
    decode_history_reply,
    encode_history,
)
from questd.messages.payload import encode_json
from questd.runtime.nng import Caller
from tests.analytics.making import memory_store, random_journal
from tests.analytics.reading import build
from tests.system.place import until


def sql_of(size: int) -> str:
    return "SELECT 1 --" + "x" * (size - 11)


def test_sql_has_so_many_bytes_and_no_more() -> None:
    check_sql(sql_of(guard.SQL_MAX_BYTES))
    check_sql("SELECT 1 --" + "é" * ((guard.SQL_MAX_BYTES - 11) // 2))
    with pytest.raises(BadQuery, match="the SQL has 65537 bytes; the limit is 65536"):
        check_sql(sql_of(guard.SQL_MAX_BYTES + 1))


def test_parameters_have_so_many_bytes_and_values_and_no_more() -> None:
    fits = encode_json(["x" * (guard.PARAMETERS_MAX_BYTES - 4)])
    assert check_parameters(fits)
    with pytest.raises(BadQuery, match="the parameters have 65537 bytes; the limit is 65536"):
        check_parameters(encode_json(["x" * (guard.PARAMETERS_MAX_BYTES - 3)]))
    most = guard.PARAMETERS_MAX_VALUES
    nested: list[Any] = [[0] * 10 for _ in range(most // 11)]
    nested += [0] * (most - 11 * (most // 11))
    assert check_parameters(encode_json(nested))
    with pytest.raises(BadQuery, match="the parameters hold more than 1000 values"):
        check_parameters(encode_json([*nested, 0]))


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    store = memory_store()
    random_journal(3, store)
    made = build(store, tmp_path_factory.mktemp("history") / "history.duckdb")
    yield made
    made.close()


def asked(database: Database, sql: str, **limits: int) -> Any:
    cursor = database.cursor()
    try:
        return ask(cursor, sql, limits=Limits(**limits))
    finally:
        cursor.close()


@pytest.mark.parametrize(("rows", "cut"), [(100, False), (99, True), (0, True)])
def test_rows_are_cut_to_the_number_asked_for(database: Database, rows: int, cut: bool) -> None:
    found = asked(database, "FROM range(100)", rows=rows)
    assert (found.rows, found.truncated) == (rows, cut)


def test_rows_are_cut_to_the_bytes_of_an_answer_and_one_too_large_is_an_error(
    database: Database,
) -> None:
    sql = "SELECT repeat('x', 96) FROM range(10)"
    whole = asked(database, sql)
    assert not whole.truncated
    assert not asked(database, sql, data_bytes=len(whole.data) + 1).truncated
    assert asked(database, sql, data_bytes=len(whole.data) - 1).rows == 9
    with pytest.raises(LimitReached, match="one row is larger than the 50 bytes that fit"):
        asked(database, sql, data_bytes=50)


def test_memory_and_room_on_disk_are_set_and_cannot_be_changed(database: Database) -> None:
    sql = (
        "SELECT value FROM duckdb_settings() WHERE name IN"
        " ('memory_limit', 'max_temp_directory_size', 'threads') ORDER BY name"
    )
    cursor = database.cursor()
    found = [value for (value,) in cursor.execute(sql).fetchall()]
    assert found == ["1.8 GiB", "488.2 MiB", "1"]
    with pytest.raises(duckdb.Error, match="locked"):
        cursor.execute("SET memory_limit = '100GB'")
    cursor.close()


# -- the door ----------------------------------------------------------------------------------------


class Open:
    """A history door on a socket; the journal is where the test says."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.journal_seq = 0
        self.door = HistoryDoor(
            database,
            Progress(0),
            journal_seq=lambda: self.journal_seq,
            hurry=lambda: None,
            path="history",
            pid=1,
            askers=1,
        )
        self.url = self.door.listen(f"ipc://{folder}/h")
        self.door.start()

    def tell(self, request: Query | HistoryStatus) -> HistoryReply:
        caller = Caller(self.url, frame_max=FRAME_MAX_BYTES)
        try:
            return decode_history_reply(caller.request(encode_history(request), 20.0))
        finally:
            caller.close()


@pytest.fixture
def opened(database: Database, tmp_path: Path) -> Iterator[Open]:
    made = Open(database, tmp_path)
    yield made
    made.door.stop()


ENDLESS = Query("SELECT count(*) FROM range(10000000) a, range(10000000) b", time_limit_ms=1_500)


def test_as_many_questions_wait_as_run_and_the_next_is_busy(opened: Open) -> None:
    replies: list[HistoryReply] = []

    def tell() -> None:
        replies.append(opened.tell(ENDLESS))

    threads = [threading.Thread(target=tell) for _ in range(3)]
    for thread in threads:
        thread.start()
    until("one is refused", lambda: bool(replies))
    (busy,) = replies
    assert isinstance(busy, HistoryError)
    said = "2 questions run or wait: try again in a second"
    assert (busy.kind, busy.message, busy.retry_after_ms) == ("busy", said, 1_000)
    assert isinstance(opened.tell(HistoryStatus()), HistoryInfo)
    for thread in threads:
        thread.join()
    assert [reply.kind for reply in replies[1:] if isinstance(reply, HistoryError)] == ["limit"] * 2
    assert isinstance(opened.tell(Query("SELECT 1")), Rows)


def test_the_time_of_a_question_and_its_wait_are_cut_to_their_limits(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "TIME_LIMIT_MAX_MS", 200)
    monkeypatch.setattr(door, "WAIT_MAX_MS", 200)
    began = time.monotonic()
    reply = opened.tell(Query(ENDLESS.sql, time_limit_ms=10**9))
    assert isinstance(reply, HistoryError)
    assert (reply.kind, reply.message[:26]) == ("limit", "not answered within 200 ms")
    opened.journal_seq = 5
    late = opened.tell(Query("SELECT 1", wait_ms=10**9))
    assert isinstance(late, Rows)
    assert late.lag == 5
    assert time.monotonic() - began < 10


# -- what it keeps -------------------------------------------------------------------------------------


def test_what_the_projection_remembers_is_bounded_between_batches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(projection, "REMEMBERED_PLANS", 1)
    store = memory_store()
    random_journal(3, store)
    projector = projection.Projector(store, 0, remembered_steps=5)
    for record in store.follow(0, 10_000):
        projector.apply(record)
    inside = vars(projector)
    assert inside["_weight"] > 5 or len(inside["_plans"]) > 1
    projector.take().release()
    assert inside["_weight"] <= 5
    assert len(inside["_plans"]) <= 1


def test_a_batch_is_full_by_rows_or_by_texts() -> None:
    batch = Batch(0)
    assert not batch.full
    batch.text_bytes = TEXT_MAX_BYTES - 1
    assert not batch.full
    batch.text_bytes = TEXT_MAX_BYTES
    assert batch.full
    assert ROWS_MAX == 40_000
