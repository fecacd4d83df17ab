"""The journal of one life of the daemon: group commits when chance says so, over a store that survives the daemon.

It can die before a commit (nothing was written), after one (all was, and nobody was told; or a moment later, when some were), or
break (nothing was, everybody is told so, and the daemon ends a moment later). A transaction is whole or not at all, so there is no
other way.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from questd.runtime.deterministic import Agenda
from questd.runtime.errors import JournalBroken, JournalError
from questd.runtime.journal.memory import MemoryStore
from questd.runtime.journal.service import AppendAnswer
from questd.runtime.journal.store import Append, Appended, JournalStore, Refusal
from questd.simulation.chance import Chance

LATER_US: Final = 6_000
Answer = Callable[[Any], object]
Outcomes = Sequence[Appended | Refusal]


class Watcher(Protocol):
    """Who decides when a commit is the last one, and looks at each."""

    def committing(self) -> str:
        """Called before a commit: "" to go on, else how the daemon dies at it: before, after, later, broken."""
        ...

    def committed(self, items: Sequence[Append], outcomes: Outcomes) -> None:
        """These items are on disk, or refused; nobody knows yet."""
        ...

    def died(self, why: str) -> None:
        """End the daemon, now."""
        ...


class SimulatedJournal:
    """``runtime.journal.service.Journal`` without threads. ``slow``: chance that a commit takes long."""

    def __init__(
        self,
        store: MemoryStore,
        agenda: Agenda,
        chance: Chance,
        watcher: Watcher,
        slow: Callable[[], float],
    ) -> None:
        self._store = store
        self._agenda = agenda
        self._chance = chance
        self._watcher = watcher
        self._slow = slow
        self._writes: deque[tuple[Append | None, Any, Answer]] = deque()
        self._busy = False
        self.broken: JournalError | None = None
        self.closed = False

    @property
    def idle(self) -> bool:
        """Nothing is queued or under way."""
        return not (self._writes or self._busy)

    def append(self, item: Append, answer: Callable[[AppendAnswer], object]) -> None:
        """Queue one item."""
        assert item.head.version == item.expected_version + len(item.events)
        self._write(item, None, answer)

    def between(self, work: Callable[[JournalStore], Any], answer: Answer) -> None:
        """Queue a piece of other writing."""
        self._write(None, work, answer)

    def read(self, question: Callable[[JournalStore], Any], answer: Answer) -> None:
        """Ask the store a little later."""
        slow = self._chance.maybe(self._slow())
        delay_us = self._chance.skewed(20, 400_000 if slow else 3_000)
        self._agenda.after(delay_us, lambda: self._read(question, answer))

    def _read(self, question: Callable[[JournalStore], Any], answer: Answer) -> None:
        if not self.closed:
            answer(question(self._store))

    def _write(self, item: Append | None, work: Any, answer: Answer) -> None:
        self._writes.append((item, work, answer))
        if not self._busy:
            self._busy = True
            self._agenda.after(self._delay_us(), self._commit)

    def _delay_us(self) -> int:
        if self._chance.maybe(self._slow()):
            return self._chance.between(50_000, 800_000)
        return self._chance.skewed(100, 8_000)

    def _commit(self) -> None:
        """A random prefix of what is queued, in one transaction."""
        if self.closed:
            return
        count = len(self._writes)
        if self._chance.maybe(0.3):
            count = self._chance.between(1, count + 1)
        batch = [self._writes.popleft() for _ in range(min(count, len(self._writes)))]
        death = self._watcher.committing() if any(item for item, _, _ in batch) else ""
        if death == "before":
            self._watcher.died("before a commit")
        elif death == "broken":
            self._break(batch)
        else:
            self._store_batch(batch, death)

    def _store_batch(self, batch: list[tuple[Append | None, Any, Answer]], death: str) -> None:
        said: list[tuple[Answer, Any]] = []
        items = [item for item, _, _ in batch if item is not None]
        outcomes = self._store.commit(items) if self.broken is None else ()
        self._watcher.committed(items, outcomes)
        answers = iter(outcomes)
        for item, work, answer in batch:
            said.append((answer, work(self._store) if item is None else next(answers)))
        if death == "after":
            self._watcher.died("after a commit")
            return
        if death == "later":
            delay_us = self._chance.skewed(0, LATER_US)
            self._agenda.after(delay_us, lambda: self._end("a moment after a commit"))
        self._agenda.after(self._chance.skewed(0, 2_000), lambda: self._answer(said))

    def _answer(self, said: list[tuple[Answer, Any]]) -> None:
        if self.closed:
            return
        for answer, word in said:
            answer(word)
        self._busy = bool(self._writes)
        if self._busy:
            self._agenda.after(self._delay_us(), self._commit)

    def _break(self, batch: list[tuple[Append | None, Any, Answer]]) -> None:
        self.broken = JournalBroken("simulated: the disk is full")
        for _, _, answer in (*batch, *self._writes):
            answer(self.broken)
        self._writes.clear()
        self._agenda.after(self._chance.between(0, 20_000), lambda: self._end("a broken journal"))
        self._agenda.after(1_000, self._refuse)

    def _refuse(self) -> None:
        """What comes after the failure is answered with it."""
        if self.closed:
            return
        while self._writes:
            self._writes.popleft()[2](self.broken)
        self._agenda.after(1_000, self._refuse)

    def _end(self, why: str) -> None:
        if not self.closed:
            self._watcher.died(why)
