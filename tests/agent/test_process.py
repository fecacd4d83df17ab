"""Real agent processes and a small daemon over real sockets."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from questd.agent.pace import CHATTER_INTERVAL_US
from questd.messages.exchange import Cancelled, Completed, Failed
from tests.agent.fake_daemon import FakeDaemon, ipc

SAMPLE = Path(__file__).with_name("sample.py")
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[FakeDaemon]:
    with FakeDaemon(ipc(tmp_path)) as made:
        yield made


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[subprocess.Popen[bytes]] = []

    def run(**environment: str) -> "subprocess.Popen[bytes]":
        settings = os.environ | {"QUESTD_CONNECT": ipc(tmp_path)} | environment
        process = subprocess.Popen([sys.executable, str(SAMPLE)], env=settings)
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()


def value(outcome: Any) -> Any:
    assert isinstance(outcome, Completed), outcome
    return msgspec.json.decode(outcome.result)


def failure(outcome: Any) -> Any:
    assert isinstance(outcome, Failed), outcome
    return outcome.failure


def gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"


def eventually(ready: Callable[[], bool], timeout_s: float = 15) -> None:
    ends = time.monotonic() + timeout_s
    while not ready():
        assert time.monotonic() < ends
        time.sleep(0.01)


def test_a_tool_is_offered_called_and_drained(daemon: FakeDaemon, start: Start) -> None:
    process = start()
    hello = daemon.agent("sample").hello
    spec = next(tool for tool in hello.tools if tool.name == "audit")
    assert (spec.capabilities, spec.timeout_ms, spec.idempotent) == (("audit",), 120_000, False)
    assert [(p.name, p.required) for p in spec.parameters] == [("diff", True), ("depth", False)]
    assert (hello.capabilities, hello.labels, hello.prefetch) == (("testing",), {"gpu": 1}, 4)
    outcome = daemon.call("audit", {"diff": "d", "depth": 2}, round=3)
    assert value(outcome) == {"text": "d step 1 3 key", "depth": 2}
    assert (outcome.tokens, outcome.cost, outcome.model, outcome.confidence) == (7, 0.5, "m", 0.9)
    assert daemon.logs[0].lines[0].text == "looking"
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 0
    assert [g.reason for g in daemon.goodbyes] == ["SIGTERM"]


def test_wrong_arguments_fail_before_the_tool_runs(daemon: FakeDaemon, start: Start) -> None:
    start()
    wrong = failure(daemon.call("audit", {"diff": 1}))
    assert (wrong.kind, wrong.retryable) == ("validation", False)
    assert "audit takes diff: str, depth: int = 1" in wrong.message
    unknown = failure(daemon.call("nothing"))
    assert unknown.kind == "validation"
    assert "audit" in unknown.message
    assert failure(daemon.call("alone", {"how": 1})).kind == "validation"


@pytest.mark.parametrize(
    ("how", "kind", "says"),
    [
        ("raise", "exception", "ValueError: a reason (sample.py:"),
        ("exit", "exception", "SystemExit: 3"),
        ("interrupt", "exception", "KeyboardInterrupt"),
        ("recurse", "exception", "RecursionError"),
        ("big", "too_large", "100000002 bytes of JSON, at most 3145728"),
        ("object", "unserialisable", "builtins.object"),
        ("nan", "unserialisable", "nan"),
        ("coroutine", "unserialisable", "async def"),
        ("generator", "unserialisable", "return a list"),
        ("surrogate", "unserialisable", "surrogates"),
    ],
)
def test_misbehaviour_is_an_outcome_and_the_agent_lives(
    daemon: FakeDaemon, start: Start, how: str, kind: str, says: str
) -> None:
    start()
    for tool in ("misbehave", "misbehave_async"):
        failed = failure(daemon.call(tool, {"how": how}))
        assert failed.kind == kind
        assert says in failed.message
    assert value(daemon.call("misbehave", {"how": "print"})) == "printed"


def test_a_tool_error_says_kind_and_delay(daemon: FakeDaemon, start: Start) -> None:
    start()
    failed = failure(daemon.call("refuse", {"kind": "auth"}))
    assert (failed.kind, failed.message, failed.retryable) == ("auth", "no", False)
    later = failure(daemon.call("refuse", {"kind": "rate_limit", "retry_after": 1.5}))
    assert (later.retryable, later.retry_after_ms) == (True, 1500)
    own = failure(daemon.call("misbehave_async", {"how": "cancelled"}))
    assert own.kind == "exception"


def test_arguments_are_fresh_in_every_call(daemon: FakeDaemon, start: Start) -> None:
    start()
    assert [value(daemon.call("change", {"items": []})) for _ in range(3)] == [[1]] * 3


def test_a_timeout_is_reported_when_it_happens_and_the_slot_stays_taken(
    daemon: FakeDaemon, start: Start
) -> None:
    start()
    timed_out = failure(daemon.call("hang", {"seconds": 3}, timeout_ms=50))
    assert (timed_out.kind, timed_out.retryable) == ("timeout", True)
    assert "not done within 50 ms" in timed_out.message
    daemon.wait(lambda: daemon.exchanges[-1].stuck == 1)
    assert value(daemon.call("change", {"items": []})) == [1]
    daemon.wait(lambda: daemon.exchanges[-1].stuck == 0)


def test_an_async_tool_is_cancelled_at_its_timeout_and_gives_its_slot_back(
    daemon: FakeDaemon, start: Start
) -> None:
    start(CAPACITY="1")
    assert failure(daemon.call("wait_async", {"seconds": 60}, timeout_ms=50)).kind == "timeout"
    assert value(daemon.call("wait_async", {"seconds": 0})) == "slept"


def test_the_timeout_of_a_waiting_invocation_starts_with_its_tool(
    daemon: FakeDaemon, start: Start
) -> None:
    start(CAPACITY="1")
    daemon.agent()
    attempts = daemon.invoke_many("wait_async", [{"seconds": 0.15}] * 4, timeout_ms=400)
    assert [value(daemon.outcome(a)) for a in attempts] == ["slept"] * 4
    assert daemon.started[0] == attempts[0]


def test_an_instance_whose_slots_are_all_stuck_ends_with_its_own_code(
    daemon: FakeDaemon, start: Start
) -> None:
    process = start()
    daemon.agent()
    for attempt in daemon.invoke_many("hang", [{}] * 2, timeout_ms=50):
        assert failure(daemon.outcome(attempt)).kind == "timeout"
    waiting = daemon.invoke("change", {"items": []})
    assert process.wait(20) == 75
    assert waiting not in daemon.outcomes
    assert len(daemon.goodbyes) == 1


def test_a_blocked_loop_ends_the_instance_when_it_holds_every_slot(
    daemon: FakeDaemon, start: Start
) -> None:
    process = start()
    daemon.agent()
    first, second = daemon.invoke_many("block_loop", [{"seconds": 60}] * 2, timeout_ms=50)
    assert failure(daemon.outcome(first)).kind == "timeout"
    assert "event loop is blocked" in failure(daemon.outcome(second)).message
    assert process.wait(20) == 75


def test_cancelling_reaches_every_kind_of_tool(
    daemon: FakeDaemon, start: Start, tmp_path: Path
) -> None:
    start(CAPACITY="3")
    attempts = [
        daemon.invoke("until_cancelled"),
        daemon.invoke("wait_async", {"seconds": 60}),
        daemon.invoke("alone", {"how": "grandchild", "path": str(tmp_path / "pids")}),
        daemon.invoke("change", {"items": []}),
    ]
    daemon.wait(lambda: set(attempts[:3]) <= set(daemon.started))
    eventually((tmp_path / "pids").exists)
    daemon.cancel(attempts[3])
    assert daemon.outcome(attempts[3]) == Cancelled(*attempts[3])
    for attempt in attempts[:3]:
        daemon.cancel(attempt)
        assert daemon.outcome(attempt) == Cancelled(*attempt)
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    eventually(lambda: all(map(gone, pids)))


def test_an_isolated_tool_reports_through_its_own_pipe(daemon: FakeDaemon, start: Start) -> None:
    process = start()
    outcome = daemon.call("alone", {"how": "pid"})
    assert value(outcome) not in {process.pid, os.getpid()}
    assert outcome.tokens == 3
    assert daemon.logs[0].lines[0].text == "from a child"
    failed = daemon.call("alone", {"how": "raise"})
    assert failure(failed).kind == "mine"
    assert (failed.tokens, failed.cost, failed.model) == (5, 0.25, "m")
    assert "signal 9" in failure(daemon.call("alone", {"how": "crash"})).message
    assert value(daemon.call("alone", {"how": "stdin"})) == ""


def test_an_isolated_tool_and_all_it_started_end_at_its_timeout(
    daemon: FakeDaemon, start: Start, tmp_path: Path
) -> None:
    start(CAPACITY="1")
    path = tmp_path / "pids"
    arguments = {"how": "grandchild", "path": str(path)}
    assert failure(daemon.call("alone", arguments, timeout_ms=2_000)).kind == "timeout"
    eventually(lambda: all(gone(int(pid)) for pid in path.read_text().split()))
    assert value(daemon.call("change", {"items": []})) == [1]


def test_isolated_tools_die_with_their_agent(
    daemon: FakeDaemon, start: Start, tmp_path: Path
) -> None:
    process = start()
    path = tmp_path / "pids"
    daemon.invoke("alone", {"how": "grandchild", "path": str(path)})
    eventually(lambda: path.exists() and len(path.read_text().split()) == 2)
    process.kill()
    eventually(lambda: all(gone(int(pid)) for pid in path.read_text().split()))


def test_heartbeats_come_only_from_attempts_that_live(daemon: FakeDaemon, start: Start) -> None:
    start(CAPACITY="2")
    alive = daemon.invoke("hang", {"seconds": 1})
    silent = daemon.invoke("beat", {"times": 10}, heartbeat_timeout_ms=400)
    missed = failure(daemon.outcome(silent))
    assert missed.kind == "timeout"
    assert "no ctx.heartbeat() for 400 ms" in missed.message
    assert silent in daemon.beats
    assert alive in daemon.beats
    value(daemon.outcome(alive))
    beats, frames = len(daemon.beats), daemon.frames
    daemon.wait(lambda: daemon.frames > frames + 2)
    assert len(daemon.beats) == beats


def test_chatter_is_bounded_and_coalesced(daemon: FakeDaemon, start: Start) -> None:
    start()
    began = time.monotonic()
    outcome = daemon.invoke("chatter", {"lines": 5_000})
    assert value(daemon.outcome(outcome)) == "done"
    intervals = (time.monotonic() - began) * 1e6 / CHATTER_INTERVAL_US
    lines = [line.text for logged in daemon.logs for line in logged.lines]
    assert len(lines) == 1_001
    assert lines[-1] == "… 4000 lines dropped"
    assert len(daemon.progress) <= intervals + 2


def test_a_new_daemon_hears_of_everything_and_nothing_runs_twice(
    daemon: FakeDaemon, start: Start, tmp_path: Path
) -> None:
    start()
    running = daemon.invoke("wait_async", {"seconds": 1.0})
    daemon.wait(lambda: running in daemon.started)
    daemon.stop()
    with FakeDaemon(ipc(tmp_path), boot="boot-2") as second:
        hello = second.agent().hello
        assert hello.held == (running,)
        assert value(second.outcome(running)) == "slept"
        assert second.started == [running]


def test_a_mute_daemon_is_dialled_again(daemon: FakeDaemon, start: Start) -> None:
    start()
    peer = daemon.agent()
    first_pipe = peer.pipe
    daemon.mute = True
    frames = daemon.frames
    daemon.wait(lambda: daemon.frames > frames + 1)
    with daemon.changed:
        daemon.mute = False
        daemon.peers.clear()
    assert daemon.agent().pipe != first_pipe


def test_an_orphan_is_drained_by_the_next_daemon_and_ends(
    daemon: FakeDaemon, start: Start, tmp_path: Path
) -> None:
    process = start(QUESTD_BOOT="boot-1")
    running = daemon.invoke("wait_async", {"seconds": 0.5})
    daemon.wait(lambda: running in daemon.started)
    daemon.stop()
    with FakeDaemon(ipc(tmp_path), boot="boot-2") as second:
        assert value(second.outcome(running)) == "slept"
        assert process.wait(15) == 0
        assert len(second.goodbyes) == 1


def test_a_draining_agent_finishes_what_runs_and_gives_the_rest_away(
    daemon: FakeDaemon, start: Start
) -> None:
    process = start(CAPACITY="1")
    running, waiting = (daemon.invoke("wait_async", {"seconds": 0.5}) for _ in range(2))
    daemon.wait(lambda: running in daemon.started)
    daemon.wait(lambda: not daemon.agent().items)
    process.send_signal(signal.SIGINT)
    assert value(daemon.outcome(running)) == "slept"
    assert process.wait(15) == 0
    assert waiting not in daemon.outcomes


def test_a_second_signal_ends_a_busy_agent_at_once(daemon: FakeDaemon, start: Start) -> None:
    process = start()
    attempt = daemon.invoke("hang")
    daemon.wait(lambda: attempt in daemon.started)
    process.send_signal(signal.SIGTERM)
    daemon.wait(lambda: daemon.exchanges[-1].draining)
    process.send_signal(signal.SIGTERM)
    process.wait(15)
    assert not daemon.goodbyes


def test_a_wrong_token_ends_the_agent_with_its_own_code(tmp_path: Path, start: Start) -> None:
    token = tmp_path / "token"
    with FakeDaemon(ipc(tmp_path), token="right") as daemon:
        token.write_text("wrong\n")
        assert start(QUESTD_TOKEN_FILE=str(token)).wait(15) == 77
        token.write_text("right\n")
        start(QUESTD_TOKEN_FILE=str(token))
        daemon.agent()


def test_many_calls_share_frames(daemon: FakeDaemon, start: Start) -> None:
    start(CAPACITY="32")
    daemon.agent()
    before = daemon.frames
    attempts = daemon.invoke_many("change", [{"items": []}] * 2_000)
    for attempt in attempts:
        daemon.outcome(attempt)
    assert daemon.frames - before < 400
