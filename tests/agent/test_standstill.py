"""A process that stood still (SIGSTOP, a suspended host) begins nothing of what others may have done meanwhile."""

from time import monotonic

from questd.agent.effects import Send, Withdraw
from questd.agent.executor import Began, Ended, Executor, Freed, Job, Lane, Note
from questd.agent.tools import Tool
from questd.messages.exchange import Completed, Hello, Resync, Work
from tests.agent.test_session import HOLD_US, Bench, invocation

FOR_LONG_S = 60.0


def test_what_was_fetched_is_begun_within_two_holds_of_the_last_frame_that_was_heard() -> None:
    for late_us, begun in ((0, [1, 2]), (1, [1])):
        bench = Bench(capacity=1, prefetch=1)
        bench.welcome()
        sent_us = bench.now
        bench.work(invocation(1), invocation(2))
        bench.session.ended(Completed("q", 1, b"1"))
        bench.poll(sent_us + 2 * HOLD_US + late_us - bench.now)
        assert bench.began() == begun


def test_an_answer_from_before_the_standstill_proves_nothing_and_one_from_after_it_does() -> None:
    bench = Bench(capacity=1, prefetch=1)
    bench.welcome()
    bench.work(invocation(1), invocation(2))
    before = bench.last()
    bench.now += 10 * HOLD_US
    bench.session.ended(Completed("q", 1, b"1"))
    bench.heard(Work(before.ticket), before)
    assert bench.began() == [1]
    bench.poll(HOLD_US)
    bench.heard(Work(bench.last().ticket))
    assert bench.began() == [1, 2]


def test_a_session_that_is_gone_takes_along_what_was_not_begun() -> None:
    bench = Bench(capacity=1, prefetch=1)
    bench.welcome()
    bench.work(invocation(1), invocation(2))
    bench.session.began(("q", 1))
    bench.heard(Resync("b2"))
    bench.session.ended(Completed("q", 1, b"1"))
    bench.welcome("b2")
    bench.work(invocation(1, epoch=7))
    assert bench.began() == [1, 7]


def test_hello_is_said_when_it_is_known_what_could_be_taken_back_however_fast_the_clock_runs() -> (
    None
):
    bench = Bench(capacity=1, prefetch=1)
    bench.welcome()
    bench.work(invocation(1))
    bench.session.heard(bench.last().ticket, Resync("b2"), bench.now)
    bench.now += 500
    effects = bench.session.poll(bench.now)
    assert [type(effect) for effect in effects] == [Withdraw]
    assert bench.session.next_wake(bench.now) == bench.now
    bench.session.withdrawn(("q", 1))
    (send,) = bench.session.poll(bench.now)
    assert isinstance(send, Send)
    assert isinstance(send.frame, Hello)
    assert send.frame.held == ()


class HandLane:
    """Runs what it was given when the test says so: between being given out and begun a process can stand still."""

    grace_s = 1.0

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.given: list[Job] = []

    def launch(self, job: Job) -> None:
        self.given.append(job)

    def run(self) -> bool:
        """Come to the moment in which the tool of the next job is called; was it?"""
        job = self.given.pop(0)
        called = self.executor.started(job)
        follows = (
            self.executor.finished(job, Completed(*job.attempt, b"1"))
            if called
            else self.executor.passed_over(job)
        )
        if follows is not None:
            self.given.append(follows)
        return called

    def interrupt(self, job: Job) -> None:
        del job

    def blocked_s(self) -> float:
        return 0.0

    def stop(self) -> None:
        self.given.clear()


class Slot:
    """An executor with one slot and two attempts for it."""

    def __init__(self) -> None:
        self.notes: list[Note] = []
        tools = {"t": Tool(lambda: 1, name="t")}
        self.executor = Executor(tools, 1, self.notes.append, self._make_lane)
        self.executor.trust(monotonic() + FOR_LONG_S)
        for number in (1, 2):
            self.executor.begin(invocation(number))

    def _make_lane(self, _: str, executor: Executor) -> Lane:
        self.lane = HandLane(executor)
        return self.lane

    def began(self) -> list[int]:
        return [note.job.attempt[1] for note in self.notes if isinstance(note, Began)]

    def ended(self) -> int:
        return sum(isinstance(note, Ended) for note in self.notes)


def test_a_job_that_was_given_out_before_the_standstill_waits_on_in_its_order() -> None:
    slot = Slot()
    slot.executor.trust(monotonic() - 1)
    assert not slot.lane.run()
    assert not slot.lane.given
    slot.executor.trust(monotonic() + FOR_LONG_S)
    assert slot.lane.run()
    assert slot.lane.run()
    assert slot.began() == [1, 2]
    assert slot.ended() == 2


def test_who_finishes_after_the_standstill_takes_nothing_along() -> None:
    slot = Slot()
    job = slot.lane.given.pop()
    assert slot.executor.started(job)
    slot.executor.trust(monotonic() - 1)
    assert slot.executor.finished(job, Completed(*job.attempt, b"1")) is None
    slot.executor.trust(monotonic() + FOR_LONG_S)
    assert slot.lane.run()
    assert slot.began() == [1, 2]


def test_what_was_given_out_and_not_begun_can_be_taken_back_and_be_sent_again() -> None:
    slot = Slot()
    assert slot.executor.withdraw(("q", 1))
    slot.executor.begin(invocation(1))
    assert not slot.lane.run()
    assert slot.lane.run()
    assert slot.lane.run()
    assert slot.began() == [2, 1]
    assert slot.ended() == 2
    assert not slot.executor.withdraw(("q", 1))
    for note in slot.notes:
        if isinstance(note, Freed):
            slot.executor.forget(note.job)


def test_a_cancelled_job_ends_as_cancelled_however_late_its_moment_comes() -> None:
    slot = Slot()
    slot.executor.trust(monotonic() - 1)
    slot.executor.cancel(("q", 1))
    assert not slot.lane.run()
    assert slot.ended() == 1
    slot.executor.trust(monotonic() + FOR_LONG_S)
    assert slot.lane.run()
    assert slot.began() == [2]
