"""Peers that send as fast as they can, or read as slowly: they are hung up on or answered, the others go on, and memory is bounded."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from itertools import count

import pytest

from questd.messages import control as ctl
from questd.messages import events as ev
from questd.messages.control import decode_reply, encode_control
from questd.messages.definition import encode_definition
from questd.messages.exchange import (
    PROTOCOL_VERSION,
    Completed,
    DaemonFrame,
    Denied,
    Exchange,
    Hello,
    Progress,
    Resync,
    Welcome,
    decode_daemon_frame,
    encode_frame,
)
from questd.messages.heads import ListFilter
from questd.messages.payload import BlobRef
from tests.network.ground import SCALE, TOKEN, Ground, most_resident_bytes
from tests.network.raw import Wire
from tests.system.liar import TOOL
from tests.system.place import chain, until
from tests.system.rules import check

MEGABYTE = 1 << 20
FLOOD_S = 1.5 * SCALE
FLOODERS = 2
NUMBERS = count()
Flood = Callable[[Ground, Counter[str], Callable[[], bool]], None]


def greeting(token: str | None = TOKEN) -> Hello:
    return Hello(
        PROTOCOL_VERSION, "flooder", f"{next(NUMBERS):032d}", token, tools=(TOOL,), capacity=10
    )


def asked(wire: Wire, frame: Hello | Exchange) -> DaemonFrame:
    return decode_daemon_frame(wire.ask(encode_frame(frame)))


def without_waiting(ground: Ground, counts: Counter[str], goes_on: Callable[[], bool]) -> None:
    """An agent that asks on and on and never looks at an answer."""
    hello = greeting()
    with Wire(ground.far) as wire:
        welcome = asked(wire, hello)
        assert isinstance(welcome, Welcome)
        for counter in count(1):
            frame = Exchange(hello.incarnation, welcome.boot, counter)
            wire.socket.sendall(wire.framed(encode_frame(frame)) * 20)
            counts["sent"] += 20
            if not goes_on():
                return


def largest(ground: Ground, counts: Counter[str], goes_on: Callable[[], bool]) -> None:
    """An agent that waits for its answers, and fills its frames with lies."""
    hello = greeting()
    with Wire(ground.far) as wire:
        welcome = asked(wire, hello)
        assert isinstance(welcome, Welcome)
        lies = tuple(Completed(f"q_{n:018d}", n, b'"lie"') for n in range(5_000))
        said = tuple(Progress(f"q_{n:018d}", n, 0.5, "x" * 100) for n in range(5_000))
        for counter in count(1):
            frame = Exchange(hello.incarnation, welcome.boot, counter, outcomes=lies, progress=said)
            wire.send(encode_frame(frame))
            counts["sent"] += 1
            if counter > 1:
                wire.receive()
            if not goes_on():
                return


def introductions(ground: Ground, counts: Counter[str], goes_on: Callable[[], bool]) -> None:
    """Somebody who is somebody else each time."""
    with Wire(ground.far) as wire:
        while goes_on():
            answer = asked(wire, greeting())
            counts["welcome" if isinstance(answer, Welcome) else "denied"] += 1
            assert isinstance(answer, Welcome | Denied), answer


def strangers(ground: Ground, counts: Counter[str], goes_on: Callable[[], bool]) -> None:
    """Four megabytes at a time, without the token."""
    junk = encode_frame(
        Exchange("0" * 32, "", 1, outcomes=(Completed("q", 1, b"x" * (4 * MEGABYTE - 100)),))
    )
    with Wire(ground.far) as wire:
        while goes_on():
            assert isinstance(decode_daemon_frame(wire.ask(junk)), Resync)
            counts["sent"] += 1


def questions(ground: Ground, counts: Counter[str], goes_on: Callable[[], bool]) -> None:
    """A client that asks for long lists and reads none of them."""
    body = encode_control(ctl.ListQuests(ListFilter(limit=1_000)))
    with Wire(ground.addresses["control"], receive_bytes=4_096) as wire:
        while goes_on():
            wire.send(body)
            counts["sent"] += 1


def submits(ground: Ground, counts: Counter[str], goes_on: Callable[[], bool]) -> None:
    """A client whose submits cannot be, as many as go."""
    body = encode_control(ctl.Submit(b"\xc1" * MEGABYTE))
    with Wire(ground.addresses["control"]) as wire:
        while goes_on():
            reply = decode_reply(wire.ask(body))
            assert isinstance(reply, ctl.Error), reply
            counts[reply.kind] += 1


FLOODS: tuple[Flood, ...] = (without_waiting, largest, introductions, strangers, questions, submits)


@contextmanager
def flooded(ground: Ground, flood: Flood) -> Generator[Counter[str]]:
    """While the block runs, and at least for ``FLOOD_S``; whoever is hung up on comes back."""
    counts: Counter[str] = Counter()
    over = threading.Event()
    failures: list[BaseException] = []

    def run() -> None:
        while not over.is_set():
            try:
                flood(ground, counts, lambda: not over.is_set())
            except OSError:
                counts["hung_up"] += 1
            except BaseException as error:  # noqa: BLE001 - it is raised below
                failures.append(error)
                return

    threads = [threading.Thread(target=run) for _ in range(FLOODERS)]
    for thread in threads:
        thread.start()
    began = time.monotonic()
    try:
        yield counts
        over.wait(max(0.0, began + FLOOD_S - time.monotonic()))
    finally:
        over.set()
        for thread in threads:
            thread.join(60)
    assert not failures, failures


def submitted(ground: Ground) -> str:
    """As our client does it: what is busy is asked again."""

    def asked() -> str | None:
        reply = ground.ask(ctl.Submit(encode_definition(chain(3))))
        if isinstance(reply, ctl.Submitted):
            return reply.quest
        assert isinstance(reply, ctl.Error), reply
        assert reply.kind == "busy", reply
        return None

    return until("it is submitted", asked)


@pytest.mark.parametrize("flood", FLOODS, ids=[flood.__name__ for flood in FLOODS])
def test_work_goes_on_while_somebody_floods(ground: Ground, flood: Flood) -> None:
    daemon = ground.begin(limits={"lease_s": 10.0})
    ground.far_agent(ground.far)
    ground.await_end([ground.submit(chain(1))])
    with flooded(ground, flood) as counts:
        quests = [submitted(ground) for _ in range(10)]
        heads = ground.await_end(quests)
        if flood in (without_waiting, questions):
            until("they are hung up on", lambda: counts["hung_up"] > 0)
    assert {head.status for head in heads.values()} == {"completed"}
    if flood not in (without_waiting, questions):
        assert not counts["hung_up"], counts
    assert most_resident_bytes(daemon) < 400 * MEGABYTE
    assert daemon.popen.poll() is None
    check(ground, quests)


def test_clients_that_read_nothing_of_their_large_answers_do_not_fill_memory(
    ground: Ground,
) -> None:
    daemon = ground.begin()
    ground.start_agent()
    quest = ground.submit(chain(1, "big", size=2_000_000))
    ground.await_end([quest])
    (result,) = (e.result for e in ground.events(quest) if isinstance(e, ev.AttemptCompleted))
    assert isinstance(result, BlobRef)
    body = encode_control(ctl.ReadBlobs((result.digest,)))
    wires = [Wire(ground.addresses["control"], receive_bytes=4_096) for _ in range(8)]
    for wire in wires:
        with contextlib.suppress(OSError):  # it may be hung up on before it has asked for all
            for _ in range(64):
                wire.send(body)
    ground.await_end([ground.submit(chain(2))])
    reply = ground.ask(ctl.ReadBlobs((result.digest,)))
    assert isinstance(reply, ctl.Blobs), reply
    assert most_resident_bytes(daemon) < 400 * MEGABYTE
    for wire in wires:
        wire.close()


def test_an_agent_behind_a_slow_link_gets_its_work_and_slows_nobody_down(ground: Ground) -> None:
    ground.begin(limits={"lease_s": 20.0})
    network = ground.network()
    ground.far_agent(network.url, AGENT="slow")
    ground.start_agent()
    network.rules("all", down={"rate": 100_000}, up={"rate": 100_000})
    text = "x" * 200_000
    large = ground.submit(chain(1, "measure", text=text))
    quests = [ground.submit(chain(3)) for _ in range(20)]
    ground.await_end([large, *quests])
    check(ground, [large, *quests])
