"""What ``quest doctor --repair`` makes of damage: all that can be proven, nothing else, and the damaged files as they were."""

import random
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

import pytest
from msgspec import structs

from questd.messages.events import Record
from questd.runtime.errors import JournalBroken, JournalForeign, Refused
from questd.runtime.journal.head_file import DurableHead, read_durable_head, write_durable_head
from questd.runtime.journal.lock import DirectoryLock
from questd.runtime.journal.reader import SqliteReader
from questd.runtime.journal.repair import Repair, repair
from questd.runtime.journal.verify import verify
from questd.views.heads import head_told
from tests.disk.conftest import ALL, say
from tests.disk.damage import PAGE, Damage, database_offsets, some_damage, wal_offsets
from tests.disk.ground import Story, change, held, judge, open_store

Stories = Callable[[str], Story]
SOME = 2_000 if ALL else 12


class Ticking:
    def __init__(self) -> None:
        self.now_us = 1_700_000_000_000_000

    def __call__(self) -> int:
        self.now_us += 1
        return self.now_us


clock_us = Ticking()


def mended(place: Path) -> Repair | None:
    return repair(place, head_told, clock_us=clock_us, new_id=lambda: "j_fresh")


def check(story: Story, place: Path, done: Repair, given: dict[str, bytes]) -> None:
    """What is there now is part of the truth, each quest's a prefix; the damaged files are as they were; it can be written."""
    lost = {loss.quest for loss in done.losses}
    assert [one for one in verify(place, head_told) if one.quest not in lost] == []
    for name, content in given.items():
        assert (Path(done.aside) / name).read_bytes() == content, name
    assert not (place / ".repair").exists()
    with closing(open_store(place)) as store:
        seen = held(store)
        assert seen.seq >= story.claimed, "a seq would be given twice"
        assert told(seen.records) <= told(story.last.records)
        for head in seen.heads:
            numbers = [record.n for record in seen.records if record.quest == head.quest]
            assert numbers == list(range(1, head.version + 1))
        if not done.lost:
            assert told(seen.records) == told(story.last.records)
            assert seen.heads == story.last.heads


def told(records: Iterable[Record]) -> set[Record]:
    """All but their ``seq``, which no CRC covers: it may be another than it was, if it rises with n."""
    return {structs.replace(record, seq=0) for record in records}


def damaged(story: Story, place: Path, part: str, damage: Damage) -> dict[str, bytes]:
    name = {"db": "journal.db", "wal": "journal.db-wal"}[part]
    changed = damage.done_to(story.files[name])
    story.put(place, **{part: changed})
    return {**story.files, name: changed}


def mended_truly(story: Story, place: Path, given: dict[str, bytes]) -> str:
    """Repair, and check what was made of it; one word for that."""
    try:
        done = mended(place)
    except JournalBroken as error:
        refusal = str(error)
    else:
        if done is None:
            return "whole"
        check(story, place, done, given)
        return "lost" if done.lost else "saved"
    assert "nothing can be saved" in refusal
    assert {name: (place / name).read_bytes() for name in given} == given
    return "nothing saved"


@pytest.mark.parametrize(
    ("left", "part"),
    [("clean", "db"), ("killed", "wal"), ("checkpointed", "wal"), ("doubled", "wal")],
)
def test_what_is_mended_is_true_and_what_was_there_is_kept(
    stories: Stories, place: Path, chance: random.Random, left: str, part: str
) -> None:
    story = stories(left)
    data = story.files["journal.db" if part == "db" else "journal.db-wal"]
    offsets = database_offsets(data) if part == "db" else wal_offsets(data)
    tried: dict[str, int] = {}
    for damage in some_damage(data, offsets, chance, SOME):
        given = damaged(story, place, part, damage)
        try:
            said = mended_truly(story, place, given)
        except Exception as error:
            raise AssertionError(f"{damage}: {error!r}") from error
        tried[f"{damage.kind} {said}"] = tried.get(f"{damage.kind} {said}", 0) + 1
    say(f"{left} {part} mended: {tried}")


def test_a_flipped_bit_in_the_wal_costs_at_most_the_quest_that_it_is_in(
    stories: Stories, place: Path, chance: random.Random
) -> None:
    """SQLite gives up all commits behind it; they are there, and prove themselves, but for an event that the bit is in."""
    story = stories("killed")
    size = len(story.files["journal.db-wal"]) - 4096 - 24
    for _ in range(10):
        damage = Damage("flip", chance.randrange(size), chance.randrange(8))
        given = damaged(story, place, "wal", damage)
        done = mended(place)
        assert done is not None, damage
        assert len(done.losses) <= 1, (damage, done.losses)
        check(story, place, done, given)


def test_a_damaged_schema_is_that_of_every_journal(
    stories: Stories, place: Path, chance: random.Random
) -> None:
    story = stories("clean")
    version = range(60, 64)  # a higher one is a newer program's, and refused
    places = [at for at in range(PAGE) if at not in version]
    flips = [Damage("flip", chance.choice(places), chance.randrange(8)) for _ in range(6)]
    encoding = Damage("flip", 59, 1)
    for damage in (Damage("zero", 0), encoding, *flips):
        given = damaged(story, place, "db", damage)
        done = mended(place)
        if done is not None:
            assert not done.lost, damage
            check(story, place, done, given)


@pytest.mark.parametrize(
    "sql",
    [
        "delete from heads",
        "update heads set version = version - 1",
        "update heads set name = 'other', wake_us = 1",
        "delete from quest_references",
        "delete from sqlite_sequence",
        "update heads set seq = 1, crc = 1",
    ],
)
def test_what_events_tell_is_written_anew(stories: Stories, place: Path, sql: str) -> None:
    story = stories("clean")
    change(story.put(place), sql)
    given = {"journal.db": (place / "journal.db").read_bytes()}
    done = mended(place)
    if done is None:
        assert "references" in sql
        return
    assert not done.lost, done
    assert {name: (Path(done.aside) / name).read_bytes() for name in given} == given
    with closing(open_store(place)) as store:
        assert [h.version for h in store.heads()] == [h.version for h in story.last.heads]
        assert store.follow(0) == list(story.last.records)


def test_a_lost_index_is_made_again(stories: Stories, place: Path) -> None:
    story = stories("clean")
    with SqliteReader(story.put(place)) as reader:
        ((root,),) = reader.ask("select rootpage from sqlite_master where name = 'heads_name'")
    given = damaged(story, place, "db", Damage("zero", (root - 1) * PAGE))
    assert "page" in {one.what for one in verify(place, head_told)}
    done = mended(place)
    assert done is not None
    assert not done.lost
    check(story, place, done, given)


def test_a_lost_event_ends_its_quest_there_and_is_named(stories: Stories, place: Path) -> None:
    story = stories("clean")
    quest = story.last.heads[0].quest
    change(story.put(place), f"delete from events where quest = '{quest}' and n = 4")
    done = mended(place)
    assert done is not None
    assert [(loss.quest, loss.kept, loss.had) for loss in done.losses] == [
        (quest, 3, story.last.heads[0].version)
    ]
    assert done.lost
    with closing(open_store(place)) as store:
        assert len(store.events(quest)) == 3
        assert len(store.follow(0)) == len(story.last.records) - story.last.heads[0].version + 3


def test_swapped_rows_are_put_in_order_and_nothing_is_lost(stories: Stories, place: Path) -> None:
    story = stories("clean")
    quest = story.last.heads[0].quest
    two = [record.seq for record in story.last.records if record.quest == quest][1:3]
    change(story.put(place), f"update events set seq = -{sum(two)} + seq where seq in {tuple(two)}")
    change(place, "update events set seq = -seq where seq < 0")
    done = mended(place)
    assert done is not None
    assert not done.lost
    with closing(open_store(place)) as store:
        assert held(store) == story.last


def test_whole_needs_nothing(stories: Stories, place: Path) -> None:
    story = stories("killed")
    assert mended(story.put(place)) is None
    assert sorted(path.name for path in place.iterdir() if "shm" not in path.name) == [
        *sorted(story.files),
        "lock",
    ]


@pytest.mark.parametrize("text", [None, b"", b"garbage", b'{"journal": 5'])
def test_a_side_file_that_is_lost_or_garbage_is_written_anew(
    stories: Stories, place: Path, text: bytes | None
) -> None:
    story = stories("killed")
    story.put(place, head=text or b"")
    if text is None:
        (place / "journal.head").unlink()
    done = mended(place)
    assert done is not None
    assert (done.rebuilt, done.lost) == (False, False)
    assert judge(story, place) == "intact"
    if text is not None:
        assert (Path(done.aside) / "journal.head").read_bytes() == text


def test_a_side_file_ahead_is_repaired_by_giving_up_what_is_nowhere(
    stories: Stories, place: Path
) -> None:
    story = stories("clean")
    head = read_durable_head(story.put(place))
    assert head is not None
    write_durable_head(place, DurableHead(head.journal, head.seq + 7, 0))
    done = mended(place)
    assert done is not None
    assert (done.seq, done.acknowledged, done.lost) == (head.seq, head.seq + 7, True)
    with closing(open_store(place)) as store:
        assert store.last_seq() == head.seq + 7
        assert store.follow(0) == list(story.last.records)


def test_another_journal_is_left_to_a_person(stories: Stories, place: Path) -> None:
    story = stories("clean")
    write_durable_head(story.put(place), DurableHead("j_other", 3, 0))
    with pytest.raises(Refused, match="another journal"):
        mended(place)
    assert (place / "journal.db").read_bytes() == story.files["journal.db"]


def test_a_copy_that_went_on_separately_is_left_to_a_person(stories: Stories, place: Path) -> None:
    story = stories("clean")
    write_durable_head(story.put(place), DurableHead("j_1", 5, 12345))
    with pytest.raises(Refused, match="another journal"):
        mended(place)


def test_a_damaged_last_event_is_no_other_journal(stories: Stories, place: Path) -> None:
    """Its CRC is what the side file knows the journal by."""
    story = stories("clean")
    last = "seq = (select max(seq) from events)"
    change(story.put(place), f"update events set crc = crc + 1 where {last}")
    with pytest.raises(JournalBroken, match=r"journal\.db is damaged: event .* Run `quest doctor`"):
        open_store(place)
    done = mended(place)
    assert done is not None
    check(story, place, done, {})


def test_a_newer_programs_journal_is_left_alone(stories: Stories, place: Path) -> None:
    story = stories("clean")
    change(story.put(place), "pragma user_version = 2")
    with pytest.raises(Refused, match="newer questd"):
        mended(place)


def test_a_journal_in_use_is_not_repaired(stories: Stories, place: Path) -> None:
    stories("clean").put(place)
    with DirectoryLock(place, clock_us=clock_us), pytest.raises(Refused, match="end it first"):
        mended(place)


@pytest.mark.parametrize("reached", ["aside", "wal gone"])
def test_a_repair_that_was_cut_off_is_done_again(
    stories: Stories, place: Path, reached: str
) -> None:
    """Between setting aside and the new name: the old files have lost their WAL, the folder aside has it."""
    story = stories("killed")
    given = damaged(story, place, "wal", Damage("flip", 400_000))
    aside = place / "damaged-20200101T000000000000"
    aside.mkdir()
    for name, content in given.items():
        (aside / name).write_bytes(content)
    (place / ".repair").mkdir()
    if reached == "wal gone":
        (place / "journal.db-wal").unlink()
        assert judge(story, place) == "refused: JournalForeign"
    done = mended(place)
    assert done is not None
    assert not done.lost
    check(story, place, done, {})
    assert {name: (aside / name).read_bytes() for name in given} == given


def test_an_empty_database_does_not_cost_its_wal(stories: Stories, place: Path) -> None:
    story = stories("killed")
    story.put(place, db=b"")
    assert {one.what for one in verify(place, head_told)} == {"foreign"}
    (place / "journal.head").unlink()
    with pytest.raises(JournalForeign, match="its WAL is here"):
        open_store(place)
    assert (place / "journal.db-wal").read_bytes() == story.files["journal.db-wal"]
