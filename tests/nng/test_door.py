"""A real door and real callers on loopback."""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from queue import SimpleQueue

import pytest

from questd.runtime.errors import BadSettings, MachineError, Refused, Unreachable
from questd.runtime.nng import Caller, Door, Route

FRAME_MAX = 64 * 1024


class Echo:
    """A door that answers at once, except to b"hold"."""

    def __init__(self) -> None:
        self.held: SimpleQueue[Route] = SimpleQueue()
        self.closed: SimpleQueue[int] = SimpleQueue()
        self.door = Door(
            self.receive, pipe_closed=self.closed.put, frame_max=FRAME_MAX, name="echo"
        )

    def receive(self, route: Route, body: bytes) -> None:
        if body == b"raise":
            raise RuntimeError("a bug in the callback")
        if body.startswith(b"hold"):
            self.held.put(route)
        else:
            self.door.send(route, b"re:" + body)


@pytest.fixture
def echo() -> Iterator[Echo]:
    made = Echo()
    yield made
    made.door.stop()


@pytest.fixture
def url(echo: Echo, tmp_path: Path) -> str:
    bound = echo.door.listen(f"ipc://{tmp_path}/d")
    echo.door.start()
    return bound


@pytest.fixture
def call(url: str) -> Iterator[Caller]:
    caller = Caller(url, frame_max=FRAME_MAX)
    yield caller
    caller.close()


def in_thread(ask: Callable[[], bytes]) -> SimpleQueue[bytes | BaseException]:
    answers: SimpleQueue[bytes | BaseException] = SimpleQueue()

    def run() -> None:
        try:
            answers.put(ask())
        except BaseException as error:  # noqa: BLE001
            answers.put(error)

    threading.Thread(target=run, daemon=True).start()
    return answers


def test_requests_are_answered_in_any_order(echo: Echo, call: Caller) -> None:
    slow = in_thread(lambda: call.request(b"hold", 10))
    route = echo.held.get(timeout=10)
    assert call.request(b"quick", 10) == b"re:quick"
    echo.door.send(route, b"late")
    assert slow.get(timeout=10) == b"late"


def test_empty_and_largest_bodies_pass(call: Caller) -> None:
    assert call.request(b"", 10) == b"re:"
    body = b"x" * (FRAME_MAX - 3)
    assert call.request(body, 10) == b"re:" + body


def test_a_caller_refuses_a_body_over_the_limit_before_it_is_sent(call: Caller) -> None:
    with pytest.raises(Refused, match="65537 bytes exceeds the limit of 65536"):
        call.request(b"x" * (FRAME_MAX + 1), 10)
    assert call.request(b"hi", 10) == b"re:hi"


def test_a_giant_frame_closes_its_pipe_and_nothing_else(echo: Echo, call: Caller, url: str) -> None:
    assert call.request(b"hi", 10) == b"re:hi"
    giant = Caller(url, frame_max=1 << 22)
    with pytest.raises(Unreachable, match="link broke"):
        giant.request(b"x" * (1 << 21), 10)
    assert echo.closed.get(timeout=10) > 0
    assert giant.request(b"small", 10) == b"re:small"
    giant.close()
    assert call.request(b"hi", 10) == b"re:hi"


def test_an_exception_in_the_callback_is_logged_and_the_door_lives(
    echo: Echo, call: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "questd.nng"), pytest.raises(Unreachable):
        call.request(b"raise", 0.2)
    assert call.request(b"hi", 10) == b"re:hi"
    assert echo.door.failures == 1
    assert "door.receive_failed" in caplog.text


def test_garbage_on_the_port_harms_nobody(echo: Echo) -> None:
    url = echo.door.listen("tcp://127.0.0.1:0")
    echo.door.start()
    port = int(url.rpartition(":")[2])
    for garbage in (b"GET / HTTP/1.1\r\n\r\n", os.urandom(4096), b"\0SP\0\0\x31\0\0", b"\0"):
        with socket.create_connection(("127.0.0.1", port)) as raw:
            raw.sendall(garbage)
    # A right handshake, then a frame that claims eight exabytes.
    with socket.create_connection(("127.0.0.1", port)) as raw:
        raw.sendall(b"\0SP\0\0\x30\0\0" + b"\x7f" + b"\xff" * 7 + b"x" * 100)
    caller = Caller(url, frame_max=FRAME_MAX)
    assert caller.request(b"hi", 10) == b"re:hi"
    caller.close()


def test_an_answer_to_a_dead_pipe_is_dropped_silently(echo: Echo, url: str) -> None:
    caller = Caller(url, frame_max=FRAME_MAX)
    answer = in_thread(lambda: caller.request(b"hold", 10))
    route = echo.held.get(timeout=10)
    caller.close()
    assert isinstance(answer.get(timeout=10), Unreachable)
    assert echo.closed.get(timeout=10) == route.pipe
    echo.door.send(route, b"nobody")
    echo.door.close_pipe(route.pipe)


def test_hanging_up_on_a_pipe_fails_its_requests_at_once(echo: Echo, call: Caller) -> None:
    answer = in_thread(lambda: call.request(b"hold", 60))
    echo.door.close_pipe(echo.held.get(timeout=10).pipe)
    failed = answer.get(timeout=10)
    assert isinstance(failed, Unreachable)
    assert "link broke" in str(failed)
    assert call.request(b"hi", 10) == b"re:hi"


def test_a_request_is_never_sent_twice(echo: Echo, call: Caller) -> None:
    answer = in_thread(lambda: call.request(b"hold", 60))
    route = echo.held.get(timeout=10)
    echo.door.close_pipe(route.pipe)
    assert isinstance(answer.get(timeout=10), Unreachable)
    assert call.request(b"hi", 10) == b"re:hi"
    assert echo.held.empty()


def test_five_hundred_callers_hold_polls_and_each_gets_its_own_answer(echo: Echo, url: str) -> None:
    code = (
        "import sys, threading\n"
        "from questd.runtime.nng import Caller\n"
        "def poll(n):\n"
        "    caller = Caller(sys.argv[1], frame_max=1000)\n"
        "    assert caller.request(b'hold%d' % n, 60) == b'done', n\n"
        "    caller.close()\n"
        "threads = [threading.Thread(target=poll, args=(n,)) for n in range(500)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, url]) as process:
        routes = [echo.held.get(timeout=60) for _ in range(500)]
        assert len({route.pipe for route in routes}) == 500
        for route in reversed(routes):
            echo.door.send(route, b"done")
        assert process.wait(60) == 0
    assert echo.door.unsent == 0


def test_a_burst_of_answers_to_many_peers_is_not_dropped(echo: Echo, url: str) -> None:
    callers = [Caller(url, frame_max=FRAME_MAX) for _ in range(40)]
    answers = [in_thread(partial(c.request, b"hold", 60)) for c in callers for _ in range(4)]
    routes = [echo.held.get(timeout=60) for _ in answers]
    for route in routes:
        told = echo.door.unsent
        echo.door.send(route, b"ok" * 1000)
        while echo.door.unsent > told:  # nng's threads had no turn: what matters is said again
            told = echo.door.unsent
            echo.door.send(route, b"ok" * 1000)
    assert all(a.get(timeout=60) == b"ok" * 1000 for a in answers)
    for caller in callers:
        caller.close()


def test_answers_to_a_peer_that_reads_nothing_never_block_the_sender(echo: Echo, url: str) -> None:
    code = "import sys; from questd.runtime.nng import Caller; Caller(sys.argv[1], frame_max=99).request(b'hold', 60)"
    with subprocess.Popen([sys.executable, "-c", code, url], stderr=subprocess.DEVNULL) as process:
        route = echo.held.get(timeout=30)
        process.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        for _ in range(2_000):
            echo.door.send(route, b"x" * 4_000)
        assert time.monotonic() - began < 5
        caller = Caller(url, frame_max=FRAME_MAX)
        assert caller.request(b"hi", 10) == b"re:hi"
        caller.close()
        process.kill()


def test_the_lifecycle_forgives_every_order(tmp_path: Path) -> None:
    never_started = Echo().door
    never_started.stop()
    never_started.stop()
    never_started.start()
    twice = Echo().door
    twice.listen(f"ipc://{tmp_path}/d")
    twice.start()
    twice.start()
    twice.stop()
    twice.stop()


def test_a_door_may_be_stopped_from_its_own_callback_and_from_many_threads(tmp_path: Path) -> None:
    stopped = threading.Event()

    def receive(_route: Route, _body: bytes) -> None:
        door.stop()
        stopped.set()

    door = Door(receive, frame_max=1000, name="suicidal")
    url = door.listen(f"ipc://{tmp_path}/d")
    door.start()
    caller = Caller(url, frame_max=1000)
    with pytest.raises(Unreachable):
        caller.request(b"x", 10)
    assert stopped.wait(10)
    caller.close()
    threads = [threading.Thread(target=door.stop) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


def test_the_socket_of_a_killed_process_does_not_stand_in_the_way(tmp_path: Path) -> None:
    url = f"ipc://{tmp_path}/d"
    code = (
        "import os, sys; from questd.runtime.nng import Door\n"
        "d = Door(print, frame_max=9, name='x'); d.listen(sys.argv[1]); os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, url], check=False).returncode == -9
    assert (tmp_path / "d").exists()
    echo = Echo().door
    assert echo.listen(url) == url
    echo.stop()


def test_a_taken_address_is_the_machines_fault_and_says_so(url: str) -> None:
    second = Echo().door
    with pytest.raises(MachineError, match=r"cannot listen on ipc://.*Address in use"):
        second.listen(url)
    second.stop()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ipc://" + "x" * 200, r"has 200 bytes, the system takes 10[37]"),
        ("ipc://" + "ü" * 60, r"has 120 bytes"),
        ("nonsense", "write one of"),
        ("http://localhost:1", "write one of"),
        ("tcp://127.0.0.1", "names no port"),
        ("tcp://127.0.0.1:99999", "out of range"),
        ("tls+tcp://127.0.0.1:0", "needs TLS files"),
        ("ipc://", "write one of"),
    ],
)
def test_an_impossible_address_is_refused_and_says_why(url: str, message: str) -> None:
    door = Echo().door
    with pytest.raises(BadSettings, match=message):
        door.listen(url)
    with pytest.raises(BadSettings, match=message):
        Caller(url, frame_max=1000)
    door.stop()
