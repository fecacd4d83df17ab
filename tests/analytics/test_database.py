"""The file: set aside when it is not ours, refused when the journal is older, written in whole batches."""

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from questd.analytics.database import HistoryWriteFailed, open_database, set_aside
from questd.analytics.projection import Projector
from questd.runtime.errors import JournalForeign, MachineError
from questd.runtime.journal.memory import MemoryStore
from tests.analytics.making import Writer, memory_store, random_journal
from tests.analytics.reading import build, one, tables_of


@pytest.fixture
def store() -> MemoryStore:
    store = memory_store()
    random_journal(1, store)
    return store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.duckdb"


def test_a_history_goes_on_where_it_stopped(store: MemoryStore, path: Path) -> None:
    build(store, path).close()
    again = open_database(path, store.journal_id, store.last_seq())
    assert again.watermark == store.last_seq()
    assert again.rebuilt is None
    again.close()


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[: len(data) // 2] = bytes(len(data) // 2)
    path.write_bytes(data)


@pytest.mark.parametrize("content", [b"", b"not a database at all" * 1_000])
def test_a_file_that_is_no_database_is_set_aside_and_built_anew(
    store: MemoryStore, path: Path, content: bytes
) -> None:
    path.write_bytes(content)
    database = build(store, path)
    assert database.watermark == store.last_seq()
    if content:
        assert database.rebuilt is not None
        assert "set aside as history.duckdb.damaged" in database.rebuilt
        assert (path.parent / "history.duckdb.damaged").read_bytes() == content
    database.close()


def test_a_damaged_file_is_rebuilt_to_the_same_tables(store: MemoryStore, path: Path) -> None:
    first = build(store, path)
    expected = tables_of(first.cursor())
    first.close()
    damage(path)
    second = build(store, path)
    assert second.rebuilt is not None
    assert tables_of(second.cursor()) == expected
    second.close()


def test_a_rebuild_gives_identical_tables(store: MemoryStore, path: Path) -> None:
    first = build(store, path)
    expected = tables_of(first.cursor())
    first.close()
    assert set_aside(path, "old").exists()
    second = build(store, path)
    assert tables_of(second.cursor()) == expected
    second.close()


def test_the_history_of_another_journal_is_set_aside(store: MemoryStore, path: Path) -> None:
    build(store, path).close()
    other = memory_store("j_other")
    database = open_database(path, other.journal_id, other.last_seq())
    assert database.rebuilt is not None
    assert "another journal (j_test)" in database.rebuilt
    assert (database.watermark, (path.parent / "history.duckdb.foreign").exists()) == (0, True)
    database.close()


@pytest.mark.parametrize(("number", "word"), [(0, "older"), (99, "newer")])
def test_another_schema_is_set_aside(
    store: MemoryStore, path: Path, number: int, word: str
) -> None:
    build(store, path).close()
    with duckdb.connect(str(path)) as connection:
        connection.execute("UPDATE watermark SET schema_number = ?", [number])
    database = open_database(path, store.journal_id, store.last_seq())
    assert (path.parent / f"history.duckdb.{word}").exists()
    database.close()


def test_a_database_that_is_no_history_is_set_aside(store: MemoryStore, path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE t (a INTEGER)")
    database = open_database(path, store.journal_id, store.last_seq())
    assert database.rebuilt is not None
    assert "is no history" in database.rebuilt
    database.close()


def test_a_journal_that_ends_before_the_history_is_refused(store: MemoryStore, path: Path) -> None:
    build(store, path).close()
    with pytest.raises(JournalForeign, match="the journal ends at 3: the journal is an older copy"):
        open_database(path, store.journal_id, 3)
    assert path.exists()


def test_a_file_that_another_process_holds_is_left_alone(store: MemoryStore, path: Path) -> None:
    build(store, path).close()
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import duckdb,sys; c=duckdb.connect(sys.argv[1]); print('held',flush=True); sys.stdin.read()",
            str(path),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert holder.stdin is not None
    try:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(MachineError, match="is held by another process"):
            open_database(path, store.journal_id, store.last_seq())
    finally:
        holder.stdin.close()
        holder.wait(10)
        holder.stdout.close()
    assert [p.name for p in path.parent.iterdir()] == ["history.duckdb"]


def test_a_batch_that_cannot_be_written_leaves_nothing(store: MemoryStore, path: Path) -> None:
    database = open_database(path, store.journal_id, store.last_seq())
    empty = tables_of(database.cursor())
    projector = Projector(store, 0)
    for record in store.follow(0):
        projector.apply(record)
    database.cursor().execute("ALTER TABLE workload RENAME COLUMN lost TO found")
    batch = projector.take()
    with pytest.raises(HistoryWriteFailed):
        database.write(batch)
    database.cursor().execute("ALTER TABLE workload RENAME COLUMN found TO lost")
    assert tables_of(database.cursor()) == empty
    database.write(batch)
    assert database.watermark == store.last_seq()
    database.close()


def test_a_file_that_cannot_be_written_again_and_again_is_taken_for_damaged(
    store: MemoryStore, path: Path
) -> None:
    for _ in range(2):
        database = open_database(path, store.journal_id, store.last_seq())
        assert database.rebuilt is None
        database.cursor().execute("DROP TABLE IF EXISTS workload CASCADE")
        projector = Projector(store, 0)
        for record in store.follow(0):
            projector.apply(record)
        with pytest.raises(HistoryWriteFailed):
            database.write(projector.take())
        database.close()
        break_again(path)
    database = build(store, path)
    assert database.rebuilt is not None
    assert "could not be written" in database.rebuilt
    database.close()


def break_again(path: Path) -> None:
    """Give the file its table back, so that it opens and fails anew."""
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "CREATE TABLE workload (agent VARCHAR, instance VARCHAR, tool VARCHAR, first_seen_at TIMESTAMP,"
            " last_seen_at TIMESTAMP, attempts BIGINT, completed BIGINT, failed BIGINT, lost BIGINT,"
            " cancelled BIGINT, busy_us BIGINT)"
        )


def test_only_one_set_aside_file_a_reason_is_kept(store: MemoryStore, path: Path) -> None:
    for _ in range(3):
        path.write_bytes(b"garbage" * 100)
        build(store, path).close()
    assert sorted(p.name for p in path.parent.iterdir()) == [
        "history.duckdb",
        "history.duckdb.damaged",
    ]


def test_a_schema_that_was_never_finished_is_no_obstacle(store: MemoryStore, path: Path) -> None:
    (path.parent / "history.duckdb.new").write_bytes(b"half")
    database = build(store, path)
    assert database.watermark == store.last_seq()
    database.close()


def test_labels_and_details_are_json(path: Path) -> None:
    store = memory_store()
    Writer(store).submit("q_1", labels={"a'b": 'c"\n\x00é'})
    database = build(store, path)
    assert one(database, "SELECT labels->>'a''b' FROM quests") == ('c"\n\x00é',)
    database.close()
