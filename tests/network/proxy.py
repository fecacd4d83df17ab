"""A bad network as a process of its own: ``python -m tests.network.proxy HOST PORT SEED`` stands between agents and a daemon's TCP door.

It prints its port, then takes commands, one JSON object a line, each answered by a line of counts. What a link does is its
``Rules``, one set a direction (``up``: to the daemon):

- {"do": "rules", "links": "standing" | "coming" | "all", "share": 0.5, "up": {…}, "down": {…}}: replaces those that are given.
- {"do": "cut", "share": 1.0}: standing links end at once, as by a reset.
- {"do": "counts"}

Frames on TCP are those of the SP protocols: eight bytes of greeting each way, then a length of eight bytes and the message, again
and again. So whole messages are held, lost, repeated and swapped, and what arrives is always well-formed. TLS is passed as bytes
(SEED "bytes").
"""

import asyncio
import contextlib
import heapq
import itertools
import json
import random
import socket
import sys
from collections import Counter, deque
from typing import Any

from msgspec import Struct, convert

GREETING_BYTES = 8
CHUNK_BYTES = 4_096
REMEMBERED = 500
CLOSED = b""


class Rules(Struct, frozen=True):
    """``hold``: nothing passes, and comes later. ``swallow``: nothing passes, not even the end of the connection: a half-open link.

    ``rate``: bytes a second that are taken from the sender. ``delay_ms``: each frame by its own time; with ``swap`` they overtake
    each other. ``lose``, ``repeat``, ``replay``: chances that a frame is lost, comes twice, or is followed by an old one of any link.
    """

    hold: bool = False
    swallow: bool = False
    rate: int | None = None
    delay_ms: tuple[float, float] = (0.0, 0.0)
    swap: bool = False
    lose: float = 0.0
    repeat: float = 0.0
    replay: float = 0.0


class Way:
    """One direction of one link: frames go in as they are read, and out when it is their time."""

    def __init__(self, network: "Network", name: str, rules: Rules) -> None:
        self.network = network
        self.name = name
        self.rules = rules
        self._due: list[tuple[float, int, bytes]] = []
        self._latest = 0.0
        self._changed = asyncio.Event()

    def change(self, rules: Rules) -> None:
        self.rules = rules
        self._changed.set()

    async def read(self, reader: asyncio.StreamReader) -> None:
        """Until the connection ends, and that it did."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            if self.network.framed:
                self._put(await reader.readexactly(GREETING_BYTES), 0.0)
                while True:
                    self._arrived(await self._frame(reader))
            while piece := await reader.read(CHUNK_BYTES):
                self._put(piece, 0.0)
        self._put(CLOSED, self._latest)

    async def _frame(self, reader: asyncio.StreamReader) -> bytes:
        head = await reader.readexactly(8)
        left = int.from_bytes(head, "big")
        pieces = [head]
        while left:
            piece = await reader.readexactly(min(left, CHUNK_BYTES) if self.rules.rate else left)
            pieces.append(piece)
            left -= len(piece)
            if self.rules.rate:
                await asyncio.sleep(len(piece) / self.rules.rate)
        return b"".join(pieces)

    def _arrived(self, frame: bytes) -> None:
        counts, chance, rules = self.network.counts, self.network.chance, self.rules
        counts[self.name] += 1
        if chance.random() < rules.lose:
            counts["lost"] += 1
            return
        self._put(frame, self._when())
        old = self.network.past[self.name]
        if chance.random() < rules.repeat:
            counts["repeated"] += 1
            self._put(frame, self._when())
        if old and chance.random() < rules.replay:
            counts["replayed"] += 1
            self._put(chance.choice(old), self._when())
        old.append(frame)

    def _when(self) -> float:
        low, high = self.rules.delay_ms
        when = asyncio.get_running_loop().time() + self.network.chance.uniform(low, high) / 1_000
        if not self.rules.swap:
            when = max(when, self._latest)
        self._latest = max(when, self._latest)
        return when

    def _put(self, frame: bytes, when: float) -> None:
        heapq.heappush(self._due, (when, next(self.network.numbers), frame))
        self._changed.set()

    async def write(self, writer: asyncio.StreamWriter) -> None:
        """Until the end has been passed on."""
        clock = asyncio.get_running_loop().time
        with contextlib.suppress(OSError):
            while True:
                self._changed.clear()
                if self.rules.hold or not self._due or self._due[0][0] > clock():
                    await self._wait(clock)
                    continue
                _, _, frame = heapq.heappop(self._due)
                if self.rules.swallow:
                    self.network.counts["swallowed"] += 1
                elif frame is CLOSED:
                    return
                else:
                    writer.write(frame)
                    await writer.drain()

    async def _wait(self, clock: Any) -> None:
        wait_s = None if self.rules.hold or not self._due else self._due[0][0] - clock()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), wait_s)


class Link:
    """An agent's connection, and the one to the daemon that belongs to it."""

    def __init__(self, network: "Network", number: int) -> None:
        self.number = number
        self.up = Way(network, "up", network.coming["up"])
        self.down = Way(network, "down", network.coming["down"])
        self._writers: list[asyncio.StreamWriter] = []

    async def run(self, near: Any, far: Any) -> None:
        """Both directions, until either has passed the end on, or the peer of a swallowed one is known to be gone."""
        self._writers = [near[1], far[1]]
        ways = [
            asyncio.create_task(each)
            for each in (
                self.up.write(far[1]),
                self.down.write(near[1]),
                self.up.read(near[0]),
                self.down.read(far[0]),
            )
        ]
        try:
            await asyncio.wait(ways[:2], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            for writer in self._writers:
                writer.close()

    def cut(self) -> None:
        """As a reset does."""
        for writer in self._writers:
            writer.transport.abort()


class Network:
    """Everything between the agents and one daemon."""

    def __init__(self, host: str, port: int, seed: str) -> None:
        self.framed = seed != "bytes"
        self.chance = random.Random(seed)
        self.counts: Counter[str] = Counter()
        self.past: dict[str, deque[bytes]] = {
            way: deque(maxlen=REMEMBERED) for way in ("up", "down")
        }
        self.numbers = itertools.count()
        self.coming = {"up": Rules(), "down": Rules()}
        self._to = (host, port)
        self._links: dict[int, Link] = {}

    async def serve(self) -> None:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, backlog=2_000)
        say({"port": server.sockets[0].getsockname()[1]})
        commands = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(commands), sys.stdin
        )
        while line := await commands.readline():
            self._obey(json.loads(line))
            say({**self.counts, "links": len(self._links)})

    async def _connected(self, *near: Any) -> None:
        number = next(self.numbers)
        link = Link(self, number)
        try:
            far = await asyncio.open_connection(*self._to)
        except OSError:
            near[1].transport.abort()
            return
        for _, writer in (near, far):
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._links[number] = link
        self.counts["connected"] += 1
        try:
            await link.run(near, far)
        finally:
            del self._links[number]

    def _obey(self, command: dict[str, Any]) -> None:
        match command["do"]:
            case "rules":
                self._rule(command)
            case "cut":
                for link in self._chosen(command):
                    link.cut()
                    self.counts["cut"] += 1
            case _:
                pass

    def _chosen(self, command: dict[str, Any]) -> list[Link]:
        links = list(self._links.values())
        return self.chance.sample(links, round(len(links) * command.get("share", 1.0)))

    def _rule(self, command: dict[str, Any]) -> None:
        which = command.get("links", "all")
        chosen = [] if which == "coming" else self._chosen(command)
        for name in ("up", "down"):
            if name in command:
                rules = convert(command[name], Rules)
                if which != "standing":
                    self.coming[name] = rules
                for link in chosen:
                    getattr(link, name).change(rules)


def say(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(Network(sys.argv[1], int(sys.argv[2]), sys.argv[3]).serve())
