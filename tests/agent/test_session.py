"""What the session accepts and what it says, given frames and times: no thread, no socket."""

from typing import Any

import pytest

from questd.agent.effects import (
    Begin,
    Cancel,
    Effect,
    Offer,
    Send,
    Withdraw,
)
from questd.agent.pace import LINGER_US
from questd.agent.session import Session
from questd.messages.events import LogLine
from questd.messages.exchange import (
    Cancellation,
    Cancelled,
    Completed,
    DaemonFrame,
    Exchange,
    Failed,
    Hello,
    Invocation,
    Progress,
    Resync,
    Welcome,
    Work,
    WorkItem,
    encode_frame,
)

HOLD_US = 1_000_000


class Bench:
    """A session, its time, and what it wanted so far."""

    def __init__(self, **offer: Any) -> None:
        self.now = 0
        self.session = Session(Offer(agent="a", incarnation="i", **offer), 0)
        self.effects: list[Effect] = []
        self.poll()

    def poll(self, later_us: int = 0) -> list[Effect]:
        self.now += later_us
        new = self.session.poll(self.now)
        self.effects += new
        return new

    def sends(self) -> list[Send]:
        return [effect for effect in self.effects if isinstance(effect, Send)]

    def exchanges(self) -> list[Exchange]:
        return [s.frame for s in self.sends() if isinstance(s.frame, Exchange)]

    def last(self) -> Send:
        return self.sends()[-1]

    def began(self) -> list[int]:
        return [e.invocation.epoch for e in self.effects if isinstance(e, Begin)]

    def heard(self, frame: DaemonFrame, send: Send | None = None) -> list[Effect]:
        self.session.heard((send or self.last()).ticket, frame, self.now)
        return self.poll()

    def welcome(self, boot: str = "b", frame_max: int = 4 << 20) -> None:
        self.heard(Welcome(1, boot, HOLD_US // 1000, frame_max))

    def work(
        self,
        *items: WorkItem,
        acks: tuple[int, ...] = (),
        send: Send | None = None,
        drain: bool = False,
    ) -> list[Effect]:
        """An answer, and the pause after it in which only an outcome would open an exchange."""
        ticket = (send or self.last()).ticket
        new = self.heard(Work(ticket, items, tuple(("q", a) for a in acks), drain), send)
        return new + self.poll(LINGER_US if items else 0)

    def complete(self, epoch: int, result: bytes = b"1") -> list[Effect]:
        self.session.ended(Completed("q", epoch, result))
        return self.poll()


def invocation(number: int, epoch: int | None = None) -> Invocation:
    return Invocation(number, "q", epoch or number, "step", 1, "t", b"{}", "k")


def cancellation(number: int, epoch: int) -> Cancellation:
    return Cancellation(number, "q", epoch, "why")


def talking() -> Bench:
    made = Bench(capacity=2, prefetch=4)
    made.welcome()
    return made


@pytest.fixture
def bench() -> Bench:
    return talking()


def test_it_greets_first_and_then_always_holds_one_exchange_open() -> None:
    bench = Bench(capacity=2, prefetch=4)
    hello = bench.last().frame
    assert isinstance(hello, Hello)
    assert (hello.capacity, hello.prefetch, hello.counter) == (2, 4, 1)
    bench.welcome()
    assert len(bench.exchanges()) == 1
    bench.poll(HOLD_US)
    assert len(bench.exchanges()) == 1
    bench.work()
    assert [e.counter for e in bench.exchanges()] == [2, 3]


def test_the_outcome_of_a_quick_tool_shares_the_frame_that_says_its_work_arrived() -> None:
    bench = talking()
    before = len(bench.exchanges())
    bench.heard(Work(bench.last().ticket, (invocation(1),)))
    assert len(bench.exchanges()) == before
    bench.complete(1)
    assert [(e.ack, len(e.outcomes)) for e in bench.exchanges()[before:]] == [(1, 1)]


def test_while_a_slow_tool_works_its_work_is_acknowledged_after_a_moment() -> None:
    bench = talking()
    before = len(bench.exchanges())
    bench.heard(Work(bench.last().ticket, (invocation(1),)))
    assert bench.session.next_wake(bench.now) <= bench.now + LINGER_US
    bench.poll(LINGER_US)
    assert [(e.ack, len(e.outcomes)) for e in bench.exchanges()[before:]] == [(1, 0)]


def test_work_is_accepted_in_order_without_gaps_and_acknowledged(bench: Bench) -> None:
    bench.work(invocation(1), invocation(3))
    assert bench.began() == [1]
    assert bench.exchanges()[-1].ack == 1
    bench.work(invocation(2), invocation(3))
    assert bench.began() == [1, 2]
    assert bench.exchanges()[-1].ack == 3


def test_repeated_numbers_and_repeated_attempts_are_dropped(bench: Bench) -> None:
    bench.work(invocation(1), invocation(2, epoch=2))
    bench.work(invocation(1), invocation(2, epoch=2), invocation(3, epoch=1))
    assert bench.began() == [1, 2]
    assert bench.exchanges()[-1].ack == 3
    bench.complete(1)
    bench.work(invocation(4, epoch=1))
    assert bench.began() == [1, 2]


def test_what_exceeds_capacity_waits_for_a_slot(bench: Bench) -> None:
    bench.work(*(invocation(n) for n in range(1, 7)))
    assert bench.began() == [1, 2]
    bench.complete(1)
    assert bench.began() == [1, 2, 3]


def test_one_frame_carries_all_outcomes_that_came_while_two_exchanges_were_open() -> None:
    bench = Bench(capacity=300, prefetch=0)
    bench.welcome()
    bench.work(*(invocation(n) for n in range(1, 301)))
    for epoch in range(1, 301):
        bench.complete(epoch)
    held, talking = bench.exchanges()[-2:]
    assert [len(e.outcomes) for e in (held, talking)] == [0, 1]
    assert talking.open == (held.counter,)
    bench.work(send=bench.sends()[-2])
    assert len(bench.exchanges()[-1].outcomes) == 299


def test_an_exchange_older_than_an_answered_one_does_not_stand_in_the_way(bench: Bench) -> None:
    bench.work(invocation(1), invocation(2))
    bench.complete(1)
    older = bench.sends()[-2]
    bench.work(acks=(1,))
    assert bench.exchanges()[-1].open == (older.ticket,)
    bench.complete(2)
    assert [o.epoch for o in bench.exchanges()[-1].outcomes] == [2]
    assert len(bench.exchanges()[-1].open) == 2


def test_never_more_than_four_exchanges_are_open(bench: Bench) -> None:
    bench.work(*(invocation(n) for n in range(1, 9)))
    for epoch in range(1, 9):
        bench.complete(epoch)
        bench.work()
        open_now = len(bench.exchanges()[-1].open) + 1
        assert open_now <= 4
    assert bench.session.next_wake(bench.now) > bench.now


def test_an_outcome_is_said_again_after_its_exchange_was_lost(bench: Bench) -> None:
    bench.work(invocation(1))
    bench.complete(1)
    for send in bench.sends()[-2:]:
        bench.session.lost(send.ticket, bench.now)
    bench.poll(100_000)
    assert [o.epoch for o in bench.exchanges()[-1].outcomes] == [1]
    assert bench.exchanges()[-1].open == ()


def test_an_outcome_is_said_again_when_no_acknowledgement_comes(bench: Bench) -> None:
    bench.work(invocation(1))
    bench.complete(1)
    for _ in range(30):
        bench.poll(100_000)
        bench.work(send=bench.sends()[-1])
    said = [e for e in bench.exchanges() if e.outcomes]
    assert len(said) == 2


def test_an_acknowledged_outcome_is_said_no_more(bench: Bench) -> None:
    bench.work(invocation(1))
    bench.complete(1)
    bench.work(acks=(1,))
    bench.work(send=bench.sends()[-2])
    bench.poll(10 * HOLD_US)
    assert sum(len(e.outcomes) for e in bench.exchanges()) == 1


def test_resync_greets_again_with_all_that_runs_and_is_unacknowledged(bench: Bench) -> None:
    bench.work(*(invocation(n) for n in range(1, 6)))
    bench.complete(1)
    bench.session.began(("q", 2))
    assert [e.attempt[1] for e in bench.heard(Resync("b2")) if isinstance(e, Withdraw)] == [3]
    bench.session.withdrawn(("q", 3))
    bench.poll(1)
    hello = bench.last().frame
    assert isinstance(hello, Hello)
    assert set(hello.held) == {("q", 2)}
    assert [o.epoch for o in hello.outcomes] == [1]
    bench.welcome("b2")
    assert bench.exchanges()[-1].boot == "b2"
    bench.work(invocation(1, epoch=4), invocation(2, epoch=9), acks=(1,))
    bench.complete(2)
    bench.complete(4)
    assert bench.began() == [1, 2, 3, 4, 9]


def test_what_was_begun_too_late_to_be_taken_back_is_held_over_a_resync(bench: Bench) -> None:
    bench.work(invocation(1))
    bench.heard(Resync("b2"))
    bench.session.began(("q", 1))
    bench.poll(1)
    hello = bench.last().frame
    assert isinstance(hello, Hello)
    assert hello.held == (("q", 1),)


def test_two_resyncs_for_two_open_exchanges_greet_once(bench: Bench) -> None:
    bench.work(invocation(1))
    bench.complete(1)
    first, second = bench.sends()[-2:]
    bench.heard(Resync("b2"), first)
    bench.heard(Resync("b2"), second)
    assert sum(isinstance(s.frame, Hello) for s in bench.sends()) == 2


def test_late_work_of_an_earlier_session_begins_nothing(bench: Bench) -> None:
    bench.work(invocation(1))
    bench.complete(1)
    first, second = bench.sends()[-2:]
    bench.heard(Resync("b2"), first)
    bench.heard(Work(second.ticket, (invocation(2, epoch=7),), (("q", 1),)), second)
    assert bench.began() == [1]
    assert not bench.session.outbox.outcomes


def test_cancelling_what_waits_answers_at_once(bench: Bench) -> None:
    bench.work(*(invocation(n) for n in range(1, 4)))
    bench.work(cancellation(4, 3))
    assert Cancelled("q", 3) in bench.exchanges()[-1].outcomes
    bench.complete(1)
    assert bench.began() == [1, 2]


def test_cancelling_what_runs_tells_the_tool_and_waits_for_its_outcome(bench: Bench) -> None:
    bench.work(invocation(1))
    bench.session.began(("q", 1))
    bench.work(cancellation(2, 1))
    assert Cancel(("q", 1), "why") in bench.effects
    assert not bench.session.outbox.outcomes
    bench.session.ended(Cancelled("q", 1))
    bench.poll()
    assert bench.exchanges()[-1].outcomes == (Cancelled("q", 1),)


def test_cancelling_what_has_ended_changes_nothing(bench: Bench) -> None:
    bench.work(invocation(1))
    bench.complete(1)
    bench.work(cancellation(2, 1))
    assert isinstance(bench.session.outbox.outcomes["q", 1], Completed)


def test_frames_are_cut_by_bytes_and_the_rest_follows() -> None:
    bench = Bench(capacity=10)
    bench.welcome(frame_max=100_000)
    bench.work(*(invocation(n) for n in range(1, 11)))
    for epoch in range(1, 11):
        bench.session.ended(Completed("q", epoch, b'"' + b"x" * 30_000 + b'"'))
    bench.poll()
    for _ in range(10):
        bench.work(acks=tuple(o.epoch for o in bench.exchanges()[-1].outcomes))
        bench.poll(20_000)
    assert all(len(encode_frame(frame)) <= 100_000 for frame in bench.exchanges())
    said = [o.epoch for frame in bench.exchanges() for o in frame.outcomes]
    assert said == list(range(1, 11))


def test_an_outcome_that_fits_no_frame_fails_as_too_large_and_names_both_sizes() -> None:
    bench = Bench()
    bench.welcome(frame_max=50_000)
    bench.work(invocation(1))
    bench.complete(1, b'"' + b"x" * 60_000 + b'"')
    outcome = bench.exchanges()[-1].outcomes[0]
    assert isinstance(outcome, Failed)
    assert outcome.failure.kind == "too_large"
    assert not outcome.failure.retryable
    assert "60067 bytes" in outcome.failure.message
    assert "48976" in outcome.failure.message


def test_a_crowded_hello_leaves_outcomes_to_the_exchanges_after_it() -> None:
    bench = Bench(capacity=8)
    bench.welcome(frame_max=100_000)
    bench.work(*(invocation(n) for n in range(1, 9)))
    for epoch in range(1, 9):
        bench.session.ended(Completed("q", epoch, b'"' + b"x" * 40_000 + b'"'))
    bench.poll()
    bench.heard(Resync("b2"))
    hello = bench.last().frame
    assert isinstance(hello, Hello)
    assert len(encode_frame(hello)) <= 100_000
    assert len(hello.outcomes) == 2
    bench.welcome("b2", 100_000)
    assert [[o.epoch for o in e.outcomes] for e in bench.exchanges()[-2:]] == [[3, 4], [5, 6]]


def test_log_lines_travel_before_their_outcome_or_with_it(bench: Bench) -> None:
    bench.work(invocation(1))
    bench.session.began(("q", 1))
    bench.poll()
    bench.session.logged(("q", 1), [LogLine(1, "a"), LogLine(2, "b")])
    bench.complete(1)
    bench.work()
    frame = next(e for e in bench.exchanges() if e.outcomes)
    assert [line.text for line in frame.logs[0].lines] == ["a", "b"]


def test_chatter_opens_an_exchange_only_now_and_then(bench: Bench) -> None:
    bench.work(invocation(1))
    bench.session.began(("q", 1))
    bench.poll()
    for step in range(1_000):
        bench.session.progress(Progress("q", 1, step / 1000, "…"))
        bench.poll(1_000)
        bench.work(send=bench.sends()[-2])
    assert len(bench.exchanges()) < 30
    last = next(e for e in reversed(bench.exchanges()) if e.progress)
    assert len(last.progress) == 1


def test_next_wake_never_asks_to_be_polled_now_without_end(bench: Bench) -> None:
    bench.work(*(invocation(n) for n in range(1, 5)))
    for epoch in (1, 2):
        bench.session.logged(("q", epoch), [LogLine(1, "x")])
        bench.session.progress(Progress("q", epoch, 0.5, ""))
        bench.complete(epoch)
    idle = 0
    for _ in range(2_000):
        wake = bench.session.next_wake(bench.now)
        idle = idle + 1 if wake <= bench.now and not bench.poll() else 0
        assert idle < 3
        bench.poll(max(0, wake - bench.now))
