"""``when`` and ``allow_skipped``: what is skipped, what is not, and what follows."""

import pytest

from questd.actors.quest import commands as cmd
from questd.messages import events as ev
from questd.messages.definition import StepDefinition
from tests.quest.making import Life, failure, plan_of, step


def quest(*steps: StepDefinition) -> Life:
    return Life(plan_of(*steps)).submit()


def skipped(made: list[ev.Event] | cmd.Rejected) -> dict[str, str]:
    assert isinstance(made, list)
    return {each.task: each.reason for each in made if isinstance(each, ev.TaskSkipped)}


def test_a_condition_is_looked_at_when_all_before_it_has_ended() -> None:
    life = quest(step("a"), step("b"), step("c", "a", "b", when="a.result"))
    life.run("a")
    assert list(life.owed.decides) == []
    life.run("b")
    assert list(life.owed.decides) == ["c"]
    assert life.wants() == []
    assert life.decide("c", holds=True) == [ev.TaskAllowed("c")]
    assert life.wants() == ["c"]


def test_what_does_not_hold_is_skipped_and_the_quest_completes() -> None:
    life = quest(step("a"), step("b", "a", when="a.result"))
    life.run("a")
    assert skipped(life.decide("b", holds=False)) == {"b": "when: a.result"}
    assert life.status_of("b") == "skipped"
    assert life.owed.output
    assert life.finish() == [ev.QuestCompleted(b"1", ())]


def test_a_skip_spreads_in_one_append() -> None:
    life = quest(step("a", when="false"), step("b", "a"), step("c", "b", when="true"), step("d"))
    made = life.decide("a", holds=False)
    assert skipped(made) == {
        "a": "when: false",
        "b": "a was skipped",
        "c": "b was skipped",
    }
    assert list(life.owed.decides) == []
    assert life.wants() == ["d"]


def test_a_join_that_allows_it_runs_after_skipped_ones_also_when_all_were() -> None:
    life = quest(
        step("a", when="false"),
        step("b"),
        step("some", "a", "b", allow_skipped=True),
        step("all", "a", allow_skipped=True),
        step("none", "a", "b"),
    )
    life.decide("a", holds=False)
    assert life.wants() == ["b", "all"]
    life.run("b")
    assert life.status_of("none") == "skipped"
    assert life.wants() == ["all", "some"]


def test_of_ten_thousand_in_a_row_each_is_skipped_once() -> None:
    steps = [step("s0", when="false")]
    steps += [step(f"s{n}", f"s{n - 1}") for n in range(1, 10_000)]
    life = quest(*steps)
    assert len(skipped(life.decide("s0", holds=False))) == 10_000
    assert life.owed.output


@pytest.mark.parametrize(
    ("on_error", "status", "quest_status"),
    [("stop", "failed", "failed"), ("continue", "failed", "waiting")],
)
def test_a_condition_that_cannot_be_said_fails_its_step(
    on_error: str, status: str, quest_status: str
) -> None:
    life = quest(step("a", when="inputs.x", on_error=on_error), step("b", "a"))
    life.when(cmd.FailTask("a", failure("validation", retryable=False)))
    assert (life.status_of("a"), life.status) == (status, quest_status)
    assert life.wants() == ([] if on_error == "stop" else ["b"])


def test_after_a_restart_it_is_looked_at_again_unless_it_was_said() -> None:
    life = quest(step("a", when="true"))
    life.restart()
    assert list(life.owed.decides) == ["a"]
    life.decide("a", holds=True)
    life.restart()
    assert list(life.owed.decides) == []
    assert life.wants() == ["a"]


def test_it_is_said_once() -> None:
    life = quest(step("a", when="true"))
    life.decide("a", holds=True)
    assert isinstance(life.decide("a", holds=False), cmd.Rejected)
    life.when(cmd.CancelQuest("not needed", "ann"))
    assert life.status == "cancelled"


def test_who_cancels_meanwhile_ends_it() -> None:
    life = quest(step("a", when="true"))
    life.when(cmd.CancelQuest("not needed", "ann"))
    assert isinstance(life.decide("a", holds=True), cmd.Rejected)
    assert (life.status, life.status_of("a")) == ("cancelled", "cancelled")


def test_the_total_timeout_runs_meanwhile() -> None:
    life = quest(step("a", when="true", total_timeout_ms=1_000))
    life.pass_ms(1_000)
    assert life.status_of("a") == "failed"
