"""Work goes away to a thread and its answer comes back, whatever it was."""

from functools import partial
from queue import SimpleQueue
from threading import Event, current_thread

import pytest

from questd.runtime.deterministic import Agenda, AgendaWorker, VirtualClock
from questd.runtime.worker import ThreadWorker
from questd.simulation.chance import stream


def numbered(number: int) -> tuple[int, str]:
    return number, current_thread().name


def fail() -> None:
    raise ValueError("no such luck")


def test_work_is_done_in_order_on_a_thread_of_its_own() -> None:
    worker, answers = ThreadWorker("test"), SimpleQueue[object]()
    for number in range(3):
        worker.do(partial(numbered, number), answers.put)
    worker.start()
    worker.start()
    assert [answers.get() for _ in range(3)] == [(0, "test"), (1, "test"), (2, "test")]
    worker.stop()
    worker.stop()


@pytest.mark.parametrize("kind", ["thread", "agenda"])
def test_a_fault_of_the_work_is_its_answer_and_the_next_goes_on(kind: str) -> None:
    answers = SimpleQueue[object]()
    agenda = Agenda(VirtualClock(0), stream(1, "agenda"))
    thread = ThreadWorker("test")
    worker = thread if kind == "thread" else AgendaWorker(agenda, lambda: 1)
    worker.do(fail, answers.put)
    worker.do(lambda: 2, answers.put)
    thread.start()
    while agenda:
        agenda.run_next()
    fault, two = answers.get(), answers.get()
    thread.stop()
    assert (repr(fault), two) == ("ValueError('no such luck')", 2)


def test_an_answer_that_cannot_be_given_costs_nobody_else_his(
    caplog: pytest.LogCaptureFixture,
) -> None:
    worker, answers = ThreadWorker("test"), SimpleQueue[object]()
    worker.start()
    worker.do(lambda: 1, lambda _: fail())
    worker.do(lambda: 2, answers.put)
    assert answers.get() == 2
    worker.stop()
    assert "worker.answer_raised" in caplog.text


def test_what_is_given_after_the_stop_is_never_done() -> None:
    worker, done = ThreadWorker("test"), Event()
    worker.start()
    worker.stop()
    worker.do(done.set, lambda _: None)
    worker.start()
    assert not done.is_set()
