"""The turns of a journal and its thread: everything queued is answered exactly once, whatever happens."""
# pyright: reportPrivateUsage=false

import sqlite3
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Barrier, Event, Thread
from typing import Any

import pytest

from questd.runtime.dispatch import PooledDispatcher
from questd.runtime.errors import BrokenChain, JournalBroken, JournalError
from questd.runtime.journal.memory import MemoryStore
from questd.runtime.journal.service import BATCH_EVENTS, StoreJournal
from questd.runtime.journal.sqlite import SqliteStore
from questd.runtime.journal.store import Append, Appended, JournalStore, Refusal, VersionConflict
from tests.journal.conftest import WallClock
from tests.journal.making import Stands, make_append

OpenStore = Callable[[], SqliteStore]


class Batches(MemoryStore):
    """A journal in memory that tells how large its batches were, and may be held up."""

    def __init__(self) -> None:
        super().__init__(journal_id="j_1", clock_us=WallClock())
        self.sizes: list[int] = []
        self.gate = Event()
        self.gate.set()

    def commit(self, items: Sequence[Append]) -> list[Appended | Refusal]:
        assert self.gate.wait(10)
        self.sizes.append(len(items))
        return super().commit(items)


class Running:
    """A started journal; collects answers and alarms."""

    def __init__(self, store: JournalStore) -> None:
        self.store = store
        self.answers: SimpleQueue[Any] = SimpleQueue()
        self.alarms: list[JournalError] = []
        self.dispatcher = PooledDispatcher()
        schedule = self.dispatcher.schedule_late
        self.journal = StoreJournal(store, schedule, alarm=self.alarms.append)

    def start(self) -> None:
        self.journal.start()
        self.dispatcher.start()

    def stop(self) -> None:
        self.dispatcher.stop()
        self.journal.stop()

    def append(self, item: Append) -> None:
        self.journal.append(item, self.answers.put)

    def next(self) -> Any:
        return self.answers.get(timeout=10)


def test_an_answer_comes_after_the_commit_and_a_question_sees_it(store: JournalStore) -> None:
    running = Running(store)
    running.start()
    running.append(make_append("q_1", 0, 2))
    assert running.next() == Stands("q_1", 2)
    running.journal.read(lambda s: len(s.events("q_1")), running.answers.put)
    assert running.next() == 2
    running.append(make_append("q_1", 0))
    assert running.next() == VersionConflict("q_1", 0, 2)
    running.stop()


def test_all_that_is_queued_is_one_commit_up_to_a_bound() -> None:
    store = Batches()
    running = Running(store)
    for n in range(100):
        running.append(make_append("q_1", n))
    running.append(make_append("q_2", 0, BATCH_EVENTS))
    running.append(make_append("q_3", 0, BATCH_EVENTS))
    assert running.journal.queued == 102
    running.start()
    running.stop()
    assert store.sizes == [101, 1]
    assert [running.next() for _ in range(100)] == [Stands("q_1", n + 1) for n in range(100)]


def test_stop_does_what_was_queued_and_refuses_what_comes_later() -> None:
    store = Batches()
    running = Running(store)
    store.gate.clear()
    running.start()
    for n in range(50):
        running.append(make_append("q_1", n))
    stopping = Thread(target=running.stop)
    stopping.start()
    store.gate.set()
    stopping.join(10)
    assert [running.next() for _ in range(50)] == [Stands("q_1", n + 1) for n in range(50)]
    running.append(make_append("q_1", 50))
    assert isinstance(running.next(), JournalError)
    running.journal.read(lambda s: s.last_seq(), running.answers.put)
    assert isinstance(running.next(), JournalError)
    assert running.alarms == []


def test_starting_and_stopping_in_any_order_is_fine() -> None:
    running = Running(Batches())
    running.append(make_append("q_1", 0))
    running.stop()
    assert isinstance(running.next(), JournalError)
    running.stop()
    running.start()
    running.append(make_append("q_1", 0))
    assert isinstance(running.next(), JournalError)
    again = Running(Batches())
    again.start()
    again.start()
    again.stop()
    again.stop()


def test_everything_is_answered_once_when_many_append_while_it_stops() -> None:
    for _ in range(20):
        running = Running(Batches())
        running.start()
        together = Barrier(4)

        def work(name: str, running: Running = running, together: Barrier = together) -> None:
            together.wait()
            for n in range(200):
                running.append(make_append(name, n))

        threads = [Thread(target=work, args=(f"q_{i}",)) for i in range(3)]
        for thread in threads:
            thread.start()
        together.wait()
        running.stop()
        for thread in threads:
            thread.join()
        assert running.answers.qsize() == 600
        said = [running.next() for _ in range(600)]
        assert sum(isinstance(word, Appended) for word in said) == running.store.last_seq()


def test_a_broken_journal_answers_everything_with_the_error_and_alarms_once(
    open_store: OpenStore,
) -> None:
    store = open_store()
    running = Running(store)
    store._writer.execute("pragma max_page_count = 1")
    for n in range(30):
        running.append(make_append(f"q_{n}", 0, 200, body=b"x" * 1_000))
    running.start()
    said = [running.next() for _ in range(30)]
    assert all(isinstance(word, JournalBroken) for word in said)
    running.append(make_append("q_1", 0))
    assert isinstance(running.next(), JournalBroken)
    running.journal.between(lambda s: s.count_deaths(), running.answers.put)
    assert isinstance(running.next(), JournalBroken)
    assert running.alarms == [said[0]]
    running.stop()


def test_a_broken_chain_that_a_question_finds_ends_the_writing(
    open_store: OpenStore,
) -> None:
    store = open_store()
    store.commit([make_append("q_1", 0, 3)])
    store._writer.execute("update events set body = x'00' where n = 2")
    running = Running(store)
    running.start()
    running.journal.read(lambda s: s.events("q_1"), running.answers.put)
    assert isinstance(running.next(), BrokenChain)
    running.append(make_append("q_1", 3))
    assert isinstance(running.next(), BrokenChain)
    assert len(running.alarms) == 1
    running.stop()


def test_a_question_with_a_bug_is_answered_and_harms_nobody() -> None:
    running = Running(Batches())
    running.start()
    running.journal.read(lambda _: 1 // 0, running.answers.put)
    error = running.next()
    assert isinstance(error, JournalError)
    assert isinstance(error.__cause__, ZeroDivisionError)
    running.append(make_append("q_1", 0))
    assert running.next() == Stands("q_1", 1)
    assert running.alarms == []
    running.stop()


def test_other_writing_runs_between_batches_in_the_order_it_was_queued() -> None:
    store = Batches()
    running = Running(store)
    running.append(make_append("q_1", 0))
    running.journal.between(lambda s: s.last_seq(), running.answers.put)
    running.append(make_append("q_1", 1))
    running.start()
    assert [running.next() for _ in range(3)] == [Stands("q_1", 1), 1, Stands("q_1", 2)]
    assert store.sizes == [1, 1]
    running.stop()


def test_an_owner_that_cannot_be_told_is_an_alarm() -> None:
    running = Running(Batches())

    def fall(_: object) -> None:
        raise OSError("gone")

    running.journal.append(make_append("q_1", 0), fall)
    running.append(make_append("q_2", 0))
    running.start()
    assert running.next() == Stands("q_2", 1)
    running.stop()
    assert len(running.alarms) == 1
    assert isinstance(running.alarms[0].__cause__, OSError)


def test_an_alarm_may_stop_the_journal(open_store: OpenStore) -> None:
    store = open_store()
    answers: SimpleQueue[Any] = SimpleQueue()
    dispatcher = PooledDispatcher()
    journal = StoreJournal(store, dispatcher.schedule_late, alarm=lambda _: journal.stop())
    store._writer.execute("pragma max_page_count = 1")
    journal.append(make_append("q_1", 0, 500, body=b"x" * 1_000), answers.put)
    journal.start()
    dispatcher.start()
    assert isinstance(answers.get(timeout=10), JournalBroken)
    dispatcher.stop()
    journal.stop()


def test_a_head_that_does_not_fit_ends_the_caller_not_the_batch() -> None:
    running = Running(Batches())
    item = make_append("q_1", 0)
    with pytest.raises(AssertionError):
        running.append(Append("q_1", 1, item.events, item.head))
    assert running.journal.queued == 0


def test_a_value_that_sqlite_cannot_hold_breaks_the_journal_by_name(
    open_store: OpenStore,
) -> None:
    store = open_store()
    with pytest.raises(JournalBroken, match="OverflowError"):
        store.commit([make_append("q_1", 0, 1, wake_us=2**70)])
    with pytest.raises(sqlite3.OperationalError):
        store._writer.execute("rollback")
