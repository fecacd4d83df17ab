"""The session when nobody answers, when it is refused and when it should end: how long it waits, and how it parts."""

import pytest

from questd.agent.effects import (
    EXIT_DENIED,
    EXIT_STUCK,
    EXIT_UNREACHABLE,
    Exit,
    Redial,
    Withdraw,
)
from questd.messages.exchange import (
    Denied,
    Goodbye,
    Resync,
)
from tests.agent.test_session import HOLD_US, Bench, invocation, talking


@pytest.fixture
def bench() -> Bench:
    return talking()


def test_silence_for_two_holds_redials_and_asks_anew(bench: Bench) -> None:
    before = len(bench.exchanges())
    wake = bench.session.next_wake(bench.now)
    assert wake == bench.now + 2 * HOLD_US
    assert Redial() in bench.poll(2 * HOLD_US)
    bench.poll(50_000)
    assert len(bench.exchanges()) == before + 1


def test_a_broken_link_is_retried_with_growing_pauses() -> None:
    bench = Bench()
    gaps: list[int] = []
    for _ in range(12):
        bench.session.lost(bench.last().ticket, bench.now)
        bench.poll()
        wake = bench.session.next_wake(bench.now)
        gaps.append(wake - bench.now)
        bench.poll(gaps[-1])
    assert gaps == sorted(gaps)
    assert gaps[0] > 0
    assert gaps[-1] <= 2_000_000


def test_a_daemon_that_answers_nothing_at_once_is_not_asked_in_a_loop(bench: Bench) -> None:
    for _ in range(50):
        bench.work()
    assert len(bench.exchanges()) == 1
    bench.poll(10_000)
    assert len(bench.exchanges()) == 2


def test_a_fatal_refusal_ends_the_instance_and_says_why() -> None:
    bench = Bench()
    effects = bench.heard(Denied("auth", "wrong token"))
    assert effects == [Exit(EXIT_DENIED, "auth: wrong token")]
    assert bench.poll(10**9) == []


def test_a_refusal_that_may_pass_is_tried_again() -> None:
    bench = Bench()
    bench.heard(Denied("busy", "later", fatal=False))
    assert len(bench.sends()) == 1
    bench.poll(3_000_000)
    assert len(bench.sends()) == 2


def test_draining_begins_nothing_and_says_goodbye_when_all_is_on_disk(bench: Bench) -> None:
    bench.work(*(invocation(n) for n in range(1, 4)))
    bench.session.began(("q", 1))
    bench.session.drain("SIGTERM")
    assert Withdraw(("q", 2)) in bench.poll()
    bench.session.withdrawn(("q", 2))
    assert bench.exchanges()[-1].draining
    bench.complete(1)
    bench.work(send=bench.sends()[-2])
    assert not any(isinstance(s.frame, Goodbye) for s in bench.sends())
    bench.work(acks=(1,))
    assert isinstance(bench.last().frame, Goodbye)
    assert bench.began() == [1, 2]
    assert bench.work() == [Exit(0, "SIGTERM")]


def test_an_instance_drains_when_the_daemon_asks(bench: Bench) -> None:
    bench.work(drain=True)
    assert isinstance(bench.last().frame, Goodbye)


def test_the_child_of_another_daemon_reattaches_delivers_and_ends() -> None:
    bench = Bench(started_by="b", capacity=1)
    bench.welcome("b")
    bench.work(invocation(1))
    bench.session.began(("q", 1))
    bench.heard(Resync("b2"))
    bench.welcome("b2")
    assert bench.session.draining
    bench.work(invocation(1, epoch=5))
    bench.complete(1)
    assert bench.began() == [1]
    bench.work(acks=(1,))
    goodbye = bench.last().frame
    assert isinstance(goodbye, Goodbye)
    assert goodbye.boot == "b2"


def test_an_orphan_that_finds_no_daemon_ends_by_itself() -> None:
    bench = Bench(started_by="b")
    bench.welcome("b")
    while bench.session.phase != "ended":
        bench.poll(max(1, bench.session.next_wake(bench.now) - bench.now))
        assert bench.now < 63_000_000
    assert bench.effects[-1] == Exit(EXIT_UNREACHABLE, "the daemon that started this agent is gone")


def test_an_agent_that_nobody_started_waits_for_its_daemon_for_ever() -> None:
    bench = Bench()
    for _ in range(10_000):
        bench.poll(1_000_000)
    assert bench.session.phase == "greeting"


def test_a_draining_agent_without_a_daemon_keeps_a_paid_result_for_a_while(bench: Bench) -> None:
    bench.work(invocation(1))
    bench.complete(1)
    bench.session.drain("SIGTERM")
    for _ in range(100):
        bench.poll(2_000_000)
    assert bench.session.phase == "talking"
    for _ in range(500):
        bench.poll(2_000_000)
    assert bench.effects[-1] == Exit(EXIT_UNREACHABLE, "SIGTERM; the daemon does not answer")


def test_an_instance_whose_slots_are_all_stuck_ends_with_its_own_code(bench: Bench) -> None:
    bench.work(invocation(1), invocation(2), invocation(3))
    bench.session.stuck(1)
    bench.poll()
    assert bench.exchanges()[-1].stuck == 1
    bench.complete(1)
    bench.complete(2)
    bench.session.stuck(2)
    bench.poll()
    assert bench.began() == [1, 2, 3]
    bench.session.withdrawn(("q", 3))
    bench.work(send=bench.sends()[-2])
    bench.work(acks=(1, 2))
    assert isinstance(bench.last().frame, Goodbye)
    effects = bench.work()
    assert isinstance(effects[-1], Exit)
    assert effects[-1].code == EXIT_STUCK
