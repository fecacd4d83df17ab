"""The heap of timers, and the thread that fires them."""

import random
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as s

from questd.runtime.actor import Actor, Ref, stop
from questd.runtime.clock import (
    REBUILD_ABOVE,
    SystemClock,
    ThreadTimers,
    Timer,
    TimerHeap,
    fire,
)
from questd.runtime.dispatch import PooledDispatcher
from tests.runtime.making import ByHand, Recorder

WAIT_S = 20.0


def heap() -> tuple[TimerHeap, Ref]:
    return TimerHeap(threading.Condition()), Recorder().launch(ByHand())


def messages(timers: list[Timer]) -> list[Any]:
    return [timer.message for timer in timers]


def test_timers_are_due_in_the_order_of_their_times() -> None:
    timers, ref = heap()
    for when in (5.0, 1.0, 3.0):
        timers.arm(when, ref, when)
    assert timers.next_at() == 1.0
    assert messages(timers.due(0.999)) == []
    assert messages(timers.due(3.0)) == [1.0, 3.0]
    assert (len(timers), timers.next_at()) == (1, 5.0)
    assert messages(timers.due(99.0)) == [5.0]
    assert (len(timers), timers.next_at()) == (0, None)


def test_timers_of_one_time_are_due_in_the_order_in_which_they_were_armed() -> None:
    timers, ref = heap()
    for n in range(9):
        timers.arm(1.0, ref, n)
    assert messages(timers.due(1.0)) == list(range(9))


def test_a_cancelled_timer_never_fires() -> None:
    timers, ref = heap()
    first, second = timers.arm(1.0, ref, 1), timers.arm(2.0, ref, 2)
    first.cancel()
    assert (first.armed, second.armed, len(timers), timers.next_at()) == (False, True, 1, 2.0)
    assert messages(timers.due(9.0)) == [2]


def test_cancelling_twice_or_after_it_fired_is_fine() -> None:
    timers, ref = heap()
    first, second = timers.arm(1.0, ref, 1), timers.arm(2.0, ref, 2)
    first.cancel()
    first.cancel()
    timers.due(2.0)
    second.cancel()
    assert (len(timers), second.armed) == (0, False)
    third = timers.arm(3.0, ref, 3)
    assert (len(timers), timers.armed()) == (1, [third])


def test_a_heap_that_is_half_dead_is_built_anew() -> None:
    timers, ref = heap()
    size = REBUILD_ABOVE * 4
    armed = [timers.arm(float(n), ref, n) for n in range(size)]
    cancelled = random.Random(1).sample(armed, size * 3 // 4)
    for timer in cancelled:
        timer.cancel()
    assert len(timers) == size // 4
    kept = vars(timers)["_heap"]
    assert len(kept) <= max(REBUILD_ABOVE, 2 * len(timers)) + 1
    left = sorted(set(range(size)) - {timer.message for timer in cancelled})
    assert messages(timers.due(float(size))) == left


def test_a_small_heap_is_left_alone() -> None:
    timers, ref = heap()
    for timer in [timers.arm(float(n), ref, n) for n in range(REBUILD_ABOVE)]:
        timer.cancel()
    assert (len(timers), timers.next_at()) == (0, None)


@given(
    s.lists(
        s.one_of(
            s.tuples(s.just("arm"), s.integers(0, 20)),
            s.tuples(s.just("cancel"), s.integers(0, 50)),
            s.tuples(s.just("due"), s.integers(0, 20)),
        ),
        max_size=80,
    )
)
def test_a_heap_does_what_a_list_would(acts: list[tuple[str, int]]) -> None:
    timers, ref = heap()
    armed: list[Timer] = []
    expected: list[tuple[int, int]] = []
    for act, value in acts:
        if act == "arm":
            expected.append((value, len(armed)))
            armed.append(timers.arm(value, ref, len(armed)))
        elif act == "cancel" and armed:
            number = value % len(armed)
            armed[number].cancel()
            expected = [each for each in expected if each[1] != number]
        elif act == "due":
            due = sorted(each for each in expected if each[0] <= value)
            assert messages(timers.due(value)) == [number for _, number in due]
            expected = [each for each in expected if each not in due]
        assert len(timers) == len(expected)
        assert timers.next_at() == min((when for when, _ in expected), default=None)


def test_firing_posts_the_message_also_to_whom_has_ended() -> None:
    by_hand, child = ByHand(), Recorder()
    ref = child.launch(by_hand)
    timers = TimerHeap(threading.Condition())
    timers.arm(1.0, ref, "ring")
    fire(timers.due(1.0))
    by_hand.run()
    assert child.log == ["start", "ring", "batch"]
    stop(ref)
    by_hand.run()
    timers.arm(2.0, ref, "late")
    fire(timers.due(2.0))
    assert child.undelivered == []


# -- the thread ------------------------------------------------------------------------------------


class Rings(Actor):
    def __init__(self, expected: int) -> None:
        super().__init__()
        self.rung: list[Any] = []
        self.expected = expected
        self.done = threading.Event()

    def on_receive(self, message: Any) -> None:
        self.rung.append(message)
        if len(self.rung) == self.expected:
            self.done.set()


class JumpingClock(SystemClock):
    """A wall clock that can be set."""

    offset_us = 0

    def now_us(self) -> int:
        return super().now_us() + self.offset_us


@pytest.fixture
def dispatcher() -> Any:
    pool = PooledDispatcher()
    pool.start()
    yield pool
    pool.stop()


def test_starting_and_stopping_twice_and_stopping_before_the_start_are_fine() -> None:
    never = ThreadTimers(SystemClock())
    never.stop()
    never.stop()
    never.start()
    timers = ThreadTimers(SystemClock())
    timers.start()
    timers.start()
    assert sum(thread.name == "timers" for thread in threading.enumerate()) == 1
    timers.stop()
    timers.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "timers"]


def test_timers_that_were_armed_before_the_start_fire_after_it(dispatcher: Any) -> None:
    actor = Rings(3)
    ref = actor.launch(dispatcher)
    timers = ThreadTimers(SystemClock())
    timers.after(0.02, ref, "second")
    timers.after(0.0, ref, "first")
    timers.at(SystemClock().now_us() + 40_000, ref, "third")
    timers.start()
    assert actor.done.wait(WAIT_S)
    timers.stop()
    assert actor.rung == ["first", "second", "third"]


def test_an_earlier_timer_is_not_kept_waiting_by_a_later_one(dispatcher: Any) -> None:
    actor = Rings(1)
    ref = actor.launch(dispatcher)
    timers = ThreadTimers(SystemClock())
    timers.start()
    late = timers.after(3_600.0, ref, "late")
    timers.after(0.0, ref, "soon")
    assert actor.done.wait(WAIT_S)
    timers.stop()
    assert (actor.rung, late.armed) == (["soon"], True)


def test_a_jump_of_the_wall_clock_is_noticed(dispatcher: Any) -> None:
    clock = JumpingClock()
    actor = Rings(1)
    ref = actor.launch(dispatcher)
    timers = ThreadTimers(clock)
    timers.start()
    timers.at(clock.now_us() + 3_600_000_000, ref, "in an hour")
    clock.offset_us = 3_600_000_000
    assert actor.done.wait(WAIT_S)
    timers.stop()


def test_a_timer_is_never_early(dispatcher: Any) -> None:
    clock = SystemClock()
    seen: list[tuple[float, float]] = []

    class Late(Rings):
        def on_receive(self, message: Any) -> None:
            seen.append((message, clock.monotonic_s()))
            super().on_receive(message)

    actor = Late(30)
    ref = actor.launch(dispatcher)
    timers = ThreadTimers(clock)
    timers.start()
    for n in range(30):
        when = clock.monotonic_s() + n / 1_000
        timers.after(n / 1_000, ref, when)
    assert actor.done.wait(WAIT_S)
    timers.stop()
    assert all(at >= when for when, at in seen)


def test_arming_and_cancelling_from_many_threads_loses_no_timer(dispatcher: Any) -> None:
    tellers, each = 4, 300
    actor = Rings(tellers * each // 2)
    ref = actor.launch(dispatcher)
    timers = ThreadTimers(SystemClock())
    timers.start()

    def body(who: int) -> None:
        for n in range(each):
            if n % 2:
                timers.after(60.0, ref, "never").cancel()
            else:
                timers.after(n % 7 / 1_000, ref, (who, n))

    threads = [threading.Thread(target=body, args=(who,)) for who in range(tellers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    assert actor.done.wait(WAIT_S)
    timers.stop()
    assert len(set(actor.rung)) == tellers * each // 2
