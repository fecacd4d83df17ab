"""limits.tokens and limits.cost: what counts, when a person is asked, and what their answer does."""

from typing import Any

import pytest

from questd.actors.quest import commands as cmd
from questd.actors.quest import core
from questd.messages import events as ev
from questd.messages.definition import COST_MAX, TOKENS_MAX, Fallback, QuestLimits, Repeat
from tests.quest.making import AT_ONCE, ONCE, Life, failure, kinds, quest, step

TEN = QuestLimits(tokens=10)


def spend(life: Life, task: str, tokens: int = 10, cost: float = 0.0) -> list[ev.Event]:
    """The task runs, and its tool has used this."""
    made = life.when(cmd.CompleteAttempt(life.start(task), b"1", 0, tokens, cost))
    assert isinstance(made, list)
    return made


def fail(life: Life, epoch: int, tokens: int, **fields: Any) -> list[ev.Event]:
    made = life.when(cmd.FailAttempt(epoch, failure(**fields), tokens=tokens))
    assert isinstance(made, list)
    return made


def answer(
    life: Life, choice: str, result: bytes | None = None, task: str = ""
) -> list[ev.Event] | cmd.Rejected:
    return life.when(cmd.ResolveTask(task, choice, "ann", result))


def asked(made: list[ev.Event]) -> list[str]:
    return [each.task for each in made if isinstance(each, ev.BreakpointOpened)]


# -- when a person is asked ----------------------------------------------------------------------------


def test_below_its_budget_a_quest_goes_on() -> None:
    life = quest(step("a"), step("b", "a"), limits=TEN)
    assert asked(spend(life, "a", 9)) == []
    assert life.wants() == ["b"]


def test_at_its_budget_nothing_starts_and_a_person_is_asked_in_the_same_moment() -> None:
    life = quest(step("a"), step("b", "a"), limits=TEN)
    made = spend(life, "a", 10)
    assert asked(made) == ["b"]
    opened = made[-1]
    assert isinstance(opened, ev.BreakpointOpened)
    assert (opened.kind, opened.options) == ("budget", ("more", "fail"))
    assert "10 tokens of limits.tokens 10" in opened.question
    assert life.wants() == []
    assert life.status_of("b") == "waiting"
    assert life.status == "waiting"


def test_cost_is_bounded_as_tokens_are() -> None:
    life = quest(step("a"), step("b", "a"), limits=QuestLimits(cost=0.5))
    made = spend(life, "a", 1_000, 0.5)
    assert asked(made) == ["b"]
    assert "cost 0.5 of limits.cost 0.5" in str(made[-1])


def test_a_quest_without_budgets_counts_and_asks_nobody() -> None:
    life = quest(step("a"), step("b", "a"))
    assert asked(spend(life, "a", 10**9, 1e6)) == []
    assert (life.state.usage.tokens, life.state.usage.cost) == (10**9, 1e6)


def test_when_nothing_is_left_to_start_nobody_is_asked() -> None:
    life = quest(step("a"), limits=TEN)
    assert asked(spend(life, "a", 99)) == []
    assert kinds(life.finish()) == ["quest.completed"]


def test_what_runs_ends_and_counts() -> None:
    life = quest(step("a"), step("b"), step("c", "a", "b"), limits=TEN)
    first, second = life.start("a"), life.start("b")
    assert asked(life.complete_with(first, 10)) == []  # nothing could start yet
    assert asked(life.complete_with(second, 7)) == ["c"]
    assert life.state.usage.tokens == 17


def test_a_thousand_that_could_run_open_one_decision_and_take_their_wishes_back() -> None:
    life = quest(step("a"), *(step(f"b{n}") for n in range(1_000)), limits=TEN)
    assert len(life.wants()) == 1_001
    assert asked(spend(life, "a")) == ["b0"]
    assert life.wants() == []
    waits = core.waits_of(life.state, 2_000)
    assert [wait.what for wait in waits] == ["breakpoint", *["limit"] * 999]
    assert {wait.name for wait in waits[1:]} == {"limits.tokens"}
    answer(life, "more")
    assert len(life.wants()) == 1_000


def test_a_place_that_comes_meanwhile_is_not_taken() -> None:
    life = quest(step("a"), step("b"), limits=TEN)
    spend(life, "a")
    rejected = life.offer("b")
    assert isinstance(rejected, cmd.Rejected)


def test_a_retry_that_comes_due_asks() -> None:
    life = quest(step("a", retry=AT_ONCE), limits=TEN)
    made = fail(life, life.start("a"), 10)
    assert kinds(made) == ["attempt.failed"]
    assert asked(life.pass_until_due()) == ["a"]
    assert core.next_wake_us(life.state) is None
    assert life.state.at("a").attempts == 1
    answer(life, "more")
    assert life.wants() == ["a"]


def test_a_retry_that_comes_due_while_a_person_is_asked_asks_nothing_more() -> None:
    life = quest(step("a", retry=AT_ONCE), step("b"), limits=TEN)
    assert asked(fail(life, life.start("a"), 10)) == ["b"]
    assert life.pass_ms(1) == []
    answer(life, "more")
    assert set(life.wants()) == {"a", "b"}


# -- what counts ---------------------------------------------------------------------------------------


def test_failed_attempts_count() -> None:
    life = quest(step("a", retry=ONCE, on_error="continue"), step("b", "a"), limits=TEN)
    assert asked(fail(life, life.start("a"), 10)) == ["b"]


def test_what_former_choices_used_counts() -> None:
    life = quest(step("a", retry=ONCE, fallback=(Fallback("other"),)), limits=TEN)
    made = fail(life, life.start("a"), 10)
    assert kinds(made) == ["attempt.failed", "task.fell_back", "breakpoint.opened"]


def test_all_rounds_count() -> None:
    life = quest(step("a", repeat=Repeat("result", max_rounds=9)), limits=QuestLimits(tokens=20))
    spend(life, "a")
    assert kinds(life.judge("a", holds=False)) == ["task.sent_back"]
    spend(life, "a@2")
    assert kinds(life.judge("a@2", holds=False)) == ["task.sent_back", "breakpoint.opened"]


def test_items_and_planned_steps_count_like_all_others() -> None:
    life = quest(step("a", for_each="[1]"), step("p", plan_steps=9), limits=QuestLimits(tokens=25))
    life.expand("a", b"1", b"2")
    spend(life, "a[0]")
    spend(life, "p")
    life.plans("p", step("q"))
    assert asked(spend(life, "q")) == ["a[1]"]


def test_a_lost_attempt_counts_nothing_and_its_late_result_does() -> None:
    life = quest(step("a"), step("b", "a"), limits=TEN)
    epoch = life.start("a")
    life.lose(epoch)
    assert life.state.usage.tokens == 0
    assert asked(life.complete_with(epoch, 10)) == ["b"]


def test_a_refused_result_counts_nothing() -> None:
    life = quest(step("a"), step("b"), limits=TEN)
    first = life.start("a")
    life.lose(first)
    life.complete_with(life.start("a"), 1)
    assert [type(each) for each in life.complete_with(first, 50)] == [ev.AttemptRefused]
    assert life.state.usage.tokens == 1


def test_counts_stand_still_where_no_number_can_say_more() -> None:
    life = quest(step("a"), step("b"))
    spend(life, "a", TOKENS_MAX, COST_MAX)
    spend(life, "b", TOKENS_MAX, COST_MAX)
    assert (life.state.usage.tokens, life.state.usage.cost) == (TOKENS_MAX, COST_MAX)


# -- the answer ----------------------------------------------------------------------------------------


def asking(**limits: Any) -> Life:
    """b asks, after a has used 30 tokens and 3 of cost."""
    life = quest(step("a"), step("b", "a"), step("c", "b"), limits=QuestLimits(**limits))
    spend(life, "a", 30, 3.0)
    return life


def test_more_is_as_much_again_whatever_was_used_too_much() -> None:
    life = asking(tokens=10)
    assert kinds(answer(life, "more")) == ["breakpoint.resolved"]
    assert life.state.usage.tokens_most == 40
    assert asked(spend(life, "b", 9)) == []
    assert asked(spend(life, "c", 1)) == []


def test_when_that_is_used_up_too_a_person_is_asked_again() -> None:
    life = asking(tokens=10)
    answer(life, "more")
    assert asked(spend(life, "b")) == ["c"]


def test_a_person_may_say_how_much() -> None:
    life = asking(tokens=10, cost=100.0)
    made = answer(life, "more", b'{"tokens": 1000, "cost": 0.5}')
    assert isinstance(made, list)
    assert made == [ev.BreakpointResolved(5, "b", "more", "ann", 1_000, 0.5)]
    assert (life.state.usage.tokens_most, life.state.usage.cost_most) == (1_030, 100.5)


def test_of_two_budgets_only_what_is_used_up_is_given_again() -> None:
    life = asking(tokens=10, cost=100.0)
    answer(life, "more")
    assert (life.state.usage.tokens_most, life.state.usage.cost_most) == (40, 100.0)


@pytest.mark.parametrize(
    ("result", "says"),
    [
        (b'{"tokens": 5, "cost": 1}', "the quest has no limits.cost"),
        (b"{}", "limits.tokens is used up: say how much"),
        (b'{"tokens": 0}', "tokens: 0 is not above 0"),
        (b'{"tokens": 1.5}', "more comes with {tokens, cost}"),
        (b'{"token": 1}', "more comes with {tokens, cost}"),
        (b"7", "more comes with {tokens, cost}"),
    ],
)
def test_an_answer_that_makes_no_sense_is_refused_and_changes_nothing(
    result: bytes, says: str
) -> None:
    life = asking(tokens=10)
    refused = answer(life, "more", result)
    assert isinstance(refused, cmd.Rejected)
    assert (refused.kind, says in refused.message) == ("invalid", True)
    assert life.status_of("b") == "waiting"


def test_fail_fails_the_quest_and_asks_what_runs_to_end() -> None:
    life = quest(step("a"), step("b"), step("c"), limits=TEN)
    running = life.start("b")
    assert asked(spend(life, "a")) == ["c"]
    assert kinds(answer(life, "fail")) == ["breakpoint.resolved", "quest.stopping"]
    assert life.owed.recalls == {"b": running}
    assert kinds(life.when(cmd.EndAttempt(running))) == ["attempt.cancelled", "quest.failed"]
    assert life.state.failure is not None
    assert life.state.failure.kind == "budget"
    assert "given up by ann" in life.state.failure.message


def test_the_second_answer_is_refused() -> None:
    life = asking(tokens=10)
    answer(life, "more", task="b")
    again = answer(life, "more", task="b")
    assert isinstance(again, cmd.Rejected)
    assert again.kind == "conflict"
    assert life.state.usage.tokens_most == 40


def test_what_ends_between_question_and_answer_is_no_part_of_the_new_budget() -> None:
    life = quest(step("a"), step("b"), step("c"), limits=TEN)
    running = life.start("b")
    spend(life, "a")
    life.complete_with(running, 100)
    answer(life, "more")
    assert life.state.usage.tokens_most == 120


# -- when the one who asks needs no answer any more ----------------------------------------------------


def test_a_lost_one_asks_and_its_late_result_ends_the_question() -> None:
    life = quest(step("b"), step("a"), step("c", "b"), limits=TEN)
    epoch, running = life.start("b"), life.start("a")
    life.lose(epoch)
    assert asked(life.complete_with(running, 10)) == ["b"]
    assert asked(life.complete_with(epoch, 1)) == ["c"]
    assert life.status_of("b") == "completed"


def test_the_time_of_the_one_who_asks_runs_on_and_then_the_next_one_asks() -> None:
    life = quest(
        step("a"),
        step("b", "a", total_timeout_ms=1_000, on_error="continue"),
        step("c", "a"),
        limits=TEN,
    )
    assert asked(spend(life, "a")) == ["b"]
    made = life.pass_ms(1_000)
    assert kinds(made) == ["task.failed", "breakpoint.opened"]
    assert asked(made) == ["c"]


def test_the_quests_own_time_runs_on() -> None:
    life = quest(step("a"), step("b", "a"), limits=TEN, total_timeout_ms=5_000)
    spend(life, "a")
    assert kinds(life.pass_ms(5_000)) == ["quest.stopping", "quest.failed"]


def test_a_waiting_quest_may_be_cancelled() -> None:
    life = asking(tokens=10)
    made = life.when(cmd.CancelQuest("enough", "ann"))
    assert kinds(made) == ["quest.cancel_requested", "quest.cancelled"]


def test_an_item_that_asks_goes_with_its_step_and_the_next_one_asks() -> None:
    life = quest(step("a", for_each="[1]", retry=ONCE, on_error="continue"), step("b"), limits=TEN)
    life.expand("a", b"1", b"2")
    first = life.start("a[0]")
    assert asked(spend(life, "b")) == ["a[1]"]
    made = fail(life, first, 0)
    assert life.status_of("a[1]") == "cancelled"
    assert asked(made) == []


# -- restarts ------------------------------------------------------------------------------------------


def test_the_question_and_what_was_granted_survive_a_restart() -> None:
    life = asking(tokens=10)
    life.restart()
    assert life.wants() == []
    assert life.status_of("b") == "waiting"
    answer(life, "more")
    life.restart()
    assert life.wants() == ["b"]
    assert life.state.usage.tokens_most == 40


def test_a_step_that_runs_alone_asks_like_any_other() -> None:
    life = quest(step("a", parallel=False), step("b", parallel=False), limits=TEN)
    assert asked(spend(life, "a")) == ["b"]
    answer(life, "more")
    assert life.wants() == ["b"]
