"""The daemon dies at every append of reference runs, in each way it can, under many seeds of delays and duplicates.

Each schedule is a whole run of the production actors with all the simulation's invariants. A run is the same up to the death as the
undisturbed one of its seed, so every append is met. Where the shape is steady the quests must also end as they do undisturbed.
"""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct, structs

from questd.simulation.references import SHAPES, faults_of, scene_of
from questd.simulation.running import Outcome, run
from questd.simulation.trace import Trace
from questd.simulation.world import Script

WAYS: Final = ("before", "broken", "after", "later")
"""How: before the commit; inside it (nothing of it is kept, and whoever waited may have heard so); after it, with nobody told; and a
moment later, when some have been told."""


class CrashPoint(Struct, frozen=True):
    """One schedule. ``commit`` counts from 1 over the whole run; 0: nothing dies."""

    shape: str
    seed: int
    commit: int
    way: str

    @property
    def name(self) -> str:
        """As ``--crash-point`` takes it."""
        return f"{self.shape}:{self.seed}:{self.commit}:{self.way}"

    def script(self) -> Script:
        """The run."""
        faults = faults_of(self.shape, self.seed)
        if self.commit:
            faults = structs.replace(faults, commit_deaths=((self.commit, self.way),))
        return Script(self.seed, scene_of(self.shape), faults)


def parse(name: str) -> CrashPoint:
    """ValueError when it is none."""
    shape, seed, commit, way = name.split(":")
    if shape not in SHAPES or way not in WAYS:
        raise ValueError(name)
    return CrashPoint(shape, int(seed), int(commit), way)


def replay(point: CrashPoint, *, keep_trace: bool) -> tuple[Outcome, Trace]:
    """One schedule, with its trace."""
    undisturbed, _ = run(structs.replace(point, commit=0).script())
    outcome, trace = run(point.script(), keep_trace=keep_trace)
    return judged(point, outcome, undisturbed), trace


def schedules(seeds: range) -> Iterator[tuple[CrashPoint, Outcome]]:
    """Every append of every shape under these seeds, each way of dying; the undisturbed runs come along (commit 0)."""
    for seed in seeds:
        for shape in SHAPES:
            calm = CrashPoint(shape, seed, 0, "before")
            undisturbed, _ = run(calm.script())
            yield calm, undisturbed
            for commit in range(1, undisturbed.commits + 1):
                for way in WAYS:
                    point = CrashPoint(shape, seed, commit, way)
                    outcome, _ = run(point.script())
                    yield point, judged(point, outcome, undisturbed)


def judged(point: CrashPoint, outcome: Outcome, undisturbed: Outcome) -> Outcome:
    """The outcome, with a violation when it did not die or ended otherwise than undisturbed."""
    if outcome.violation is not None or not point.commit:
        return outcome
    wrong: str | None = None
    if not outcome.counts.get("daemon.died"):
        wrong = f"the daemon did not die at commit {point.commit}"
    elif SHAPES[point.shape].steady and outcome.ends != undisturbed.ends:
        wrong = f"ends {outcome.ends}, undisturbed {undisturbed.ends}"
    return structs.replace(outcome, violation=wrong)
