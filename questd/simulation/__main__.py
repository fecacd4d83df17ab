"""``python -m questd.simulation --seeds N``: as many runs, one seed each; exit 1 at the first violation, with its seed."""

import argparse
import sys
import time
from collections import Counter

from questd.simulation.running import Outcome, run, run_seeds, script_of

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

    def line(self) -> str:
        """One line of progress."""
        elapsed_s = max(0.001, time.monotonic() - self.began_s)
        return (
            f"{self.seeds} seeds, {self.seeds / elapsed_s:.0f}/s, {self.quests} quests,"
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
    parser.add_argument("--trace", action="store_true", help="with --seed: print what happened")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    given = parser.parse_args(arguments)
    if given.seeds < 1 and given.seed is None:
        parser.error("--seeds must be at least 1")
    if given.seed is not None:
        return _replay(given.seed, trace=given.trace)
    return _run_many(given.start, given.seeds, quiet=given.quiet)


def _replay(seed: int, *, trace: bool) -> int:
    outcome, kept = run(script_of(seed), keep_trace=trace)
    kept.show(sys.stdout.write)
    sys.stdout.write(
        f"seed {seed}: {outcome.quests} quests, {outcome.events} events,"
        f" {outcome.virtual_us / 1e6:.1f} s of virtual time, trace {outcome.checksum:08x}\n"
    )
    return _report(outcome)


def _run_many(start: int, count: int, *, quiet: bool) -> int:
    summary = Summary()
    shown_s = time.monotonic()
    for outcome in run_seeds(start, count):
        summary.add(outcome)
        if outcome.violation is not None:
            sys.stdout.write(summary.line() + "\n")
            return _report(outcome)
        if not quiet and time.monotonic() - shown_s > PROGRESS_EVERY_S:
            shown_s = time.monotonic()
            sys.stderr.write(summary.line() + "\n")
    sys.stdout.write(f"{summary.line()}\nfaults: {summary.faults()}\nevery invariant held\n")
    return 0


def _report(outcome: Outcome) -> int:
    if outcome.violation is None:
        return 0
    sys.stdout.write(
        f"seed {outcome.seed} violates an invariant: {outcome.violation}\n"
        f"replay: python -m questd.simulation --seed {outcome.seed} --trace\n"
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
