"""Peers that are absent or fail, their pins, and servers that must not outlive a benchmark."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.peers import environments
from benchmarks.peers.catalogue import NAMES, OURS, PEERS, Peer
from benchmarks.peers.environments import environment, pins, seal, unpinned
from benchmarks.peers.measured import NotMeasured
from benchmarks.peers.neighbours import Neighbours, busy_s, own_s
from benchmarks.peers.running import Runs
from benchmarks.peers.workload import fanned
from benchmarks.processes import Nursery, started

SCRIPTS = Path(environments.__file__).parent / "workloads"
SERVER = """
import pathlib, subprocess, sys, time
worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
pathlib.Path(sys.argv[1]).write_text(f"{worker.pid}\\n")
time.sleep(60)
"""


@pytest.mark.parametrize("name", [name for name in NAMES if name != OURS])
def test_every_peer_has_a_script_and_versions_that_are_pinned(name: str) -> None:
    text = pins(name).read_text(encoding="utf-8")
    assert f"{name}==" in text
    assert unpinned(text) == []
    assert (SCRIPTS / f"on_{name}.py").exists()


def test_a_version_that_is_not_pinned_is_found() -> None:
    assert unpinned("a==1\n# b\nc>=2\nd==1.*  # why\n\n") == ["c>=2", "d==1.*"]


def test_a_peer_without_its_server_is_not_run_and_not_installed(tmp_path: Path) -> None:
    absent = Peer("celery", "Celery", durable=False, note="", servers={"no-such-server": "get it"})
    runs = Runs(tmp_path, [absent])
    runs.prepare()
    runs.measure(2)
    (outcome,) = runs.outcomes()
    assert outcome.fault == "no-such-server is not on this machine (get it)"
    assert (outcome.rounds, outcome.rate(), outcome.chain_ms, outcome.fan_ms) == (
        (),
        None,
        None,
        None,
    )
    assert not (tmp_path / "peers").exists()


def test_a_peer_whose_script_fails_is_told_and_its_place_is_swept(tmp_path: Path) -> None:
    broken = tmp_path / "peers" / "broken"
    (broken / "bin").mkdir(parents=True)
    (broken / "bin" / "python").symlink_to(sys.executable)
    runs = Runs(tmp_path, [Peer("broken", "Broken", durable=True, note="", limit_s=30.0)])
    runs.pythons["broken"] = broken / "bin" / "python"
    runs.measure(3)
    (outcome,) = runs.outcomes()
    assert outcome.rounds == ()
    assert outcome.fault.startswith("round 1: ChildFailed: ")
    assert list(tmp_path.glob("bed-*")) == []


def test_a_round_is_not_begun_when_the_time_is_over(tmp_path: Path) -> None:
    runs = Runs(tmp_path, [PEERS[0]])
    runs.ends_s = time.monotonic() + 1
    runs.measure(1)
    assert runs.outcomes()[0].fault == "round 1: no time was left"


def test_an_environment_of_the_same_pins_is_not_made_again(tmp_path: Path) -> None:
    place = tmp_path / "dbos"
    place.mkdir()
    (place / "sealed").write_text(seal("dbos"))
    assert environment(tmp_path, "dbos") == place / "bin" / "python"


def test_an_environment_that_cannot_be_made_says_why_and_is_not_sealed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nothing.txt").write_text("no-such-distribution-of-ours==1.0\n")
    monkeypatch.setattr(environments, "REQUIREMENTS", tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    with pytest.raises(NotMeasured, match=r"could not be made: .*no-such-distribution-of-ours"):
        environment(tmp_path / "made", "nothing")
    assert not (tmp_path / "made" / "nothing" / "sealed").exists()


@pytest.mark.parametrize("gone", [False, True])
def test_a_server_and_its_workers_go_with_the_leash(tmp_path: Path, *, gone: bool) -> None:
    """Told to end by its owner, or its owner is gone: then its standard input ends."""
    told = tmp_path / "worker"
    with Nursery(tmp_path) as nursery:
        command = [sys.executable, "-m", "benchmarks.peers.leash", sys.executable, "-c", SERVER]
        leash = nursery.start_command([*command, str(told)], "leash")
        server = leash.json(20.0)
        wait_until(lambda: told.exists() and told.read_text().endswith("\n"))
        worker = int(told.read_text())
        assert started(server)
        assert started(worker)
        if gone:
            assert leash.process.stdin is not None
            leash.process.stdin.close()
            leash.process.wait(20.0)
    wait_until(lambda: not started(server) and not started(worker))


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20.0
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_this_process_uses_is_not_anothers() -> None:
    neighbours, began = Neighbours(), own_s()
    while own_s() < began + 0.3:
        sum(range(10_000))
    share = neighbours.share()
    assert share is None or 0.0 <= share <= 1.0
    assert busy_s() is None or (busy_s() or 0.0) >= own_s() - began


def test_what_a_fan_out_gives_depends_on_where_it_began() -> None:
    assert fanned(0) == 200
    assert fanned(3) == 800
