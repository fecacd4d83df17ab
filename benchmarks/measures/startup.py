"""What a person waits for, and what an idle daemon takes."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec.structs import replace

from benchmarks.bed import made
from benchmarks.bench import Bench, load
from benchmarks.processes import ROOT, ChildFailed, memory_bytes
from benchmarks.report import Figure, at_most, middle

HELPS = 10
STARTS = 5
IDLE_S = 5.0
START_S = 30.0


def quest_command() -> list[str]:
    """``quest`` beside this interpreter, else the package."""
    script = Path(sys.executable).with_name("quest")
    return [str(script)] if script.exists() else [sys.executable, "-m", "questd"]


def startup(bench: Bench) -> Iterator[Figure]:
    """Three small figures."""
    yield _timed(
        "help",
        "`quest --help`",
        0.25,
        "a new process, from start to end",
        [_help_s for _ in range(HELPS)],
    )
    yield _timed(
        "daemon_ready",
        "daemon ready",
        0.7,
        "`quest serve` on an empty directory, from the start of the process to its readiness line",
        [lambda: _ready_s(bench) for _ in range(STARTS)],
    )
    yield _idle(bench)


def _timed(
    name: str, title: str, bound: float, measured: str, works: list[Callable[[], float]]
) -> Figure:
    figure = Figure(name=name, title=title, unit="s", measured=measured, target=at_most(bound))
    try:
        runs = tuple(work() for work in works)
    except (subprocess.SubprocessError, OSError, ChildFailed) as error:
        return replace(figure, fault=str(error), load=load())
    value, chosen = middle(runs)
    details = {"best": min(runs), "worst": max(runs)}
    return replace(figure, value=value, runs=runs, chosen=chosen, details=details, load=load())


def _help_s() -> float:
    began = time.perf_counter()
    command = [*quest_command(), "--help"]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=START_S)
    return time.perf_counter() - began


def _ready_s(bench: Bench) -> float:
    data = bench.data()
    began = time.perf_counter()
    child = bench.nursery.start_command([*quest_command(), "serve", "--data", str(data)], "serve")
    try:
        child.line(START_S)
        return time.perf_counter() - began
    finally:
        bench.nursery.end(child)
        shutil.rmtree(data, ignore_errors=True)


def _idle(bench: Bench) -> Figure:
    with made(bench.nursery, bench.data(), capacity=None) as bed:
        time.sleep(IDLE_S)
        value = memory_bytes(bed.daemon.pid) / 1e6
        assert bed.historian is not None
        historian = memory_bytes(bed.historian) / 1e6
        pids = bed.pids
    return Figure(
        name="idle_memory",
        title="memory of the idle daemon without its historian",
        unit="MB",
        measured=f"resident memory of the daemon's process {IDLE_S:.0f} s after its start",
        value=value,
        target=at_most(70.0),
        runs=(value,),
        chosen="one run",
        details={"its historian's MB": historian},
        pids=pids,
        load=load(),
    )
