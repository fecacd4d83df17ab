"""Retention on disk: whole quests go with their children, a bounded number of rows at a time.

A quest's head goes first and its key becomes a tombstone; then its events go from the last to the first, so that what is
left is always a whole chain from n = 1. Runs inside the writer's transaction; must not know when.
"""

import sqlite3
from collections.abc import Iterator
from typing import Any

from questd.messages.heads import CHILD_MARK
from questd.runtime.journal.selection import TOMBSTONE_US

ENDED = "finished_us is not null and status in ('completed', 'failed', 'cancelled')"
ROOT = f"instr(quest, '{CHILD_MARK}') = 0"
BYTES_A_ROW = 16 * 1024
"""Deleting this much of a payload counts as much as deleting an event."""
_TOMBSTONES = 1_000


def retire(
    writer: sqlite3.Connection,
    *,
    now_us: int,
    before_us: int,
    keep: int,
    watermark: int,
    limit: int,
) -> tuple[int, list[str]]:
    """Delete about ``limit`` rows; how many went, and the quests whose heads went."""
    writer.execute(
        "delete from tombstones where key in "
        "(select key from tombstones where retired_us <= ? order by retired_us limit ?)",
        (now_us - TOMBSTONE_US, _TOMBSTONES),
    )
    gone = _sweep(writer, limit)
    quests: list[str] = []
    due = limit - gone
    for root, version in _retirable(writer, before_us, keep, watermark, limit):
        if due <= 0:
            break
        family = _family(writer, root, version, watermark)
        due -= sum(max(1, events) for _, events in family)
        quests += [quest for quest, _ in family]
    for quest in quests:
        _entomb(writer, quest, now_us)
    return gone + len(quests) + _sweep(writer, limit - gone), quests


def _retirable(
    writer: sqlite3.Connection, before_us: int, keep: int, watermark: int, limit: int
) -> Iterator[tuple[str, int]]:
    """Quests that are nobody's children to retire, and their number of events: too old ones, then those too many, each oldest first."""
    old = writer.execute(
        f"select quest, version from heads where {ENDED} and {ROOT} and finished_us < ? and seq <= ? "  # noqa: S608
        "order by finished_us, quest limit ?",
        (before_us, watermark, limit),
    ).fetchall()
    yield from old
    (ended,) = writer.execute(f"select count(*) from heads where {ENDED} and {ROOT}").fetchone()  # noqa: S608
    if ended > keep:
        known = dict(old)
        yield from (
            row
            for row in writer.execute(
                "select quest, version from (select quest, version, seq from heads "  # noqa: S608
                f"where {ENDED} and {ROOT} order by finished_us, quest limit ?) where seq <= ? limit ?",
                (ended - keep, watermark, limit + len(old)),
            ).fetchall()
            if row[0] not in known
        )


def _family(
    writer: sqlite3.Connection, root: str, version: int, watermark: int
) -> list[tuple[str, int]]:
    """The quest and all its children, theirs too; none of them while one has not ended or is not in the history."""
    children = writer.execute(
        f"select quest, version, {ENDED} and seq <= ? from heads where quest > ? and quest < ?",  # noqa: S608
        (watermark, root + CHILD_MARK, root + chr(ord(CHILD_MARK) + 1)),
    ).fetchall()
    if not all(over for _, _, over in children):
        return []
    return [(root, version), *((quest, events) for quest, events, _ in children)]


def _entomb(writer: sqlite3.Connection, quest: str, now_us: int) -> None:
    writer.execute(
        "insert or replace into tombstones select key, quest, status, ? from heads "
        "where quest = ? and key is not null",
        (now_us, quest),
    )
    writer.execute(
        "insert into retiring select quest, version from heads where quest = ?", (quest,)
    )
    writer.execute("delete from heads where quest = ?", (quest,))


def _sweep(writer: sqlite3.Connection, limit: int) -> int:
    """Delete up to about ``limit`` events and references of quests whose head is gone."""
    gone = 0
    while gone < limit:
        row = writer.execute("select quest, version from retiring limit 1").fetchone()
        if row is None:
            break
        gone += _sweep_quest(writer, row, limit - gone)
    return gone


def _sweep_quest(writer: sqlite3.Connection, row: tuple[str, int], limit: int) -> int:
    quest, version = row
    events = min(version, limit)
    writer.execute("delete from events where quest = ? and n > ?", (quest, version - events))
    writer.execute("update retiring set version = ? where quest = ?", (version - events, quest))
    if events == limit:
        return events
    cost, finished = _sweep_references(writer, quest, limit - events)
    if finished:
        writer.execute("delete from retiring where quest = ?", (quest,))
    return events + cost


def _sweep_references(writer: sqlite3.Connection, quest: str, limit: int) -> tuple[int, bool]:
    """Delete references, and what nobody else refers to; (cost, whether none is left)."""
    cost = 0
    digests: list[Any] = writer.execute(
        "select digest, (select length(body) from blobs b where b.digest = r.digest) "
        "from quest_references r where quest = ? limit ?",
        (quest, limit + 1),
    ).fetchall()
    for digest, size in digests:
        if cost >= limit:
            return cost, False
        cost += 1 + (size or 0) // BYTES_A_ROW
        writer.execute(
            "delete from quest_references where quest = ? and digest = ?", (quest, digest)
        )
        for table in ("blobs", "definitions"):
            writer.execute(
                f"delete from {table} where digest = ? and not exists "  # noqa: S608
                "(select 1 from quest_references where digest = ?)",
                (digest, digest),
            )
    return cost, len(digests) <= limit
