"""kill -9 at every commit of real daemons, before, inside and after it: nothing acknowledged is lost, nothing completed is done again.

``make crash`` tries every point of every commit; the suite tries those of some shapes in turn. With every third commit the daemon that
comes after dies as well, at one of its first commits.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from questd.runtime.journal.verify import verify
from tests.crash.ground import Ground, Reading
from tests.crash.mortal import POINTS, Death
from tests.crash.shapes import SHAPES, Shape
from tests.system.rules import check

LEAST_MET = 0.4
"""How many commits a run makes depends on what happens to travel together; the last ones are not always met."""
WHOLE = os.environ.get("CRASH_POINTS") == "all"


@pytest.fixture(params=SHAPES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def ground(tmp_path: Path, name: str) -> Iterator[Ground]:
    found = Ground(tmp_path, SHAPES[name].limits)
    try:
        found.hatch()
        found.start_worker()
        yield found
    finally:
        found.close()


def play(ground: Ground, shape: Shape, key: str) -> Reading:
    if shape.definition.name == "waits" and not ground.has_payer:
        ground.start_payer()
    return ground.play(key, shape.definition, shape.react)


def points_of(shape: Shape, commit: int) -> tuple[str, ...]:
    """All, or so many in turn that each is met at some commit."""
    if WHOLE:
        return POINTS
    first = commit * shape.points % len(POINTS)
    return (POINTS * 2)[first : first + shape.points]


def test_a_death_at_any_commit_changes_nothing_that_counts(ground: Ground, name: str) -> None:
    shape = SHAPES[name]
    calm = play(ground, shape, "undisturbed")
    commits = ground.commits()
    readings, tried, met = [calm], 0, 0
    for commit in range(1, commits + 1):
        for point in points_of(shape, commit):
            again = Death(1 + len(point) % 3, point) if commit % 3 == 0 else None
            ground.decide(Death(commit, point), again)
            births = ground.births
            reading = play(ground, shape, f"{commit}-{point}")
            assert reading.sum() == calm.sum(), f"died {point} commit {commit}: {reading.events}"
            readings.append(reading)
            tried += 1
            met += ground.births > births
    ground.decide(None)
    sys.stdout.write(
        f"{name}: {commits} commits, {met} of {tried} points met, {ground.births - 1} deaths\n"
    )
    assert met >= LEAST_MET * tried
    check_all(ground, readings)


def check_all(ground: Ground, readings: list[Reading]) -> None:
    """What clients were shown, what daemons had on disk, the rules of the system, and the file itself."""
    assert not ground.faults, ground.faults
    for reading in readings:
        assert ground.records(reading.quest) == reading.records
    versions = {quest: head.version for quest, head in ground.heads().items()}
    assert set(versions) == {reading.quest for reading in readings}
    for quest, version in ground.durable().items():
        assert versions[quest] >= version, f"{quest} was on disk up to {version}"
    check(ground, versions)
    assert verify(ground.data) == []
