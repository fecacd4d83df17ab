"""A batch in the making: which items are admitted, and the rows they become.

Pure: it is given where the quests stand and who holds the keys, and writes nothing. An item that is refused
leaves no trace; later items see the earlier ones that were admitted.
"""

from collections.abc import Sequence
from typing import Any

from questd.messages.events import EVENT_SCHEMA_VERSION
from questd.messages.heads import TERMINAL, Head, at_rest
from questd.runtime.journal.chain import chained_crc
from questd.runtime.journal.rows import head_row, standing
from questd.runtime.journal.selection import same_identity
from questd.runtime.journal.store import Append, Appended, KeyTaken, Refusal, VersionConflict

Stand = tuple[int, int, int, int]
"""Where a quest stands: version, seq and CRC of its last event, ``standing`` of its head (0: unknown)."""

NOWHERE: Stand = (0, 0, 0, 0)


class Batch:
    """``stands``: every quest of the batch that has a head. ``holders``: who has the keys that its new quests ask for."""

    def __init__(self, stands: dict[str, Stand], holders: dict[str, str], last_seq: int) -> None:
        self.stands = stands
        self.last_seq = last_seq
        self.last_crc: int | None = None
        self.events: list[Any] = []
        self.definitions: dict[str, bytes] = {}
        self.blobs: dict[str, bytes] = {}
        self.references: list[str] = []
        self._holders = holders
        self._heads: dict[str, Head] = {}
        self._new: set[str] = set()
        self._changed: set[str] = set()

    def admit(self, item: Append) -> Appended | Refusal:
        """Take an item in, or say why not."""
        quest, head = item.quest, item.head
        stand = self.stands.get(quest)
        version, seq, crc, standing_before = stand or NOWHERE
        if version != item.expected_version:
            return VersionConflict(quest, item.expected_version, version)
        assert head.quest == quest, "the head must be the quest's"
        assert head.version == version + len(item.events), "the head must name its last event"
        if stand is None:
            if head.key is not None and self._holders.setdefault(head.key, quest) != quest:
                return KeyTaken(quest, head.key, self._holders[head.key])
            self._new.add(quest)
            self.references += (quest, head.definition)
        if item.events:
            seq, crc = self._add_events(item, crc)
        if item.blobs or item.definition is not None:
            self._add_contents(item)
        now_standing = standing(head)
        if now_standing != standing_before:
            self._changed.add(quest)
        self._heads[quest] = self._with_identity(head)
        self.stands[quest] = (head.version, seq, crc, now_standing)
        return Appended(quest, head.version, seq if item.events else 0)

    def _add_events(self, item: Append, crc: int) -> tuple[int, int]:
        quest, n, seq, rows = item.quest, item.expected_version, self.last_seq, self.events
        for event in item.events:
            n += 1
            seq += 1
            at_us, kind, body = event.at_us, event.kind, event.body
            previous = crc
            crc = chained_crc(previous, quest, n, at_us, kind, EVENT_SCHEMA_VERSION, body)
            rows += (seq, quest, n, at_us, kind, EVENT_SCHEMA_VERSION, previous, crc, body)
        self.last_seq = seq
        self.last_crc = crc
        return seq, crc

    def _add_contents(self, item: Append) -> None:
        if item.definition is not None:
            digest, definition = item.definition
            self.definitions[digest] = definition
            self.references += (item.quest, digest)
        for digest, text in item.blobs:
            self.blobs[digest] = text
            self.references += (item.quest, digest)

    def _with_identity(self, head: Head) -> Head:
        """Give a quest that began in this batch the identity of its first head (others have it in their row)."""
        first = self._heads.get(head.quest) if head.quest in self._new else None
        return head if first is None else same_identity(first, head)

    def head_rows(self) -> tuple[Sequence[Any], Sequence[Any]]:
        """Values of HEAD_ROWS, and of MOVED_HEAD_ROWS: only the newest head of each quest."""
        whole: list[Any] = []
        moved: list[Any] = []
        for quest, head in self._heads.items():
            _, seq, crc, _ = self.stands[quest]
            key = head.key if quest in self._new else None
            rows = whole if quest in self._changed else moved
            rows += head_row(head, key, seq, crc)
        return whole, moved

    def pages(self) -> int:
        """About how many pages of the WAL it takes: two for each head, one for ten events, and the payloads."""
        payloads = sum([len(text) for text in self.blobs.values()]) if self.blobs else 0
        return 2 * len(self._heads) + len(self.events) // 90 + payloads // 4096

    def at_rest(self) -> list[str]:
        """Quests of the batch that have ended, or only wait: nobody will soon ask where they stand."""
        return [
            quest for quest, head in self._heads.items() if head.status in TERMINAL or at_rest(head)
        ]
