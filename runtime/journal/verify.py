"""Checking a whole journal for `quest doctor`: every page, every chain, every head, every reference. Changes nothing.

Reads beside a running daemon; the page check is one long read, so the WAL grows while it lasts.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from msgspec import Struct, structs

from questd.messages.events import Record
from questd.messages.heads import Head, at_rest
from questd.runtime.errors import BrokenChain, JournalBroken, JournalError, JournalForeign
from questd.runtime.journal.head_file import HEAD_NAME, read_durable_head
from questd.runtime.journal.opening import durable_head, refuse_other
from questd.runtime.journal.reader import SqliteReader

_EVENTS = 10_000


class Finding(Struct, frozen=True):
    """One thing that is wrong. ``what``: open, foreign, side_file, no_side_file, page, chain, head, orphan or content."""

    what: str
    message: str
    quest: str | None = None
    n: int | None = None


class Untold(Exception):
    """A quest's events do not say what its head must be; the message says why."""


class HeadTold(Protocol):
    """What the head must be after a quest's events, from n = 1. Given by whoever knows what events mean."""

    def __call__(
        self,
        records: Sequence[Record],
        definition_of: Callable[[str], bytes | None],
        *,
        resting: bool = False,
    ) -> Head:
        """Raise Untold when they do not tell."""
        ...


def verify(directory: Path, told: HeadTold | None = None) -> list[Finding]:
    """Everything that is wrong with the journal in ``directory``; an empty list when it is whole.

    No checksum covers a head's row: with ``told`` it is compared with what its events say.
    """
    try:
        with SqliteReader(directory) as reader:
            findings = list(_side_file(reader))
            pages = list(_pages(reader))
            # Beyond a damaged page every other check would only repeat that.
            return findings + (
                pages or [*_quests(reader, told), *_orphans(reader), *_contents(reader)]
            )
    except JournalError as error:
        return [Finding("foreign" if isinstance(error, JournalForeign) else "open", str(error))]


def _side_file(reader: SqliteReader) -> Iterator[Finding]:
    try:
        claimed = read_durable_head(reader.directory)
        if claimed is None:
            path = reader.directory / HEAD_NAME
            yield Finding(
                "no_side_file", f"{path} is missing: an older copy could not be told apart"
            )
        else:
            refuse_other(reader, durable_head(reader), claimed)
    except JournalError as error:
        yield Finding("side_file", str(error))


def _pages(reader: SqliteReader) -> Iterator[Finding]:
    try:
        said = [text for (text,) in reader.ask("pragma integrity_check")]
    except JournalBroken as error:
        said = [str(error)]
    for text in said:
        if text != "ok":
            yield Finding("page", f"{reader.path}: {text}")


def _quests(reader: SqliteReader, told: HeadTold | None) -> Iterator[Finding]:
    for head in reader.heads():
        yield from _head(reader, head)
        try:
            records: list[Record] = []
            for after in range(0, head.version, _EVENTS):
                page = reader.events(head.quest, after, _EVENTS)
                if told is not None:
                    records += page
            if told is not None:
                yield from _telling(reader, head, records, told)
        except BrokenChain as error:
            yield Finding("chain", str(error), error.quest, error.n)


def _head(reader: SqliteReader, head: Head) -> Iterator[Finding]:
    """Events beyond the head, and a head that names another seq than its last event has."""
    rows = reader.ask(
        "select h.version, h.seq, max(e.n), max(e.seq) from heads h join events e using (quest) where quest = ?",
        (head.quest,),
    )
    version, seq, last_n, last_seq = rows[0]
    if last_n is not None and (version, seq) != (last_n, last_seq):
        yield Finding(
            "head",
            f"{head.quest} is said to end with event {version} (seq {seq}) but has {last_n} (seq {last_seq})",
            head.quest,
            last_n,
        )


def _telling(
    reader: SqliteReader, head: Head, records: Sequence[Record], told: HeadTold
) -> Iterator[Finding]:
    # A daemon may be appending meanwhile; what it said after these events is looked at another time.
    if not records or records[-1].n != head.version:
        return
    try:
        other = told(records, reader.definition, resting=at_rest(head))
    except Untold as error:
        yield Finding("content", f"{head.quest} cannot go on: {error}", head.quest)
        return
    wrong = differences(head, other)
    if wrong:
        message = f"the row of {head.quest} is not what its events say ({', '.join(wrong)})"
        yield Finding("head", message, head.quest)


def differences(head: Head, told: Head) -> list[str]:
    """Names of the fields in which a row is not what its events tell.

    ``parked`` and ``deaths`` are no event's; a parked quest's row keeps the state that it had.
    """
    unsaid = {"parked", "deaths"}
    if head.parked is not None:
        unsaid |= {"status", "wake_us", "wants", "waits"}
    names = [field.name for field in structs.fields(Head) if field.name not in unsaid]
    return [name for name in names if getattr(head, name) != getattr(told, name)]


def _orphans(reader: SqliteReader) -> Iterator[Finding]:
    for quest, n in reader.ask(
        "select quest, max(n) from events e where not exists (select 1 from heads h where h.quest = e.quest) "
        "and not exists (select 1 from retiring r where r.quest = e.quest and r.version >= e.n) group by quest"
    ):
        yield Finding("orphan", f"{quest} has events but no head", quest, n)


def _contents(reader: SqliteReader) -> Iterator[Finding]:
    for quest, digest in reader.ask(
        "select quest, digest from quest_references r where not exists (select 1 from blobs b where b.digest = r.digest) "
        "and not exists (select 1 from definitions d where d.digest = r.digest)"
    ):
        yield Finding("content", f"{quest} refers to {digest}, which is not stored", quest)
    for table, read in (("definitions", reader.definition), ("blobs", reader.blob)):
        for (digest,) in reader.ask(f"select digest from {table}"):  # noqa: S608
            try:
                read(digest)
            except JournalError as error:
                yield Finding("content", str(error))
