"""The protocol as docs/protocol.md says it, by hand: pynng's REQ, msgpack lists and maps, and nothing of questd.

What is written here is what an agent or a client in another language would write.
"""

import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import msgspec
import pynng

TIMEOUT_MS = 20_000

encode = msgspec.msgpack.encode
decode: Any = msgspec.msgpack.decode


class DaemonProcess:
    """A daemon on ``data``. ``addresses``: control, exchange, history and, with a token, exchange_tcp_0."""

    def __init__(self, data: Path, *token: str) -> None:
        command = [sys.executable, "-m", "tests.protocol.daemon_process", str(data), *token]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the daemon did not start"
        self.addresses: dict[str, str] = json.loads(line)

    def kill(self) -> None:
        """As a crash does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """In order. Stopping twice is fine."""
        self._end(signal.SIGTERM)

    def _end(self, number: int) -> None:
        if self._process.poll() is None:
            os.kill(self._process.pid, number)
        self._process.wait(30)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()


@contextmanager
def running(data: Path, *token: str) -> Generator[DaemonProcess]:
    """A daemon, stopped at the end."""
    daemon = DaemonProcess(data, *token)
    try:
        yield daemon
    finally:
        daemon.stop()


class Dialer:
    """A REQ socket. Each open request has a context of its own, so answers may come in any order."""

    def __init__(self, url: str) -> None:
        self._socket = pynng.Req0(
            recv_timeout=TIMEOUT_MS,
            send_timeout=TIMEOUT_MS,
            resend_time=-1,
            recv_max_size=4 * 1024 * 1024 + 64,
        )
        self._socket.dial(url, block=False)

    def ask_bytes(self, body: bytes) -> Any:
        """One request, one reply."""
        return self.open_bytes(body).answer()

    def open_bytes(self, body: bytes) -> "Pending":
        """A request whose answer is fetched later."""
        context = self._socket.new_context()
        context.send(body)
        return Pending(context)

    def ask(self, message: Any) -> Any:
        """One request, one reply."""
        return self.ask_bytes(encode(message))

    def open(self, message: Any) -> "Pending":
        """A request whose answer is fetched later."""
        return self.open_bytes(encode(message))

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Pending:
    """A request that was sent."""

    def __init__(self, context: Any) -> None:
        self._context = context

    def answer(self) -> Any:
        """Wait for the reply."""
        reply = decode(self._context.recv())
        self._context.close()
        return reply


_numbers = itertools.count(1)
TOOL = ["work", [["input", False]]]


def new_incarnation() -> str:
    """The name of one agent process, which no other ever has."""
    return f"byhand{os.getpid()}x{next(_numbers)}"


def hello(**changed: Any) -> list[Any]:
    """The first frame; ``changed`` by the names of its fields."""
    fields: dict[str, Any] = {
        "protocol": 1,
        "agent": "raw",
        "incarnation": new_incarnation(),
        "token": None,
        "tools": [TOOL],
        "capabilities": [],
        "labels": {},
        "capacity": 1,
        "prefetch": 0,
        "frame_max": 4 * 1024 * 1024,
        "held": [],
        "outcomes": [],
        "host": "",
        "pid": 0,
        "sdk": "by hand",
        "started_by": None,
        "draining": False,
        "counter": 1,
    }
    return ["hello", *{**fields, **changed}.values()]


class RawAgent:
    """An agent that keeps to the protocol one frame at a time."""

    def __init__(self, url: str, **changed: Any) -> None:
        self.link = Dialer(url)
        greeting = hello(**changed)
        self.incarnation, self.counter = greeting[3], greeting[-1]
        self.ack = 0
        self.welcome = self.link.ask(greeting)
        self.boot = self.welcome[2] if self.welcome[0] == "welcome" else ""

    def exchange(
        self, *, ack: int | None = None, still_open: tuple[int, ...] = (), **news: Any
    ) -> list[Any]:
        """The next exchange; ``news``: outcomes, started, beats, progress, logs."""
        self.counter += 1
        told = ("outcomes", "started", "beats", "progress", "logs")
        return [
            "exchange",
            self.incarnation,
            self.boot,
            self.counter,
            self.ack if ack is None else ack,
            still_open,
            *(news.get(name, ()) for name in told),
        ]

    def poll(self, **news: Any) -> list[Any]:
        """One exchange and its answer; remembers what is to be acknowledged."""
        work: list[Any] = self.link.ask(self.exchange(**news))
        assert work[:2] == ["work", self.counter], work
        for item in work[2]:
            self.ack = max(self.ack, item[1])
        return work

    def next_item(self) -> list[Any]:
        """The next work item; idle answers are passed over."""
        while not (items := self.poll()[2]):
            continue
        (item,) = items
        return list(item)

    def finish(self, outcome: list[Any]) -> None:
        """Say an outcome until it is acknowledged."""
        attempt = [outcome[1], outcome[2]]
        work = self.poll(outcomes=[outcome])
        while attempt not in work[3]:
            work = self.poll()

    def close(self) -> None:
        """Vanish."""
        self.link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def definition(*steps: dict[str, Any], name: str = "raw", **fields: Any) -> bytes:
    """A definition of steps, each a map of ``key`` and the rest."""
    return encode({"name": name, "steps": steps, **fields})


ONE_STEP = definition({"key": "a", "agent": "raw"})


class Control(Dialer):
    """A client of the control door."""

    def submit(self, body: bytes = ONE_STEP, **fields: Any) -> str:
        """The new quest's id."""
        reply = self.ask({"type": "submit", "definition": body, **fields})
        assert reply["type"] == "submitted", reply
        return str(reply["quest"])

    def events(self, quest: str, *, until: str) -> list[tuple[str, list[Any]]]:
        """Every event as (kind, fields), once the one of kind ``until`` is there."""
        found: list[tuple[str, list[Any]]] = []
        after = 0
        while until not in [kind for kind, _ in found]:
            reply = self.ask({"type": "read", "quest": quest, "after": after, "wait_ms": 10_000})
            assert reply["type"] == "records", reply
            found += [(record[4], decode(record[6])[1:]) for record in reply["records"]]
            after = reply["records"][-1][2] if reply["records"] else after
        return found
