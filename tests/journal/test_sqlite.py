"""What only the journal on disk has: a lock, readers in other processes, upkeep, indexes."""
# pyright: reportPrivateUsage=false

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from queue import SimpleQueue
from threading import Event

import pytest

from questd.messages.heads import ListFilter
from questd.runtime.errors import BrokenChain, JournalBroken, JournalError, JournalLocked
from questd.runtime.journal import sqlite as sqlite_module
from questd.runtime.journal import upkeep
from questd.runtime.journal.head_file import read_durable_head
from questd.runtime.journal.listing import NEWEST, page_query
from questd.runtime.journal.lock import DirectoryLock
from questd.runtime.journal.reader import COUNT_OPEN, open_connection
from questd.runtime.journal.service import StoreJournal
from questd.runtime.journal.sqlite import PAGE_BYTES, SqliteStore
from questd.runtime.journal.upkeep import WAL_ROOM_BYTES, restart_wal
from questd.runtime.journal.verify import verify
from tests.journal.conftest import WallClock
from tests.journal.making import make_append
from tests.journal.test_crash import spawn

OpenStore = Callable[[], SqliteStore]

FOLLOWER = """
import sys
from pathlib import Path
from questd.runtime.journal.sqlite import SqliteStore
reader = SqliteStore.open_reader(Path(sys.argv[1]))
print("ready", flush=True)
seen = 0
while seen < int(sys.argv[2]):
    for record in reader.follow(seen, 50):
        assert record.seq == seen + 1
        seen = record.seq
print("seen", seen, flush=True)
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_a_second_store_is_told_who_holds_the_directory(open_store: OpenStore) -> None:
    store = open_store()
    with pytest.raises(JournalLocked, match=f"process {os.getpid()} since 2023-11-14T22:13:20Z"):
        open_store()
    store.close()
    open_store()


def test_a_second_process_is_told_who_holds_the_directory(
    data: Path, open_store: OpenStore
) -> None:
    with spawn(data) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(JournalLocked, match=f"process {process.pid} since"):
            open_store()
        process.kill()
        process.stdout.read()
    open_store()


def test_the_lock_of_a_daemon_serves_its_journal_and_outlives_it(
    data: Path, clock: WallClock
) -> None:
    data.mkdir()
    with DirectoryLock(data, clock_us=clock) as lock:
        lock.acquire()
        store = SqliteStore(data, clock_us=clock, new_id=lambda: "j_1", lock=lock, upkeep_s=None)
        store.close()
        with pytest.raises(JournalLocked):
            DirectoryLock(data, clock_us=clock).acquire()
    assert not lock.held
    lock.release()
    with DirectoryLock(data, clock_us=clock) as again:
        assert again.held


def test_a_child_process_does_not_inherit_the_lock(data: Path, clock: WallClock) -> None:
    data.mkdir()
    lock = DirectoryLock(data, clock_us=clock)
    lock.acquire()
    with subprocess.Popen(
        [sys.executable, "-c", "print('ready', flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        close_fds=False,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        assert lock._file is not None
        os.close(lock._file)  # as the death of its process does
        with DirectoryLock(data, clock_us=clock) as again:
            assert again.held
        child.communicate("\n", timeout=10)


def test_a_reader_in_another_process_follows_while_it_is_written(
    data: Path, open_store: OpenStore
) -> None:
    store = open_store()
    words = [sys.executable, "-c", FOLLOWER, str(data), "600"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        for n in range(0, 600, 3):
            store.commit([make_append("q_1", n, 3)])
        assert process.stdout.readline() == "seen 600\n"


def test_a_reader_of_nothing_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"no journal in .*quest serve"):
        SqliteStore.open_reader(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_reader_needs_no_daemon(data: Path, open_store: OpenStore) -> None:
    store = open_store()
    store.commit([make_append("q_1", 0, 2)])
    store.close()
    with SqliteStore.open_reader(data) as reader:
        assert reader.journal_id == "j_1"
        assert len(reader.events("q_1")) == 2
    reader.close()
    with pytest.raises(JournalError, match="closed"):
        reader.last_seq()


def test_a_reader_cannot_write(data: Path, open_store: OpenStore) -> None:
    open_store()
    connection = open_connection(data / "journal.db")
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("delete from heads")
    connection.close()


def test_a_walk_over_heads_holds_no_transaction(open_store: OpenStore) -> None:
    store = open_store()
    store.commit([make_append(f"q_{n:04}", 0) for n in range(1_200)])
    walk = store.heads()
    next(walk)
    store.commit([make_append("q_0000", 1)])
    assert restart_wal(store._writer)


def test_upkeep_writes_the_side_file(data: Path, open_store: OpenStore) -> None:
    store = open_store()
    store.commit([make_append("q_1", 0, 7)])
    checkpointer = open_connection(data / "journal.db", writing=True)
    store.tend(checkpointer)
    checkpointer.close()
    head = read_durable_head(data)
    assert head is not None
    assert head.seq == 7


def test_commits_overwrite_a_wal_that_has_its_size_from_the_start(
    data: Path, open_store: OpenStore
) -> None:
    store, wal = open_store(), data / "journal.db-wal"
    size = wal.stat().st_size
    assert size >= WAL_ROOM_BYTES
    checkpointer = open_connection(data / "journal.db", writing=True)
    for n in range(100):
        store.commit([make_append("q_1", n * 10, 10, body=b"x" * 4_000)])
        store.tend(checkpointer)
    checkpointer.close()
    assert wal.stat().st_size == size
    assert len(store.events("q_1")) == 1_000


def test_the_room_of_the_wal_is_no_event_and_goes_with_the_store(
    data: Path, open_store: OpenStore
) -> None:
    store = open_store()
    assert store.blob("") is None
    store.commit([make_append("q_1", 0)])
    store.close()
    assert not (data / "journal.db-wal").exists()
    assert len(open_store().events("q_1")) == 1


def test_the_thread_of_a_store_keeps_it_up(data: Path, clock: WallClock) -> None:
    tended = Event()

    class Watched(SqliteStore):
        def tend(self, checkpointer: sqlite3.Connection) -> None:
            super().tend(checkpointer)
            head = read_durable_head(data)
            if head is not None and head.seq == 7:
                tended.set()

    store = Watched(data, clock_us=clock, new_id=lambda: "j_1", upkeep_s=0.01)
    store.commit([make_append("q_1", 0, 7)])
    assert tended.wait(10)
    head = read_durable_head(data)
    assert head is not None
    assert head.seq == 7
    store.close()
    store.close()


def test_a_wal_under_load_begins_again_instead_of_growing(
    data: Path, open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_module, "WAL_RESTART_BYTES", 200_000)
    store = open_store()
    checkpointer = open_connection(data / "journal.db", writing=True)
    for n in range(60):
        store.commit([make_append("q_1", n * 10, 10, body=b"x" * 500)])
        store.tend(checkpointer)
        assert store._wal_pages * PAGE_BYTES < 300_000
    checkpointer.close()
    assert len(store.events("q_1")) == 600


def test_a_reader_in_the_way_of_the_wal_delays_no_commit(
    data: Path, open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_module, "WAL_RESTART_BYTES", 0)
    store = open_store()
    store.commit([make_append("q_1", 0)])
    slow = open_connection(data / "journal.db")
    slow.execute("begin")
    assert slow.execute("select count(*) from events").fetchone() == (1,)
    checkpointer = open_connection(data / "journal.db", writing=True)
    for n in range(1, 20):
        store.commit([make_append("q_1", n)])
        store.tend(checkpointer)
    checkpointer.close()
    slow.close()
    assert len(store.events("q_1")) == 20


def test_what_the_writer_remembers_is_bounded(
    open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_module, "KNOWN_STANDS", 10)
    store = open_store()
    for n in range(40):
        store.commit([make_append(f"q_{n}", 0)])
        assert len(store._stands) <= 10
    store.commit([make_append(f"q_{n}", 1) for n in range(40)])
    store.commit(
        [make_append(f"q_{n}", 2, 1, status="completed", finished_us=1) for n in range(40)]
    )
    assert store._stands == {}


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        ({}, "heads_created"),
        ({"status": ("failed",)}, "heads_shown"),
        ({"name": "x"}, "heads_name"),
        ({"project": "x"}, "heads_project"),
    ],
)
def test_a_list_is_read_from_an_index_in_its_order(
    open_store: OpenStore, wanted: dict[str, str], index: str
) -> None:
    sql, values = page_query(ListFilter(**wanted), NEWEST, 50)  # type: ignore[arg-type]
    plan = " ".join(row[3] for row in open_store().ask(f"explain query plan {sql}", values))
    assert index in plan
    assert "TEMP B-TREE" not in plan


def test_open_quests_are_counted_in_an_index_that_holds_no_others(open_store: OpenStore) -> None:
    plan = open_store().ask(f"explain query plan {COUNT_OPEN}")
    assert ["heads_open" in row[-1] for row in plan] == [True]


@pytest.mark.parametrize(
    ("sql", "parameters"),
    [
        ("selec 1", ()),
        ("select nothing from events", ()),
        ("select 1 from nowhere", ()),
        ("select 1 where 1 = ?", ()),
        ("select 1", (1,)),
        ("select 1; select 2", ()),
    ],
)
def test_a_bad_question_is_its_askers_and_says_nothing_of_the_journal(
    open_store: OpenStore, sql: str, parameters: tuple[int, ...]
) -> None:
    store = open_store()
    store.commit([make_append("q_1", 0)])
    with pytest.raises(sqlite3.Error):
        store.ask(sql, parameters)
    assert len(store.events("q_1")) == 1


def test_a_good_question_that_fails_is_the_journals_fault(
    data: Path, open_store: OpenStore
) -> None:
    open_store().close()
    with closing(open_connection(data / "journal.db", writing=True)) as connection:
        connection.execute("drop table blobs")
    with SqliteStore.open_reader(data) as reader, pytest.raises(JournalBroken, match="no such"):
        reader.blob("0" * 64)


def test_a_question_with_a_fault_does_not_end_the_journal(open_store: OpenStore) -> None:
    alarms: list[JournalError] = []
    store = open_store()
    journal = StoreJournal(store, lambda turn: turn.run(1), alarm=alarms.append)
    journal.start()
    answers: SimpleQueue[object] = SimpleQueue()
    journal.read(lambda _: store.ask("select 1 from nowhere"), answers.put)
    journal.read(lambda reading: reading.last_seq(), answers.put)
    fault, seq = answers.get(), answers.get()
    journal.stop()
    assert isinstance(fault, JournalError)
    assert not isinstance(fault, JournalBroken)
    assert (seq, alarms) == (0, [])


def swap(data: Path, one: tuple[str, int], other: tuple[str, int]) -> None:
    """The seqs of two events: what a page of an older moment, or a repair by hand, can leave."""
    with closing(open_connection(data / "journal.db", writing=True)) as connection:
        seqs = [
            connection.execute("select seq from events where quest = ? and n = ?", each).fetchone()[
                0
            ]
            for each in (one, other)
        ]
        for seq, each in ((-1, one), (seqs[0], other), (seqs[1], one)):
            connection.execute("update events set seq = ? where quest = ? and n = ?", (seq, *each))


@pytest.mark.parametrize("other", [("q_1", 3), ("q_1", 5), ("q_2", 1)])
def test_swapped_rows_are_noticed_by_all_who_read(
    data: Path, open_store: OpenStore, other: tuple[str, int]
) -> None:
    with closing(open_store()) as store:
        store.commit([make_append("q_1", 0, 5)])
        store.commit([make_append("q_2", 0, 1)])
    swap(data, ("q_1", 2), other)
    with SqliteStore.open_reader(data) as store:
        for after in (0, 1, 2):
            with pytest.raises(BrokenChain):
                store.events("q_1", after)
    assert "chain" in {found.what for found in verify(data)}


def test_files_of_a_journal_are_private(data: Path, open_store: OpenStore) -> None:
    open_store().commit([make_append("q_1", 0)])
    assert {path.stat().st_mode & 0o077 for path in [data, *data.iterdir()]} == {0}


def test_space_of_retired_quests_is_given_back(data: Path, open_store: OpenStore) -> None:
    store = open_store()
    for n in range(50):
        store.commit(
            [make_append(f"q_{n}", 0, 10, body=b"x" * 1_000, status="failed", finished_us=n)]
        )
    store.close()
    before = (data / "journal.db").stat().st_size
    store = open_store()
    while store.retire(10**6, 0, 10**6, limit=100):
        pass
    store.close()
    assert (data / "journal.db").stat().st_size < before / 2


def test_an_upkeep_that_cannot_begin_leaves_nothing_open(
    data: Path, clock: WallClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    SqliteStore(data, clock_us=clock, new_id=lambda: "j_1", upkeep_s=None).close()

    def failing(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(upkeep, "open_connection", failing)
    with pytest.raises(JournalBroken, match=r"opening .* failed: disk I/O error") as caught:
        SqliteStore(data, clock_us=clock, new_id=lambda: "j_1")
    assert caught.value is not None
    files = (link.resolve() for link in Path("/dev/fd").iterdir() if link.exists())
    assert [file for file in files if file.is_relative_to(data.resolve())] == []
