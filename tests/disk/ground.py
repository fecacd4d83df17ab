"""A reference journal of real quests in every state that a disk can be in when it is damaged, and the judge of what was opened.

The events are those of the oldest golden journal, appended again in their order, a few a commit: after each commit it is noted
what the journal then held. Whatever is opened later must be one of these moments, whole.
"""
# pyright: reportPrivateUsage=false

import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import Struct

from questd.messages.events import Record
from questd.messages.heads import Head
from questd.runtime.errors import JournalError
from questd.runtime.journal.head_file import DurableHead, write_durable_head
from questd.runtime.journal.reader import SqliteReader
from questd.runtime.journal.sqlite import SqliteStore
from questd.runtime.journal.store import Append, Appended, NewEvent
from questd.runtime.journal.verify import verify
from questd.views.heads import head_told
from tests.journal.wal import wal_end
from tests.upgrades.golden import copy_of

GOLDEN = Path(__file__).parents[1] / "golden" / "journals" / "v1"
FILES = ("journal.db", "journal.db-wal", "journal.head")
EVENTS_A_COMMIT = 4
_DIGEST = re.compile(rb"[0-9a-f]{64}")


class Held(Struct, frozen=True):
    """All that a journal holds at one moment."""

    seq: int
    records: tuple[Record, ...]
    heads: tuple[Head, ...]
    contents: tuple[tuple[str, bytes | None], ...]


class Story(Struct, frozen=True):
    """A journal as files, and the moments of its life by seq. ``claimed``: what its side file says was acknowledged."""

    files: dict[str, bytes]
    moments: dict[int, Held]
    claimed: int

    @property
    def last(self) -> Held:
        return self.moments[max(self.moments)]

    def put(self, folder: Path, **changed: bytes) -> Path:
        """Its files in a folder that holds nothing else; ``changed`` by the end of the name (db, wal, head)."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name, content in self.files.items():
            (folder / name).write_bytes(changed.get(re.split(r"[.-]", name)[-1], content))
        return folder


def open_store(folder: Path) -> SqliteStore:
    return SqliteStore(folder, clock_us=lambda: 1_000, new_id=lambda: "j_1", upkeep_s=None)


def told(records: list[Record], reader: SqliteReader) -> Head:
    return head_told(records, reader.definition)


def held(reader: SqliteReader) -> Held:
    """Read all of it. JournalError when something is not what was written."""
    heads = tuple(reader.heads())
    records = reader.follow(0)
    by_quest = [record for head in heads for record in reader.events(head.quest)]
    assert sorted(by_quest, key=lambda record: record.seq) == records
    digests = sorted({found.decode() for r in records for found in _DIGEST.findall(r.body)})
    contents = tuple((d, reader.definition(d) or reader.blob(d)) for d in digests)
    return Held(reader.last_seq(), tuple(records), heads, contents)


def appends(reader: SqliteReader) -> Iterator[Append]:
    """Every other quest of the golden journal again, as their actors appended them."""
    chosen = {head.quest for head in list(reader.heads())[::2]}
    chosen |= {
        q for (q,) in reader.ask("select quest from quest_references join blobs using (digest)")
    }
    known: dict[str, list[Record]] = {}
    for record in reader.follow(0):
        if record.quest not in chosen:
            continue
        story = known.setdefault(record.quest, [])
        story.append(record)
        digests = {found.decode() for found in _DIGEST.findall(record.body)}
        blobs = tuple((d, text) for d in digests if (text := reader.blob(d)) is not None)
        head = told(story, reader)
        definition = reader.definition(head.definition)
        assert definition is not None
        yield Append(
            record.quest,
            record.n - 1,
            (NewEvent(record.at_us, record.kind, record.body),),
            head,
            blobs,
            (head.definition, definition) if record.n == 1 else None,
        )


def commits() -> list[list[Append]]:
    with TemporaryDirectory() as folder, SqliteReader(copy_of(GOLDEN, Path(folder))) as golden:
        items = list(appends(golden))
    return [items[at : at + EVENTS_A_COMMIT] for at in range(0, len(items), EVENTS_A_COMMIT)]


def tell_story(folder: Path, *, left: str) -> Story:
    """``left``: "clean" (closed), "killed" (all in the WAL), "checkpointed" (the older half is in the database), "doubled" (all is in both)."""
    batches = commits()
    moments: dict[int, Held] = {}
    with closing(open_store(folder)) as store:
        moments[0] = held(store)
        for number, batch in enumerate(batches):
            assert all(isinstance(answer, Appended) for answer in store.commit(batch))
            moments[store.durable.seq] = held(store)
            if left == "checkpointed" and number == len(batches) // 2:
                _checkpoint(store)
        if left == "doubled":
            _checkpoint(store)
        write_durable_head(folder, store.durable)
        claimed = store.durable.seq
        files = {} if left == "clean" else files_of(folder)
    return Story(files or files_of(folder), moments, claimed)


def _checkpoint(store: SqliteStore) -> None:
    store.tend(store._writer)


def files_of(folder: Path) -> dict[str, bytes]:
    """As they lie there; of the WAL what counts, and a frame of what does not."""
    found = {name: (folder / name).read_bytes() for name in FILES if (folder / name).exists()}
    wal = found.get("journal.db-wal")
    if wal is not None:
        found["journal.db-wal"] = wal[: wal_end(wal) + 4096 + 24]
    return found


def with_claim(story: Story, folder: Path, seq: int) -> Story:
    """The same journal with a side file that lags: it was written when the journal held ``seq``."""
    story.put(folder)
    with SqliteReader(folder) as reader:
        crc = reader.crc_of(seq)
        assert crc is not None
        write_durable_head(folder, DurableHead(reader.journal_id, seq, crc))
    files = {**story.files, "journal.head": (folder / "journal.head").read_bytes()}
    return Story(files, story.moments, seq)


def judge(story: Story, folder: Path) -> str:
    """What became of the journal in ``folder``, a damaged copy of the story's. AssertionError when it is neither right nor refused."""
    try:
        store = open_store(folder)
    except JournalError as error:
        return f"refused: {type(error).__name__}"
    with closing(store):
        findings = verify(folder, head_told)
        if findings:
            return f"found: {findings[0].what}"
        seen = held(store)
    assert seen.seq >= story.claimed, f"silently lost {seen.seq + 1}..{story.claimed}"
    assert seen == story.moments.get(seen.seq), f"wrong data at {seen.seq}"
    return "intact" if seen == story.last else "prefix"


def change(folder: Path, sql: str) -> None:
    """Change the database behind the journal's back."""
    with closing(sqlite3.connect(folder / "journal.db", isolation_level=None)) as connection:
        connection.execute(sql)
