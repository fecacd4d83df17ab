"""What a journal is: a handful of domain verbs, one conformance suite (tests/journal), several implementations.

The store is synchronous and knows no thread; ``service`` gives it a writer and a reader thread and speaks in
messages. Exactly one process may hold a journal for writing.

Invariants:
- ``commit`` writes its whole batch in one transaction and returns when it is on disk. It refuses single items
  (a ``Refusal`` in their place), never the batch; anything else that goes wrong raises ``JournalBroken`` and the
  store takes no further write.
- A quest's events are numbered 1, 2, … without a gap; ``seq`` grows over the whole journal and is never used twice.
- Each event carries a CRC-32 chained to that of the quest's previous event; reading checks it.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from msgspec import Struct

from questd.messages.events import Record
from questd.messages.heads import Head, ListFilter
from questd.messages.payload import Blob


class NewEvent(Struct, frozen=True, array_like=True):
    """An event to append: its wall time, its tag, and its encoded body."""

    at_us: int
    kind: str
    body: bytes


class Append(Struct, frozen=True):
    """Events to append to one quest, which must stand at ``expected_version``.

    ``definition`` (digest, canonical bytes) and ``blobs`` are stored once, by digest, in the same transaction.
    An Append without events replaces the head only.
    """

    quest: str
    expected_version: int
    events: tuple[NewEvent, ...]
    head: Head
    blobs: tuple[Blob, ...] = ()
    definition: tuple[str, bytes] | None = None


class Appended(Struct, frozen=True):
    """The item is on disk; the quest now stands at ``version``. ``seq``: that of the item's last event (0 without events)."""

    quest: str
    version: int
    seq: int = 0


class VersionConflict(Struct, frozen=True):
    """Somebody else appended first; ``actual`` is where the quest stands."""

    quest: str
    expected: int
    actual: int


class KeyTaken(Struct, frozen=True):
    """The idempotency key belongs to another quest (or to one that is gone: then only its tombstone is left)."""

    quest: str
    key: str
    holder: str


Refusal = VersionConflict | KeyTaken


class JournalStore(Protocol):
    """The truth. Reading verbs see only what is durable."""

    @property
    def journal_id(self) -> str:
        """Given at creation, never changed."""
        ...

    def commit(self, items: Sequence[Append]) -> list[Appended | Refusal]:
        """One transaction; one answer an item, in order. Later items see earlier ones of the same batch."""
        ...

    def events(self, quest: str, after: int = 0, limit: int = 10_000) -> list[Record]:
        """Events of the quest with n > after, in order. BrokenChain when a CRC does not fit."""
        ...

    def follow(self, after_seq: int, limit: int = 10_000) -> list[Record]:
        """Events of all quests with seq > after_seq, in order of seq: what the history reads."""
        ...

    def endings(self, after_seq: int, limit: int) -> tuple[list[tuple[int, str]], int]:
        """The first ``limit`` events that ended a quest with seq > after_seq, as (seq, quest), and how far it looked for them.

        A bounded part of the journal: where it looked further than the last one there is no other.
        """
        ...

    def last_seq(self) -> int:
        """Newest durable event's seq; 0 when there never was one."""
        ...

    def head(self, quest: str) -> Head | None:
        """Head of the quest."""
        ...

    def heads(self, *, open_only: bool = False, after: str = "") -> Iterator[Head]:
        """All heads by id, from behind ``after`` on; with ``open_only`` those of quests that have not ended and are not parked."""
        ...

    def count_open(self) -> int:
        """How many quests have not ended and are not parked: cheap, whatever their number."""
        ...

    def select(self, wanted: ListFilter) -> list[Head]:
        """Heads that pass the filter, newest first."""
        ...

    def resolve_prefix(self, prefix: str) -> list[str]:
        """Up to two quest ids that start so: none, the one, or proof that it is ambiguous. Children go by their whole ids."""
        ...

    def holder(self, key: str) -> str | None:
        """Whose idempotency key it is, or was until its tombstone went."""
        ...

    def definition(self, digest: str) -> bytes | None:
        """Canonical bytes of a definition."""
        ...

    def blob(self, digest: str) -> bytes | None:
        """Text of a payload, by its digest."""
        ...

    def count_deaths(self) -> None:
        """Add one to ``deaths`` of every head that is pending or running: said at start, before anything runs."""
        ...

    def forgive_deaths(self) -> None:
        """Set ``deaths`` to 0 everywhere: said when the daemon has lived for a while, or stops in order."""
        ...

    def retire(self, before_us: int, keep: int, watermark: int, limit: int = 1_000) -> int:
        """Delete ended quests that finished before ``before_us`` or exceed ``keep``, oldest first; tombstone their keys.

        Never one with events past ``watermark`` (the history's seq). At most about ``limit`` events a call; returns how many.
        """
        ...

    def close(self) -> None:
        """Give everything back. Closing twice is fine."""
        ...
