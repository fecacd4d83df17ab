"""Loops that end otherwise: limits, people, time, restarts, cancels; and loops over items."""

from typing import Any

import pytest

from questd.actors.quest import commands as cmd
from questd.actors.quest import core, rounds
from questd.actors.quest.facts import scope_of
from questd.actors.quest.materials import idempotency_key
from questd.messages import events as ev
from questd.messages.definition import QuestLimits
from tests.quest.making import ONCE, Life, failure, kinds, quest, step
from tests.quest.test_rounds import again, chain


def asked(**fields: Any) -> Life:
    """A quest that may be sent back once, and asks whether it may be once more."""
    life = quest(
        step("a", repeat=again(max_rounds=9), **fields),
        step("b", "a"),
        limits=QuestLimits(rounds=1),
    )
    life.run("a")
    life.judge("a", holds=False)
    life.run("a@2")
    assert kinds(life.judge("a@2", holds=False)) == ["breakpoint.opened"]
    return life


def test_a_quest_that_was_sent_back_too_often_asks_a_person() -> None:
    life = asked()
    assert (life.status, life.status_of("a@2")) == ("waiting", "waiting")
    waits = core.waits_of(life.state)
    assert [(wait.task, wait.what) for wait in waits] == [("a@2", "breakpoint")]
    assert kinds(life.when(cmd.ResolveTask("", "again", "ann"))) == ["breakpoint.resolved"]
    assert list(life.owed.judges) == ["a@2"]
    assert kinds(life.judge("a@2", holds=False)) == ["task.sent_back"]
    life.run("a@3")
    assert kinds(life.judge("a@3", holds=False)) == ["breakpoint.opened"]


def test_a_person_accepts_the_result_as_it_is() -> None:
    life = asked()
    made = life.when(cmd.ResolveTask("a@2", "accept", "ann"))
    assert kinds(made) == ["breakpoint.resolved", "task.accepted"]
    assert (list(life.owed.judges), life.wants()) == ([], ["b"])


@pytest.mark.parametrize("on_error", ["stop", "continue"])
def test_a_person_lets_it_fail(on_error: str) -> None:
    life = asked(on_error=on_error)
    life.when(cmd.ResolveTask("a@2", "fail", "ann"))
    assert life.status_of("a@2") == "failed"
    assert life.status == ("failed" if on_error == "stop" else "waiting")


def test_the_time_of_a_step_is_that_of_one_round_and_over_when_it_has_its_result() -> None:
    life = quest(step("a", repeat=again(), total_timeout_ms=1_000))
    life.pass_ms(600)
    life.run("a")
    life.pass_ms(600)
    life.judge("a", holds=False)
    life.pass_ms(600)
    assert life.status_of("a@2") == "ready"
    life.pass_ms(400)
    assert life.status == "failed"


def test_what_cannot_be_judged_has_failed() -> None:
    life = quest(step("a", repeat=again()))
    life.run("a")
    made = life.when(cmd.FailTask("a", failure("validation", retryable=False)))
    assert kinds(made) == ["task.failed", "quest.stopping", "quest.failed"]


def test_a_result_that_a_person_gave_is_judged_like_any_other() -> None:
    life = quest(step("a", repeat=again(), idempotent=False))
    life.lose(life.start("a"))
    life.when(cmd.ResolveTask("a", "complete", "ann", b"7"))
    assert list(life.owed.judges) == ["a"]
    life.judge("a", holds=False)
    assert life.wants() == ["a@2"]


@pytest.mark.parametrize("at", range(8))
def test_a_restart_anywhere_goes_on_from_there(at: int) -> None:
    life = chain()
    acts: list[Any] = [
        lambda: life.run("before", "code"),
        lambda: life.run("test", "review"),
        lambda: life.judge("review", holds=False),
        lambda: life.run("code@2", "test@2"),
        lambda: life.run("review@2"),
        lambda: life.judge("review@2", holds=True),
        lambda: life.run("after"),
        lambda: None,
    ]
    for number, act in enumerate(acts):
        if number == at:
            life.restart()
        act()
    assert life.finish() == [ev.QuestCompleted(b"1", ())]


@pytest.mark.parametrize("moment", ["judging", "second", "asked"])
def test_a_cancel_in_any_round_ends_the_quest_and_keeps_what_there_is(moment: str) -> None:
    if moment == "asked":
        life, task = asked(), "a@2"
    else:
        life, task = chain(), "review"
        life.run("before", "code", "test", "review")
        if moment == "second":
            life.judge("review", holds=False)
            life.run("code@2")
            task = "code@2"
    life.when(cmd.CancelQuest("not needed", "ann"))
    assert (life.status, life.status_of(task)) == ("cancelled", "completed")
    assert isinstance(life.judge(task, holds=False), cmd.Rejected)
    assert not life.owed.judges
    assert life.wants() == []


def test_a_loop_that_is_stopped_while_its_step_runs_is_not_judged() -> None:
    life = quest(step("a", repeat=again()))
    epoch = life.start("a")
    life.when(cmd.CancelQuest("not needed", "ann"))
    assert kinds(life.complete(epoch)) == ["attempt.completed", "quest.cancelled"]
    assert life.status_of("a") == "completed"


def test_a_quest_has_so_many_tasks_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "TASKS_MAX", 6)
    life = quest(step("a"), step("b", "a", repeat=again("a", max_rounds=9)))
    life.run("a", "b")
    for number in (2, 3):
        assert kinds(life.judge(f"b@{number - 1}".replace("@1", ""), holds=False)) == [
            "task.sent_back"
        ]
        life.run(f"a@{number}", f"b@{number}")
    assert kinds(life.judge("b@3", holds=False))[0] == "task.failed"
    assert life.state.failure is not None
    assert life.state.failure.kind == "too_large"


def test_only_what_waits_to_be_judged_is_judged() -> None:
    life = chain()
    assert isinstance(life.judge("review", holds=True), cmd.Rejected)
    life.run("before", "code", "test", "review")
    life.judge("review", holds=True)
    assert isinstance(life.judge("review", holds=True), cmd.Rejected)
    assert isinstance(life.judge("nothing", holds=True), cmd.Rejected)


def test_a_thousand_rounds_cost_what_one_does_a_thousand_times() -> None:
    life = quest(step("a", repeat=again(max_rounds=1_000)), step("b", "a"))
    for number in range(1, 1_000):
        task = "a" if number == 1 else f"a@{number}"
        life.run(task)
        life.judge(task, holds=False)
    life.run("a@1000")
    life.judge("a@1000", holds=True)
    assert life.wants() == ["b"]


def looped_items() -> Life:
    """plan → each item of its list → join, which goes back to plan."""
    return quest(
        step("plan"),
        step("each", "plan", for_each="plan.result", max_parallel=1),
        step("join", "each", repeat=again("plan")),
        step("after", "each"),
    )


def test_a_loop_goes_back_over_a_completed_list_whose_items_change() -> None:
    life = looped_items()
    life.run("plan")
    life.expand("each", b"1", b"2")
    life.run("each[0]", "each[1]")
    life.gather("each")
    life.run("join")
    life.judge("join", holds=False)
    life.run("plan@2")
    assert list(life.owed.lists) == ["each@2"]
    assert life.expand("each@2", b"3") == [ev.TaskExpanded("each@2", (b"3",))]
    assert life.wants() == ["each[0]@2"]
    life.run("each[0]@2")
    life.gather("each@2", b"[3]")
    assert life.wants() == ["join@2"]
    life.restart()
    life.run("join@2")
    life.judge("join@2", holds=True)
    assert life.wants() == ["after"]
    keys = [idempotency_key("q_1", task) for task in life.state.tasks]
    assert len(set(keys)) == len(keys)


def test_items_of_a_round_are_told_what_their_round_is_told() -> None:
    life = looped_items()
    life.run("plan")
    life.expand("each")
    life.gather("each")
    life.run("join")
    life.judge("join", holds=False, feedback=b'"fewer"')
    life.run("plan@2")
    life.expand("each@2", b"7")
    scope = scope_of(life.state.at("each[0]@2"))
    assert (scope.round, scope.feedback, scope.item, scope.index) == (2, b'"fewer"', b"7", 0)


def test_a_step_with_items_is_judged_by_the_list_of_their_results() -> None:
    life = quest(step("each", for_each="[1]", partial="continue", retry=ONCE, repeat=again()))
    life.expand("each", b"1", b"2")
    life.fail(life.start("each[0]"))
    life.run("each[1]")
    life.gather("each", b"[null,1]")
    assert (list(life.owed.judges), life.state.failed_steps) == (["each"], ["each"])
    life.judge("each", holds=False)
    life.expand("each@2", b"1")
    life.run("each[0]@2")
    life.gather("each@2", b"[1]")
    life.judge("each@2", holds=True)
    assert life.finish() == [ev.QuestCompleted(b"1", ())]
