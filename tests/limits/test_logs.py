"""Logs of children: however long one lives and however much it says, its log keeps its size."""

import sys
from pathlib import Path

import pytest

from questd.runtime import logs
from questd.runtime.clock import SystemClock, ThreadTimers
from questd.runtime.dispatch import PooledDispatcher
from questd.runtime.processes import EndProcess, ProcessKeeper, ProcessSpec
from tests.system.place import until

LETTERS = b"abcdefghij"


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(logs, "LOG_MAX_BYTES", 1_000)
    return 1_000


def test_a_log_of_the_largest_size_is_gone_on_with_and_a_larger_one_begins_anew(
    tmp_path: Path, small: int
) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(LETTERS * (small // 10))
    with logs.open_log(path) as output:
        assert output is not None
        output.write(b"!")
    assert path.read_bytes() == LETTERS * (small // 10) + b"!"
    with logs.open_log(path) as output:
        assert output is not None
        output.write(b"anew")
    assert path.read_bytes() == b"anew"
    assert path.with_suffix(".log.1").read_bytes() == (LETTERS * (small // 10) + b"!")[-small:]


def test_of_a_log_that_grew_far_beyond_its_size_the_end_is_put_aside(
    tmp_path: Path, small: int
) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"x" * 10 * small + b"the end")
    logs.put_aside(path)
    assert path.read_bytes() == b""
    aside = path.with_suffix(".log.1").read_bytes()
    assert (len(aside), aside[-7:]) == (small, b"the end")
    logs.put_aside(path)
    assert path.with_suffix(".log.1").read_bytes() == aside


def test_what_cannot_be_put_aside_harms_nobody(tmp_path: Path) -> None:
    logs.put_aside(tmp_path / "nothing.log")
    assert not logs.is_full(tmp_path / "nothing.log")
    with logs.open_log(None) as output:
        assert output is None


CHATTY = "import sys, time\nwhile True: sys.stdout.write('x' * 99 + chr(10)); sys.stdout.flush(); time.sleep(0.001)"


def test_a_child_that_writes_for_ever_keeps_its_log_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "LOG_MAX_BYTES", 20_000)
    monkeypatch.setattr("questd.runtime.processes.LOG_LOOK_S", 0.05)
    path = tmp_path / "chatty.log"
    clock, dispatcher = SystemClock(), PooledDispatcher()
    timers = ThreadTimers(clock)
    spec = ProcessSpec("chatty", (sys.executable, "-c", CHATTY), {}, log=path)
    keeper = ProcessKeeper(spec, clock=clock, timers=timers, note=lambda *_, **__: None)
    timers.start()
    dispatcher.start()
    ref = keeper.launch(dispatcher)
    gone: list[bool] = []
    try:
        aside = path.with_suffix(".log.1")
        until("it was put aside", aside.exists)
        first = aside.stat().st_mtime_ns
        until("it was put aside again", lambda: aside.stat().st_mtime_ns > first)
        assert path.stat().st_size < 10 * 20_000
    finally:
        ref.tell(EndProcess(lambda: gone.append(True)))
        until("it has ended", lambda: bool(gone))
        dispatcher.stop()
        timers.stop()
    assert set(path.read_bytes().splitlines()[1:-1]) <= {b"x" * 99}
