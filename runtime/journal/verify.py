"""Checking a whole journal for `quest doctor`: every page, every chain, every reference. Changes nothing.

Reads beside a running daemon; the page check is one long read, so the WAL grows while it lasts.
"""

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from questd.messages.heads import Head
from questd.runtime.errors import BrokenChain, JournalError
from questd.runtime.journal.head_file import HEAD_NAME, read_durable_head
from questd.runtime.journal.opening import durable_head, refuse_other
from questd.runtime.journal.reader import SqliteReader

_EVENTS = 10_000


class Finding(Struct, frozen=True):
    """One thing that is wrong. ``what``: open, side_file, page, chain, head, orphan or content."""

    what: str
    message: str
    quest: str | None = None
    n: int | None = None


def verify(directory: Path) -> list[Finding]:
    """Everything that is wrong with the journal in ``directory``; an empty list when it is whole."""
    try:
        with SqliteReader(directory) as reader:
            findings = list(_side_file(reader))
            pages = list(_pages(reader))
            # Beyond a damaged page every other check would only repeat that.
            return findings + (pages or [*_chains(reader), *_orphans(reader), *_contents(reader)])
    except JournalError as error:
        return [Finding("open", str(error))]


def _side_file(reader: SqliteReader) -> Iterator[Finding]:
    try:
        claimed = read_durable_head(reader.directory)
        if claimed is None:
            path = reader.directory / HEAD_NAME
            yield Finding("side_file", f"{path} is missing: an older copy could not be told apart")
        else:
            refuse_other(reader, durable_head(reader), claimed)
    except JournalError as error:
        yield Finding("side_file", str(error))


def _pages(reader: SqliteReader) -> Iterator[Finding]:
    for (text,) in reader.ask("pragma integrity_check"):
        if text != "ok":
            yield Finding("page", f"{reader.path}: {text}")


def _chains(reader: SqliteReader) -> Iterator[Finding]:
    for head in reader.heads():
        try:
            for after in range(0, head.version, _EVENTS):
                reader.events(head.quest, after, _EVENTS)
            yield from _head(reader, head)
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
