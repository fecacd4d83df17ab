"""What a crash, a bad disk or a wrong file leaves behind: all that was answered, or a refusal by name."""
# pyright: reportPrivateUsage=false

import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from questd.runtime.errors import BrokenChain, JournalBroken, JournalError, JournalForeign
from questd.runtime.journal.head_file import DurableHead, read_durable_head, write_durable_head
from questd.runtime.journal.sqlite import SqliteStore
from questd.runtime.journal.verify import verify
from tests.journal.making import make_append
from tests.journal.wal import wal_end

OpenStore = Callable[[], SqliteStore]


def spawn(
    directory: Path, commits: int = -1, *, upkeep_s: float = 0, file_limit: int = 0
) -> subprocess.Popen[str]:
    words = [str(directory), str(commits), str(upkeep_s), str(file_limit)]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.journal.writing_process", *words],
        stdout=subprocess.PIPE,
        text=True,
    )


def seeded() -> random.Random:
    """A new chance each time; its seed is shown when the test fails."""
    seed = random.SystemRandom().randrange(2**32)
    sys.stdout.write(f"seed {seed}\n")
    return random.Random(seed)


def answered(lines: list[str]) -> dict[str, int]:
    """The last version that was answered, by quest; a torn last line was not heard."""
    stands: dict[str, int] = {}
    for line in lines:
        if line.endswith("\n") and line.startswith("q_"):
            quest, version = line.split()
            stands[quest] = int(version)
    return stands


def crashed(directory: Path, commits: int = 20) -> dict[str, int]:
    """Leave a journal as a process does that dies right after its last answer and the side file."""
    with spawn(directory, commits) as process:
        assert process.stdout is not None
        lines = process.stdout.readlines()
    assert process.returncode == 0
    return answered(lines)


def assert_holds(store: SqliteStore, stands: dict[str, int]) -> None:
    for quest, version in stands.items():
        records = store.events(quest)
        assert [record.n for record in records] == list(range(1, len(records) + 1))
        assert len(records) >= version


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_what_was_answered_survives_kill_at_any_moment(data: Path, open_store: OpenStore) -> None:
    chance = seeded()
    stands: dict[str, int] = {}
    for _ in range(5):
        with spawn(data, upkeep_s=0.005) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(chance.randint(1, 600))]
            process.kill()
            lines += process.stdout.readlines()
        stands.update(answered(lines))
        store = open_store()
        assert_holds(store, stands)
        store.close()
        assert verify(data) == []


def test_garbage_behind_the_wal_is_ignored(data: Path, open_store: OpenStore) -> None:
    stands = crashed(data)
    wal = data / "journal.db-wal"
    written = wal.read_bytes()
    wal.write_bytes(written[: wal_end(written)] + b"\xa5" * 10_000)
    assert_holds(open_store(), stands)


def test_a_torn_commit_that_nobody_was_told_of_is_dropped(
    data: Path, open_store: OpenStore
) -> None:
    crashed(data)
    head = read_durable_head(data)
    assert head is not None
    write_durable_head(data, DurableHead(head.journal, 1, 0))
    wal = data / "journal.db-wal"
    with wal.open("r+b") as file:
        file.truncate(wal_end(wal.read_bytes()) - 100)
    store = open_store()
    assert 0 < store.last_seq() < head.seq
    assert {record.quest for record in store.follow(0)} == {h.quest for h in store.heads()}


@pytest.mark.parametrize("place", [0.2, 0.5, 0.99])
def test_a_flipped_bit_in_the_wal_is_refused_and_the_wal_kept(
    data: Path, open_store: OpenStore, place: float
) -> None:
    stands = crashed(data)
    wal = data / "journal.db-wal"
    whole = wal.read_bytes()
    at = int(wal_end(whole) * place)
    damaged = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
    wal.write_bytes(damaged)
    with pytest.raises(JournalForeign, match=r"was acknowledged.*Restore"):
        open_store()
    assert wal.read_bytes() == damaged
    wal.write_bytes(whole)
    assert_holds(open_store(), stands)


def test_an_older_copy_is_refused_until_the_side_file_is_removed(
    data: Path, tmp_path: Path, open_store: OpenStore
) -> None:
    store = open_store()
    store.commit([make_append("q_1", 0)])
    store.close()
    shutil.copy(data / "journal.db", tmp_path / "old")
    store = open_store()
    store.commit([make_append("q_1", 1)])
    store.close()
    shutil.copy(tmp_path / "old", data / "journal.db")
    with pytest.raises(JournalForeign, match=r"ends with event 1, but event 2"):
        open_store()
    (data / "journal.head").unlink()
    assert open_store().last_seq() == 1


def test_a_copy_that_went_on_separately_is_refused(
    data: Path, tmp_path: Path, open_store: OpenStore
) -> None:
    store = open_store()
    store.commit([make_append("q_1", 0)])
    store.close()
    shutil.copytree(data, tmp_path / "old")
    store = open_store()
    store.commit([make_append("q_1", 1)])
    store.close()
    side_file = (data / "journal.head").read_bytes()
    shutil.rmtree(data)
    shutil.copytree(tmp_path / "old", data)
    store = open_store()
    store.commit([make_append("q_2", 0)])
    store.close()
    (data / "journal.head").write_bytes(side_file)
    with pytest.raises(JournalForeign, match="went on separately"):
        open_store()


def test_another_journal_is_refused(data: Path, open_store: OpenStore) -> None:
    open_store().close()
    write_durable_head(data, DurableHead("j_other", 0, 0))
    with pytest.raises(JournalForeign, match="journal j_1, but journal j_other was here"):
        open_store()


def test_a_lost_side_file_is_written_anew(data: Path, open_store: OpenStore) -> None:
    store = open_store()
    store.commit([make_append("q_1", 0, 3)])
    store.close()
    (data / "journal.head").unlink()
    open_store()
    head = read_durable_head(data)
    assert head is not None
    assert (head.journal, head.seq) == ("j_1", 3)


def test_a_damaged_side_file_is_refused(data: Path, open_store: OpenStore) -> None:
    open_store().close()
    (data / "journal.head").write_bytes(b'{"journal": 5')
    with pytest.raises(JournalForeign, match="damaged"):
        open_store()


@pytest.mark.parametrize("left", [None, b""])
def test_a_journal_that_vanished_is_not_begun_anew(
    data: Path, open_store: OpenStore, left: bytes | None
) -> None:
    store = open_store()
    store.commit([make_append("q_1", 0)])
    store.close()
    (data / "journal.db").unlink()
    if left is not None:
        (data / "journal.db").write_bytes(left)
    with pytest.raises(JournalForeign, match="gone or empty"):
        open_store()


def test_a_journal_that_was_never_finished_is_made(data: Path, open_store: OpenStore) -> None:
    data.mkdir()
    connection = sqlite3.connect(data / "journal.db")
    connection.execute("pragma auto_vacuum = incremental")
    connection.execute("pragma journal_mode = wal")
    connection.close()
    assert open_store().journal_id == "j_1"


def test_the_schema_of_a_newer_program_is_refused(data: Path, open_store: OpenStore) -> None:
    open_store().close()
    change(data, "pragma user_version = 2")
    with pytest.raises(JournalForeign, match="newer questd"):
        open_store()
    with pytest.raises(JournalForeign, match="newer questd"):
        SqliteStore.open_reader(data)


@pytest.mark.parametrize("text", [b"hello" * 1_000, b"SQLite format 3\0" + b"\xff" * 8_000])
def test_a_file_that_is_no_journal_is_refused(
    data: Path, open_store: OpenStore, text: bytes
) -> None:
    data.mkdir()
    (data / "journal.db").write_bytes(text)
    with pytest.raises(JournalError, match=r"journal\.db"):
        open_store()


def change(data: Path, sql: str) -> None:
    connection = sqlite3.connect(data / "journal.db", isolation_level=None)
    connection.execute(sql)
    connection.close()


def test_a_changed_event_is_named(data: Path, open_store: OpenStore) -> None:
    store = open_store()
    store.commit([make_append("q_1", 0, 5)])
    store.close()
    change(data, "update events set body = x'91' where n = 3")
    store = open_store()
    with pytest.raises(BrokenChain, match="event 3 of q_1"):
        store.events("q_1")
    with pytest.raises(BrokenChain, match="event 3 of q_1"):
        store.follow(0)
    assert len(store.events("q_1", 3)) == 2
    assert [(f.what, f.quest, f.n) for f in verify(data)] == [("chain", "q_1", 3)]


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("delete from events where n = 2", "chain"),
        ("delete from events where n = 3", "chain"),
        ("update events set previous_crc = 7 where n = 2", "chain"),
        ("update heads set version = 2", "chain"),
        ("update heads set version = 2, crc = (select crc from events where n = 2)", "head"),
        ("delete from heads", "orphan"),
        ("delete from definitions", "content"),
        ("update definitions set body = x'00'", "content"),
        ("update sqlite_sequence set seq = 1 where name = 'events'", "side_file"),
    ],
)
def test_doctor_names_what_is_wrong(data: Path, open_store: OpenStore, sql: str, what: str) -> None:
    store = open_store()
    store.commit([make_append("q_1", 0, 3)])
    store.close()
    assert verify(data) == []
    change(data, sql)
    assert what in {finding.what for finding in verify(data)}


def test_a_head_that_contradicts_its_events_stops_the_writer(
    data: Path, open_store: OpenStore
) -> None:
    store = open_store()
    store.commit([make_append("q_1", 0, 3)])
    store.close()
    change(data, "update heads set version = 2")
    store = open_store()
    with pytest.raises(JournalBroken, match="event 2 of q_1"):
        store.commit([make_append("q_1", 2)])
    with pytest.raises(JournalBroken):
        store.commit([make_append("q_2", 0)])


def test_a_flipped_byte_gives_right_events_or_a_named_error(
    data: Path, open_store: OpenStore
) -> None:
    store = open_store()
    for n in range(40):
        store.commit([make_append(f"q_{n % 4}", n // 4, body=bytes([n]) * 400)])
    expected = store.follow(0)
    store.close()
    path = data / "journal.db"
    whole = path.read_bytes()
    chance = seeded()
    refused = 0
    for _ in range(150):
        at = chance.randrange(len(whole))
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        try:
            with SqliteStore.open_reader(data) as reader:
                by_quest = [r for n in range(4) for r in reader.events(f"q_{n}")]
                records = reader.follow(0)
            assert set(records) <= set(expected)
            assert set(by_quest) <= set(expected)
            if records != expected or len(by_quest) != len(expected):
                assert verify(data)
        except JournalError:
            refused += 1
    assert refused


def test_a_full_disk_stops_the_journal_and_loses_nothing_answered(
    data: Path, open_store: OpenStore
) -> None:
    with spawn(data, file_limit=300_000) as process:
        assert process.stdout is not None
        lines = process.stdout.readlines()
    assert process.returncode == 3
    assert lines[-1].startswith("broken a commit to ")
    assert "See to the disk" in lines[-1]
    stands = answered(lines)
    assert stands
    assert_holds(open_store(), stands)


def test_after_a_failed_write_nothing_is_written_any_more(
    data: Path, open_store: OpenStore
) -> None:
    store = open_store()
    store.commit([make_append("q_1", 0)])
    store._writer.execute("pragma max_page_count = 1")
    with pytest.raises(JournalBroken, match="full"):
        store.commit([make_append("q_2", n, 100) for n in range(0, 10_000, 100)])
    store._writer.execute("pragma max_page_count = 100000")
    for write in (
        lambda: store.commit([make_append("q_1", 1)]),
        store.count_deaths,
        store.forgive_deaths,
        lambda: store.retire(1, 1, 1),
    ):
        with pytest.raises(JournalBroken):
            write()
    assert [head.quest for head in store.heads()] == ["q_1"]
    store.close()
    assert open_store().commit([make_append("q_1", 1)])
