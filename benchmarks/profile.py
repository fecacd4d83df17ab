"""``python -m benchmarks.profile [daemon|agent|floor]``: where the microseconds of a step go. Needs py-spy, which nothing else here does.

Runs ten-step chains, many at once, and samples who holds the interpreter's lock (the daemon's bound: one of its threads runs
Python at a time). A microsecond here is one in which that process could run nothing else.
"""

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.bed import Bed, made
from benchmarks.bench import Bench
from benchmarks.journal import Tail
from benchmarks.measures.throughput import QUESTS, WARM_UP, burst, floor
from benchmarks.processes import ROOT, Nursery, cpu_s
from benchmarks.stacks import Profile, add_up, rows

RATE = 500
LIMIT_S = 120.0
PATIENCE_S = 30.0


def main() -> int:
    """Sample, add up, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile")
    parser.add_argument("who", choices=("daemon", "agent", "floor"), nargs="?", default="daemon")
    parser.add_argument("--seconds", type=int, default=6)
    parser.add_argument("--quests", type=int, default=QUESTS, help="at once (default: 1000)")
    parser.add_argument("--no-history", action="store_true")
    parser.add_argument(
        "--all", action="store_true", help="on the processor, with or without the lock"
    )
    parser.add_argument("--top", type=int, default=25)
    parser.add_argument("--data", type=Path, default=ROOT / ".bench")
    given = parser.parse_args()
    if shutil.which("py-spy") is None:
        print("benchmarks.profile: install py-spy first (pip install py-spy)", file=sys.stderr)
        return 2
    folder = given.data.resolve()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with Nursery(folder / "logs") as nursery:
        bench = Bench(nursery, folder, time.monotonic() + LIMIT_S)
        bed_made = (
            floor(bench)
            if given.who == "floor"
            else made(nursery, bench.data(), history=not given.no_history)
        )
        with bed_made as bed:
            pid = bed.agents[0].pid if given.who == "agent" else bed.daemon.pid
            profile, steps, cpu = sample(
                bench, bed, pid, given.seconds, given.quests, lock=not given.all
            )
    print("\n".join(lines_of(profile, steps, cpu, given.seconds, given.top)))
    return 0


def sample(
    bench: Bench, bed: Bed, pid: int, seconds: int, quests: int, *, lock: bool
) -> tuple[Profile, int, float]:
    """The profile, the steps that were done meanwhile, and the processor's seconds that they took."""
    burst(bench, bed, WARM_UP)
    path = bench.folder / "profile.raw"
    tail = Tail(bed.data)
    before = cpu_s(pid)
    spy = bench.nursery.start_command(spy_command(pid, seconds, path, lock=lock), "py-spy")
    while spy.process.poll() is None:
        burst(bench, bed, quests)
    spy.process.wait(PATIENCE_S)
    if spy.process.returncode:
        raise subprocess.CalledProcessError(spy.process.returncode, spy.command)
    steps, used = tail.count("attempt.completed"), cpu_s(pid) - before
    tail.close()
    profile = add_up(path.read_text(encoding="utf-8"))
    path.unlink()
    return profile, steps, used


def spy_command(pid: int, seconds: int, path: Path, *, lock: bool) -> list[str]:
    """How py-spy is called."""
    found = shutil.which("py-spy")
    assert found is not None
    options = ["--rate", str(RATE), "--duration", str(seconds), "--threads", "--nonblocking"]
    return [
        found,
        "record",
        *options,
        *(["--gil"] if lock else []),
        *("--format", "raw", "--output", str(path), "--pid", str(pid)),
    ]


def lines_of(profile: Profile, steps: int, cpu: float, seconds: int, top: int) -> list[str]:
    """For people. ``steps`` were done in the time of the profile and a little more; shares of the processor's time are exact."""
    if not profile.samples or not steps:
        return ["nothing was sampled"]
    step_us = cpu * 1e6 / steps
    unit_us = step_us / profile.samples
    share = 100 * profile.samples / (seconds * RATE)
    lines = [
        f"{steps:,} steps, {step_us:.0f} µs of this process on the processor each",
        f"{profile.samples:,} samples in {seconds} s, {share:.0f} % of the time",
    ]
    for title, counted in (
        ("by thread", profile.threads),
        ("by room (innermost frame of ours)", profile.rooms),
        ("by function, its own", profile.own),
        ("by function, with all that it calls", profile.total),
        ("by line (innermost of ours)", profile.lines),
    ):
        lines += ["", title, *rows(counted, unit_us, profile.samples, top)]
    return lines


if __name__ == "__main__":
    raise SystemExit(main())
