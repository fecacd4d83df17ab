"""A copy of a journal: whole, of one moment, under its name only when it is on disk."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from questd.cli.backup import TOLD_EVERY_S, Teller
from questd.cli.output import Out
from questd.client.client import Client
from questd.runtime.errors import JournalError, JournalForeign, MachineError, Refused
from questd.runtime.journal import backup as module
from questd.runtime.journal.backup import back_up
from questd.runtime.journal.head_file import read_durable_head
from questd.runtime.journal.lock import DirectoryLock
from questd.runtime.journal.reader import SqliteReader, open_connection
from questd.runtime.journal.sqlite import SqliteStore
from questd.runtime.journal.verify import verify
from questd.runtime.shelf import SHELF_NAME, FileShelf
from tests.journal.making import make_append
from tests.upgrades.golden import KEPT, copy_of, history_of, shows_of

GOLDEN = KEPT[-1]
FILES = {"journal.db", "journal.head", "lock"}


def clock_us() -> int:
    return 1_700_000_000_000_000


def store_in(data: Path) -> SqliteStore:
    return SqliteStore(data, clock_us=clock_us, new_id=lambda: "j_1", upkeep_s=None)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """A journal in use, with one quest of 30 events."""
    made = store_in(tmp_path / "data")
    made.commit([make_append("q_1", 0, 30)])
    yield made
    made.close()


def events_in(data: Path) -> int:
    with SqliteReader(data) as reader:
        return len(reader.follow(0))


def test_templates_go_along_into_a_directory_and_not_into_a_file(
    store: SqliteStore, tmp_path: Path
) -> None:
    FileShelf(store.directory / SHELF_NAME).put("leaf@1", b"a template")
    for _ in range(2):  # the second time over what a killed one left
        left = tmp_path / ".copy.partial" / SHELF_NAME
        left.mkdir(parents=True)
        (left / "old@1").write_bytes(b"")
        back_up(store.directory, tmp_path / "copy", clock_us=clock_us)
        copied = FileShelf(tmp_path / "copy" / SHELF_NAME)
        assert (copied.names(), copied.get("leaf@1")) == (("leaf@1",), b"a template")
        shutil.rmtree(tmp_path / "copy")
    back_up(store.directory, tmp_path / "copy.db", clock_us=clock_us)
    assert not (tmp_path / SHELF_NAME).exists()


def test_a_copy_is_a_journal_that_opens_without_complaint(
    store: SqliteStore, tmp_path: Path
) -> None:
    target = tmp_path / "copy"
    made = back_up(store.directory, target, clock_us=clock_us)
    assert (made.path, made.journal, made.seq) == (str(target), "j_1", 30)
    assert (made.quests, made.bytes) == (1, (target / "journal.db").stat().st_size)
    assert {path.name for path in target.iterdir()} == FILES
    assert target.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in target.iterdir()} == {0o600}
    assert verify(target) == []
    assert read_durable_head(target) == store.durable
    again = store_in(target)
    assert again.durable == store.durable
    again.commit([make_append("q_1", 30, 1)])
    again.close()


def test_nothing_of_the_copy_is_left_beside_it(store: SqliteStore, tmp_path: Path) -> None:
    back_up(store.directory, tmp_path / "copy", clock_us=clock_us)
    back_up(store.directory, tmp_path / "copy.db", clock_us=clock_us)
    assert {path.name for path in tmp_path.iterdir()} == {"data", "copy", "copy.db"}


def test_a_copy_in_one_file_is_the_whole_journal(store: SqliteStore, tmp_path: Path) -> None:
    back_up(store.directory, tmp_path / "one.db", clock_us=clock_us)
    restored = tmp_path / "restored"
    restored.mkdir()
    (tmp_path / "one.db").rename(restored / "journal.db")
    again = store_in(restored)
    assert again.durable == store.durable
    again.close()
    assert verify(restored) == []


def test_what_is_written_meanwhile_is_not_in_it_and_does_not_begin_it_again(
    store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer commits, checkpoints and goes on between any two steps, and no step is done twice."""
    monkeypatch.setattr(module, "STEP_PAGES", 1)
    told: list[tuple[int, int]] = []
    size = (store.directory / "journal.db").stat().st_size

    checkpointer = open_connection(store.path, writing=True)

    def write(done: int, total: int) -> None:
        told.append((done, total))
        written = 30 + len(told) - 1
        store.commit([make_append("q_1", written, 1)])
        store.tend(checkpointer)

    made = back_up(store.directory, tmp_path / "copy", clock_us=clock_us, told=write)
    checkpointer.close()
    pages = made.bytes // 4096
    assert told == [(n * 4096, made.bytes) for n in range(1, pages + 1)]
    assert made.bytes >= size
    assert made.seq == 30
    assert events_in(tmp_path / "copy") == 30
    assert events_in(store.directory) == 30 + pages
    assert verify(tmp_path / "copy") == []
    assert verify(store.directory) == []


def test_what_is_only_in_the_wal_is_copied_too(tmp_path: Path) -> None:
    """As a daemon that was killed leaves it: nothing was ever checkpointed."""
    program = (
        "import os, sys\nfrom pathlib import Path\n"
        "from questd.runtime.journal.sqlite import SqliteStore\n"
        "from tests.journal.making import make_append\n"
        "store = SqliteStore(Path(sys.argv[1]), clock_us=lambda: 1, new_id=lambda: 'j', upkeep_s=None)\n"
        "store.commit([make_append('q_1', 0, 30)])\n"
        "os._exit(9)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "data")], check=False)
    back_up(tmp_path / "data", tmp_path / "copy", clock_us=clock_us)
    assert events_in(tmp_path / "copy") == 30


# -- what is refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["file", "full", "taken.db", "link", "folder.db"])
def test_nothing_is_overwritten(name: str, store: SqliteStore, tmp_path: Path) -> None:
    for file in ("file", "taken.db"):
        (tmp_path / file).write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    (tmp_path / "folder.db").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(Refused, match=f"{name} is there already: a backup overwrites nothing"):
        back_up(store.directory, tmp_path / name, clock_us=clock_us)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["late", "late.db"])
def test_what_somebody_made_meanwhile_is_not_overwritten_either(
    name: str, store: SqliteStore, tmp_path: Path
) -> None:
    target = tmp_path / name

    def make(_done: int, _total: int) -> None:
        if name == "late.db":
            target.write_text("mine")
        else:
            target.mkdir(exist_ok=True)
            (target / "mine").write_text("mine")

    with pytest.raises(Refused, match=f"{name} is there already"):
        back_up(store.directory, target, clock_us=clock_us, told=make)
    mine = target if name == "late.db" else target / "mine"
    assert mine.read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {"data", name}


def test_an_empty_directory_may_be_filled(store: SqliteStore, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    back_up(store.directory, tmp_path / "empty", clock_us=clock_us)
    assert events_in(tmp_path / "empty") == 30


def test_a_place_that_is_not_there_is_named(store: SqliteStore, tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"there is no directory .*/none to put a backup into"):
        back_up(store.directory, tmp_path / "none" / "copy", clock_us=clock_us)


def test_a_directory_without_a_journal_is_named(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"no journal in .*--data"):
        back_up(tmp_path, tmp_path / "copy", clock_us=clock_us)
    assert list(tmp_path.iterdir()) == []


def test_a_journal_that_would_not_open_is_not_copied(tmp_path: Path) -> None:
    """An older copy, or a WAL that lost its end: the side file knows of later events."""
    data = copy_of(GOLDEN, tmp_path)
    side_file = json.loads((data / "journal.head").read_text())
    (data / "journal.head").write_text(json.dumps({**side_file, "seq": side_file["seq"] + 1}))
    with pytest.raises(JournalForeign, match="older copy, or its WAL is damaged"):
        back_up(data, tmp_path / "copy", clock_us=clock_us)
    assert not (tmp_path / "copy").exists()


def test_two_backups_to_one_target_do_not_mix(store: SqliteStore, tmp_path: Path) -> None:
    partial = tmp_path / ".copy.partial"
    partial.mkdir()
    with DirectoryLock(partial, clock_us=clock_us):
        with pytest.raises(Refused, match=r"another backup to .*/copy is being written"):
            back_up(store.directory, tmp_path / "copy", clock_us=clock_us)
        assert partial.exists()
    assert back_up(store.directory, tmp_path / "copy", clock_us=clock_us).seq == 30


# -- what fails ----------------------------------------------------------------------------------------

KILLED = """
import os, sys
from pathlib import Path
from questd.runtime.journal.backup import back_up
kill = lambda *_: os.kill(os.getpid(), 9)
back_up(Path(sys.argv[1]), Path(sys.argv[2]), clock_us=lambda: 1, told=kill)
"""


@pytest.mark.parametrize("name", ["copy", "copy.db"])
def test_a_killed_backup_leaves_nothing_under_its_name_and_the_next_one_clears_up(
    name: str, store: SqliteStore, tmp_path: Path
) -> None:
    words = [sys.executable, "-c", KILLED, str(store.directory), str(tmp_path / name)]
    assert subprocess.run(words, check=False).returncode == -signal.SIGKILL
    assert {path.name for path in tmp_path.iterdir()} == {"data", f".{name}.partial"}
    back_up(store.directory, tmp_path / name, clock_us=clock_us)
    assert {path.name for path in tmp_path.iterdir()} == {"data", name}


def test_an_interrupted_backup_leaves_nothing(store: SqliteStore, tmp_path: Path) -> None:
    def interrupt(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        back_up(store.directory, tmp_path / "copy", clock_us=clock_us, told=interrupt)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_full_disk_is_said_and_nothing_is_left(tmp_path: Path) -> None:
    data = copy_of(GOLDEN, tmp_path)
    words = f"{sys.executable} -m questd backup {tmp_path}/copy --data {data}"
    done = subprocess.run(
        ["bash", "-c", f"ulimit -f 64; exec {words}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 6, done.stderr
    assert f"quest: copying {data}/journal.db" in done.stderr
    assert "Nothing is left of the copy" in done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"data"}


def test_a_disk_that_is_too_small_is_seen_before(
    store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = shutil.disk_usage(tmp_path)._replace(free=1_000)

    def nearly_full(_: Path) -> object:
        return disk

    monkeypatch.setattr(shutil, "disk_usage", nearly_full)
    with pytest.raises(MachineError, match=r"the backup takes \d+ bytes, and .* has 1000 free"):
        back_up(store.directory, tmp_path / "copy", clock_us=clock_us)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


# -- the command ---------------------------------------------------------------------------------------


def test_a_copy_shows_and_tells_what_the_journal_does(tmp_path: Path) -> None:
    data = copy_of(GOLDEN, tmp_path)
    words = ["backup", str(tmp_path / "copy"), "--data", str(data), "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "questd", *words], capture_output=True, text=True, check=True
    )
    said = json.loads(done.stdout)
    assert done.stderr == ""
    shows = shows_of(data)
    ended = [view for view in shows.values() if view["finished_at"]]
    assert said["path"] == str(tmp_path / "copy")
    assert (said["quests"], said["open_quests"]) == (len(shows), len(shows) - len(ended))
    assert shows_of(tmp_path / "copy") == shows
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    other = history_of(tmp_path / "copy", tmp_path / "other")
    assert other == history_of(data, tmp_path / "one")


def test_the_command_and_the_method_say_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = copy_of(GOLDEN, tmp_path)
    monkeypatch.chdir(tmp_path)
    words = [sys.executable, "-m", "questd", "backup", "one.db", "--data", "data"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    with Client(data=data) as client:
        made = client.backup("other.db")
    assert done.stdout == f"{tmp_path}/one.db\n"
    said = f"{made.quests} quests, {made.open_quests} of them open, up to event {made.seq}: "
    assert done.stderr.startswith(said)
    again = subprocess.run(words, capture_output=True, text=True, check=False)
    assert again.returncode == 7
    assert again.stderr == f"quest: {tmp_path}/one.db is there already: a backup overwrites nothing, name a new one\n"  # fmt: skip


def test_each_second_is_told() -> None:
    said: list[str] = []

    class Heard(Out):
        def say(self, sentence: str, *, style: str = "") -> None:
            said.append(sentence)

    now_s = [0.0]
    teller = Teller(Heard(), lambda: now_s[0])
    for done in range(1, 41):
        now_s[0] += TOLD_EVERY_S / 8
        teller(done * 2**20, 40 * 2**20)
    told = [f"{n} % of 40.0 MiB copied" for n in (20, 40, 60, 80)]
    assert said == [*told, "all is copied; looking whether the copy is whole"]


def test_what_takes_less_than_a_second_is_not_worth_a_word() -> None:
    said: list[str] = []

    class Heard(Out):
        def say(self, sentence: str, *, style: str = "") -> None:
            said.append(sentence)

    teller = Teller(Heard(), lambda: 0.0)
    for done in range(1, 5):
        teller(done, 4)
    assert said == []
