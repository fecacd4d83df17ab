"""What every peer's script needs: its arguments, a clock, and one line of JSON at the end.

Invariants: the same shapes for all (ten steps in a chain, 200 beside each other and a join), each result checked before its time counts.
Standard library only: the interpreters of the peers run this. Knows no peer.
"""

import argparse
import json
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path

from benchmarks.processes import Nursery, end_with_parent

STEPS = 10
WIDE = 200
FIRST_SINGLE = 1_000_000
"""Every run begins with a number of its own, so that no result of another can pass for its."""
READY_S = 60.0
SHARD_S = 300.0
SYNCHRONOUS = ("OFF", "NORMAL", "FULL", "EXTRA")


@dataclass(frozen=True)
class Size:
    """How much is done: ``runs`` chains at once, ``singles`` chains one after the other, ``fans`` fan-outs one after the other."""

    folder: Path
    runs: int
    singles: int
    fans: int
    shard: bool = False


@dataclass
class Told:
    """What the script says. ``bursts``: stores (processes, each with its own), runs, seconds. ``settings``: in words."""

    peer: str
    packages: Sequence[str]
    settings: dict[str, str]
    bursts: list[dict[str, float]] = field(default_factory=list[dict[str, float]])
    chain_ms: list[float] = field(default_factory=list[float])
    fan_ms: list[float] = field(default_factory=list[float])
    pids: dict[str, int] = field(default_factory=dict[str, int])


class Script:
    """A peer's script: keeps standard output for its own lines (libraries print, too), and ends when the benchmark does."""

    def __init__(self) -> None:
        self._out = os.dup(1)
        os.dup2(2, 1)
        signal.signal(signal.SIGTERM, _leave)
        self.size = _size()
        if not self.size.shard:
            end_with_parent()

    def say(self, value: object) -> None:
        """One line."""
        os.write(self._out, json.dumps(value).encode() + b"\n")

    def tell(self, told: Told) -> None:
        """The last line: what was measured, by which versions and processes."""
        said = asdict(told)
        said["versions"] = {name: version(name) for name in said.pop("packages")}
        said["pids"] = {told.peer: os.getpid(), **told.pids}
        self.say(said)

    def shard(self, burst: Callable[[range], None]) -> None:
        """Be one of several processes: get ready, wait for the word, work, say from when to when (wall clock, s)."""
        burst(warm_up(self.size.runs))
        self.say("ready")
        if sys.stdin.readline():
            end_with_parent()
            began = time.time()
            burst(range(self.size.runs))
            self.say([began, time.time()])


def _size() -> Size:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    for name in ("runs", "singles", "fans"):
        parser.add_argument(name, type=int)
    parser.add_argument("--shard", action="store_true")
    return Size(**vars(parser.parse_args()))


def _leave(_number: int, _frame: object) -> None:
    raise SystemExit(143)


def chains_ms(chain: Callable[[int], int], times: int) -> list[float]:
    """One chain after the other; each in milliseconds. AssertionError when one was not done right."""
    return [
        _taken_ms(chain, first, first + STEPS)
        for first in range(FIRST_SINGLE, FIRST_SINGLE + times)
    ]


def fans_ms(fan: Callable[[int], int], times: int) -> list[float]:
    """One fan-out after the other, the first (not told) to warm up. AssertionError when one was not done right."""
    return [_taken_ms(fan, first, fanned(first)) for first in range(times + 1)][1:]


def fanned(first: int) -> int:
    """What a fan-out gives: each part adds one to the number, the join adds up the parts."""
    return WIDE * (first + 1)


def _taken_ms(work: Callable[[int], int], first: int, wanted: int) -> float:
    began = time.perf_counter()
    found = work(first)
    taken_s = time.perf_counter() - began
    assert found == wanted, f"{found!r}, not {wanted!r}"
    return taken_s * 1e3


def check(results: Iterable[int], firsts: Iterable[int]) -> None:
    """Each chain added its ten to the number it began with. AssertionError."""
    found, wanted = list(results), [first + STEPS for first in firsts]
    assert found == wanted, f"{len(found)} results, and not those of {len(wanted)} chains"


def warm_up(runs: int) -> range:
    """Runs before the first that count, with numbers that none of those has."""
    return range(-(runs // 20) - 1, 0)


def burst_of(burst: Callable[[range], None], runs: int) -> dict[str, float]:
    """So many runs at once, in this process."""
    began = time.perf_counter()
    burst(range(runs))
    return {"stores": 1, "runs": runs, "took_s": time.perf_counter() - began}


def burst_in_shards(module: str, size: Size, stores: int = 2) -> dict[str, float]:
    """The same number of runs in several processes, each with a store of its own: what cores are worth to a library."""
    share = size.runs // stores
    with Nursery(size.folder / "logs") as nursery:
        children = [
            nursery.start(
                module, str(_made(size.folder / f"shard-{n}")), str(share), "0", "0", "--shard"
            )
            for n in range(stores)
        ]
        for child in children:
            child.line(READY_S)
        for child in children:
            child.tell("go")
        spans = [child.json(SHARD_S) for child in children]
    took_s = max(end for _, end in spans) - min(begin for begin, _ in spans)
    return {"stores": stores, "runs": share * stores, "took_s": took_s}


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def server(nursery: Nursery, command: Sequence[str], name: str) -> int:
    """Start a foreign server that goes when the nursery does; its pid."""
    leash = [sys.executable, "-m", "benchmarks.peers.leash", *command]
    pid = nursery.start_command(leash, name).json(READY_S)
    assert isinstance(pid, int)
    return pid


def until(ready: Callable[[], bool], what: str, timeout_s: float = READY_S) -> None:
    """Ask until it is. TimeoutError."""
    deadline = time.monotonic() + timeout_s
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {timeout_s:.0f} s")
        time.sleep(0.05)


def sqlite_settings(path: Path) -> str:
    """How a connection that sets nothing finds a database: the mode is the file's, the rest SQLite's default."""
    with closing(sqlite3.connect(path)) as connection:
        (mode,) = connection.execute("pragma journal_mode").fetchone()
        (synchronous,) = connection.execute("pragma synchronous").fetchone()
    return f"SQLite {sqlite3.sqlite_version}, journal_mode={mode}, synchronous={SYNCHRONOUS[synchronous]}"
