"""An isolated tool's process: finds one function, calls it once, writes what it says and returns to the agent's pipe.

Ends its whole process group when the agent is gone (standard input closes). Its standard input is replaced, so a
tool that reads it finds nothing.
"""

import asyncio
import importlib
import os
import runpy
import signal
import sys
import threading
from typing import Any

import msgspec

from questd.agent import place
from questd.agent.context import Context, Report
from questd.agent.isolated import (
    LENGTH,
    ChildBeat,
    ChildFailed,
    ChildLines,
    ChildMessage,
    ChildProgress,
    ChildReturned,
    Order,
)
from questd.agent.tools import Tool, encode_result, failure_of

MAIN_NAME = "__questd_main__"
"""What the agent's script is called here: not ``__main__``, so that it does not start an agent again."""


class PipeReport(Report):
    """Writes at once what the tool says; the agent bounds and coalesces it."""

    def __init__(self, pipe: int) -> None:
        super().__init__(self.flush)
        self._pipe = pipe
        self._pipe_lock = threading.Lock()

    def write(self, message: ChildMessage) -> None:
        """Write one message whole."""
        data = msgspec.msgpack.encode(message)
        view = memoryview(LENGTH.pack(len(data)) + data)
        with self._pipe_lock:
            while view:
                view = view[os.write(self._pipe, view) :]

    def flush(self, *, final: bool = False) -> None:
        """Write the news."""
        progress, lines = self.fetch(final=final)
        if progress is not None:
            self.write(ChildProgress(*progress))
        if lines:
            self.write(ChildLines(lines))

    def beat(self) -> None:
        """Pass it on."""
        self.write(ChildBeat())


def main() -> None:
    """Do what the order on standard input says."""
    pipe = int(sys.argv[1])
    os.set_inheritable(pipe, False)
    lifeline = os.dup(0)
    with open(os.devnull) as nothing:  # noqa: PTH123
        os.dup2(nothing.fileno(), 0)
    order = msgspec.msgpack.decode(_read_order(lifeline), type=Order)
    threading.Thread(target=_watch, args=(lifeline,), daemon=True).start()
    report = PipeReport(pipe)
    ending = _ending(order, report)
    report.flush(final=True)
    report.write(ending)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _ending(order: Order, report: PipeReport) -> ChildReturned | ChildFailed:
    try:
        tool = Tool(_find(order), name=order.tool)
        positional, named = tool.arguments(order.invocation.arguments)
        if tool.context_name is not None:
            named[tool.context_name] = Context(order.invocation, report)
        result = tool.function(*positional, **named)
        if tool.is_async:
            result = asyncio.run(result)
        text = encode_result(result, tool.name)
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is this attempt's
        return ChildFailed(failure_of(error), *report.used())
    return ChildReturned(text, *report.used(), report.confidence)


def _find(order: Order) -> Any:
    sys.path[:] = order.path
    place.isolated = True
    if order.main is not None:
        found: Any = runpy.run_path(order.main, run_name=MAIN_NAME)
        first, *rest = order.function.split(".")
        found = found[first]
    else:
        found, rest = importlib.import_module(order.module), order.function.split(".")
    for name in rest:
        found = getattr(found, name)
    return found


def _read_order(lifeline: int) -> bytes:
    (size,) = LENGTH.unpack(_read(lifeline, LENGTH.size))
    return _read(lifeline, size)


def _read(lifeline: int, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        chunk = os.read(lifeline, size - len(data))
        if not chunk:
            sys.exit("the agent is gone")
        data += chunk
    return bytes(data)


def _watch(lifeline: int) -> None:
    while os.read(lifeline, 4096):
        continue
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
