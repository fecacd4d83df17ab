"""How actors use a journal: they hand over work and are called back when it is on disk.

``Journal`` is what they know. The production implementation has a writer thread (group commit) and a reader
thread over one store; the simulation has none and answers when its clock says so. Callbacks run on the journal's own
threads and must only post a message.
"""

import logging
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Lock, Thread, current_thread
from typing import Any, Protocol, TypeVar

from msgspec import Struct

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
        """Run a short piece of other writing (retention, deaths) on the writer thread, between two batches."""
        ...


class _Work(Struct, frozen=True):
    """Something to run over the store on one of the two threads."""

    run: Callable[[JournalStore], Any]
    answer: Callable[[Any], object]


_Queued = tuple[Append, Callable[[AppendAnswer], object]]


class _Lane:
    """A queue with an end: whatever is put in after it was closed is refused at once, so nothing is left unanswered."""

    def __init__(self, refuse: Callable[[_Queued | _Work], None]) -> None:
        self.queue: SimpleQueue[_Queued | _Work | None] = SimpleQueue()
        self._refuse = refuse
        self._closed = False

    def put(self, entry: _Queued | _Work | None) -> None:
        # First put, then look: whoever closes sets the flag first and empties then, so one of the two sees the entry.
        self.queue.put(entry)
        if self._closed:
            self._empty()

    def close(self) -> None:
        self._closed = True
        self._empty()

    def _empty(self) -> None:
        while True:
            try:
                entry = self.queue.get_nowait()
            except Empty:
                return
            if entry is not None:
                self._refuse(entry)


class ThreadedJournal:
    """A store with a writer thread (group commit) and a reader thread.

    ``alarm`` is called once, on the thread that found it, when the store has failed: nothing is acknowledged any
    more, and the process should say why and end. Whatever is queued is answered exactly once, with the error if
    need be. The store is its owner's to close, after ``stop``. Queues are not bounded here: the doors give
    credit, and ``queued`` says how much is in.
    """

    def __init__(self, store: JournalStore, *, alarm: Callable[[JournalError], None]) -> None:
        self._store = store
        self._alarm = alarm
        self._lock = Lock()
        self._stopping = False
        self._error: JournalError | None = None
        self._writes = _Lane(self._refuse)
        self._reads = _Lane(self._refuse)
        self._aside: list[_Work | None] = []
        self._threads: tuple[Thread, ...] = ()

    @property
    def queued(self) -> int:
        """How many items wait for the writer."""
        return self._writes.queue.qsize()

    @property
    def questions(self) -> int:
        """How many questions wait for the reader."""
        return self._reads.queue.qsize()

    def start(self) -> None:
        """Begin. Starting twice is fine; what was stopped stays stopped."""
        with self._lock:
            if self._threads or self._stopping:
                return
            self._threads = (
                Thread(target=self._write, name="journal-writer", daemon=True),
                Thread(target=self._read, name="journal-reader", daemon=True),
            )
            for thread in self._threads:
                thread.start()

    def stop(self) -> None:
        """Do what is queued, then end; later items are answered with an error. Stopping twice is fine."""
        with self._lock:
            self._stopping = True
            threads = self._threads
        self._writes.put(None)
        self._reads.put(None)
        for thread in threads:
            if thread is not current_thread():
                thread.join()
        if not threads:
            self._writes.close()
            self._reads.close()

    def append(self, item: Append, answer: Callable[[AppendAnswer], object]) -> None:
        """Queue one item; ``answer`` is called on the writer thread once it is on disk, or refused."""
        # A bug of the caller's must end the caller, not the batch that it would travel in.
        assert item.head.version == item.expected_version + len(item.events), (
            "the head must name its last event"
        )
        self._writes.put((item, answer))

    def read(
        self, question: Callable[[JournalStore], T], answer: Callable[[T | JournalError], object]
    ) -> None:
        """Queue a question for the reader thread; its result must not be lazy."""
        self._reads.put(_Work(question, answer))

    def between(
        self, work: Callable[[JournalStore], T], answer: Callable[[T | JournalError], object]
    ) -> None:
        """Queue a short piece of other writing (retention, deaths) for the writer thread, between two batches."""
        self._writes.put(_Work(work, answer))

    def _write(self) -> None:
        while (entry := self._next()) is not None:
            if not isinstance(entry, tuple):
                self._run(entry, refused=self._error)
                continue
            batch = self._gather(entry)
            said = self._commit([item for item, _ in batch])
            for (_, answer), word in zip(batch, said, strict=True):
                self._tell(answer, word)
        self._writes.close()

    def _next(self) -> _Queued | _Work | None:
        return self._aside.pop() if self._aside else self._writes.queue.get()

    def _gather(self, entry: _Queued) -> list[_Queued]:
        """Take all that is queued, up to a bound; what is no append is put aside for the next turn."""
        batch = [entry]
        events, size = _weight(entry[0])
        while events < BATCH_EVENTS and size < BATCH_BYTES:
            try:
                following = self._writes.queue.get_nowait()
            except Empty:
                break
            if not isinstance(following, tuple):
                self._aside.append(following)
                break
            batch.append(following)
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

    def _read(self) -> None:
        while (entry := self._reads.queue.get()) is not None:
            assert isinstance(entry, _Work)
            self._run(entry)
        self._reads.close()

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

    def _refuse(self, entry: _Queued | _Work) -> None:
        error = self._error or JournalError("the journal has been stopped: nothing was written")
        self._tell(entry[1] if isinstance(entry, tuple) else entry.answer, error)

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
