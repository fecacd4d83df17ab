"""A real daemon on a disk that fails at one call: it says why and ends, and the next one loses nothing and repeats nothing.

`QUESTD_DISK=all` (`make disk`) tries many calls; otherwise a few.
"""
# pyright: reportPrivateUsage=false

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from questd.messages import control as ctl
from questd.runtime.errors import Unreachable
from questd.runtime.journal.upkeep import WAL_ROOM_BYTES
from tests.disk.conftest import ALL, say
from tests.disk.shim import Fault, Shim
from tests.system.place import Place, Process, chain
from tests.system.rules import check

EXIT_JOURNAL, EXIT_REFUSED = 74, 7
QUESTS = 12
RESERVED = 2 * WAL_ROOM_BYTES // 4096
"""So many writes give the WAL its size, before anything is in it."""

FAULTS = [
    Fault("fsync", "journal.db-wal", 12, 1, "EIO"),
    Fault("pwrite", "journal.db-wal", RESERVED + 90, 0, "ENOSPC"),
]
MORE = [
    Fault(call, path, n, times, how)
    for call, path, how in (
        ("fsync", "journal.db-wal", "EIO"),
        ("fsync", "journal.db", "EIO"),
        ("fsync", "journal.head.new", "EIO"),
        ("write", "journal.head.new", "ENOSPC"),
        ("rename", "journal.head", "EIO"),
        ("pwrite", "journal.db-wal", "ENOSPC"),
        ("pwrite", "journal.db-wal", "torn"),
        ("pwrite", "journal.db-wal", "short"),
        ("pwrite", "journal.db", "EIO"),
    )
    for n in (1, 2, 3, 5, 9, 17, 33, 65, 120, RESERVED + 9, RESERVED + 99, RESERVED + 299)
    if n < RESERVED or (call, path) == ("pwrite", "journal.db-wal")
    for times in (1, 0)
]


@pytest.fixture
def places(tmp_path: Path) -> Iterator[list[Place]]:
    found: list[Place] = []
    yield found
    for place in found:
        place.close()


def started(place: Place, env: dict[str, str]) -> Process | None:
    """A daemon on the faulty disk; None when it refused to start, by name."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in env.items():
            patch.setenv(name, value)
        try:
            return place.start_daemon()
        except AssertionError:
            process = place._processes[-1]
            assert process.wait() == EXIT_REFUSED, process.said()
            assert str(place.data) in process.notes("daemon.refused")[0]["error"]
            return None


def load(place: Place) -> list[str]:
    """Submit until it ends or all are in; what was acknowledged."""
    acknowledged: list[str] = []
    for _ in range(QUESTS):
        try:
            acknowledged.append(place.submit(chain(3)))
        except (Unreachable, AssertionError):
            break
    return acknowledged


def served(place: Place, daemon: Process) -> tuple[int | None, list[str]]:
    """Work until it is done or broken; the exit code (None: it lives)."""
    place.start_agent()
    acknowledged = load(place)
    try:
        place.await_end(acknowledged, 120.0)
    except (Unreachable, AssertionError):
        code = daemon.wait()
        assert code == EXIT_JOURNAL, daemon.said()
        assert str(place.data) in daemon.notes("journal.broke")[0]["error"]
        return code, acknowledged
    return None, acknowledged


def test_a_daemon_on_a_failing_disk_ends_by_name_and_the_next_repeats_nothing(
    shim: Shim, tmp_path: Path, places: list[Place]
) -> None:
    count: Counter[str] = Counter()
    for number, fault in enumerate(MORE if ALL else FAULTS):
        folder = tmp_path / str(number)
        folder.mkdir()
        place = Place(folder)
        places.append(place)
        env = shim.env(fault, log=folder / "failed", who="daemon_process")
        daemon = started(place, env)
        code, acknowledged = (EXIT_REFUSED, []) if daemon is None else served(place, daemon)
        if daemon is not None and code is None:
            daemon.kill()
            daemon.wait()
        place.start_daemon()
        place.start_agent()
        heads = place.await_end(acknowledged)
        assert {head.status for head in heads.values()} <= {"completed"}, fault
        assert place.ask(ctl.Ping())
        check(place, list(place.heads()))
        count[f"{fault.call} {fault.how}: {code or 'went on'}"] += 1
        place.close()
    say(f"daemons on a failing disk: {dict(count)}")
    if not ALL:
        assert count == {"fsync EIO: 74": 1, "pwrite ENOSPC: 74": 1}
