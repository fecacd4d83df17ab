"""Numbered work and outcomes of one agent session, as the daemon keeps them: nothing is lost, nothing is called twice."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as s

from questd.actors.agent.core import (
    ACKS_PER_FRAME,
    FRAME_RESERVE_BYTES,
    ITEMS_PER_FRAME,
    Session,
    size_of,
)
from questd.messages.exchange import (
    AttemptId,
    Cancellation,
    Cancelled,
    Completed,
    Exchange,
    Failed,
    Hello,
    Invocation,
    Outcome,
    Work,
    encode_frame,
)
from questd.messages.failure import UNSERIALISABLE, Failure
from questd.messages.payload import PAYLOAD_MAX_BYTES

QUEST = "q_01h2xcejqtf2nbrexx3vqjhp41"


def hello(**fields: Any) -> Hello:
    return Hello(1, "worker", "incarnation1", **fields)


def session(**fields: Any) -> Session:
    return Session(hello(**fields))


def invocation(epoch: int, arguments: bytes = b"{}") -> Invocation:
    return Invocation(0, QUEST, epoch, "task", 1, "run", arguments, "0f" * 16)


def exchange(counter: int, *, ack: int = 0, **fields: Any) -> Exchange:
    return Exchange("incarnation1", "boot", counter, ack, **fields)


def done(epoch: int, result: bytes = b"1") -> Completed:
    return Completed(QUEST, epoch, result)


def numbers(work: Work) -> list[int]:
    return [item.number for item in work.items]


def epochs(work: Work) -> list[int]:
    return [item.epoch for item in work.items if isinstance(item, Invocation)]


def give(of: Session, *each: int) -> None:
    for epoch in each:
        of.give(invocation(epoch))


# -- numbers and acknowledgements ------------------------------------------------------------------


def test_work_is_numbered_from_one_in_the_order_in_which_it_was_given() -> None:
    of = session()
    give(of, 5, 3, 4)
    work = of.answer(1)
    assert (numbers(work), epochs(work)) == ([1, 2, 3], [5, 3, 4])
    of.cancel((QUEST, 5), "why")
    assert of.answer(2).items == (Cancellation(4, QUEST, 5, "why"),)


def test_an_invocation_that_is_cancelled_before_it_has_arrived_goes_out_no_more() -> None:
    of = session()
    give(of, 5)
    assert epochs(of.answer(1)) == [5]
    give(of, 3)
    of.cancel((QUEST, 5), "why")
    of.cancel((QUEST, 3), "why")
    of.take(exchange(2))
    again = of.answer(2)
    assert (numbers(again), epochs(again)) == ([1, 2, 3, 4], [])


def test_work_that_is_acknowledged_goes_out_no_more() -> None:
    of = session()
    give(of, 1, 2)
    of.answer(1)
    of.take(exchange(2, ack=2))
    assert of.unacknowledged == {}
    assert of.answer(2).items == ()


def test_work_in_an_answer_that_never_arrived_goes_out_again_with_its_number() -> None:
    of = session()
    give(of, 1, 2)
    of.answer(1)
    of.take(exchange(2, ack=0))
    assert (numbers(work := of.answer(2)), epochs(work)) == ([1, 2], [1, 2])


def test_work_in_an_answer_that_may_still_arrive_waits() -> None:
    of = session()
    give(of, 1)
    of.answer(1)
    of.take(exchange(2, open=(1,)))
    assert of.answer(2).items == ()
    of.take(exchange(3, open=()))
    assert numbers(of.answer(3)) == [1]


def test_only_what_is_missing_goes_out_again_and_before_what_is_new() -> None:
    of = session()
    give(of, 1, 2)
    of.answer(1)
    give(of, 3)
    of.take(exchange(2, ack=1))
    assert numbers(of.answer(2)) == [2, 3]


def test_what_came_after_a_lost_item_is_sent_again_with_it() -> None:
    """The instance takes items in order, so it could use nothing that came after."""
    of = session()
    give(of, 1)
    of.answer(1)
    of.take(exchange(2, open=(1,)))
    give(of, 2)
    of.answer(2)
    of.take(exchange(3, ack=0, open=()))
    assert numbers(of.answer(3)) == [1, 2]


# -- frames ----------------------------------------------------------------------------------------


def test_an_answer_is_cut_by_bytes() -> None:
    of = session(frame_max=FRAME_RESERVE_BYTES + 100_000)
    for epoch in range(5):
        of.give(invocation(epoch, b'"' + b"x" * 40_000 + b'"'))
    cuts = [len(of.answer(n).items) for n in range(1, 5)]
    assert cuts == [2, 2, 1, 0]


def test_an_answer_is_cut_by_count() -> None:
    of = session()
    give(of, *range(ITEMS_PER_FRAME + 1))
    assert len(of.answer(1).items) == ITEMS_PER_FRAME
    assert len(of.answer(2).items) == 1


def test_acknowledgements_are_cut_by_count() -> None:
    of = session()
    for epoch in range(ACKS_PER_FRAME + 1):
        of.acknowledge((QUEST, epoch))
    assert len(of.answer(1).acks) == ACKS_PER_FRAME
    assert of.talkative


@given(s.lists(s.integers(0, 200_000), max_size=30), s.integers(0, 3_000))
def test_no_frame_is_larger_than_the_instance_takes(sizes: list[int], acks: int) -> None:
    of = session(frame_max=FRAME_RESERVE_BYTES + 220_000)
    for epoch, size in enumerate(sizes):
        of.give(invocation(epoch, b'"' + b"x" * size + b'"'))
    for epoch in range(acks):
        of.acknowledge((QUEST, 2**40 + epoch))
    counter = 0
    while of.talkative:
        counter += 1
        assert len(encode_frame(of.answer(counter))) <= of.frame_max
    assert counter <= len(sizes) + acks // ACKS_PER_FRAME + 1


def test_work_that_is_larger_than_any_frame_does_not_fit() -> None:
    of = session(frame_max=200_000)
    assert of.fits(invocation(1, b"x" * 100_000))
    assert not of.fits(invocation(1, b"x" * 200_000))


def test_the_size_of_an_item_is_never_less_than_its_bytes() -> None:
    item = Invocation(
        2**31, QUEST, 2**52, "k" * 128, 1_000, "t" * 128, b"{}", "f" * 32, 2**40, 2**40, 2**52
    )
    assert len(encode_frame(Work(1, (item,)))) <= size_of(item)


# -- outcomes --------------------------------------------------------------------------------------


def test_an_outcome_is_handed_on_and_acknowledged_when_it_is_on_disk() -> None:
    of = session(held=((QUEST, 3),))
    assert of.take(exchange(1, outcomes=(done(3),))) == [done(3)]
    assert of.answer(1).acks == ()
    of.acknowledge((QUEST, 3))
    assert of.answer(2).acks == ((QUEST, 3),)
    assert of.answer(3).acks == ()
    assert (of.held, of.delivered) == ({}, {})


def test_an_outcome_that_is_said_again_is_handed_on_again() -> None:
    of = session()
    for counter in (1, 2):
        assert of.take(exchange(counter, outcomes=(done(3),))) == [done(3)]
    of.acknowledge((QUEST, 3))
    assert of.answer(2).acks == ((QUEST, 3),)


def test_an_attempt_whose_outcome_is_known_is_not_called_again() -> None:
    of = session()
    give(of, 1, 2)
    of.answer(1)
    of.take(exchange(2, ack=0, outcomes=(done(1),)))
    work = of.answer(2)
    assert (numbers(work), epochs(work)) == ([1, 2], [2])
    assert isinstance(work.items[0], Cancellation)


def test_a_result_that_is_not_json_or_too_large_fails_the_attempt_for_good() -> None:
    for bad in (b"{", b"\xff", b"", b"1 2", b'"' + b"x" * PAYLOAD_MAX_BYTES + b'"'):
        of = session()
        (outcome,) = of.take(exchange(1, outcomes=(done(3, bad),)))
        assert isinstance(outcome, Failed)
        assert (outcome.failure.kind, outcome.failure.retryable) == (UNSERIALISABLE, False)
        assert len(outcome.failure.message) < 200


def test_failures_and_cancellations_are_handed_on_as_they_are() -> None:
    outcomes: tuple[Outcome, ...] = (
        Failed(QUEST, 3, Failure("exception", "it broke")),
        Cancelled(QUEST, 4),
    )
    assert session().take(exchange(1, outcomes=outcomes)) == list(outcomes)


# -- withdrawing and draining ------------------------------------------------------------------------


def test_work_that_never_went_out_can_be_withdrawn_and_its_number_is_still_filled() -> None:
    of = session()
    give(of, 1, 2, 3)
    assert of.withdraw((QUEST, 2)) is True
    work = of.answer(1)
    assert (numbers(work), epochs(work)) == ([1, 2, 3], [1, 3])
    assert work.items[1] == Cancellation(2, QUEST, 2, "withdrawn")
    assert (QUEST, 2) not in of.held


def test_work_that_went_out_cannot_be_withdrawn_even_if_it_has_to_go_again() -> None:
    of = session()
    give(of, 1)
    of.answer(1)
    assert of.withdraw((QUEST, 1)) is False
    of.take(exchange(2))
    assert of.withdraw((QUEST, 1)) is False
    assert of.withdraw((QUEST, 99)) is False


def test_a_drain_that_was_asked_for_is_said_once_and_one_that_is_under_way_always() -> None:
    of = session()
    of.drain_asked = True
    assert of.talkative
    assert (of.answer(1).drain, of.answer(2).drain, of.talkative) == (True, False, False)
    of.take(exchange(3, draining=True))
    of.take(exchange(4, draining=False))
    assert of.answer(4).drain is True


# -- a session that begins again ---------------------------------------------------------------------


def test_a_session_that_begins_again_counts_from_one_and_says_what_was_never_seen() -> None:
    of = session()
    give(of, 1, 2, 3, 4)
    of.answer(1)
    watched: set[AttemptId] = {(QUEST, n) for n in (1, 2, 3, 4)}
    of.take(exchange(2, ack=4, outcomes=(done(4),)))
    again = hello(held=((QUEST, 1),), outcomes=(done(2),), counter=9)
    assert of.restart(again, watched) == [(QUEST, 3)]
    assert (of.counter, of.number, of.unacknowledged, list(of.unsent)) == (9, 0, {}, [])
    give(of, 3)
    assert numbers(of.answer(10)) == [1]


def test_what_was_said_before_a_session_began_again_is_overtaken() -> None:
    of = session(draining=True)
    give(of, 1)
    of.cancel((QUEST, 1), "why")
    of.acknowledge((QUEST, 7))
    of.restart(hello(frame_max=300_000), set())
    work = of.answer(1)
    assert (work.items, work.acks, work.drain, of.frame_max) == ((), (), False, 300_000)


# -- always ----------------------------------------------------------------------------------------


class Instance:
    """The other side, as simple as can be: takes numbers in order, drops what it knows, answers what it is asked."""

    def __init__(self) -> None:
        self.ack = 0
        self.counter = 0
        self.called: list[AttemptId] = []
        self.unacknowledged: dict[AttemptId, Outcome] = {}

    def hear(self, work: Work) -> None:
        for attempt in work.acks:
            self.unacknowledged.pop(attempt, None)
        for item in work.items:
            if item.number == self.ack + 1:
                self.ack += 1
                if isinstance(item, Invocation):
                    self.called.append((item.quest, item.epoch))
                    self.unacknowledged[item.quest, item.epoch] = done(item.epoch)

    def say(self) -> Exchange:
        self.counter += 1
        outcomes = tuple(self.unacknowledged.values())
        return exchange(self.counter, ack=self.ack, outcomes=outcomes)


@given(s.lists(s.tuples(s.integers(0, 3), s.booleans(), s.booleans(), s.booleans()), max_size=40))
def test_whatever_is_lost_on_the_way_each_tool_is_called_once_and_each_outcome_arrives(
    rounds: list[tuple[int, bool, bool, bool]],
) -> None:
    of, instance = session(), Instance()
    given_out, arrived = 0, dict[AttemptId, None]()
    for new, asks, answers, writes in [*rounds, *[(0, True, True, True)] * 4]:
        for _ in range(new):
            given_out += 1
            give(of, given_out)
        said = instance.say()
        if not asks:
            continue
        for outcome in of.take(said):
            arrived[outcome.quest, outcome.epoch] = None
            if writes:
                of.acknowledge((outcome.quest, outcome.epoch))
        work = of.answer(said.counter)
        if answers:
            instance.hear(work)
    everyone = [(QUEST, n) for n in range(1, given_out + 1)]
    assert instance.called == everyone
    assert sorted(arrived) == everyone
    assert instance.unacknowledged == {}
    assert not any((of.held, of.delivered, of.unacknowledged, of.invoked))
