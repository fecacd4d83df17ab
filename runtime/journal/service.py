"""How actors use a journal: they hand over work and are called back when it is on disk.

``Journal`` is what they know. The production implementation takes its turns on the dispatcher, like a mailbox: all that the
actors have handed over since its last turn is one commit. It has a thread for questions. The simulation has neither and answers
when its clock says so. Callbacks must only post a message.

A commit on the actors' own thread was measured against a writer thread: it costs a sixth less for each step, because nothing
has to be handed over and nobody waits for the interpreter's lock in the middle of a commit. The price is that a slow disk holds
up the actors too; but nothing may be said before the disk has answered anyway.
"""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Lock, RLock, Thread, current_thread
from typing import Any, Protocol, TypeVar

from msgspec import Struct

from questd.runtime.actor import Turn
from questd.runtime.errors import BrokenChain, JournalBroken, JournalError
from questd.runtime.journal.store import Append, Appended, JournalStore, Refusal

BATCH_EVENTS = 2_000
BATCH_BYTES = 8 * 1024 * 1024

_log = logging.getLogger("questd.journal")

T = TypeVar("T")
AppendAnswer = Appended | Refusal | JournalError
"""JournalError: nothing of the item is known to be on disk, and nothing more will be."""


class Journal(Protocol):
    """Durable before spoken: the answer comes after the commit."""

    def append(self, item: Append, answer: Callable[[AppendAnswer], object]) -> None:
        """Queue one item. Items of one quest are committed in the order they were queued."""
        ...

    def read(
        self, question: Callable[[JournalStore], T], answer: Callable[[T | JournalError], object]
    ) -> None:
        """Run a question on the reader thread; it sees all that was answered as durable before."""
        ...

    def between(
        self, work: Callable[[JournalStore], T], answer: Callable[[T | JournalError], object]
    ) -> None:
        """Run a short piece of other writing (retention, deaths) between two commits."""
        ...


class _Work(Struct, frozen=True):
    """Something to run over the store."""

    run: Callable[[JournalStore], Any]
    answer: Callable[[Any], object]


_Queued = tuple[Append, Callable[[AppendAnswer], object]]


class StoreJournal:
    """A store that commits in turns of the dispatcher (``schedule``) and has a thread for questions.

    ``alarm`` is called once, on the thread that found it, when the store has failed: nothing is acknowledged any
    more, and the process should say why and end. Whatever is queued is answered exactly once, with the error if
    need be. The store is its owner's to close, after ``stop``. Queues are not bounded here: the doors give
    credit, and ``queued`` says how much is in.
    """

    def __init__(
        self,
        store: JournalStore,
        schedule: Callable[[Turn], None],
        *,
        alarm: Callable[[JournalError], None],
    ) -> None:
        self._store = store
        self._schedule = schedule
        self._alarm = alarm
        self._lock = Lock()
        self._error: JournalError | None = None
        self._writes: deque[_Queued | _Work] = deque()
        self._token: list[None] = []
        self._turn = RLock()
        self._questions: SimpleQueue[_Work | None] = SimpleQueue()
        self._reader: Thread | None = None
        self._stopped = False

    @property
    def queued(self) -> int:
        """How many items wait for their commit."""
        return len(self._writes)

    @property
    def questions(self) -> int:
        """How many questions wait for the reader."""
        return self._questions.qsize()

    def start(self) -> None:
        """Begin. Starting twice is fine; what was stopped stays stopped."""
        with self._lock:
            if self._reader is not None or self._stopped:
                return
            self._reader = Thread(target=self._read, name="journal-reader", daemon=True)
            self._reader.start()
        self._give_turn_back()

    def stop(self) -> None:
        """Do what is queued, on this thread, then refuse whatever comes later. Stopping twice is fine."""
        with self._turn:
            while self._writes and self._reader is not None:
                self._write()
            with self._lock:
                self._stopped = True
            self._refuse_writes()
        self._questions.put(None)
        if self._reader is None:
            self._refuse_questions()
        elif self._reader is not current_thread():
            self._reader.join()

    def append(self, item: Append, answer: Callable[[AppendAnswer], object]) -> None:
        """Queue one item; ``answer`` is called once it is on disk, or refused."""
        # A bug of the caller's must end the caller, not the batch that it would travel in.
        assert item.head.version == item.expected_version + len(item.events), (
            "the head must name its last event"
        )
        self._put((item, answer))

    def read(
        self, question: Callable[[JournalStore], T], answer: Callable[[T | JournalError], object]
    ) -> None:
        """Queue a question for the reader thread; its result must not be lazy."""
        # First put, then look: whoever stops sets the flag first and empties then, so one of the two sees it.
        self._questions.put(_Work(question, answer))
        if self._stopped:
            self._refuse_questions()

    def between(
        self, work: Callable[[JournalStore], T], answer: Callable[[T | JournalError], object]
    ) -> None:
        """Queue a short piece of other writing (retention, deaths), to be done between two commits."""
        self._put(_Work(work, answer))

    def run(self, budget: int = 1) -> None:
        """One turn: a commit, or one piece of other writing. Only the dispatcher calls this."""
        del budget
        with self._turn:
            if self._writes and not self._stopped:
                self._write()
        self._give_turn_back()

    # -- writing ---------------------------------------------------------------------------------

    def _put(self, entry: _Queued | _Work) -> None:
        self._writes.append(entry)
        if self._stopped:
            self._refuse_writes()
        elif self._token:
            self._take_turn()

    def _give_turn_back(self) -> None:
        self._token.append(None)
        if self._writes:
            self._take_turn()

    def _take_turn(self) -> None:
        """As a mailbox: list.pop is atomic, so whoever gets the token schedules, once."""
        try:
            self._token.pop()
        except IndexError:
            return
        self._schedule(self)

    def _write(self) -> None:
        entry = self._writes.popleft()
        if isinstance(entry, _Work):
            self._run(entry, refused=self._error)
            return
        batch = self._gather(entry)
        said = self._commit([item for item, _ in batch])
        for (_, answer), word in zip(batch, said, strict=True):
            self._tell(answer, word)

    def _gather(self, entry: _Queued) -> list[_Queued]:
        """Take all that is queued, up to a bound and to the next piece of other writing."""
        batch, writes = [entry], self._writes
        events, size = _weight(entry[0])
        while writes and events < BATCH_EVENTS and size < BATCH_BYTES:
            following = writes[0]
            if isinstance(following, _Work):
                break
            batch.append(following)
            writes.popleft()
            more_events, more_bytes = _weight(following[0])
            events += more_events
            size += more_bytes
        return batch

    def _commit(self, items: Sequence[Append]) -> Sequence[AppendAnswer]:
        if self._error is None:
            try:
                return self._store.commit(items)
            except JournalError as error:
                self._fail(error)
            except Exception as error:  # noqa: BLE001 (a bug must not end the thread and leave owners waiting)
                self._fail(_caused(JournalBroken(f"a commit failed by a bug: {error!r}"), error))
        assert self._error is not None
        return [self._error] * len(items)

    # -- questions -------------------------------------------------------------------------------

    def _read(self) -> None:
        while (entry := self._questions.get()) is not None:
            self._run(entry)
        self._refuse_questions()

    def _refuse_questions(self) -> None:
        while True:
            try:
                entry = self._questions.get_nowait()
            except Empty:
                return
            if entry is not None:
                self._tell(entry.answer, self._refusal())

    # -- both ------------------------------------------------------------------------------------

    def _run(self, work: _Work, refused: JournalError | None = None) -> None:
        said: Any = refused
        if said is None:
            try:
                said = work.run(self._store)
            except JournalError as error:
                said = error
                if isinstance(error, JournalBroken | BrokenChain):
                    self._fail(error)
            except Exception as error:  # noqa: BLE001 (as above: the asker gets it)
                said = _caused(JournalError(f"a question to the journal failed: {error!r}"), error)
        self._tell(work.answer, said)

    def _refuse_writes(self) -> None:
        while True:
            try:
                entry = self._writes.popleft()
            except IndexError:
                return
            answer = entry.answer if isinstance(entry, _Work) else entry[1]
            self._tell(answer, self._refusal())

    def _refusal(self) -> JournalError:
        return self._error or JournalError("the journal has been stopped: nothing was written")

    def _tell(self, answer: Callable[[Any], object], word: object) -> None:
        try:
            answer(word)
        except Exception as error:  # noqa: BLE001 (an owner that cannot be told waits for ever: that is fatal)
            self._fail(_caused(JournalError(f"an answer could not be given: {error!r}"), error))

    def _fail(self, error: JournalError) -> None:
        with self._lock:
            first = self._error is None
            self._error = self._error or error
        if first:
            try:
                self._alarm(error)
            except Exception:  # noqa: BLE001 (there is nobody left to tell)
                _log.exception("journal.alarm_raised")


def _weight(item: Append) -> tuple[int, int]:
    """Events (at least one) and bytes."""
    size = sum([len(event.body) for event in item.events])
    if item.blobs:
        size += sum([len(text) for _, text in item.blobs])
    return len(item.events) or 1, size


def _caused(error: JournalError, cause: Exception) -> JournalError:
    error.__cause__ = cause
    return error
