"""Cancelling: nothing new starts, what runs is asked to end, and after the grace it is abandoned."""

import pytest

from questd.actors.quest import commands as cmd
from questd.actors.quest import core
from questd.actors.quest.evolve import CANCEL_GRACE_US
from questd.messages import events as ev
from tests.quest.making import AT_ONCE, Life, failure, kinds, plan_of, quest, step

CANCEL = cmd.CancelQuest("not needed", "ann")
GRACE_MS = CANCEL_GRACE_US / 1_000


def test_a_quest_in_which_nothing_runs_is_cancelled_at_once() -> None:
    life = quest(step("a"), step("b", "a"))
    assert life.when(CANCEL) == [
        ev.CancelRequested("not needed", "ann"),
        ev.QuestCancelled("not needed"),
    ]
    assert (life.status, life.wants()) == ("cancelled", [])
    assert life.statuses() == {"a": "cancelled", "b": "cancelled"}


def test_a_running_attempt_is_asked_to_end_and_the_quest_ends_with_it() -> None:
    life = quest(step("a"), step("b"))
    epoch = life.start("a")
    assert life.when(CANCEL) == [ev.CancelRequested("not needed", "ann")]
    assert (life.status, life.owed.recalls, life.wants()) == ("running", {"a": epoch}, [])
    assert life.when(cmd.EndAttempt(epoch)) == [
        ev.AttemptCancelled("a", epoch, "the quest is ending"),
        ev.QuestCancelled("not needed"),
    ]
    assert life.owed.runs == {}


def test_a_result_that_comes_within_the_grace_still_counts() -> None:
    life = quest(step("a"), step("b", "a"))
    epoch = life.start("a")
    life.when(CANCEL)
    assert kinds(life.complete(epoch)) == ["attempt.completed", "quest.cancelled"]
    assert life.statuses() == {"a": "completed", "b": "cancelled"}


def test_after_the_grace_every_running_attempt_is_abandoned() -> None:
    life = quest(step("a"), step("b"), step("c"))
    a, b = life.start("a"), life.start("b")
    life.when(CANCEL)
    assert life.pass_ms(GRACE_MS - 1) == []
    assert life.pass_ms(1) == [
        ev.AttemptCancelled("a", a, "grace is over", abandoned=True),
        ev.AttemptCancelled("b", b, "grace is over", abandoned=True),
        ev.QuestCancelled("not needed"),
    ]
    assert life.owed.runs == life.owed.recalls == {}


def test_the_grace_goes_on_after_a_restart() -> None:
    life = quest(step("a"))
    epoch = life.start("a")
    life.when(CANCEL)
    life.pass_ms(4_000)
    assert core.next_wake_us(life.folded()) == life.now_us + CANCEL_GRACE_US - 4_000_000
    assert life.owed.recalls == {"a": epoch}


def test_an_attempt_that_is_lost_within_the_grace_ends_the_quest() -> None:
    life = quest(step("a", idempotent=False))
    made = life.start("a"), life.when(CANCEL)
    assert kinds(life.lose(made[0])) == ["attempt.lost", "quest.cancelled"]


def test_a_retrying_or_waiting_task_is_cancelled_with_its_quest() -> None:
    life = quest(step("a"), step("b", idempotent=False))
    life.fail(life.start("a"))
    life.lose(life.start("b"))
    assert life.statuses() == {"a": "retrying", "b": "waiting"}
    life.when(CANCEL)
    assert life.statuses() == {"a": "cancelled", "b": "cancelled"}
    assert core.next_wake_us(life.state) is None


def test_only_the_grace_comes_due_in_a_quest_that_ends() -> None:
    life = quest(step("a"), step("b"), step("c", total_timeout_ms=2_000), total_timeout_ms=3_000)
    life.fail(life.start("a"))
    life.start("b")
    life.when(CANCEL)
    assert core.next_wake_us(life.state) == life.now_us + CANCEL_GRACE_US


def test_cancelling_twice_is_cancelling_once() -> None:
    life = quest(step("a"))
    epoch = life.start("a")
    life.when(CANCEL)
    assert life.when(CANCEL) == []
    life.when(cmd.EndAttempt(epoch))
    assert life.when(cmd.CancelQuest("again", "bob")) == []


@pytest.mark.parametrize("end", ["completed", "failed"])
def test_a_quest_that_has_ended_otherwise_cannot_be_cancelled(end: str) -> None:
    life = quest(step("a"))
    epoch = life.start("a")
    if end == "completed":
        life.complete(epoch)
        life.finish()
    else:
        life.fail(epoch, failure(retryable=False))
    assert life.when(CANCEL) == cmd.Rejected("conflict", f"q_1 is {end} already")


def test_a_quest_can_be_cancelled_while_its_output_is_rendered() -> None:
    life = quest(step("a"))
    life.run("a")
    assert life.owed.output
    assert kinds(life.when(CANCEL))[-1] == "quest.cancelled"
    assert isinstance(life.finish(), cmd.Rejected)


def test_a_quest_that_never_started_can_be_cancelled() -> None:
    life = Life(plan_of(step("a")))
    core.evolve(life.state, ev.QuestSubmitted("d", "made", "1", "default", b"{}"), life.now_us)
    assert kinds(life.when(CANCEL)) == ["quest.cancel_requested", "quest.cancelled"]


def test_a_lost_attempt_given_back_while_the_quest_ends_changes_nothing() -> None:
    life = quest(step("a"), step("b"))
    a, b = life.start("a"), life.start("b")
    life.lose(a)
    life.when(CANCEL)
    assert life.when(cmd.EndAttempt(a)) == cmd.Rejected("gone", "the attempt does not run any more")
    assert kinds(life.when(cmd.EndAttempt(b)))[-1] == "quest.cancelled"


def test_a_lost_attempt_that_completes_while_the_quest_ends_still_counts() -> None:
    life = quest(step("a"), step("b"), step("c", "a"))
    a, b = life.start("a"), life.start("b")
    life.lose(a)
    life.when(CANCEL)
    assert kinds(life.complete(a)) == ["attempt.completed"]
    assert life.status_of("c") == "pending"
    life.when(cmd.EndAttempt(b))
    assert life.statuses() == {"a": "completed", "b": "cancelled", "c": "cancelled"}


def test_a_lost_attempt_that_fails_while_the_quest_ends_is_no_retry() -> None:
    life = quest(step("a", retry=AT_ONCE), step("b"))
    a, b = life.start("a"), life.start("b")
    life.lose(a)
    life.when(CANCEL)
    assert kinds(life.fail(a)) == ["attempt.failed"]
    assert kinds(life.complete(b))[-1] == "quest.cancelled"
    assert life.status_of("a") == "failed"


def test_nothing_starts_in_a_quest_that_ends() -> None:
    life = quest(step("a"), step("b"), step("c"))
    life.start("a")
    life.when(CANCEL)
    for task in ("b", "c"):
        assert isinstance(life.offer(task), cmd.Rejected)
    assert isinstance(life.when(cmd.FailTask("b", failure())), cmd.Rejected)
    assert isinstance(life.when(cmd.ExpireQuest()), cmd.Rejected)


def test_only_an_ending_quest_abandons() -> None:
    life = quest(step("a"))
    life.start("a")
    assert isinstance(life.when(cmd.AbandonAttempts()), cmd.Rejected)
