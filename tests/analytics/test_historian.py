"""The historian as a process: asked over its socket, killed, orphaned, fed garbage."""

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from questd.messages import events as ev
from questd.messages.exchange import FRAME_MAX_BYTES
from questd.messages.history import (
    HistoryError,
    HistoryInfo,
    HistoryReply,
    HistoryRequest,
    HistoryStatus,
    Query,
    Rows,
    decode_history_reply,
    encode_history,
)
from questd.runtime.errors import Unreachable
from questd.runtime.journal.sqlite import SqliteStore
from questd.runtime.nng import Caller
from tests.analytics.making import START_US, Writer, random_journal
from tests.analytics.reading import build, one, tables_of


class Running:
    """A historian in a process of its own, and somebody who asks it."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.url = f"ipc://{folder}/history"
        self.database = folder / "history.duckdb"
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "questd.analytics.historian"),
                *("--journal", str(folder / "journal"), "--database", str(self.database)),
                *("--listen", self.url, *arguments),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.caller = Caller(self.url, frame_max=FRAME_MAX_BYTES)

    def ready(self) -> "Running":
        assert self.process.stdout is not None
        line = self.process.stdout.readline().decode()
        assert line == f"ready {self.url}\n", self.end()
        return self

    def tell(self, request: HistoryRequest) -> HistoryReply:
        return decode_history_reply(self.caller.request(encode_history(request), 30.0))

    def ask(self, sql: str, **limits: Any) -> list[list[Any]]:
        reply = self.tell(Query(sql, **limits))
        assert isinstance(reply, Rows), reply
        rows: list[list[Any]] = msgspec.json.decode(reply.data)
        return rows

    def end(self, number: int | None = None) -> tuple[int, str]:
        """Its exit code and what it said on stderr."""
        if number is not None:
            self.process.send_signal(number)
        code = self.process.wait(20)
        assert self.process.stderr is not None
        return code, self.process.stderr.read().decode()

    def close(self) -> None:
        self.caller.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(20)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    ids = itertools.count(1)
    store = SqliteStore(
        tmp_path / "journal", clock_us=lambda: START_US, new_id=lambda: f"j_{next(ids)}"
    )
    yield store
    store.close()


@pytest.fixture
def historian(tmp_path: Path, store: SqliteStore) -> Iterator[Running]:
    assert store
    running = Running(tmp_path)
    yield running.ready()
    running.close()


def test_a_question_sees_everything_that_was_durable_when_it_was_asked(
    store: SqliteStore, historian: Running
) -> None:
    writer = Writer(store)
    for n in range(20):
        writer.submit(f"q_{n}")
        assert historian.ask("SELECT count(*) FROM quests") == [[n + 1]]


def test_what_it_built_equals_what_one_batch_builds(
    store: SqliteStore, historian: Running, tmp_path: Path
) -> None:
    random_journal(5, store)
    historian.ask("SELECT 1")
    assert historian.end(signal.SIGTERM)[0] == 0
    reference = build(store, tmp_path / "reference.duckdb")
    found = build(store, historian.database)
    assert tables_of(found.cursor()) == tables_of(reference.cursor())
    found.close()
    reference.close()


def test_killed_in_the_middle_of_batches_it_goes_on_without_loss_or_repetition(
    store: SqliteStore, tmp_path: Path
) -> None:
    stop = threading.Event()

    def write() -> None:
        for seed in itertools.count():
            if stop.is_set():
                return
            writer = Writer(store)
            for n in range(20):
                quest = f"q_{seed:04d}_{n:02d}"
                writer.submit(quest)
                for task in "abcd":
                    epoch = writer.attempt(quest, task)
                    writer.append(quest, ev.AttemptCompleted(task, epoch, b"1", tokens=1))
                writer.append(quest, ev.QuestCompleted(b"1"))

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for delay_s in (0.0, 0.05, 0.13, 0.31, 0.47):
            running = Running(tmp_path).ready()
            time.sleep(delay_s)  # where the kill falls is left to chance on purpose
            assert running.end(signal.SIGKILL)[0] == -signal.SIGKILL
            running.close()
    finally:
        stop.set()
        thread.join()
    running = Running(tmp_path).ready()
    count = running.ask("SELECT count(*), max(seq) FROM events", wait_ms=30_000)
    assert count == [[store.last_seq(), store.last_seq()]]
    assert running.end(signal.SIGTERM)[0] == 0
    running.close()
    reference = build(store, tmp_path / "reference.duckdb")
    found = build(store, running.database)
    assert found.rebuilt is None
    assert tables_of(found.cursor()) == tables_of(reference.cursor())
    found.close()
    reference.close()


def test_it_ends_when_its_parent_is_gone(historian: Running) -> None:
    assert historian.process.stdin is not None
    historian.process.stdin.close()
    assert historian.end()[0] == 0


def test_it_ends_while_a_question_runs(historian: Running) -> None:
    endless = Query(
        "SELECT count(*) FROM range(10000000) a, range(10000000) b", time_limit_ms=60_000
    )
    thread = threading.Thread(target=ask_in_vain, args=(historian, endless))
    thread.start()
    while not historian_is_busy(historian):
        continue
    began = time.monotonic()
    assert historian.end(signal.SIGTERM)[0] == 0
    assert time.monotonic() - began < 5
    historian.caller.close()
    thread.join()


def ask_in_vain(historian: Running, query: Query) -> None:
    with suppress(Unreachable):
        assert historian.tell(query) == HistoryError("limit", "the history is stopping")


def historian_is_busy(historian: Running) -> bool:
    stat = Path(f"/proc/{historian.process.pid}/stat")
    if not stat.exists():
        return True
    return int(stat.read_text().rsplit(")", 1)[1].split()[11]) > 60


def test_it_tells_where_it_stands(store: SqliteStore, historian: Running) -> None:
    Writer(store).submit("q_1")
    historian.ask("SELECT 1")
    info = historian.tell(HistoryStatus())
    assert isinstance(info, HistoryInfo)
    assert (info.seq, info.journal_seq, info.lag_ms) == (2, 2, 0)
    assert (info.pid, info.path) == (historian.process.pid, str(historian.database))
    assert info.rebuilt is None


def test_status_is_told_while_questions_run_and_too_many_questions_are_busy(
    historian: Running,
) -> None:
    endless = Query(
        "SELECT count(*) FROM range(10000000) a, range(10000000) b", time_limit_ms=2_000
    )
    replies: list[HistoryReply] = []
    threads = [
        threading.Thread(target=lambda: replies.append(historian.tell(endless))) for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    while len(replies) < 4:
        assert isinstance(historian.tell(HistoryStatus()), HistoryInfo)
    assert {reply.kind for reply in replies if isinstance(reply, HistoryError)} == {"busy"}
    for thread in threads:
        thread.join()
    kinds = sorted(reply.kind for reply in replies if isinstance(reply, HistoryError))
    assert kinds == ["busy"] * 4 + ["limit"] * 8
    assert historian.ask("SELECT 1") == [[1]]


GARBAGE = [b"", b"\x00", b"garbage" * 1_000, b"\xff" * 100_000, b"\x81\xa4type\xa5query", b"\xc1"]


@pytest.mark.parametrize("body", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_answered_and_does_no_harm(historian: Running, body: bytes) -> None:
    reply = decode_history_reply(historian.caller.request(body, 10.0))
    assert isinstance(reply, HistoryError)
    assert reply.kind == "sql"
    assert historian.ask("SELECT 1") == [[1]]


def test_what_is_not_allowed_is_an_sql_error(historian: Running) -> None:
    reply = historian.tell(Query("SELECT 1; COMMIT; DROP TABLE quests"))
    assert reply == HistoryError("sql", "write exactly one statement; this is 3")
    reply = historian.tell(Query("SELECT repeat('x', 100000000)"))
    assert isinstance(reply, HistoryError)
    assert reply.kind == "limit"


def test_a_hundred_megabytes_of_rows_are_cut_to_a_frame(historian: Running) -> None:
    reply = historian.tell(
        Query("SELECT repeat('x', 10000) FROM range(10000)", row_limit=1_000_000)
    )
    assert isinstance(reply, Rows)
    assert reply.truncated
    assert len(reply.data) < FRAME_MAX_BYTES


def test_a_thousand_columns_with_long_names_do_not_break_the_frame(historian: Running) -> None:
    columns = ", ".join(f"1 AS c{n}" for n in range(3_000))
    assert isinstance(historian.tell(Query(f"SELECT {columns}")), Rows)
    reply = historian.tell(
        Query("SELECT * FROM (PIVOT (SELECT range r, 1 v FROM range(9)) ON r USING sum(v))")
    )
    assert isinstance(reply, Rows | HistoryError)


def test_questions_that_eat_all_memory_do_not_stop_the_history(
    store: SqliteStore, tmp_path: Path
) -> None:
    running = Running(tmp_path, "--memory", "100MB").ready()
    hog = Query("SELECT len(list(repeat('x', 1000) || range)) FROM range(10000000)")
    done = threading.Event()

    def eat() -> None:
        while not done.is_set():
            assert isinstance(running.tell(hog), HistoryError)

    threads = [threading.Thread(target=eat) for _ in range(3)]
    for thread in threads:
        thread.start()
    writer = Writer(store)
    for n in range(300):
        quest = f"q_{n}"
        writer.submit(quest, inputs=b'"' + b"x" * 60_000 + b'"')
    while running_at(running) < store.last_seq():
        continue
    done.set()
    for thread in threads:
        thread.join()
    assert running.end(signal.SIGTERM)[0] == 0
    running.close()
    database = build(store, running.database)
    assert one(database, "SELECT count(*) FROM events") == (600,)
    database.close()


def running_at(running: Running) -> int:
    info = running.tell(HistoryStatus())
    assert isinstance(info, HistoryInfo)
    return info.seq


def test_a_damaged_database_is_rebuilt_and_says_so(store: SqliteStore, tmp_path: Path) -> None:
    Writer(store).submit("q_1")
    (tmp_path / "history.duckdb").write_bytes(b"damaged" * 10_000)
    running = Running(tmp_path).ready()
    assert running.ask("SELECT count(*) FROM quests") == [[1]]
    info = running.tell(HistoryStatus())
    assert isinstance(info, HistoryInfo)
    assert "set aside as history.duckdb.damaged" in (info.rebuilt or "")
    running.close()


def test_without_a_journal_it_says_so(tmp_path: Path) -> None:
    running = Running(tmp_path)
    code, said = running.end()
    assert (code, "there is no journal" in said) == (3, True)
    running.close()


def test_wrong_arguments_are_named() -> None:
    found = subprocess.run(
        [sys.executable, "-m", "questd.analytics.historian", "--journal", "x"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )
    assert found.returncode == 2
    assert "--database, --listen" in found.stderr


GREEDY = [
    "SELECT length(repeat('x', 4000000000))",
    "SELECT list_sum(range(1000000000))",
    "SELECT length(list_resize([1], 1000000000))",
]
"""One value that DuckDB does not count: each took five to twenty times its limit of memory."""


@pytest.mark.parametrize("sql", GREEDY)
@pytest.mark.skipif(sys.platform != "linux", reason="the system bounds no process's memory")
def test_a_single_value_cannot_be_larger_than_the_process_may_be(
    historian: Running, sql: str
) -> None:
    reply = historian.tell(Query(sql))
    assert isinstance(reply, HistoryError)
    assert (reply.kind, "too much memory" in reply.message) == ("limit", True)
    assert historian.ask("SELECT 1") == [[1]]


def test_a_question_that_cannot_be_stopped_is_answered_and_the_process_started_anew(
    historian: Running,
) -> None:
    """DuckDB does not look up within one function of one row: this one would take hours, and hold up the process's end."""
    endless = "SELECT levenshtein(repeat('a', 1000000), repeat('b', 1000000))"
    reply = historian.tell(Query(endless, time_limit_ms=100))
    assert isinstance(reply, HistoryError)
    assert (reply.kind, "could not be stopped" in reply.message) == ("limit", True)
    code, said = historian.end()
    assert code == 4
    assert "history.question_stuck" in said
