"""A small daemon that speaks the exchange over a real Door: everything but quests and disk.

It answers as the protocol says: numbered work repeated until acknowledged, a newer exchange releases an older one,
an unknown session is told to greet again. Tests look at what it heard.
"""

import itertools
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import msgspec

from questd.messages.exchange import (
    FRAME_MAX_BYTES,
    AgentFrame,
    AttemptId,
    Cancellation,
    Denied,
    Exchange,
    Goodbye,
    Hello,
    Invocation,
    Logged,
    Outcome,
    Progress,
    Resync,
    Welcome,
    Work,
    WorkItem,
    decode_agent_frame,
    encode_frame,
)
from questd.runtime.nng import Door, Route

QUEST = "q_test"


class Peer:
    """One agent's session."""

    def __init__(self, hello: Hello) -> None:
        self.hello = hello
        self.items: dict[int, WorkItem] = {}
        self.sent_in: dict[int, int] = {}
        self.number = 0
        self.acks: list[AttemptId] = []
        self.held: tuple[Route, int, float] | None = None
        self.pipe = -1


class FakeDaemon:
    """``url`` is where agents dial; ``hold_ms`` how long an idle exchange is held."""

    def __init__(
        self,
        url: str,
        *,
        boot: str = "boot-1",
        hold_ms: int = 400,
        token: str | None = None,
        frame_max: int = FRAME_MAX_BYTES,
    ) -> None:
        self.boot = boot
        self.hold_ms = hold_ms
        self.token = token
        self.frame_max = frame_max
        self.changed = threading.Condition()
        self.peers: dict[str, Peer] = {}
        self.hellos: list[Hello] = []
        self.exchanges: list[Exchange] = []
        self.keep_exchanges = True
        self.frames = 0
        self.goodbyes: list[Goodbye] = []
        self.outcomes: dict[AttemptId, Outcome] = {}
        self.started: list[AttemptId] = []
        self.beats: list[AttemptId] = []
        self.progress: list[Progress] = []
        self.logs: list[Logged] = []
        self.mute = False
        self.acknowledge = True
        self._epochs = itertools.count(1)
        self._stop = threading.Event()
        self.door = Door(self._receive, frame_max=FRAME_MAX_BYTES, name="fake")
        self.url = self.door.listen(url)
        self.door.start()
        self._ticker = threading.Thread(target=self._tick, daemon=True)
        self._ticker.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._stop.set()
        self.door.stop()
        self._ticker.join()

    def wait(self, ready: Callable[[], Any], timeout_s: float = 20.0) -> Any:
        """Wait until ``ready()`` is true; it is asked after every frame."""
        with self.changed:
            assert self.changed.wait_for(ready, timeout_s), f"not within {timeout_s} s"
            return ready()

    def agent(self, name: str | None = None) -> Peer:
        """Wait for an agent's session."""

        def find() -> Peer | None:
            return next((p for p in self.peers.values() if name in {None, p.hello.agent}), None)

        found = self.wait(find)
        assert isinstance(found, Peer)
        return found

    def invoke(self, tool: str, arguments: object = None, **fields: Any) -> AttemptId:
        """Send an invocation to the first agent."""
        return self.invoke_many(tool, [{} if arguments is None else arguments], **fields)[0]

    def invoke_many(self, tool: str, arguments: list[Any], **fields: Any) -> list[AttemptId]:
        peer = self.agent()
        attempts: list[AttemptId] = []
        with self.changed:
            for one in arguments:
                epoch = next(self._epochs)
                peer.number += 1
                peer.items[peer.number] = msgspec.structs.replace(
                    Invocation(peer.number, QUEST, epoch, "step", 1, tool, b"{}", "key"),
                    arguments=msgspec.json.encode(one),
                    **fields,
                )
                attempts.append((QUEST, epoch))
            self._answer(peer)
        return attempts

    def cancel(self, attempt: AttemptId, reason: str = "test") -> None:
        peer = self.agent()
        with self.changed:
            peer.number += 1
            peer.items[peer.number] = Cancellation(peer.number, *attempt, reason)
            self._answer(peer)

    def drain(self) -> None:
        peer = self.agent()
        with self.changed:
            assert peer.held is not None or self.changed.wait_for(lambda: peer.held, 10)
            assert peer.held is not None
            route, counter, _ = peer.held
            peer.held = None
            self._send(route, Work(counter, drain=True))

    def outcome(self, attempt: AttemptId, timeout_s: float = 20.0) -> Any:
        return self.wait(lambda: self.outcomes.get(attempt), timeout_s)

    def call(self, tool: str, arguments: object = None, **fields: Any) -> Any:
        return self.outcome(self.invoke(tool, arguments, **fields))

    def _receive(self, route: Route, body: bytes) -> None:
        frame = decode_agent_frame(body)
        with self.changed:
            self.frames += 1
            if not self.mute:
                self._hear(route, frame)
            self.changed.notify_all()

    def _hear(self, route: Route, frame: AgentFrame) -> None:
        match frame:
            case Hello():
                self._hello(route, frame)
            case Exchange():
                self._exchange(route, frame)
            case Goodbye():
                self.goodbyes.append(frame)
                self.peers.pop(frame.incarnation, None)
                self._send(route, Work(0))

    def _hello(self, route: Route, hello: Hello) -> None:
        self.hellos.append(hello)
        if self.token is not None and hello.token != self.token:
            self._send(route, Denied("auth", "wrong token"))
            return
        peer = self.peers[hello.incarnation] = Peer(hello)
        peer.pipe = route.pipe
        self._note_outcomes(peer, hello.outcomes)
        self._send(route, Welcome(1, self.boot, self.hold_ms, self.frame_max))

    def _exchange(self, route: Route, frame: Exchange) -> None:
        peer = self.peers.get(frame.incarnation)
        if peer is None or frame.boot != self.boot:
            self._send(route, Resync(self.boot))
            return
        if self.keep_exchanges:
            self.exchanges.append(frame)
        self._note_outcomes(peer, frame.outcomes)
        self.started += frame.started
        self.beats += frame.beats
        self.progress += frame.progress
        self.logs += frame.logs
        for number in [n for n in peer.items if n <= frame.ack]:
            del peer.items[number]
            peer.sent_in.pop(number, None)
        for number, counter in list(peer.sent_in.items()):
            if counter not in frame.open and counter < frame.counter:
                del peer.sent_in[number]
        if peer.held is not None:
            older, counter, _ = peer.held
            self._send(older, Work(counter))
        peer.held = (route, frame.counter, time.monotonic() + self.hold_ms / 1000)
        self._answer(peer)

    def _note_outcomes(self, peer: Peer, outcomes: tuple[Outcome, ...]) -> None:
        for outcome in outcomes:
            self.outcomes.setdefault((outcome.quest, outcome.epoch), outcome)
            if self.acknowledge:
                peer.acks.append((outcome.quest, outcome.epoch))

    def _answer(self, peer: Peer) -> None:
        unsent = [n for n in peer.items if n not in peer.sent_in]
        if peer.held is None or not (unsent or peer.acks):
            return
        route, counter, _ = peer.held
        peer.held = None
        for number in unsent:
            peer.sent_in[number] = counter
        acks, peer.acks = tuple(peer.acks), []
        self._send(route, Work(counter, tuple(peer.items[n] for n in unsent), acks))

    def _send(self, route: Route, frame: Any) -> None:
        self.door.send(route, encode_frame(frame))

    def _tick(self) -> None:
        while not self._stop.wait(0.02):
            with self.changed:
                for peer in self.peers.values():
                    if not self.mute and peer.held and peer.held[2] < time.monotonic():
                        self._send(peer.held[0], Work(peer.held[1]))
                        peer.held = None
                self.changed.notify_all()


def ipc(folder: Path) -> str:
    """An address in a folder of the test's own."""
    return f"ipc://{folder}/d"
