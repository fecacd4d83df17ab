"""Peers that say nothing, or read nothing: what a door remembers of them, and real ones that are hung up on."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest

from questd.runtime.errors import Unreachable
from questd.runtime.nng import Caller, Door, Route, door, peers
from questd.runtime.nng.peers import Silence, Unread
from tests.system.place import until

MAX = peers.UNREAD_MAX_BYTES


def test_nng_is_asked_only_when_there_may_be_too_much() -> None:
    unread = Unread()
    assert not unread.give(1, MAX)
    assert unread.give(2, 1)
    assert unread.settle({1: MAX, 2: 1}) == []
    assert not unread.give(1, MAX)


def test_who_reads_least_is_hung_up_on_until_half_is_left() -> None:
    unread = Unread()
    for pipe, size in ((1, MAX // 2), (2, MAX // 4), (3, MAX // 4), (4, MAX // 4)):
        unread.give(pipe, size)
    assert unread.settle({1: 0, 2: 0, 3: 0, 4: MAX // 4}) == [1]
    unread.forget(1)
    assert not unread.give(4, MAX // 2)


def test_what_went_out_before_is_not_counted_again() -> None:
    unread = Unread()
    unread.give(1, MAX + 1)
    assert unread.settle({1: MAX}) == []
    unread.give(1, MAX)
    assert unread.settle({1: MAX + 1}) == [1]


def test_a_connection_that_is_gone_is_not_remembered() -> None:
    unread = Unread()
    unread.give(1, MAX + 1)
    unread.forget(1)
    assert unread.settle({2: 0}) == []
    assert not unread.give(2, MAX)


def test_silence_counts_from_the_last_word_and_not_while_we_stood_still() -> None:
    silence = Silence(3.0, 0.0)
    silence.hear(1, 0.0)
    silence.hear(2, 0.0)
    assert silence.look(0.9) == []
    silence.hear(2, 1.0)
    assert silence.look(1.8) == []
    assert silence.look(60.0) == []
    assert silence.look(60.9) == []
    assert silence.look(61.5) == [1]
    silence.forget(1)
    assert silence.look(62.4) == [2]


class Generous:
    """A door that answers everything with a megabyte."""

    def __init__(self, folder: Path) -> None:
        self.routes: SimpleQueue[Route] = SimpleQueue()
        self.door = Door(self._receive, frame_max=2 << 20, name="d", silence_s=1.5)
        self.url = self.door.listen(f"ipc://{folder}/d")
        self.door.start()

    def _receive(self, route: Route, body: bytes) -> None:
        if body == b"hold":
            self.routes.put(route)
        else:
            self.door.send(route, b"x" * (1 << 20))


@pytest.fixture
def generous(tmp_path: Path) -> Iterator[Generous]:
    found = Generous(tmp_path)
    yield found
    found.door.stop()


def test_a_peer_that_reads_nothing_is_hung_up_on_and_one_that_reads_is_not(
    generous: Generous, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "UNREAD_MAX_BYTES", 8 << 20)
    code = (
        "import sys; from questd.runtime.nng import Caller\n"
        "Caller(sys.argv[1], frame_max=2 << 20).request(b'hold', 60)"
    )
    honest = Caller(generous.url, frame_max=2 << 20)
    with subprocess.Popen([sys.executable, "-c", code, generous.url], stderr=-3) as frozen:
        try:
            route = generous.routes.get(timeout=30)
            frozen.send_signal(signal.SIGSTOP)
            for _ in range(20):
                generous.door.send(route, b"x" * (1 << 20))
            until("it is hung up on", lambda: generous.door.unread)
            for _ in range(40):  # a hang-up would be Unreachable
                assert len(honest.request(b"now", 10)) == 1 << 20
        finally:
            frozen.kill()  # else a test that fails would wait for it for ever
    honest.close()


def test_a_connection_without_a_word_is_closed_and_one_that_speaks_stays(
    generous: Generous,
) -> None:
    silent, speaking = (Caller(generous.url, frame_max=2 << 20) for _ in range(2))
    lost: SimpleQueue[str] = SimpleQueue()

    def wait() -> None:
        try:
            silent.request(b"hold", 30)
        except Unreachable as error:
            lost.put(str(error))

    thread = threading.Thread(target=wait)
    thread.start()
    generous.routes.get(timeout=10)
    while lost.empty():
        assert speaking.request(b"now", 10)
    assert "link broke" in lost.get()
    thread.join()
    assert generous.door.silent == 1
    silent.close()
    speaking.close()


def test_a_door_looks_often_enough() -> None:
    assert door.LOOK_EVERY_S < peers.STANDSTILL_S
