"""Appends made from nothing: what the tests of the journal write."""

import hashlib
from typing import Any

from questd.messages.events import QuestStarted, encode_event, kind_of
from questd.messages.heads import Head
from questd.runtime.journal.store import Append, Appended, JournalStore, NewEvent

TEXT = b'"' + b"x" * 5_000 + b'"'
TEXT_DIGEST = hashlib.sha256(TEXT).hexdigest()
ENOUGH = 10**9
DEFINITION = b"a definition"
DIGEST = hashlib.sha256(DEFINITION).hexdigest()
STARTED = QuestStarted()
BODY = encode_event(STARTED)
KIND = kind_of(STARTED)


def make_head(quest: str, version: int, **changes: Any) -> Head:
    values: dict[str, Any] = {
        "status": "running",
        "definition": DIGEST,
        "name": "review",
        "template_version": "1",
        "project": "default",
        "labels": {},
        "key": None,
        "priority": 5,
        "created_us": 1_000,
    }
    return Head(quest=quest, version=version, **(values | changes))


def make_append(
    quest: str, expected: int, events: int = 1, *, body: bytes = BODY, **changes: Any
) -> Append:
    """``events`` events after ``expected``; ``changes`` are fields of the head, or blobs and definition."""
    own = {name: changes.pop(name) for name in ("blobs", "definition") if name in changes}
    if expected == 0:
        own.setdefault("definition", (DIGEST, DEFINITION))
    return Append(
        quest,
        expected,
        tuple(NewEvent(1_000 + n, KIND, body) for n in range(expected + 1, expected + events + 1)),
        make_head(quest, expected + events, **changes),
        **own,
    )


class Stands:
    """Equal to the answer that a quest now stands at this version, whatever its seq."""

    def __init__(self, quest: str, version: int) -> None:
        self._stand = (quest, version)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Appended) and (other.quest, other.version) == self._stand

    def __hash__(self) -> int:
        return hash(self._stand)

    def __repr__(self) -> str:
        return f"Stands{self._stand}"


def end(quest: str, finished_us: int, **changes: Any) -> list[Append]:
    """A quest of two events that ended."""
    return [
        make_append(quest, 0, 1, **changes),
        make_append(quest, 1, 1, status="completed", finished_us=finished_us, **changes),
    ]


def retire_all(
    store: JournalStore, before_us: int, keep: int = ENOUGH, watermark: int = ENOUGH
) -> int:
    calls = 0
    while store.retire(before_us, keep, watermark, limit=10):
        calls += 1
        assert calls < 1_000
    return calls
