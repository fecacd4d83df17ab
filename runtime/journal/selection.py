"""Which heads a question means: the same answer from every implementation of a journal.

Pure functions of heads; must not know how they are stored.
"""

from msgspec import structs

from questd.messages.heads import TERMINAL, Head, ListFilter
from questd.messages.schedules import is_schedule

DAY_US = 86_400_000_000
END_KINDS = frozenset({"quest.completed", "quest.failed", "quest.cancelled"})
"""Kinds of the event that ends a quest; a quest has one."""
ENDINGS_SPAN = 20_000
"""Events that are looked at for such in one question."""
TOMBSTONE_US = 90 * DAY_US
"""How long the key of a deleted quest stays taken."""


def is_open(head: Head) -> bool:
    """Neither ended nor parked: a daemon has to care for it."""
    return head.parked is None and head.status not in TERMINAL


def is_ended(head: Head) -> bool:
    """Whether the quest has ended for good and may be retired."""
    return head.finished_us is not None and head.status in TERMINAL


def shown_status(head: Head) -> str:
    """Status that people see and filter by: a parked quest counts as failed."""
    return head.status if head.parked is None else "failed"


def waiting_since_us(head: Head) -> int | None:
    """Since when the longest wait lasts; None when nothing waits. A child that runs is nothing that one waits for in vain."""
    return min((wait.since_us for wait in head.waits if wait.what != "child"), default=None)


def same_identity(first: Head, later: Head) -> Head:
    """``later`` with what a quest keeps from its first head: name, project, key, time of creation.

    They are fixed so that the indexes over them are written once a quest and not with every append.
    """
    kept = (first.name, first.project, first.key, first.created_us)
    if kept == (later.name, later.project, later.key, later.created_us):
        return later
    return structs.replace(later, name=kept[0], project=kept[1], key=kept[2], created_us=kept[3])


def passes(head: Head, wanted: ListFilter) -> bool:
    """Whether the filter lets this head through; ``limit`` and ``after`` are not looked at. Schedules are no quests."""
    if is_schedule(head.quest):
        return False
    if wanted.status and shown_status(head) not in wanted.status:
        return False
    if wanted.name is not None and head.name != wanted.name:
        return False
    if wanted.project is not None and head.project != wanted.project:
        return False
    if wanted.since_us is not None and head.created_us < wanted.since_us:
        return False
    return passes_scan(head, wanted)


def passes_scan(head: Head, wanted: ListFilter) -> bool:
    """Whether the head passes the part of the filter that no index can answer: text, labels, how long it waits."""
    if wanted.text is not None and not _mentions(head, wanted.text.casefold()):
        return False
    if wanted.waiting_since_us is not None:
        since = waiting_since_us(head)
        if since is None or since > wanted.waiting_since_us:
            return False
    labels = head.labels
    return all(labels.get(name) == value for name, value in wanted.labels.items())


def _mentions(head: Head, text: str) -> bool:
    return text in head.name.casefold() or text in head.quest.casefold()
