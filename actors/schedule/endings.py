"""Which quests have ended as a trigger wants it, by the journal. Asked on its reader thread; pure reading."""

from typing import Any, Final

from msgspec import Struct

from questd.actors.control.questions import last_event
from questd.actors.schedule.core import Ending, depth_of
from questd.messages.events import QuestCompleted
from questd.messages.heads import Head
from questd.messages.payload import BlobRef, decode_json, encode_json
from questd.messages.schedules import AfterQuest
from questd.messages.upcasting import event_of
from questd.runtime.journal.store import JournalStore

ENDINGS_A_LOOK: Final = 100


class Found(Struct, frozen=True):
    """From the journal's reader: what ended up to ``mark`` as ``trigger`` wants it, and whether there is more to look at."""

    trigger: AfterQuest
    endings: tuple[Ending, ...]
    mark: int
    more: bool


def find_endings(store: JournalStore, trigger: AfterQuest, after: int) -> Found:
    """Behind ``after``, a bounded part of the journal."""
    ends, mark = store.endings(after, ENDINGS_A_LOOK)
    found: list[Ending] = []
    for seq, quest in ends:
        head = store.head(quest)
        if head is not None and wanted(trigger, head):
            found.append(Ending(quest, seq, depth_of(head.key) + 1, encode_json(about(head))))
    return Found(trigger, tuple(found), mark, mark < store.last_seq())


def wanted(trigger: AfterQuest, head: Head) -> bool:
    """Does it wait for this one?"""
    named = trigger.name is None or head.name == trigger.name
    owned = trigger.project is None or head.project == trigger.project
    return named and owned and head.status in trigger.statuses


def about(head: Head) -> dict[str, Any]:
    """What inputs may say of it, but for its output."""
    return {
        "id": head.quest,
        "name": head.name,
        "status": head.status,
        "project": head.project,
        "labels": head.labels,
    }


def output_of(store: JournalStore, quest: str) -> Any:
    """What the quest gave; None when it gave nothing, or is gone."""
    head = store.head(quest)
    record = None if head is None else last_event(store, head)
    event = None if record is None else event_of(record)
    if not isinstance(event, QuestCompleted):
        return None
    output = event.output
    text = store.blob(output.digest) if isinstance(output, BlobRef) else output
    return None if text is None else decode_json(text)
