"""Hundreds of light agents in one process: ``python -m tests.network.crowd URL TOKEN COUNT``, each of capacity 1 on a TCP link of its own.

They keep to docs/protocol.md: every outcome is said until it is acknowledged, also over links that break and in every Hello. A link
that is silent for ``SILENCE_HOLDS`` holds is dialled anew. Prints one line when all have been welcome. Every call is one line in
$LEDGER, as the worker writes it.
"""

import asyncio
import contextlib
import itertools
import json
import os
import struct
import sys
import time
from typing import Any

from questd.messages.exchange import (
    PROTOCOL_VERSION,
    AgentFrame,
    AttemptId,
    Completed,
    DaemonFrame,
    Exchange,
    Hello,
    Invocation,
    Parameter,
    Resync,
    ToolSpec,
    Welcome,
    Work,
    decode_daemon_frame,
    encode_frame,
)
from tests.network.raw import GREETING

TOOL = ToolSpec("work", (Parameter("value", required=False),))
SILENCE_HOLDS = 2
LEDGER = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


class Member:
    """One instance. It works while it has a link, and remembers what nobody has acknowledged while it has none."""

    def __init__(self, number: int, host: str, port: int, token: str) -> None:
        self.incarnation = f"{os.getpid():016d}{number:016d}"
        self.welcome = asyncio.Event()
        self._to = (host, port)
        self._token = token
        self._counter = 0
        self._ack = 0
        self._boot = ""
        self._hold_s = 5.0
        self._outcomes: dict[AttemptId, Completed] = {}
        self._requests = itertools.count(1)

    async def live(self) -> None:
        while True:
            with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                reader, writer = await asyncio.open_connection(*self._to)
                try:
                    await self._talk(reader, writer)
                finally:
                    writer.transport.abort()
            await asyncio.sleep(0.2)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GREETING)
        async with asyncio.timeout(SILENCE_HOLDS * self._hold_s):
            await reader.readexactly(len(GREETING))
        await self._greet(reader, writer)
        while True:
            outcomes = tuple(self._outcomes.values())
            frame = Exchange(
                self.incarnation, self._boot, self._next(), self._ack, outcomes=outcomes
            )
            answer = await self._ask(reader, writer, frame)
            if isinstance(answer, Work):
                self._work(answer)
            elif isinstance(answer, Resync):
                await self._greet(reader, writer)

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """An answer that is no welcome means: with a higher counter."""
        while True:
            hello = Hello(
                PROTOCOL_VERSION,
                "crowd",
                self.incarnation,
                self._token,
                tools=(TOOL,),
                prefetch=0,
                outcomes=tuple(self._outcomes.values()),
                counter=self._next(),
            )
            answer = await self._ask(reader, writer, hello)
            if isinstance(answer, Welcome):
                self._boot, self._ack, self._hold_s = answer.boot, 0, answer.hold_ms / 1_000
                self.welcome.set()
                return

    def _next(self) -> int:
        self._counter += 1
        return self._counter

    async def _ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, frame: AgentFrame
    ) -> DaemonFrame:
        """The answer to this request; late ones to others are passed over."""
        head = struct.pack(">I", 0x80000000 | next(self._requests))
        body = head + encode_frame(frame)
        writer.write(struct.pack(">Q", len(body)) + body)
        async with asyncio.timeout(SILENCE_HOLDS * self._hold_s):
            while True:
                (size,) = struct.unpack(">Q", await reader.readexactly(8))
                answer = await reader.readexactly(size)
                if answer[:4] == head:
                    return decode_daemon_frame(answer[4:])

    def _work(self, work: Work) -> None:
        for attempt in work.acks:
            self._outcomes.pop(attempt, None)
        for item in work.items:
            if item.number == self._ack + 1:
                self._ack = item.number
                if isinstance(item, Invocation):
                    self._do(item)

    def _do(self, item: Invocation) -> None:
        line: dict[str, Any] = {
            "quest": item.quest,
            "task": item.task,
            "attempt": item.attempt,
            "key": item.idempotency_key,
            "pid": self.incarnation,
            "at_us": time.time_ns() // 1_000,
        }
        os.write(LEDGER, json.dumps(line).encode() + b"\n")
        self._outcomes[item.quest, item.epoch] = Completed(item.quest, item.epoch, item.arguments)


async def main(url: str, token: str, count: int) -> None:
    host, port = url.rpartition("//")[2].split(":")
    members = [Member(number, host, int(port), token) for number in range(count)]
    tasks = [asyncio.create_task(member.live()) for member in members]
    for member in members:
        await member.welcome.wait()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(commands), sys.stdin
    )
    await commands.read()
    for task in tasks:
        task.cancel()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
