"""A fresh journal out of what salvage reads: gather everything that proves itself, then settle each quest.

Invariant: an event is taken when its CRC says that it is what was written, and follows the one before it; a content when it has its
digest; a head when its events tell the same. Everything else is told anew, or named as lost. Holds one quest in memory at a time.
"""

import hashlib
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from msgspec import Struct, structs

from questd.messages.events import Record
from questd.messages.heads import Head, at_rest
from questd.runtime.errors import BrokenChain
from questd.runtime.journal.chain import EVENT_COLUMNS, FIRST, Links, checked_record
from questd.runtime.journal.head_file import DurableHead
from questd.runtime.journal.opening import create_journal
from questd.runtime.journal.reader import DATABASE_NAME, Row, open_connection
from questd.runtime.journal.rows import HEAD_COLUMNS, ManyRows, head_of, head_row
from questd.runtime.journal.salvage import Source
from questd.runtime.journal.verify import HeadTold, Untold, differences

_EVENTS = ManyRows("insert or ignore into events", EVENT_COLUMNS)
_NEWEST_HEAD: Final = "on conflict (quest) do update set " + ", ".join(
    f"{name} = excluded.{name}" for name in (*HEAD_COLUMNS.split(", ")[1:], "seq", "crc", "shown")
)
_HEADS = ManyRows(
    "insert into heads",
    f"{HEAD_COLUMNS}, seq, crc, shown",
    f"{_NEWEST_HEAD} where excluded.version > heads.version",
)
_DIGEST: Final = re.compile(rb"[0-9a-f]{64}")
_PAGE: Final = 1_000


class Loss(Struct, frozen=True):
    """What could not be saved of one quest: its events after ``kept`` (0: all of them) of ``had``, or what ``why`` says."""

    quest: str
    kept: int
    had: int
    why: str = ""


class Rebuilt(Struct, frozen=True):
    """What the fresh journal holds. ``seq``: of its newest event. ``told``: quests whose heads were written anew."""

    journal: str
    seq: int
    quests: int
    events: int
    losses: tuple[Loss, ...]
    told: tuple[str, ...]


def rebuild(
    folder: Path,
    sources: Iterable[Source],
    claimed: DurableHead | None,
    told: HeadTold,
    new_id: str,
) -> Rebuilt:
    """Make a journal in ``folder``. It bears ``new_id`` only when nobody knows its name any more."""
    create_journal(folder, 0, "" if claimed is None else claimed.journal)
    with closing(open_connection(folder / DATABASE_NAME, writing=True)) as target:
        # It has no name yet: it is synced once, when it is whole.
        target.execute("pragma synchronous = off").fetchall()
        target.execute("begin immediate")
        last_seq = 0 if claimed is None else claimed.seq
        for source in sources:
            last_seq = max(last_seq, _gather(source, target))
        target.execute("update journal set id = ? where id = ''", (new_id,))
        settling = Settling(target, told)
        settling.settle()
        target.execute("delete from sqlite_sequence where name = 'events'")
        target.execute("insert into sqlite_sequence (name, seq) values ('events', ?)", (last_seq,))
        target.execute("commit")
        return settling.result()


# -- gathering ---------------------------------------------------------------------------------------


def _gather(source: Source, target: sqlite3.Connection) -> int:
    """Take in what proves itself; the newest seq that was ever given."""
    found = source.value("select id from journal")
    if isinstance(found, str):
        created = source.value("select created_us from journal")
        target.execute(
            "update journal set id = ?, created_us = ? where id in ('', ?)",
            (found, created if isinstance(created, int) else 0, found),
        )
    _write(target, _EVENTS, (row for row in source.rows("events", EVENT_COLUMNS) if _proven(row)))
    _write(target, _HEADS, _head_rows(source))
    for table in ("definitions", "blobs"):
        content = ManyRows(f"insert or ignore into {table}", "digest, body")
        _write(target, content, (row for row in source.rows(table, "digest, body") if _sound(row)))
    _gather_endings(source, target)
    counted = source.value("select seq from sqlite_sequence where name = 'events'")
    newest = target.execute("select max(seq) from events").fetchone()[0]
    return max(counted if isinstance(counted, int) else 0, newest or 0)


def _write(target: sqlite3.Connection, into: ManyRows, rows: Iterable[Sequence[Any]]) -> None:
    values: list[Any] = []
    for row in rows:
        values += row
        if len(values) >= _PAGE:
            into.write(target, values)
            values.clear()
    into.write(target, values)


def _proven(row: Sequence[Any]) -> bool:
    try:
        return checked_record(row).seq > 0
    except BrokenChain:
        return False


def _sound(row: Sequence[Any]) -> bool:
    digest, body = row
    return isinstance(body, bytes) and hashlib.sha256(body).hexdigest() == digest


def _head_rows(source: Source) -> Iterator[Sequence[Any]]:
    """Rows that decode. Their keys are left to the settling: a damaged one could be another quest's."""
    for *columns, seq, crc in source.rows("heads", f"{HEAD_COLUMNS}, seq, crc"):
        try:
            head = head_of(columns)
        except (ValueError, TypeError):
            continue
        if isinstance(seq, int) and isinstance(crc, int):
            yield head_row(head, None, seq, crc)


def _gather_endings(source: Source, target: sqlite3.Connection) -> None:
    """Tombstones, and quests on their way out; nothing proves them, so their types must do."""
    for key, quest, outcome, retired_us in source.rows(
        "tombstones", "key, quest, outcome, retired_us"
    ):
        if isinstance(key, str) and isinstance(quest, str) and isinstance(retired_us, int):
            target.execute(
                "insert or ignore into tombstones values (?, ?, ?, ?)",
                (key, quest, str(outcome), retired_us),
            )
    for quest, version in source.rows("retiring", "quest, version"):
        if isinstance(quest, str) and isinstance(version, int):
            target.execute("insert or ignore into retiring values (?, ?)", (quest, version))


# -- settling ----------------------------------------------------------------------------------------


class Settling:
    """Brings each quest of a gathered journal to its longest valid prefix, with the head that goes with it."""

    def __init__(self, target: sqlite3.Connection, told: HeadTold) -> None:
        self._target = target
        self._told = told
        self._losses: list[Loss] = []
        self._remade: list[str] = []

    def settle(self) -> None:
        """Settle all. References, which only repeat what events say, are written anew."""
        self._target.execute(
            "delete from events where quest in (select quest from retiring) "
            "and quest not in (select quest from heads)"
        )
        self._target.execute("delete from retiring")
        for quest in self._quests():
            self._settle(quest)
        for table in ("blobs", "definitions"):
            self._target.execute(
                f"delete from {table} where digest not in (select digest from quest_references)"  # noqa: S608
            )

    def _quests(self) -> Iterator[str]:
        after = ""
        while True:
            row = self._target.execute(
                "select min(quest) from (select min(quest) quest from events where quest > ? "
                "union all select min(quest) from heads where quest > ?)",
                (after, after),
            ).fetchone()
            if row[0] is None:
                return
            after = row[0]
            yield after

    def _settle(self, quest: str) -> None:
        records, crc, had = self._prefix(quest)
        found = self._found(quest)
        had = max(had, found[0].version if found else 0)
        head = self._fitting(records, crc, found) if records else None
        if head is None:
            why = "" if not records else "neither its row nor its events say what it is"
            self._losses.append(Loss(quest, 0, had, why))
            records = []
        elif len(records) < had:
            self._losses.append(Loss(quest, len(records), had))
        self._target.execute("delete from events where quest = ? and n > ?", (quest, len(records)))
        self._target.execute("delete from heads where quest = ?", (quest,))
        if head is not None:
            self._write_head(head, records, crc)
            self._refer(head, records)

    def _prefix(self, quest: str) -> tuple[list[Record], int, int]:
        """The longest valid prefix, the CRC of its last event, and the last n that was seen at all."""
        records: list[Record] = []
        links = Links({quest: FIRST})
        n = 0
        for row in self._rows_in_order(quest):
            n = row[2]
            if n == len(records) + 1:
                try:
                    records.append(links.check(row))
                except BrokenChain:
                    continue
        return records, links.known[quest][1], n

    def _rows_in_order(self, quest: str) -> list[Row]:
        """The quest's events with seqs that rise: of rows that were swapped each is proven by its CRC, which only does not cover its seq."""
        rows = self._target.execute(
            f"select {EVENT_COLUMNS} from events where quest = ? order by n",  # noqa: S608
            (quest,),
        ).fetchall()
        seqs = sorted(row[0] for row in rows)
        if seqs == [row[0] for row in rows]:
            return rows
        self._target.execute("update events set seq = -seq where quest = ?", (quest,))
        for seq, row in zip(seqs, rows, strict=True):
            move = "update events set seq = ? where quest = ? and n = ?"
            self._target.execute(move, (seq, quest, row[2]))
        return [(seq, *row[1:]) for seq, row in zip(seqs, rows, strict=True)]

    def _found(self, quest: str) -> tuple[Head, int, int] | None:
        row = self._target.execute(
            f"select {HEAD_COLUMNS}, seq, crc from heads where quest = ?",  # noqa: S608
            (quest,),
        ).fetchone()
        return None if row is None else (head_of(row[:-2]), row[-2], row[-1])

    def _fitting(
        self, records: list[Record], crc: int, found: tuple[Head, int, int] | None
    ) -> Head | None:
        """The row that was found when it fits, else what the events tell; None when neither can be had."""
        last = records[-1]
        fits = found is not None and (found[0].version, *found[1:]) == (last.n, last.seq, crc)
        resting = found is not None and at_rest(found[0])
        try:
            told = self._told(records, self._definition, resting=resting and fits)
        except Untold as error:
            if not fits or found is None:
                return None
            self._losses.append(Loss(last.quest, last.n, last.n, str(error)))
            return found[0]
        if found is None or not fits:
            self._remade.append(last.quest)
            return told
        # Its key was left out of the row: only the events can be asked for it.
        row = structs.replace(found[0], key=told.key)
        if not differences(row, told):
            return row
        self._remade.append(last.quest)
        return structs.replace(told, parked=row.parked)

    def _definition(self, digest: str) -> bytes | None:
        row = self._target.execute(
            "select body from definitions where digest = ?", (digest,)
        ).fetchone()
        return None if row is None else row[0]

    def _write_head(self, head: Head, records: list[Record], crc: int) -> None:
        key = head.key
        if key is not None:
            taken = self._target.execute("select 1 from heads where key = ?", (key,)).fetchone()
            key = None if taken else key
        _HEADS.write(self._target, head_row(head, key, records[-1].seq, crc))

    def _refer(self, head: Head, records: list[Record]) -> None:
        """Whatever looks like a digest and is that of a content is a reference: to keep too much harms nobody."""
        digests = {found for record in records for found in _DIGEST.findall(record.body)}
        for digest in {head.definition, *(found.decode() for found in digests)}:
            self._target.execute(
                "insert or ignore into quest_references select ?, ? where exists "
                "(select 1 from blobs where digest = ?) or exists (select 1 from definitions where digest = ?)",
                (head.quest, digest, digest, digest),
            )

    def result(self) -> Rebuilt:
        """What there is now."""
        journal, seq, quests, events = self._target.execute(
            "select (select id from journal), (select max(seq) from events), "
            "(select count(*) from heads), (select count(*) from events)"
        ).fetchone()
        return Rebuilt(journal, seq or 0, quests, events, tuple(self._losses), tuple(self._remade))
