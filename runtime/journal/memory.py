"""A journal in memory: for simulation, for tests, for `questd.testing`.

A second real implementation of ``JournalStore``: it passes the same conformance suite as the one on disk. What it
holds counts as durable; ``copy`` is the disk that survives a simulated crash. It may be used from several
threads. It keeps no CRC, since memory that it owns does not rot.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter
from threading import RLock

from msgspec import structs

from questd.messages.events import EVENT_SCHEMA_VERSION, Record
from questd.messages.heads import CHILD_MARK, Head, ListFilter, at_rest
from questd.messages.schedules import is_schedule
from questd.runtime.errors import JournalBroken
from questd.runtime.journal.selection import (
    END_KINDS,
    ENDINGS_SPAN,
    TOMBSTONE_US,
    is_ended,
    is_open,
    passes,
    same_identity,
)
from questd.runtime.journal.store import Append, Appended, KeyTaken, Refusal, VersionConflict

_seq = attrgetter("seq")


class MemoryStore:
    """``journal_id`` names it for ever; ``clock_us`` gives wall time in microseconds (tombstones end by it)."""

    def __init__(self, *, journal_id: str, clock_us: Callable[[], int]) -> None:
        self._id = journal_id
        self._clock_us = clock_us
        self._lock = RLock()
        self._closed = False
        self._last_seq = 0
        self._log: list[Record] = []
        self._events: dict[str, list[Record]] = {}
        self._heads: dict[str, Head] = {}
        self._keys: dict[str, str] = {}
        self._tombstones: dict[str, tuple[str, str, int]] = {}
        self._definitions: dict[str, bytes] = {}
        self._blobs: dict[str, bytes] = {}
        self._references: dict[str, frozenset[str]] = {}
        self._reference_counts: dict[str, int] = {}

    @property
    def journal_id(self) -> str:
        """Given at creation, never changed."""
        return self._id

    def copy(self) -> "MemoryStore":
        """Make a journal of its own with the same content: what a restart finds. O(events), shallow."""
        with self._lock:
            twin = MemoryStore(journal_id=self._id, clock_us=self._clock_us)
            twin._last_seq = self._last_seq
            twin._log = self._log.copy()
            twin._events = {quest: records.copy() for quest, records in self._events.items()}
            twin._heads = self._heads.copy()
            twin._keys = self._keys.copy()
            twin._tombstones = self._tombstones.copy()
            twin._definitions = self._definitions.copy()
            twin._blobs = self._blobs.copy()
            twin._references = self._references.copy()
            twin._reference_counts = self._reference_counts.copy()
            return twin

    def commit(self, items: Sequence[Append]) -> list[Appended | Refusal]:
        """One transaction; one answer an item, in order."""
        with self._lock:
            self._writable()
            return [self._append(item) for item in items]

    def _writable(self) -> None:
        if self._closed:
            raise JournalBroken(f"journal {self._id} is closed")

    def _append(self, item: Append) -> Appended | Refusal:
        first = self._heads.get(item.quest)
        actual = 0 if first is None else first.version
        if actual != item.expected_version:
            return VersionConflict(item.quest, item.expected_version, actual)
        head = item.head if first is None else same_identity(first, item.head)
        assert head.version == actual + len(item.events), "the head must name its last event"
        if first is None and head.key is not None:
            holder = self._holder(head.key)
            if holder is not None:
                return KeyTaken(item.quest, head.key, holder)
            self._keys[head.key] = item.quest
        self._write_events(item)
        self._write_contents(item)
        self._heads[item.quest] = head
        return Appended(item.quest, head.version, self._last_seq if item.events else 0)

    def _holder(self, key: str) -> str | None:
        if key in self._keys:
            return self._keys[key]
        quest, _, retired_us = self._tombstones.get(key, ("", "", 0))
        return quest if quest and self._clock_us() < retired_us + TOMBSTONE_US else None

    def _write_events(self, item: Append) -> None:
        records = self._events.setdefault(item.quest, [])
        for n, event in enumerate(item.events, item.expected_version + 1):
            self._last_seq += 1
            record = Record(
                self._last_seq,
                item.quest,
                n,
                event.at_us,
                event.kind,
                EVENT_SCHEMA_VERSION,
                event.body,
            )
            records.append(record)
            self._log.append(record)

    def _write_contents(self, item: Append) -> None:
        if item.definition is not None:
            self._definitions.setdefault(*item.definition)
            self._refer(item.quest, item.definition[0])
        if item.quest not in self._heads:
            self._refer(item.quest, item.head.definition)
        for digest, text in item.blobs:
            self._blobs.setdefault(digest, text)
            self._refer(item.quest, digest)

    def _refer(self, quest: str, digest: str) -> None:
        known = self._references.get(quest, frozenset())
        if digest not in known:
            self._references[quest] = known | {digest}
            self._reference_counts[digest] = self._reference_counts.get(digest, 0) + 1

    def events(self, quest: str, after: int = 0, limit: int = 10_000) -> list[Record]:
        """Events of the quest with n > after, in order."""
        with self._lock:
            return self._events.get(quest, [])[after : after + limit]

    def follow(self, after_seq: int, limit: int = 10_000) -> list[Record]:
        """Events of all quests with seq > after_seq, in order of seq."""
        with self._lock:
            start = bisect_right(self._log, after_seq, key=_seq)
            return self._log[start : start + limit]

    def endings(self, after_seq: int, limit: int) -> tuple[list[tuple[int, str]], int]:
        """The first ``limit`` events that ended a quest, and how far it looked."""
        records = self.follow(after_seq, ENDINGS_SPAN)
        ends = [(each.seq, each.quest) for each in records if each.kind in END_KINDS][:limit]
        if len(ends) == limit:
            return ends, ends[-1][0]
        return ends, records[-1].seq if len(records) == ENDINGS_SPAN else self._last_seq

    def last_seq(self) -> int:
        """Newest event's seq; 0 when there never was one."""
        return self._last_seq

    def head(self, quest: str) -> Head | None:
        """Head of the quest."""
        return self._heads.get(quest)

    def heads(self, *, open_only: bool = False, after: str = "") -> Iterator[Head]:
        """All heads by id, from behind ``after`` on; with ``open_only`` those of quests that have not ended and are not parked."""
        with self._lock:
            found = sorted(self._heads.items())
        behind = (head for quest, head in found if quest > after)
        return (head for head in behind if not open_only or is_open(head))

    def count_open(self) -> int:
        """How many quests have not ended and are not parked."""
        with self._lock:
            open_heads = filter(is_open, self._heads.values())
            return sum(not is_schedule(head.quest) for head in open_heads)

    def select(self, wanted: ListFilter) -> list[Head]:
        """Heads that pass the filter, newest first."""
        with self._lock:
            found = sorted(self._heads.values(), key=_newness, reverse=True)
        if wanted.after is not None:
            found = _older_than(found, wanted.after)
        passed = (head for head in found if passes(head, wanted))
        return [head for head, _ in zip(passed, range(wanted.limit), strict=False)]

    def resolve_prefix(self, prefix: str) -> list[str]:
        """Up to two quest ids that start so. Children go by their whole ids."""
        with self._lock:
            found = (quest for quest in self._heads if quest.startswith(prefix))
            return sorted(q for q in found if CHILD_MARK not in q and not is_schedule(q))[:2]

    def holder(self, key: str) -> str | None:
        """Whose idempotency key it is, or was."""
        with self._lock:
            return self._holder(key)

    def definition(self, digest: str) -> bytes | None:
        """Canonical bytes of a definition."""
        return self._definitions.get(digest)

    def blob(self, digest: str) -> bytes | None:
        """Text of a payload, by its digest."""
        return self._blobs.get(digest)

    def count_deaths(self) -> None:
        """Add one to ``deaths`` of every head in the middle of something."""
        with self._lock:
            self._writable()
            for quest, head in self._heads.items():
                if is_open(head) and not at_rest(head):
                    self._heads[quest] = structs.replace(head, deaths=head.deaths + 1)

    def forgive_deaths(self) -> None:
        """Set ``deaths`` to 0 everywhere."""
        with self._lock:
            self._writable()
            for quest, head in self._heads.items():
                if head.deaths:
                    self._heads[quest] = structs.replace(head, deaths=0)

    def retire(self, before_us: int, keep: int, watermark: int, limit: int = 1_000) -> int:
        """Delete ended quests of ``before_us`` or beyond ``keep``, oldest first; returns how many events went."""
        with self._lock:
            self._writable()
            now = self._clock_us()
            self._tombstones = {
                key: stone
                for key, stone in self._tombstones.items()
                if now < stone[2] + TOMBSTONE_US
            }
            gone: set[str] = set()
            events = 0
            for root in self._retirable(before_us, keep, watermark):
                if events >= limit:
                    break
                for head in self._family(root, watermark):
                    events += head.version
                    gone.add(head.quest)
                    self._forget(head, now)
            if gone:
                self._log = [record for record in self._log if record.quest not in gone]
            return events

    def _retirable(self, before_us: int, keep: int, watermark: int) -> Iterable[Head]:
        roots = (head for head in self._heads.values() if CHILD_MARK not in head.quest)
        ended = sorted(filter(is_ended, roots), key=_finished)
        excess = len(ended) - keep
        for place, head in enumerate(ended):
            old = (head.finished_us or 0) < before_us
            if (old or place < excess) and self._is_seen(head, watermark):
                yield head

    def _is_seen(self, head: Head, watermark: int) -> bool:
        records = self._events[head.quest]
        return not records or records[-1].seq <= watermark

    def _family(self, root: Head, watermark: int) -> list[Head]:
        """The quest and all its children, theirs too; none of them while one has not ended or is not in the history."""
        start = root.quest + CHILD_MARK
        children = [head for quest, head in self._heads.items() if quest.startswith(start)]
        whole = all(is_ended(head) and self._is_seen(head, watermark) for head in children)
        return [root, *children] if whole else []

    def _forget(self, head: Head, now_us: int) -> None:
        del self._heads[head.quest], self._events[head.quest]
        if head.key is not None:
            del self._keys[head.key]
            self._tombstones[head.key] = (head.quest, head.status, now_us)
        for digest in self._references.pop(head.quest, frozenset()):
            self._reference_counts[digest] -= 1
            if not self._reference_counts[digest]:
                del self._reference_counts[digest]
                self._definitions.pop(digest, None)
                self._blobs.pop(digest, None)

    def close(self) -> None:
        """No writes after this; what was written stays readable. Closing twice is fine."""
        self._closed = True


def _newness(head: Head) -> tuple[int, str]:
    return head.created_us, head.quest


def _finished(head: Head) -> tuple[int, str]:
    return head.finished_us or 0, head.quest


def _older_than(newest_first: list[Head], quest: str) -> list[Head]:
    """Heads after ``quest``; when it is gone, after its place by id (ids sort by time)."""
    for place, head in enumerate(newest_first):
        if head.quest == quest:
            return newest_first[place + 1 :]
    older = max((head for head in newest_first if head.quest < quest), key=_id, default=None)
    return [] if older is None else newest_first[newest_first.index(older) :]


def _id(head: Head) -> str:
    return head.quest
