"""``repeat``: what runs again, what does not, who waits for whom, and when a loop is over."""

from typing import Any

import pytest

from questd.actors.quest import commands as cmd
from questd.actors.quest import rounds
from questd.actors.quest import task as tk
from questd.actors.quest.materials import idempotency_key
from questd.messages import events as ev
from questd.messages.definition import Fallback, Repeat, StepDefinition
from questd.messages.failure import BUDGET
from tests.quest.making import ONCE, Life, failure, kinds, quest, step

MORE = b'"more"'


def again(back_to: str | None = None, **fields: Any) -> Repeat:
    return Repeat("result", back_to, **fields)


def chain(*more: StepDefinition, **fields: Any) -> Life:
    """before → code → test → review, which goes back to code → after."""
    repeat = again("code", **fields)
    return quest(
        step("before"),
        step("code", "before"),
        step("test", "code"),
        step("review", "test", repeat=repeat),
        step("after", "review"),
        *more,
    )


def test_what_lies_between_runs_again_and_nothing_else() -> None:
    life = chain()
    life.run("before", "code", "test", "review")
    assert (list(life.owed.judges), life.wants(), life.status) == (["review"], [], "running")
    assert life.judge("review", holds=False) == [ev.TaskSentBack("review", "code", MORE)]
    assert life.wants() == ["code@2"]
    life.run("code@2", "test@2")
    assert life.wants() == ["review@2"]
    life.run("review@2")
    assert life.judge("review@2", holds=True) == [ev.TaskAccepted("review@2")]
    assert life.wants() == ["after"]
    life.run("after")
    assert life.finish() == [ev.QuestCompleted(b"1", ())]
    started = [e.task for _, e in life.events if isinstance(e, ev.AttemptStarted)]
    assert started == ["before", "code", "test", "review", "code@2", "test@2", "review@2", "after"]


def test_every_round_is_kept_with_what_it_was_told() -> None:
    life = chain()
    life.run("before", "code", "test", "review")
    life.judge("review", holds=False, feedback=b'"shorter"')
    life.complete(life.start("code@2"), b"2")
    first, second = rounds.rounds_of(life.state, life.state.latest(1))
    assert isinstance(first.state, tk.Completed)
    assert isinstance(second.state, tk.Completed)
    assert (first.key, first.state.result, first.round.feedback) == ("code", b"1", b"null")
    assert (second.key, second.state.result, second.round.feedback) == (
        "code@2",
        b"2",
        b'"shorter"',
    )
    assert second.round.number == 2


def test_a_step_may_go_back_to_itself() -> None:
    life = quest(step("a", repeat=again()), step("b", "a"))
    life.run("a")
    assert life.judge("a", holds=False) == [ev.TaskSentBack("a", "a", MORE)]
    life.run("a@2")
    life.judge("a@2", holds=True)
    assert life.wants() == ["b"]


def test_a_branch_that_leaves_the_loop_waits_for_its_end() -> None:
    life = chain(step("docs", "code"))
    life.run("before", "code")
    assert life.wants() == ["test"]
    life.run("test", "review")
    life.judge("review", holds=False)
    life.run("code@2", "test@2", "review@2")
    assert life.wants() == []
    life.judge("review@2", holds=True)
    assert life.wants() == ["after", "docs"]


def test_a_branch_inside_the_loop_runs_again_too() -> None:
    life = quest(
        step("a"),
        step("left", "a"),
        step("right", "a"),
        step("join", "left", "right", repeat=again("a")),
    )
    life.run("a", "left", "right", "join")
    life.judge("join", holds=False)
    life.run("a@2")
    assert life.wants() == ["left@2", "right@2"]
    life.run("right@2", "left@2", "join@2")
    life.judge("join@2", holds=True)
    assert life.owed.output


def test_when_no_round_is_left_the_step_fails() -> None:
    life = chain(max_rounds=2)
    life.run("before", "code", "test", "review")
    life.judge("review", holds=False)
    life.run("code@2", "test@2", "review@2")
    made = life.judge("review@2", holds=False)
    assert kinds(made) == ["task.failed", "quest.stopping", "quest.failed"]
    assert life.state.failure == failure(
        BUDGET, "`until` does not hold after 2 rounds", task="review@2", retryable=False
    )


def test_or_the_quest_goes_on_with_the_last_result() -> None:
    life = quest(step("a", repeat=again(max_rounds=1, on_exhausted="continue")), step("b", "a"))
    life.run("a")
    assert life.judge("a", holds=False) == [ev.TaskAccepted("a", exhausted=True)]
    assert life.wants() == ["b"]


@pytest.mark.parametrize("on_error", ["continue", "continue_with_input"])
def test_a_loop_that_fails_is_a_step_that_fails(on_error: str) -> None:
    life = quest(step("a", repeat=again(max_rounds=1), on_error=on_error), step("b", "a"))
    life.run("a")
    life.judge("a", holds=False)
    if on_error == "continue_with_input":
        assert list(life.owed.renders) == ["a"]
        life.when(cmd.ContinueTask("a", b'"given"'))
    assert life.wants() == ["b"]
    life.run("b")
    assert life.finish() == [ev.QuestCompleted(b"1", ("a",))]


def test_what_failed_in_one_round_and_not_in_the_last_is_no_failed_step() -> None:
    life = quest(
        step("a", on_error="continue", retry=ONCE),
        step("b", "a", repeat=again("a")),
        step("c", "b"),
    )
    life.fail(life.start("a"))
    life.run("b")
    assert life.state.failed_steps == ["a"]
    life.judge("b", holds=False)
    assert life.state.failed_steps == []
    life.run("a@2", "b@2")
    life.judge("b@2", holds=True)
    life.run("c")
    assert life.finish() == [ev.QuestCompleted(b"1", ())]


def test_a_step_that_failed_in_the_last_round_is_listed_by_its_key() -> None:
    life = quest(step("a", on_error="continue", retry=ONCE), step("b", "a", repeat=again("a")))
    life.run("a", "b")
    life.judge("b", holds=False)
    life.fail(life.start("a@2"))
    life.run("b@2")
    life.judge("b@2", holds=True)
    assert life.finish() == [ev.QuestCompleted(b"1", ("a",))]


def test_a_condition_is_looked_at_in_each_round() -> None:
    life = quest(
        step("a"),
        step("maybe", "a", when="round > 1"),
        step("b", "maybe", allow_skipped=True, repeat=again("a")),
        step("c", "maybe"),
    )
    life.run("a")
    life.decide("maybe", holds=False)
    life.run("b")
    life.judge("b", holds=False)
    life.run("a@2")
    assert list(life.owed.decides) == ["maybe@2"]
    life.decide("maybe@2", holds=True)
    life.run("maybe@2", "b@2")
    life.judge("b@2", holds=True)
    assert life.wants() == ["c"]


def test_a_step_outside_is_skipped_when_the_last_round_skipped_what_it_depends_on() -> None:
    life = quest(
        step("a"),
        step("maybe", "a", when="round < 2"),
        step("b", "maybe", allow_skipped=True, repeat=again("a")),
        step("c", "maybe"),
    )
    life.run("a")
    life.decide("maybe", holds=True)
    life.run("maybe", "b")
    life.judge("b", holds=False)
    life.run("a@2")
    life.decide("maybe@2", holds=False)
    life.run("b@2")
    assert life.judge("b@2", holds=True) == [
        ev.TaskAccepted("b@2"),
        ev.TaskSkipped("c", "maybe@2 was skipped"),
    ]
    assert life.owed.output


def test_a_loop_whose_step_is_skipped_or_fails_is_over() -> None:
    for end in ("skipped", "failed"):
        fields: dict[str, Any] = {"when": "x"} if end == "skipped" else {"on_error": "continue"}
        life = quest(
            step("a"),
            step("b", "a", retry=ONCE, repeat=again("a"), **fields),
            step("c", "a"),
        )
        life.run("a")
        if end == "skipped":
            life.decide("b", holds=False)
        else:
            life.fail(life.start("b"))
        assert not life.owed.judges
        assert life.wants() == ["c"]


def test_each_round_begins_with_the_steps_own_choice_and_all_attempts() -> None:
    life = quest(step("a", retry=ONCE, fallback=(Fallback("lite"),), repeat=again()))
    life.fail(life.start("a"))
    life.run("a")
    life.judge("a", holds=False)
    assert (life.state.at("a").choice, life.state.at("a@2").choice) == (1, 0)
    life.run("a@2")
    assert life.state.at("a@2").attempts == 1


def nested() -> Life:
    """a → b ⟲ b → c ⟲ a → d."""
    return quest(
        step("a"),
        step("b", "a", repeat=again(max_rounds=2, on_exhausted="continue")),
        step("c", "b", repeat=again("a", max_rounds=2)),
        step("d", "c"),
    )


def test_an_inner_loop_counts_its_rounds_anew_in_each_round_of_the_outer_one() -> None:
    life = nested()
    life.run("a", "b")
    life.judge("b", holds=False)
    life.run("b@2")
    assert kinds(life.judge("b@2", holds=False)) == ["task.accepted"]
    life.run("c")
    life.judge("c", holds=False)
    life.run("a@2", "b@3")
    assert kinds(life.judge("b@3", holds=False)) == ["task.sent_back"]
    life.run("b@4")
    assert kinds(life.judge("b@4", holds=False)) == ["task.accepted"]
    life.run("c@2")
    assert kinds(life.judge("c@2", holds=False))[0] == "task.failed"


def test_a_loop_goes_back_into_another() -> None:
    """a → b → c ⟲ a, and c → d ⟲ b: d goes back into the middle of the first."""
    life = quest(
        step("a"),
        step("b", "a"),
        step("c", "b", repeat=again("a")),
        step("d", "c", repeat=again("b")),
    )
    life.run("a", "b", "c")
    life.judge("c", holds=True)
    life.run("d")
    life.judge("d", holds=False)
    life.run("b@2", "c@2")
    life.judge("c@2", holds=False)
    assert life.wants() == ["a@2"]
    life.run("a@2", "b@3", "c@3")
    life.judge("c@3", holds=True)
    life.run("d@2")
    life.judge("d@2", holds=True)
    assert life.owed.output


def test_a_late_result_of_an_earlier_round_is_refused_and_journalled() -> None:
    life = quest(step("a", repeat=again()))
    lost = life.start("a")
    life.lose(lost)
    life.run("a")
    life.judge("a", holds=False)
    assert life.complete(lost) == [ev.AttemptRefused("a", lost, "completed", "superseded")]
    assert life.wants() == ["a@2"]


def test_a_result_that_comes_twice_is_no_news() -> None:
    life = quest(step("a", repeat=again()))
    epoch = life.start("a")
    life.complete(epoch)
    assert life.complete(epoch) == []
    life.judge("a", holds=False)
    assert life.complete(epoch) == []


def test_the_idempotency_key_is_another_in_each_round() -> None:
    life = quest(step("a", repeat=again()))
    life.run("a")
    life.judge("a", holds=False)
    keys = {idempotency_key("q_1", life.state.at(task)) for task in ("a", "a@2")}
    assert len(keys) == 2
