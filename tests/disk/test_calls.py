"""Each call to the disk fails once, or from then on: the journal stops by name, and what was answered is there when it is opened again.

`QUESTD_DISK=all` (`make disk`) goes through every call of the run; otherwise a few, by a seed.
"""

import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from questd.runtime.journal.verify import verify
from tests.disk.conftest import ALL, say
from tests.disk.ground import open_store
from tests.disk.shim import Fault, Shim
from tests.journal.test_crash import answered

DONE, BROKEN, REFUSED = 0, 3, 4
COMMITS = 24
CALLS = {
    "pwrite": ("journal.db-wal", "journal.db", "journal.db.new", "lock"),
    "fsync": ("journal.db-wal", "journal.db", "journal.db.new", "journal.head.new", "data"),
    "ftruncate": ("journal.db-wal", "journal.db", "lock"),
    "write": ("journal.head.new",),
    "rename": ("journal.head", "journal.db"),
    "unlink": ("journal.db-wal",),
    "pread": ("journal.db", "journal.db-wal"),
}
HOWS = {"pwrite": ("ENOSPC", "EIO", "short", "torn"), "write": ("ENOSPC", "EIO", "short", "torn")}
SOME = 8
MOST = 400


class Ground:
    """A journal on a faulty disk."""

    def __init__(self, folder: Path, shim: Shim) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.power = folder / "power"
        self.log = folder / "log"
        self.power.mkdir()
        self._shim = shim
        self.stands: dict[str, int] = {}

    def write(self, *faults: Fault, how: str, commits: int = COMMITS, power: bool = False) -> int:
        """Let a process write; how it ended. Anything but a name is an AssertionError."""
        durable, eager = (self.power, "journal.db") if power else (None, None)
        preload = self._shim.env(*faults, log=self.log, durable=durable, eager=eager)
        words = [str(self.data), str(commits), how]
        done = subprocess.run(
            [sys.executable, "-m", "tests.disk.writer", *words],
            env={**os.environ, **preload},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in {DONE, BROKEN, REFUSED}, done.stderr
        last = done.stdout.splitlines()[-1:]
        assert done.returncode == DONE or any(str(self.data) in line for line in last), done.stdout
        for quest, version in answered(done.stdout.splitlines(keepends=True)).items():
            self.stands[quest] = max(version, self.stands.get(quest, 0))
        return done.returncode

    def check(self, data: Path) -> None:
        """What was answered is there, and all is whole."""
        with closing(open_store(data)) as store:
            for quest, version in self.stands.items():
                assert len(store.events(quest)) >= version, (quest, version)
        assert verify(data) == []

    @property
    def fired(self) -> bool:
        return self.log.exists()


def faults(chance: random.Random) -> Iterator[tuple[str, str, str, int]]:
    """Call, file, how and how often (0: from then on)."""
    every = [
        (call, path, how, times)
        for call, paths in CALLS.items()
        for path in paths
        for how in HOWS.get(call, ("EIO",))
        for times in (1, 0)
    ]
    yield from every if ALL else chance.sample(every, SOME)


def numbers(chance: random.Random) -> Iterator[int]:
    """Which call fails."""
    few = [chance.choice((1, 2, 3, 5, 8, 13, 21, 34))]
    yield from (*range(1, 40), *range(40, MOST, 7)) if ALL else few


def test_a_call_that_fails_stops_the_journal_and_loses_nothing_answered(
    shim: Shim, tmp_path: Path, chance: random.Random
) -> None:
    count: Counter[str] = Counter()
    for case, (call, path, how, times) in enumerate(faults(chance)):
        for n in numbers(chance):
            ground = folder_of(tmp_path, f"{case}-{n}", shim)
            fault = Fault(call, path, n, times, how)
            try:
                code = ground.write(fault, how=chance.choice(("close", "die")))
                ground.check(ground.data)
            except Exception as error:
                raise AssertionError(f"{fault}: {error!r}") from error
            if not ground.fired:
                count["not reached"] += 1
                break
            count[f"{call} {('went on', '', '', 'broken', 'refused')[code]}"] += 1
    say(f"calls failed: {dict(count)}")


def folder_of(tmp_path: Path, name: str, shim: Shim) -> Ground:
    folder = tmp_path / name
    folder.mkdir()
    return Ground(folder, shim)


def power_faults(chance: random.Random) -> Iterator[tuple[str, int, str, int]]:
    """Whose sync fails, which one, how the process ends, and at which write of the database the power goes in the next."""
    paths = ("journal.db-wal", "journal.db", "journal.head.new")
    if ALL:
        yield from (
            (path, n, how, cut)
            for path in paths
            for n in range(1, 40)
            for how in ("close", "die")
            for cut in (1, 2, 3, 5)
        )
        return
    yield ("journal.db-wal", 8, "die", 1)  # found a checkpoint from a WAL that was not on disk
    for _ in range(3):
        yield (chance.choice(paths), chance.randint(1, 34), chance.choice(("close", "die")), 2)


def test_a_failed_sync_is_not_believed_by_whoever_comes_next(
    shim: Shim, tmp_path: Path, chance: random.Random
) -> None:
    """The kernel forgets what a failed sync was for, the process ends, the next one begins, and then the power goes."""
    count: Counter[str] = Counter()
    for number, (path, n, how, cut) in enumerate(power_faults(chance)):
        ground = folder_of(tmp_path, str(number), shim)
        fault = Fault("fsync", path, n, 1, "EIO")
        first = ground.write(fault, how=how, power=True)
        cut_off = Fault("pwrite", "journal.db", cut, 0, "torn")
        then = ground.write(cut_off, how="die", commits=5, power=True)
        try:
            ground.check(ground.power)
        except Exception as error:
            raise AssertionError(f"{fault} {how}, then {cut_off}: {error!r}") from error
        count[f"{first} {then}"] += 1
    say(f"failed syncs, then a power cut: {dict(count)}")


def test_nothing_is_checkpointed_on_the_way_out(shim: Shim, tmp_path: Path) -> None:
    """The process whose own sync failed closes the journal; the power goes while it would write the database."""
    ground = folder_of(tmp_path, "close", shim)
    wal = Fault("fsync", "journal.db-wal", 9, 1, "EIO")
    before = ground.write(how="die", commits=3, power=True)
    assert before == DONE
    assert ground.write(wal, how="close", power=True) == BROKEN
    assert (ground.data / "journal.db-wal").exists()
    ground.check(ground.power)
