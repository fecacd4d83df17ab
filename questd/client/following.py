"""One quest, followed: its events page by page, folded as they come, and what its running tasks last said.

Works on any link; only a daemon's makes a poll wait for news.
"""

from collections.abc import Callable
from typing import Final

from questd.client.errors import InternalFault
from questd.client.link import DaemonLink, Link
from questd.messages.control import (
    Blobs,
    MissingAgents,
    QuestRecords,
    ReadBlobs,
    ReadQuest,
    TaskProgress,
)
from questd.messages.control import Missing as AskMissing
from questd.messages.events import Record
from questd.messages.heads import Head
from questd.messages.payload import BlobRef
from questd.views.quests import QuestFold, Wanted, has_ended, quest_view
from questd.views.shapes import QuestView

PAGE: Final = 2_000
TEXTS_KEPT: Final = 64


class Texts:
    """Payloads kept elsewhere, asked for one by one; the last few are remembered."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._known: dict[str, bytes] = {}

    def __call__(self, reference: BlobRef) -> bytes:
        """The text. InternalFault when it is gone."""
        known = self._known.get(reference.digest)
        if known is not None:
            return known
        found = self._link.ask(ReadBlobs((reference.digest,)), Blobs).texts.get(reference.digest)
        if found is None:
            raise InternalFault(f"payload {reference.digest} is not stored: run `quest doctor`")
        if len(self._known) >= TEXTS_KEPT:
            self._known.pop(next(iter(self._known)))
        self._known[reference.digest] = found
        return found


class Following:
    """``quest`` may be the start of an id; NotFound, or InvalidInput when several begin so."""

    def __init__(self, link: Link, quest: str) -> None:
        self._link = link
        self.texts = Texts(link)
        first = link.ask(ReadQuest(quest, limit=PAGE, definition=True), QuestRecords)
        assert first.definition is not None
        self.head: Head = first.head
        self.fold = QuestFold(first.head.quest, first.definition, first.head.definition)
        self.progress: dict[str, TaskProgress] = {}
        self.last_missing: frozenset[Wanted] = frozenset()
        self._progress_version = 0
        self._more = False
        self._unread = list(self._take(first))

    @property
    def id(self) -> str:
        """The whole id."""
        return self.head.quest

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return not self._unread and has_ended(self.fold, self.head)

    def poll(self, wait_ms: int = 0) -> list[Record]:
        """The events after the last ones; waits at most so long for any (also progress ends the wait)."""
        if self._unread:
            unread, self._unread = self._unread, []
            return unread
        request = ReadQuest(
            self.id,
            self.fold.state.version,
            PAGE,
            0 if self._more else wait_ms,
            seen_progress=self._progress_version,
        )
        return list(self._take(self._link.ask(request, QuestRecords)))

    def catch_up(self, seen: Callable[[list[Record]], None] = lambda _: None) -> None:
        """Read all that there is."""
        seen(self.poll())
        while self._more:
            seen(self.poll())

    def view(self) -> QuestView:
        """What ``show`` says of it now."""
        return quest_view(self.fold, self.head, self.texts, self.missing())

    def missing(self) -> frozenset[Wanted]:
        """What tasks ask for that nobody connected offers; asked only where a task of this quest wants a place."""
        wanted: frozenset[Wanted] = frozenset()
        if self.fold.state.admitted and isinstance(self._link, DaemonLink):
            found = self._link.ask(AskMissing(), MissingAgents).wanted
            wanted = frozenset((agent, tags) for agent, tags, _, _ in found)
        self.last_missing = wanted
        return wanted

    def _take(self, page: QuestRecords) -> tuple[Record, ...]:
        self.head = page.head
        self._more = page.more
        self.progress = {one.task: one for one in page.progress}
        self._progress_version = max(self._progress_version, page.progress_version)
        self.fold.apply(page.records)
        return page.records
