"""``python -m questd.simulation``: runs by seed, or by crash point; exit 1 at the first violation, with what replays it.

``--seeds N``: as many runs, one seed each. ``--crash-points N``: at least as many schedules, each a reference run in which the daemon
dies at one append (crash_points.py).
"""

import argparse
import itertools
import sys
import time
from collections import Counter

from questd.simulation.crash_points import WAYS, parse, replay, schedules
from questd.simulation.references import SHAPES
from questd.simulation.running import Outcome, run, run_seeds, script_of
from questd.simulation.trace import Trace

PROGRESS_EVERY_S = 2.0
FAULTS = (
    "daemon.died",
    "instance.crashed",
    "instance.frozen",
    "instance.drained",
    "pipe.cut",
    "clock.jumped",
    "actor.poisoned",
    "historian.killed",
    "agent.lost",
)


class Summary:
    """What all runs together saw."""

    def __init__(self) -> None:
        self.began_s = time.monotonic()
        self.seeds = self.quests = self.events = self.commits = self.turns = 0
        self.virtual_us = 0
        self.counts: Counter[str] = Counter()

    def add(self, outcome: Outcome) -> None:
        """One more run."""
        self.seeds += 1
        self.quests += outcome.quests
        self.events += outcome.events
        self.commits += outcome.commits
        self.turns += outcome.turns
        self.virtual_us += outcome.virtual_us
        self.counts.update(outcome.counts)

    def line(self, what: str = "seeds") -> str:
        """One line of progress."""
        elapsed_s = max(0.001, time.monotonic() - self.began_s)
        return (
            f"{self.seeds} {what}, {self.seeds / elapsed_s:.0f}/s, {self.quests} quests,"
            f" {self.events} events, {self.commits} commits, {self.turns} turns,"
            f" {self.virtual_us / 3.6e9:.1f} h of virtual time"
        )

    def faults(self) -> str:
        """How often what went wrong."""
        return ", ".join(f"{name} {self.counts[name]}" for name in FAULTS)


def main(arguments: list[str] | None = None) -> int:
    """Exit code: 0 when every invariant held, 1 when one did not."""
    parser = argparse.ArgumentParser(prog="python -m questd.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1_000, help="how many runs")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="this one run only")
    parser.add_argument("--crash-points", type=int, help="at least so many schedules instead")
    parser.add_argument("--crash-point", type=parse, help="this one only: shape:seed:commit:way")
    parser.add_argument("--trace", action="store_true", help="with one run: print what happened")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    given = parser.parse_args(arguments)
    if given.seeds < 1 and given.seed is None:
        parser.error("--seeds must be at least 1")
    if given.crash_point is not None:
        outcome, kept = replay(given.crash_point, keep_trace=given.trace)
        name = given.crash_point.name
        return _show(name, f"--crash-point {name}", outcome, kept)
    if given.crash_points is not None:
        return _crash_at_points(given.start, given.crash_points, quiet=given.quiet)
    if given.seed is not None:
        outcome, kept = run(script_of(given.seed), keep_trace=given.trace)
        return _show(f"seed {given.seed}", f"--seed {given.seed}", outcome, kept)
    return _run_many(given.start, given.seeds, quiet=given.quiet)


def _show(name: str, words: str, outcome: Outcome, kept: Trace) -> int:
    kept.show(sys.stdout.write)
    sys.stdout.write(
        f"{name}: {outcome.quests} quests, {outcome.events} events,"
        f" {outcome.virtual_us / 1e6:.1f} s of virtual time, trace {outcome.checksum:08x}\n"
    )
    return _report(outcome, name, words)


def _crash_at_points(start: int, wanted: int, *, quiet: bool) -> int:
    """Whole seeds, until there are so many schedules: no append of a seed is left out."""
    summary, ways, shapes = Summary(), Counter[str](), Counter[str]()
    shown_s = time.monotonic()
    for seed in itertools.count(start):
        for point, outcome in schedules(range(seed, seed + 1)):
            if outcome.violation is not None:
                return _report(outcome, point.name, f"--crash-point {point.name}")
            if point.commit:
                summary.add(outcome)
                ways[point.way] += 1
                shapes[point.shape] += 1
        if not quiet and time.monotonic() - shown_s > PROGRESS_EVERY_S:
            shown_s = time.monotonic()
            sys.stderr.write(summary.line("schedules") + "\n")
        if summary.seeds >= wanted:
            break
    elapsed_s = time.monotonic() - summary.began_s
    sys.stdout.write(
        f"crash points: {summary.line('schedules')}, {elapsed_s:.0f} s\n"
        f"the daemon died: {', '.join(f'{way} {ways[way]}' for way in WAYS)}\n"
        f"in: {', '.join(f'{shape} {shapes[shape]}' for shape in SHAPES)}\nevery invariant held\n"
    )
    return 0


def _run_many(start: int, count: int, *, quiet: bool) -> int:
    summary = Summary()
    shown_s = time.monotonic()
    for outcome in run_seeds(start, count):
        summary.add(outcome)
        if outcome.violation is not None:
            sys.stdout.write(summary.line() + "\n")
            return _report(outcome, f"seed {outcome.seed}", f"--seed {outcome.seed}")
        if not quiet and time.monotonic() - shown_s > PROGRESS_EVERY_S:
            shown_s = time.monotonic()
            sys.stderr.write(summary.line() + "\n")
    sys.stdout.write(f"{summary.line()}\nfaults: {summary.faults()}\nevery invariant held\n")
    return 0


def _report(outcome: Outcome, name: str, words: str) -> int:
    if outcome.violation is None:
        return 0
    sys.stdout.write(
        f"{name} violates an invariant: {outcome.violation}\n"
        f"replay: python -m questd.simulation {words} --trace\n"
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
