"""The historian's files on a bad disk: set aside and built anew, equal row for row; the quests never notice.

`QUESTD_DISK=all` (`make disk`) tries hundreds of damages; otherwise a few, by a seed.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import duckdb
import pytest

from questd.analytics.database import Database
from questd.analytics.query import DamagedHistory, ask
from questd.analytics.tables import TABLES
from questd.runtime.journal.reader import SqliteReader
from tests.analytics.reading import Tables, build, tables_of
from tests.disk.conftest import ALL, say
from tests.disk.damage import PAGE, Damage, some_damage
from tests.disk.ground import Story
from tests.disk.shim import Fault, Shim
from tests.system.place import Place, chain, until
from tests.system.rules import check
from tests.system.test_machine import compare_history

Stories = Callable[[str], Story]
SOME = 600 if ALL else 10
LONG = 4_000


def plain(tables: Tables) -> Tables:
    """DuckDB keeps no checksum of the pages that long texts overflow to: of those only the length is compared."""

    def cell(value: Any) -> Any:
        return len(value) if isinstance(value, str) and len(value) > LONG else value

    return {name: [tuple(map(cell, row)) for row in rows] for name, rows in tables.items()}


def read_all(cursor: duckdb.DuckDBPyConnection) -> None:
    for table in TABLES:
        ask(cursor, f"SELECT max(hash(t)) FROM {table.name} t")


def found_damaged(database: Database) -> None:
    """A question that reads all of it finds the damage, as `quest doctor` does."""
    cursor = database.cursor()
    try:
        with pytest.raises(DamagedHistory, match="built anew"):
            read_all(cursor)
    finally:
        cursor.close()
    database.condemn()


def outcome(reader: SqliteReader, path: Path, expected: Tables) -> str:
    """Open, bring up to the journal, compare; what became of the file."""
    with closing(build(reader, path)) as database:
        try:
            assert plain(tables_of(database.cursor())) == expected
        except duckdb.Error:
            found_damaged(database)
        else:
            return "rebuilt" if database.rebuilt else "kept"
    with closing(build(reader, path)) as database:
        assert "set aside" in (database.rebuilt or "")
        assert plain(tables_of(database.cursor())) == expected
    return "rebuilt after a question"


@pytest.fixture
def reader(stories: Stories, place: Path) -> Iterator[SqliteReader]:
    with SqliteReader(stories("clean").put(place)) as found:
        yield found


def test_a_damaged_history_ends_equal_to_what_it_was(
    reader: SqliteReader, place: Path, chance: random.Random
) -> None:
    path = place / "history.duckdb"
    with closing(build(reader, path)) as database:
        expected = plain(tables_of(database.cursor()))
    whole = path.read_bytes()
    written = [at for at in range(0, len(whole), PAGE) if any(whole[at : at + PAGE])]
    offsets = [at + chance.randrange(PAGE) for at in written for _ in range(4)]
    count: Counter[str] = Counter()
    for damage in some_damage(whole, offsets, chance, SOME):
        for old in place.glob("history.duckdb*"):
            old.unlink()
        path.write_bytes(damage.done_to(whole))
        try:
            count[f"{damage.kind} {outcome(reader, path, expected)}"] += 1
        except Exception as error:
            raise AssertionError(f"{damage}: {error!r}") from error
    say(f"history damaged: {dict(count)}")
    assert count.total() == SOME


@pytest.mark.parametrize("kind", ["flip", "cut", "zero"])
def test_a_damaged_wal_of_the_history_ends_equal(
    reader: SqliteReader, place: Path, chance: random.Random, kind: str
) -> None:
    """As a killed historian leaves it: rows in the WAL that no checkpoint has taken."""
    path, killed = place / "history.duckdb", place / "killed.duckdb"
    with closing(build(reader, path)) as database:
        expected = plain(tables_of(database.cursor()))
        killed.write_bytes(path.read_bytes())
        wal = (place / "history.duckdb.wal").read_bytes()
    assert wal
    for _ in range(100 if ALL else 3):
        for old in place.glob("history.duckdb*"):
            old.unlink()
        path.write_bytes(killed.read_bytes())
        damage = Damage(kind, chance.randrange(len(wal)), chance.randrange(8))
        (place / "history.duckdb.wal").write_bytes(damage.done_to(wal))
        try:
            outcome(reader, path, expected)
        except Exception as error:
            raise AssertionError(f"{damage}: {error!r}") from error


def test_what_is_no_file_is_set_aside_whole(reader: SqliteReader, place: Path) -> None:
    path = place / "history.duckdb"
    path.mkdir()
    (path / "mine").touch()
    with closing(build(reader, path)) as database:
        assert database.watermark == reader.last_seq()
    assert (place / "history.duckdb.damaged" / "mine").exists()


FAULTS = [Fault("write", "history.duckdb.wal", 1, 0, "ENOSPC")]
MORE = [
    Fault(call, path, n, times, how)
    for call, path, how in (
        ("pwrite", "history.duckdb", "ENOSPC"),
        ("pwrite", "history.duckdb", "EIO"),
        ("write", "history.duckdb.wal", "torn"),
        ("write", "history.duckdb.wal", "ENOSPC"),
        ("fsync", "history.duckdb.wal", "EIO"),
        ("fsync", "history.duckdb", "EIO"),
        ("pread", "history.duckdb", "EIO"),
    )
    for n in (1, 3, 9)
    for times in (1, 0)
]


def test_a_historian_whose_disk_fails_harms_no_quest_and_catches_up(
    shim: Shim, tmp_path: Path
) -> None:
    count: Counter[str] = Counter()
    for number, fault in enumerate(MORE if ALL else FAULTS):
        folder = tmp_path / str(number)
        folder.mkdir()
        place = Place(folder)
        try:
            harmed = run_under(place, fault, shim)
            count[f"{fault.call} {fault.how}: {'reached' if harmed else 'not reached'}"] += 1
        finally:
            place.close()
    say(f"historians on a failing disk: {dict(count)}")
    assert any("not" not in word for word in count)


def run_under(place: Place, fault: Fault, shim: Shim) -> bool:
    """Quests with a historian on the faulty disk, then the next daemon on a sound one; whether the fault was met."""
    log = place.folder / "failed"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in shim.env(fault, log=log, who="analytics.historian").items():
            patch.setenv(name, value)
        daemon = place.start_daemon(history=True)
    place.start_agent()
    quests = [place.submit(chain(3)) for _ in range(10)]
    heads = place.await_end(quests)
    assert {head.status for head in heads.values()} == {"completed"}, fault
    with suppress(AssertionError):  # it may need more calls than this history takes
        until("the fault is met", log.exists, 5.0)
    assert daemon.popen.poll() is None
    daemon.kill()
    daemon.wait()
    place.start_daemon(history=True)
    compare_history(place, quests)
    check(place, quests)
    return log.exists()
