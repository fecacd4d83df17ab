"""Results that come late, twice, or from nowhere: the first that counts is the only one."""

import pytest

from questd.actors.quest import commands as cmd
from questd.messages import events as ev
from tests.quest.making import AT_ONCE, failure, kinds, quest, step


def test_a_result_that_is_said_again_is_no_news() -> None:
    life = quest(step("a"), step("b", "a"))
    epoch = life.start("a")
    life.complete(epoch, b"1")
    version = life.state.version
    assert life.complete(epoch, b"1") == []
    assert life.complete(epoch, b"2") == []
    life.run("b")
    life.finish()
    assert life.complete(epoch) == []
    assert life.state.version == version + 3


def test_a_failure_that_is_said_again_is_no_news() -> None:
    life = quest(step("a", retry=AT_ONCE))
    epoch = life.start("a")
    life.fail(epoch)
    version = life.state.version
    assert isinstance(life.fail(epoch), cmd.Rejected)
    life.pass_ms(0)
    life.start("a")
    assert isinstance(life.fail(epoch), cmd.Rejected)
    assert life.state.version == version + 1


def test_a_late_result_of_a_failed_attempt_is_refused_and_noted_once() -> None:
    life = quest(step("a", retry=AT_ONCE))
    epoch = life.start("a")
    life.fail(epoch, failure("timeout"))
    assert life.complete(epoch) == [ev.AttemptRefused("a", epoch, "completed", "superseded")]
    assert life.complete(epoch) == []
    assert life.status_of("a") == "retrying"


def test_a_refusal_is_remembered_after_a_restart() -> None:
    life = quest(step("a", retry=AT_ONCE))
    epoch = life.start("a")
    life.fail(epoch)
    life.complete(epoch)
    life.restart()
    assert life.complete(epoch) == []


@pytest.mark.parametrize("end", ["cancelled", "failed", "completed"])
def test_a_result_after_the_end_of_its_quest_is_refused_and_noted(end: str) -> None:
    life = quest(step("a", on_error="continue"), step("b"))
    late = life.start("a")
    life.fail(late, failure(retryable=False))
    if end == "cancelled":
        life.when(cmd.CancelQuest("why", "ann"))
    elif end == "failed":
        life.fail(life.start("b"), failure(retryable=False))
    else:
        life.run("b")
        life.finish()
    assert life.status == end
    refused = ev.AttemptRefused("a", late, "completed", "the quest has ended")
    assert life.complete(late) == [refused]
    assert life.complete(late) == []
    assert life.status == end


def test_a_result_of_an_abandoned_attempt_is_refused() -> None:
    life = quest(step("a"))
    epoch = life.start("a")
    life.when(cmd.CancelQuest("why", "ann"))
    life.pass_ms(10_000)
    assert kinds(life.complete(epoch)) == ["attempt.refused"]
    assert life.status_of("a") == "cancelled"


def test_an_outcome_of_an_attempt_that_never_was_is_invalid() -> None:
    life = quest(step("a"))
    assert life.complete(3) == cmd.Rejected("invalid", "q_1 has no attempt 3")
    assert isinstance(life.fail(3), cmd.Rejected)
    assert isinstance(life.when(cmd.EndAttempt(3)), cmd.Rejected)


def test_an_epoch_is_not_mistaken_for_another_event() -> None:
    life = quest(step("a"))
    life.start("a")
    for epoch in (0, 1, 2, 4, -1):
        assert isinstance(life.complete(epoch), cmd.Rejected)
    assert life.status_of("a") == "running"


def test_a_task_completes_once_whatever_else_is_said() -> None:
    life = quest(step("a", retry=AT_ONCE))
    first = life.start("a")
    life.lose(first)
    second = life.start("a")
    life.fail(second)
    life.pass_ms(0)
    third = life.start("a")
    for epoch in (first, second, third, third, second, first):
        life.complete(epoch)
    completed = [event for _, event in life.events if isinstance(event, ev.AttemptCompleted)]
    assert [event.epoch for event in completed] == [third]
