"""The processes that a benchmark starts, and their end.

Invariants: children are started anew, never forked with sockets open; each is in a session of its own, so that Ctrl-C reaches
only the benchmark, and holds a pipe whose end tells it that the benchmark is gone; all are ended by their pid.
"""

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parent.parent
END_S = 15.0
KILL_S = 5.0


class ChildFailed(Exception):
    """A process of the benchmark ended, or was silent, when it should have spoken."""

    def __init__(self, command: Sequence[str], why: str) -> None:
        super().__init__(f"{' '.join(command[1:5])} …: {why}")


class Child:
    """One process that speaks JSON lines on its standard output."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self.command = command
        self.started_us = time.time_ns() // 1_000
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=ROOT,
                start_new_session=True,
            )
        self._unread = b""

    @property
    def pid(self) -> int:
        """Of the process."""
        return self.process.pid

    def line(self, timeout_s: float) -> str:
        """The next line it prints. ChildFailed when it ends first, or says nothing in time."""
        assert self.process.stdout is not None
        descriptor = self.process.stdout.fileno()
        deadline = time.monotonic() + timeout_s
        while b"\n" not in self._unread:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                raise ChildFailed(self.command, f"silent for {timeout_s:.0f} s")
            said = os.read(descriptor, 65536)
            if not said:
                raise ChildFailed(self.command, f"ended with {self.process.wait(KILL_S)}")
            self._unread += said
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode()

    def json(self, timeout_s: float) -> Any:
        """The next line, as JSON."""
        return json.loads(self.line(timeout_s))

    def tell(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        """As a power cut would: no last words."""
        self.process.kill()
        self.process.wait(KILL_S)
        self._close_pipes()

    def terminate(self) -> None:
        """Ask it to end; do not wait."""
        if self.process.poll() is None:
            self.process.terminate()

    def end(self, timeout_s: float = END_S) -> None:
        """See it end, by force when it takes too long."""
        self.terminate()
        try:
            self.process.wait(max(0.1, timeout_s))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(KILL_S)
        self._close_pipes()

    def _close_pipes(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()


class Nursery:
    """All children of one benchmark, and grandchildren that it was told of (historians); none outlives it."""

    def __init__(self, logs: Path) -> None:
        logs.mkdir(parents=True, exist_ok=True)
        self._logs = logs
        self._children: list[Child] = []
        self._strangers: dict[int, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        # Whoever presses Ctrl-C twice gets the prompt a little later, and no process of ours on the machine.
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
        try:
            self.end_all()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def start(self, module: str, *arguments: str) -> Child:
        """Run ``python -m module arguments``."""
        return self.start_command([sys.executable, "-m", module, *arguments], module)

    def start_command(self, command: Sequence[str], name: str) -> Child:
        """Run a command; its standard error goes to a log of that name."""
        child = Child(command, self._logs / f"{name}.log")
        self._children.append(child)
        return child

    def remember(self, pid: int) -> None:
        """A grandchild that should be gone at the end."""
        self._strangers[pid] = started(pid)

    def end(self, *children: Child) -> None:
        """End these, all at once."""
        deadline = time.monotonic() + END_S
        for child in children:
            child.terminate()
        for child in children:
            child.end(deadline - time.monotonic())
            if child in self._children:
                self._children.remove(child)

    def end_all(self) -> None:
        """End everything, the youngest first: agents and clients before their daemons."""
        deadline = time.monotonic() + END_S
        while self._children:
            self._children.pop().end(deadline - time.monotonic())
        for pid, begun in self._strangers.items():
            end_stranger(pid, begun)


def end_stranger(pid: int, begun: str) -> None:
    """Wait for a grandchild to go, then make it; never another process that got its pid."""
    deadline = time.monotonic() + KILL_S
    while begun and started(pid) == begun:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            return
        time.sleep(0.05)


def started(pid: int) -> str:
    """When a process was started, in ticks since the boot: with the pid it names one process. Empty when it is gone (or unknown)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


def memory_bytes(pid: int) -> int:
    """Resident memory of a process; 0 when it cannot be told."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1])
    except OSError:
        said = subprocess.run(
            ["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        return int(said.stdout.strip() or 0) * 1024
    return pages * os.sysconf("SC_PAGE_SIZE")


def cpu_s(pid: int) -> float:
    """CPU time that a process has used; 0.0 when it cannot be told."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def end_with_parent() -> None:
    """In a child: leave when whoever started it is gone, however that happened."""

    def watch() -> None:
        # Not sys.stdin: its lock would be held at the interpreter's end.
        while os.read(0, 1024):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(END_S)
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
