"""What a newer questd wrote is refused by name, with what to do, by the real `quest serve`; nothing of it is changed."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from questd.analytics.database import SCHEMA_NUMBER
from questd.messages.events import EVENT_SCHEMA_VERSION
from questd.runtime.journal.chain import chained_crc
from questd.runtime.journal.head_file import HEAD_VERSION
from questd.runtime.journal.reader import SCHEMA_VERSION
from tests.upgrades.golden import KEPT, copy_of, digest_of, read

PATIENCE_S = 30.0
REFUSED = 7
NEWER = EVENT_SCHEMA_VERSION + 1


def quest(*words: str, data: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "questd", *words, "--data", str(data)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=PATIENCE_S, cwd=data
    )


def change(data: Path, *statements: str) -> None:
    connection = sqlite3.connect(data / "journal.db")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.execute("pragma wal_checkpoint(truncate)")
    connection.close()


def newer_schema(data: Path) -> None:
    change(data, f"pragma user_version = {SCHEMA_VERSION + 1}")


def newer_event(data: Path) -> None:
    """The last event as a newer version would have written it, its checksum too."""
    connection = sqlite3.connect(data / "journal.db")
    row = "select seq, previous_crc, quest, n, at_us, kind, body from events order by seq desc"
    seq, previous, of, n, at_us, kind, body = connection.execute(row).fetchone()
    connection.close()
    crc = chained_crc(previous, of, n, at_us, kind, NEWER, body)
    change(
        data,
        f"update events set schema = {NEWER}, crc = {crc} where seq = {seq}",
        f"update heads set crc = {crc} where quest = '{of}'",
    )
    side_file = json.loads((data / "journal.head").read_text())
    (data / "journal.head").write_text(json.dumps({**side_file, "crc": crc}))


def newer_side_file(data: Path) -> None:
    """It may look different in every other way."""
    side_file = {"version": HEAD_VERSION + 1, "journal": {"id": "j"}, "at": [1, 2]}
    (data / "journal.head").write_text(json.dumps(side_file))


@pytest.mark.parametrize(
    ("change_it", "said"),
    [
        (newer_schema, f"journal.db has schema {SCHEMA_VERSION + 1}; this program knows"),
        (newer_event, f"journal.db holds events of schema {NEWER}; this program knows"),
        (newer_side_file, f"journal.head has version {HEAD_VERSION + 1}; this program knows"),
    ],
)
def test_a_journal_of_a_newer_version_is_refused_by_name(
    change_it: Callable[[Path], None], said: str, tmp_path: Path
) -> None:
    data = copy_of(KEPT[-1], tmp_path)
    change_it(data)
    before = {name: digest_of(data / name) for name in ("journal.db", "journal.head")}
    done = quest("serve", data=data)
    assert done.returncode == REFUSED
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"quest serve: {data}/{said}")
    assert "newer questd" in line
    assert line.endswith("Install that version")
    assert {name: digest_of(data / name) for name in before} == before


@pytest.mark.parametrize("change_it", [newer_schema, newer_event, newer_side_file])
def test_nor_is_it_copied(change_it: Callable[[Path], None], tmp_path: Path) -> None:
    data = copy_of(KEPT[-1], tmp_path)
    change_it(data)
    done = quest("backup", str(tmp_path / "copy"), data=data)
    assert done.returncode != 0
    assert "newer questd" in done.stderr
    assert not (tmp_path / "copy").exists()


def test_an_event_that_cannot_be_shown_is_named(tmp_path: Path) -> None:
    data = copy_of(KEPT[-1], tmp_path)
    newer_event(data)
    connection = sqlite3.connect(data / "journal.db")
    ((of,),) = connection.execute(f"select quest from events where schema = {NEWER}").fetchall()
    connection.close()
    done = quest("show", of, data=data)
    assert done.returncode == 6
    assert f"of {of} has schema {NEWER}, this program knows" in done.stderr
    assert "newer questd" in done.stderr


def test_a_history_that_has_read_further_than_the_journal_is_refused_by_name(
    tmp_path: Path,
) -> None:
    """As when an older backup is put back beside the history of what came after it."""
    data = copy_of(KEPT[-1], tmp_path)
    assert quest("sql", "select 1", data=data).returncode == 0
    with duckdb.connect(str(data / "history.duckdb")) as connection:
        connection.execute("update watermark set seq = seq + 100")
    done = quest("sql", "select 1", data=data)
    assert done.returncode == 6
    assert "the journal is an older copy" in done.stderr
    assert "move the history away" in done.stderr
    (data / "history.duckdb").rename(tmp_path / "history.duckdb")
    assert quest("sql", "select 1", data=data).returncode == 0


def test_a_newer_history_is_set_aside_by_name_and_built_anew(tmp_path: Path) -> None:
    data = copy_of(KEPT[-1], tmp_path)
    assert quest("sql", "select count(*) from quests", data=data).returncode == 0
    history = data / "history.duckdb"
    with duckdb.connect(str(history)) as connection:
        connection.execute("update watermark set schema_number = schema_number + 1")
        connection.execute("create table of_tomorrow (n integer)")
    daemon = subprocess.Popen(
        [sys.executable, "-m", "questd", "serve", "--quiet", "--data", str(data)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert daemon.stdout is not None
        assert "ready" in daemon.stdout.readline()
        asked = quest("sql", "select count(*) from quests", "--format", "csv", data=data)
    finally:
        daemon.terminate()
        daemon.communicate(timeout=PATIENCE_S)
    quests = len(read(KEPT[-1] / "shows.json"))
    assert asked.stdout.split()[-1] == str(quests), asked.stderr
    aside = data / "history.duckdb.newer"
    with duckdb.connect(str(aside), read_only=True) as kept:
        assert kept.execute("from of_tomorrow").fetchall() == []
    said = (data / "logs" / "historian.log").read_text()
    assert (
        f"schema {SCHEMA_NUMBER + 1}, not {SCHEMA_NUMBER}; set aside as history.duckdb.newer"
        in said
    )
