"""Agents that freeze (SIGSTOP) and come back: their late results count or are refused, by the rules, and nothing hangs."""

import signal

import pytest

from questd.messages import events as ev
from tests.system.place import Place, single
from tests.system.rules import check

SHORT_LEASE = {"hold_s": 0.5, "lease_s": 1.5}


def test_a_late_result_of_a_frozen_agent_counts_while_nobody_else_has_begun(place: Place) -> None:
    place.start_daemon(limits=SHORT_LEASE)
    frozen = place.start_agent()
    quest = place.submit(single("gated"))
    place.await_calls(1)
    frozen.signal(signal.SIGSTOP)
    place.await_kind(quest, "attempt.lost")
    place.gate.touch()
    frozen.signal(signal.SIGCONT)
    place.await_end([quest])
    events = place.events(quest)
    completed = [event for event in events if isinstance(event, ev.AttemptCompleted)]
    assert len(completed) == 1
    check(place, [quest])


def test_a_late_result_after_another_agent_was_sent_the_task_is_refused(place: Place) -> None:
    place.start_daemon(limits=SHORT_LEASE)
    frozen = place.start_agent()
    quest = place.submit(single("gated"))
    place.await_calls(1)
    frozen.signal(signal.SIGSTOP)
    place.await_kind(quest, "attempt.lost")
    place.start_agent()
    place.await_calls(2)
    place.gate.touch()
    place.await_end([quest])
    frozen.signal(signal.SIGCONT)
    kinds = place.await_kind(quest, "attempt.refused")
    assert kinds.count("attempt.completed") == 1
    assert frozen.popen.poll() is None
    assert len(place.calls()) == 2
    check(place, [quest])


@pytest.mark.parametrize("tool", ["gated", "pay"])
def test_a_frozen_daemon_goes_on_where_it_stopped(place: Place, tool: str) -> None:
    place.start_daemon(limits=SHORT_LEASE)
    place.start_agent()
    quest = place.submit(single(tool))
    place.await_calls(1)
    place.daemon.signal(signal.SIGSTOP)
    place.gate.touch()
    signal.sigtimedwait(
        [signal.SIGUSR2], 2.5
    )  # longer than lease and holds: what the test is about
    place.daemon.signal(signal.SIGCONT)
    heads = place.await_end([quest])
    assert heads[quest].status == "completed"
    assert len(place.calls()) == 1
    check(place, [quest])


def test_a_lost_attempt_that_must_not_be_repeated_still_ends_its_question(place: Place) -> None:
    place.start_daemon(limits=SHORT_LEASE)
    frozen = place.start_agent()
    quest = place.submit(single("pay"))
    place.await_calls(1)
    frozen.signal(signal.SIGSTOP)
    place.await_kind(quest, "breakpoint.opened")
    place.gate.touch()
    frozen.signal(signal.SIGCONT)
    heads = place.await_end([quest])
    assert heads[quest].status == "completed"
    assert len(place.calls()) == 1
    check(place, [quest])
