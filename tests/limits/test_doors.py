"""Real sockets: connections, bytes and requests that nobody has answered; whoever has too many is told or hung up on, others go on."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

import pytest

from questd.actors.control.actor import WAIT_MAX_MS
from questd.daemon import doors
from questd.daemon.gatekeeper import Gatekeeper
from questd.messages import control as ctl
from questd.messages.control import decode_reply, encode_control
from questd.messages.exchange import FRAME_MAX_BYTES, Denied, decode_daemon_frame
from questd.runtime import descriptors
from questd.runtime.errors import Unreachable
from questd.runtime.nng import Caller, Door, Route, door
from tests.limits.standing import Standing
from tests.network.raw import Wire
from tests.system.place import Place, chain, until

FRAME_MAX = 64 * 1024


class Holding:
    """A door that answers what begins with "now", and keeps everything else."""

    def __init__(self, folder: Path, credit: int, connections: int) -> None:
        self.held: SimpleQueue[Route] = SimpleQueue()
        self.callers: list[Caller] = []
        self.door = Door(
            self._receive,
            frame_max=FRAME_MAX,
            name="d",
            credit=credit,
            connections=connections,
            busy=b"busy",
        )
        self.url = self.door.listen(f"ipc://{folder}/d")
        self.door.start()

    def _receive(self, route: Route, body: bytes) -> None:
        if body.startswith(b"now"):
            self.door.send(route, b"done")
        else:
            self.held.put(route)

    def caller(self) -> Caller:
        self.callers.append(Caller(self.url, frame_max=FRAME_MAX))
        return self.callers[-1]

    def keep(self, caller: Caller, body: bytes) -> Route:
        """A request that is not answered until the test does."""

        def ask() -> None:
            try:
                caller.request(body, 20)
            except Unreachable:
                return

        threading.Thread(target=ask, daemon=True).start()
        return self.held.get(timeout=10)

    def close(self) -> None:
        for caller in self.callers:
            caller.close()
        self.door.stop()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def opened(folder: Path, credit: int = 100, connections: int = 100) -> Iterator[Holding]:
    holding = Holding(folder, credit, connections)
    try:
        yield holding
    finally:
        holding.close()


@pytest.fixture
def three(folder: Path) -> Iterator[Holding]:
    yield from opened(folder, connections=3)


@pytest.fixture
def credit(folder: Path) -> Iterator[Holding]:
    yield from opened(folder, credit=4)


@pytest.fixture
def plain(folder: Path) -> Iterator[Holding]:
    yield from opened(folder)


def test_one_connection_too_many_is_hung_up_on_until_another_goes(three: Holding) -> None:
    first = [three.caller() for _ in range(3)]
    for caller in first:
        assert caller.request(b"now", 10) == b"done"
    late = three.caller()
    with pytest.raises(Unreachable):
        late.request(b"now", 0.3)
    assert three.door.turned_away
    assert [caller.request(b"now", 10) for caller in first] == [b"done"] * 3
    first[0].close()
    assert late.request(b"now", 10) == b"done"


def test_a_daemon_takes_as_many_connections_as_its_settings_say(tmp_path: Path) -> None:
    place = Place(tmp_path)
    ping = encode_control(ctl.Ping())
    callers: list[Caller] = []
    try:
        place.start_daemon(limits={"connections": 16})
        url = place.addresses["control"]
        callers += [Caller(url, frame_max=FRAME_MAX) for _ in range(17)]
        refused = 0
        for caller in callers:
            try:
                caller.request(ping, 1)
            except Unreachable:
                refused += 1
        assert 1 <= refused <= 2  # the place itself may have a connection
    finally:
        for caller in callers:
            caller.close()
        place.close()


def test_what_sockets_hold_at_most_is_said() -> None:
    def gib(connections: int) -> str:
        return f"{door.held_at_most(connections, FRAME_MAX_BYTES) / 2**30:.1f} GiB"

    text = (Path(__file__).parents[2] / "docs" / "limits.md").read_text()
    assert f"{gib(door.CONNECTIONS_MAX)} with 4,096 connections, {gib(200)} with 200" in text


def test_bytes_that_wait_for_answers_are_bounded_over_all_connections(
    plain: Holding, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "UNANSWERED_MAX_BYTES", 30_000)
    one, other = plain.caller(), plain.caller()
    routes = [plain.keep(one, b"x" * 10_000), plain.keep(other, b"x" * 20_000)]
    assert one.request(b"now", 10) == b"busy"
    assert other.request(b"y", 10) == b"busy"
    assert plain.door.overflowed == 2
    plain.door.send(routes[0], b"at last")
    assert one.request(b"now", 10) == b"done"
    assert one.request(b"now" + b"x" * 9_998, 10) == b"busy"
    assert one.request(b"now" + b"x" * 9_997, 10) == b"done"


def test_who_hangs_up_gives_its_bytes_back(plain: Holding, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "UNANSWERED_MAX_BYTES", 30_000)
    one, other = plain.caller(), plain.caller()
    route = plain.keep(one, b"x" * 30_000)
    assert other.request(b"now", 10) == b"busy"
    one.close()
    until("there is room", lambda: other.request(b"now", 10) == b"done")
    plain.door.send(route, b"too late")
    assert other.request(b"now" + b"x" * 29_997, 10) == b"done"


def test_one_unanswered_request_too_many_is_hung_up_on(credit: Holding) -> None:
    one, other = credit.caller(), credit.caller()
    for _ in range(4):
        credit.keep(one, b"hold")
    with pytest.raises(Unreachable):
        one.request(b"now", 5)
    assert credit.door.hung_up == 1
    assert other.request(b"now", 10) == b"done"
    assert one.request(b"now", 10) == b"done"


def test_every_door_says_busy_in_its_own_language(tmp_path: Path) -> None:
    house = Standing().house
    control, exchange = doors.open_control(house), doors.open_exchange(house, token=None, name="e")
    try:
        said = vars(control)["_busy"]
        reply = decode_reply(said)
        assert isinstance(reply, ctl.Error)
        assert (reply.kind, reply.retry_after_ms) == ("busy", 500)
        assert "UNANSWERED_MAX_BYTES" in reply.message
        denied = decode_daemon_frame(vars(exchange)["_busy"])
        assert isinstance(denied, Denied)
        assert (denied.kind, denied.fatal) == ("busy", False)
    finally:
        control.stop()
        exchange.stop()


def test_a_client_of_another_host_that_says_nothing_is_hung_up_on_and_one_here_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No question waits for so long: who is silent is gone, or is nobody."""
    assert doors.CLIENT_SILENCE_MAX_S * 1_000 >= 2 * WAIT_MAX_MS
    monkeypatch.setattr(doors, "CLIENT_SILENCE_MAX_S", 0.5)
    house = Standing().house
    keeper = Gatekeeper({"viewer": "token"}, "far", lambda *_, **__: None)
    far, here = doors.open_control(house, gatekeeper=keeper), doors.open_control(house)
    try:
        urls = far.listen("tcp://127.0.0.1:0"), here.listen(f"ipc://{tmp_path}/c")
        far.start()
        here.start()
        with Wire(urls[0]) as remote, Wire(urls[1]) as local:
            assert isinstance(decode_reply(remote.ask(b"\xc0")), ctl.Error)
            assert isinstance(decode_reply(local.ask(b"\xc0")), ctl.Error)
            with pytest.raises(ConnectionResetError):
                remote.receive()
            assert (far.silent, here.silent) == (1, 0)
            assert isinstance(decode_reply(local.ask(b"\xc0")), ctl.Error)
    finally:
        far.stop()
        here.stop()


def test_a_process_gets_the_descriptors_that_it_may_have() -> None:
    program = (
        "import resource\n"
        "from questd.runtime import descriptors\n"
        "_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (200, 900))\n"
        "print(descriptors.raise_limit(), resource.getrlimit(resource.RLIMIT_NOFILE))\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert said == "900 (900, 900)\n"
    kept = descriptors.DESCRIPTORS_KEPT
    assert descriptors.share(900, 2) == (900 - kept) // 2
    assert descriptors.share(10, 2) == descriptors.CONNECTIONS_MIN


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    found = Place(tmp_path)
    try:
        yield found
    finally:
        found.close()


def is_answered(caller: Caller) -> bool:
    try:
        reply = decode_reply(caller.request(encode_control(ctl.Ping()), 1.0))
    except Unreachable:
        return False
    return isinstance(reply, ctl.DaemonInfo)


def test_more_connections_than_descriptors_leave_a_daemon_that_works(place: Place) -> None:
    """Without a bound the journal found no descriptor, and the daemon ended."""
    daemon = place.start_daemon(descriptors=250)
    place.start_agent()
    before = place.submit(chain(2))
    place.await_end([before])
    crowd = [place.caller(place.addresses["control"]) for _ in range(300)]
    with ThreadPoolExecutor(60) as pool:  # who is let in is for the system to say
        let_in = sum(pool.map(is_answered, crowd))
    assert 0 < let_in < len(crowd)
    quest = place.submit(chain(3))
    assert place.await_end([quest])[quest].status == "completed"
    assert daemon.popen.poll() is None
