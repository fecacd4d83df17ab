"""The pieces under the simulation: a clock that is told, timers that obey it, a dispatcher that follows its seed."""

from functools import partial
from random import Random
from typing import Any

from questd.runtime.actor import Actor, Mailbox
from questd.runtime.deterministic import Agenda, SeededDispatcher, VirtualClock, VirtualTimers

SECOND = 1_000_000


class Collector(Actor):
    def __init__(self, seen: list[Any], name: str = "collector") -> None:
        super().__init__(name=name)
        self._seen = seen

    def on_receive(self, message: Any) -> None:
        self._seen.append(message)


def run_all(dispatcher: SeededDispatcher) -> None:
    while dispatcher.run_one():
        pass


def test_a_timer_fires_when_its_time_has_come_and_not_before() -> None:
    seen: list[Any] = []
    clock, dispatcher = VirtualClock(0), SeededDispatcher(Random(1))
    timers = VirtualTimers(clock)
    ref = Collector(seen).launch(dispatcher)
    timers.after(2.0, ref, "two")
    assert timers.next_us() == 2 * SECOND
    clock.advance(2 * SECOND - 1)
    assert timers.fire() == 0
    clock.advance(2 * SECOND)
    assert timers.fire() == 1
    run_all(dispatcher)
    assert seen == ["two"]
    assert timers.armed() == []


def test_a_wall_timer_follows_the_wall_when_it_jumps() -> None:
    clock, dispatcher = VirtualClock(100 * SECOND), SeededDispatcher(Random(1))
    timers = VirtualTimers(clock)
    ref = Collector([]).launch(dispatcher)
    timers.at(130 * SECOND, ref, "later")
    assert timers.next_us() == 30 * SECOND
    clock.jump(-10 * SECOND)
    assert timers.next_us() == 40 * SECOND
    clock.jump(60 * SECOND)
    assert timers.fire() == 1
    assert clock.monotonic_us == 0
    assert clock.latest_us == 150 * SECOND


def test_one_seed_gives_one_order_and_another_seed_another() -> None:
    def order(seed: int) -> list[str]:
        turns: list[str] = []

        def note(mailbox: Mailbox) -> None:
            assert mailbox.owner is not None
            turns.append(mailbox.owner.name)

        dispatcher = SeededDispatcher(Random(seed), note)
        for number in range(12):
            Collector([], f"actor-{number}").launch(dispatcher)
        run_all(dispatcher)
        return turns

    assert order(1) == order(1)
    assert order(1) != order(2)


def test_messages_of_one_actor_keep_their_order_whatever_the_budget() -> None:
    for seed in range(20):
        seen: list[Any] = []
        dispatcher = SeededDispatcher(Random(seed))
        ref = Collector(seen).launch(dispatcher)
        for number in range(50):
            ref.tell(number)
        run_all(dispatcher)
        assert seen == list(range(50))


def test_the_agenda_moves_the_clock_and_draws_the_order_of_what_is_due_at_once() -> None:
    def happened(seed: int) -> list[str]:
        clock = VirtualClock(0)
        agenda = Agenda(clock, Random(seed))
        order: list[str] = []
        for name in "abcdef":
            agenda.after(10, partial(order.append, name))
        agenda.after(5, lambda: order.append("first"))
        while agenda:
            agenda.run_next()
        assert clock.monotonic_us == 10
        return order

    assert happened(3) == happened(3)
    assert {happened(seed)[0] for seed in range(5)} == {"first"}
    assert len({tuple(happened(seed)) for seed in range(5)}) > 1
