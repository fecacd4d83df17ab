"""Isolated tools, seen from the agent: a child process that can be ended, with everything it started.

The child (``python -m questd.agent.child``) leads its own process group. It reads one ``Order`` from its standard
input, which stays open as its lifeline (when the agent dies, the child ends its group), and writes length-prefixed
messages to a pipe of its own, so that a tool may print what it likes. Nothing is forked: a fork with open sockets
would abort.
"""

import os
import select
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from time import monotonic, sleep
from typing import Any

import msgspec

from questd.agent.context import Report
from questd.agent.tools import Refusal, Tool
from questd.messages.events import LogLine
from questd.messages.exchange import Invocation
from questd.messages.failure import EXCEPTION, Failure

TERM_GRACE_S = 5.0
EXIT_GRACE_S = 1.0
POLL_S = 0.2
LENGTH = struct.Struct(">I")


class Order(msgspec.Struct, frozen=True, array_like=True):
    """What the child is to call. ``main``: the path of the agent's script, where the function was defined there."""

    module: str
    function: str
    main: str | None
    path: tuple[str, ...]
    tool: str
    invocation: Invocation


class ChildProgress(msgspec.Struct, frozen=True, array_like=True, tag="progress"):
    """What ctx.progress said."""

    fraction: float | None
    text: str


class ChildLines(msgspec.Struct, frozen=True, array_like=True, tag="lines"):
    """What ctx.log said."""

    lines: tuple[LogLine, ...]


class ChildBeat(msgspec.Struct, frozen=True, array_like=True, tag="beat"):
    """What ctx.heartbeat said."""


class ChildReturned(msgspec.Struct, frozen=True, array_like=True, tag="returned"):
    """The tool's result as JSON text, and what it reported."""

    result: bytes
    tokens: int = 0
    cost: float = 0.0
    model: str | None = None
    confidence: float | None = None


class ChildFailed(msgspec.Struct, frozen=True, array_like=True, tag="failed"):
    """The tool raised, and what it had reported by then."""

    failure: Failure
    tokens: int = 0
    cost: float = 0.0
    model: str | None = None


ChildMessage = ChildProgress | ChildLines | ChildBeat | ChildReturned | ChildFailed
_decoder: msgspec.msgpack.Decoder[ChildMessage] = msgspec.msgpack.Decoder(ChildMessage)


def order_for(tool: Tool, invocation: Invocation) -> Order:
    """Say how a fresh interpreter finds the function."""
    function: Any = tool.function
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    is_main = function.__module__ == "__main__"
    return Order(
        function.__module__,
        function.__qualname__,
        os.path.abspath(main) if is_main and main else None,  # noqa: PTH100 - kept as it is, links too
        tuple(sys.path),
        tool.name,
        invocation,
    )


class Child:
    """A running child process. ``end`` and ``kill`` may be called from any thread, any number of times."""

    def __init__(self, tool: Tool, invocation: Invocation) -> None:
        self._lock = threading.Lock()
        self._term_s: float | None = None
        self._reaped = False
        self._pipe, write_end = os.pipe()
        order = msgspec.msgpack.encode(order_for(tool, invocation))
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", "questd.agent.child", str(write_end)],
                stdin=subprocess.PIPE,
                pass_fds=(write_end,),
                start_new_session=True,
            )
        except BaseException:
            os.close(self._pipe)
            raise
        finally:
            os.close(write_end)
        self._send(order)

    def end(self) -> None:
        """Ask the whole group to end; five seconds later it is killed."""
        with self._lock:
            if self._term_s is None:
                self._term_s = monotonic()
                self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the whole group at once."""
        with self._lock:
            self._signal(signal.SIGKILL)

    def messages(self) -> Iterator[ChildMessage]:
        """Yield what it says until it closes its pipe or ends; then nothing of its group is left."""
        buffer = bytearray()
        try:
            while chunk := self._read():
                buffer += chunk
                yield from _split(buffer)
        finally:
            self._reap()

    @property
    def exit_code(self) -> int | None:
        """As subprocess says it: negative for a signal."""
        return self._process.returncode

    def _send(self, order: bytes) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        try:
            stdin.write(LENGTH.pack(len(order)) + order)
            stdin.flush()
        except BrokenPipeError:
            return

    def _read(self) -> bytes:
        while True:
            ready, _, _ = select.select([self._pipe], [], [], POLL_S)
            if ready:
                return os.read(self._pipe, 65536)
            if self._exited():
                return b""
            if self._term_s is not None and monotonic() > self._term_s + TERM_GRACE_S:
                self.kill()

    def _exited(self) -> bool:
        """Look without reaping: while the process is not reaped, its group's number is nobody else's.

        Where the system cannot look (macOS before 3.13), the end of the pipe tells.
        """
        if not hasattr(os, "waitid"):
            return False
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self._process.pid, flags) is not None

    def _reap(self) -> None:
        """Give it a moment to end by itself, then end what is left of its group, then reap it."""
        ends = monotonic() + EXIT_GRACE_S
        while not self._exited() and monotonic() < ends:
            sleep(0.005)
        with self._lock:
            self._signal(signal.SIGKILL)
            self._process.wait()
            self._reaped = True
        os.close(self._pipe)
        stdin = self._process.stdin
        if stdin is not None:
            stdin.close()

    def _signal(self, number: int) -> None:
        if self._reaped:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


def run_isolated(child: Child, report: Report) -> bytes:
    """Pass on what the child reports; the answer is its result. Refusal when it failed or died."""
    ending: ChildReturned | ChildFailed | None = None
    for message in child.messages():
        match message:
            case ChildProgress(fraction, text):
                report.set_progress(fraction, text)
            case ChildLines(lines):
                for line in lines:
                    report.add_line(line)
            case ChildBeat():
                report.beat()
            case ChildReturned() | ChildFailed():
                ending = message
    return _result(ending, report, child.exit_code)


def _result(
    ending: ChildReturned | ChildFailed | None, report: Report, exit_code: int | None
) -> bytes:
    if ending is None:
        how = f"signal {-exit_code}" if exit_code and exit_code < 0 else f"exit code {exit_code}"
        raise Refusal(Failure(EXCEPTION, f"the tool's process ended by {how} before it returned"))
    report.tokens, report.cost, report.model = ending.tokens, ending.cost, ending.model
    if isinstance(ending, ChildFailed):
        raise Refusal(ending.failure)
    report.confidence = ending.confidence
    return ending.result


def _split(buffer: bytearray) -> Iterator[ChildMessage]:
    while len(buffer) >= LENGTH.size:
        (size,) = LENGTH.unpack_from(buffer)
        end = LENGTH.size + size
        if len(buffer) < end:
            return
        yield _decoder.decode(bytes(memoryview(buffer)[LENGTH.size : end]))
        del buffer[:end]
