"""A byte of the journal flipped, torn off or zeroed: what is opened is right and not shorter than acknowledged, or refused by name.

`QUESTD_DISK=all` (`make disk`) tries every offset of the last pages and of every frame's header; otherwise some hundred, by a seed.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest

from tests.disk.conftest import ALL, say
from tests.disk.damage import (
    Damage,
    database_offsets,
    every_damage,
    some_damage,
    wal_offsets,
)
from tests.disk.ground import Story, judge, with_claim

Stories = Callable[[str], Story]
SOME = 120


def damages(data: bytes, offsets: Sequence[int], chance: random.Random) -> Iterable[Damage]:
    if ALL:
        return every_damage(data, offsets, chance)
    return some_damage(data, offsets, chance, SOME)


def outcomes(story: Story, part: str, place: Path, found: Iterable[Damage]) -> Counter[str]:
    name = {"db": "journal.db", "wal": "journal.db-wal"}[part]
    count: Counter[str] = Counter()
    for damage in found:
        story.put(place, **{part: damage.done_to(story.files[name])})
        try:
            count[judge(story, place)] += 1
        except Exception as error:
            raise AssertionError(f"{damage} of {name}: {error!r}") from error
    say(f"{name}: {count.total()} damages: {dict(count)}")
    return count


@pytest.mark.parametrize("left", ["clean", "killed", "checkpointed", "doubled"])
def test_the_reference_is_whole(stories: Stories, place: Path, left: str) -> None:
    story = stories(left)
    assert judge(story, story.put(place)) == "intact"
    assert len(story.last.records) > 60
    assert {"completed", "running"} <= {head.status for head in story.last.heads}
    assert any(len(text or b"") > 4096 for _, text in story.last.contents)


def test_a_damaged_database_gives_what_was_written_or_a_name(
    stories: Stories, place: Path, chance: random.Random
) -> None:
    story = stories("clean")
    data = story.files["journal.db"]
    count = outcomes(story, "db", place, damages(data, database_offsets(data), chance))
    assert count["prefix"] == 0
    assert count.total() > count["intact"] > 0


@pytest.mark.parametrize("left", ["killed", "checkpointed", "doubled"])
def test_a_damaged_wal_never_loses_what_the_side_file_knows(
    stories: Stories, place: Path, chance: random.Random, left: str
) -> None:
    story = stories(left)
    data = story.files["journal.db-wal"]
    count = outcomes(story, "wal", place, damages(data, wal_offsets(data), chance))
    assert count["prefix"] == 0
    assert count["refused: JournalForeign"] > 0


@pytest.mark.parametrize("left", ["killed", "checkpointed", "doubled"])
def test_what_nobody_was_told_of_is_cut_to_a_whole_commit(
    stories: Stories, tmp_path: Path, place: Path, chance: random.Random, left: str
) -> None:
    """The side file lags: of the commits after it, some whole number is there."""
    told = stories(left)
    seqs = sorted(told.moments)
    story = with_claim(told, tmp_path / "claim", seqs[len(seqs) // 2])
    data = story.files["journal.db-wal"]
    count = outcomes(story, "wal", place, damages(data, wal_offsets(data), chance))
    assert count["prefix"] > 0
