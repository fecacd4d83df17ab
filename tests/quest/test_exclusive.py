"""``parallel: false`` and ``limits.parallel``, by the letter of the document's language.

"starts when no other task of its quest runs, and nothing starts while it runs or once it is next; gives the quest back
while it retries or waits"
"""

from typing import Any

from questd.actors.quest import commands as cmd
from questd.actors.quest.core import waits_of
from questd.messages.definition import QuestLimits, StepDefinition
from questd.messages.heads import Wait
from tests.quest.making import AT_ONCE, T0_US, failure, quest, step

HELD = cmd.Rejected("held", "exclusive")
LIMIT = cmd.Rejected("held", "limit")


def alone(key: str, *dependencies: str, **fields: Any) -> StepDefinition:
    return step(key, *dependencies, parallel=False, **fields)


# -- starts when no other task of its quest runs ---------------------------------------------------


def test_an_exclusive_step_starts_when_nothing_else_runs() -> None:
    life = quest(step("a"), step("b"), alone("x"))
    a, b = life.start("a"), life.start("b")
    assert life.offer("x") == HELD
    life.complete(a)
    assert life.wants() == []
    life.complete(b)
    assert life.wants() == ["x"]
    life.start("x")


def test_an_exclusive_step_whose_place_comes_while_another_runs_gives_it_back() -> None:
    life = quest(step("a"), alone("x"))
    assert life.wants() == ["a", "x"]
    a = life.start("a")
    assert life.offer("x") == HELD
    assert life.wants() == []
    life.complete(a)
    assert life.wants() == ["x"]


# -- nothing starts while it runs ------------------------------------------------------------------


def test_nothing_starts_while_an_exclusive_step_runs() -> None:
    life = quest(alone("x"), step("a"), alone("y"))
    x = life.start("x")
    assert life.wants() == []
    assert isinstance(life.offer("a"), cmd.Rejected)
    life.complete(x)
    assert life.wants() == ["a", "y"]


def test_a_task_that_had_asked_before_is_held_while_an_exclusive_step_runs() -> None:
    life = quest(step("a"), step("b"), alone("x"))
    x = life.start("x")
    assert [life.offer("a"), life.offer("b")] == [HELD, HELD]
    life.complete(x)
    assert life.wants() == ["a", "b"]


def test_steps_that_become_ready_beside_it_wait_for_its_end() -> None:
    life = quest(step("a", idempotent=False), alone("x"))
    life.lose(life.start("a"))
    x = life.start("x")
    life.when(cmd.ResolveTask("a", "retry", "ann"))
    assert (life.status_of("a"), life.wants()) == ("ready", [])
    life.complete(x)
    assert life.wants() == ["a"]


# -- nothing starts once it is next ----------------------------------------------------------------


def test_nothing_behind_it_asks_once_an_exclusive_step_is_next() -> None:
    life = quest(step("a"), alone("x"), step("b"))
    assert life.wants() == ["a", "x"]  # b stands behind x
    a = life.start("a")
    assert isinstance(life.offer("b"), cmd.Rejected)
    life.complete(a)
    life.run("x")
    assert life.wants() == ["b"]


def test_what_stands_before_an_exclusive_step_may_still_start() -> None:
    life = quest(step("a"), step("b"), alone("x"))
    life.start("a")
    life.start("b")


def test_a_task_that_had_asked_is_held_when_a_more_urgent_exclusive_step_comes_to_ask() -> None:
    life = quest(step("first"), alone("x", "first", priority=9), step("late"))
    life.run("first")
    assert life.wants() == ["late", "x"]
    assert life.offer("late") == HELD
    assert life.wants() == ["x"]
    life.run("x")
    assert life.wants() == ["late"]


def test_a_task_that_had_asked_is_held_while_a_more_urgent_exclusive_step_waits_for_the_running() -> (
    None
):
    life = quest(step("first"), step("long"), alone("x", "first", priority=9), step("late"))
    long = life.start("long")
    life.run("first")
    assert life.wants() == ["late"]
    assert life.offer("late") == HELD
    life.complete(long)
    assert life.wants() == ["x"]


def test_an_exclusive_step_is_not_starved_by_a_stream_of_others() -> None:
    chain = [step("s0"), *(step(f"s{n}", f"s{n - 1}") for n in range(1, 6))]
    life = quest(step("long"), *chain, alone("x", "s0"))
    long = life.start("long")
    life.pass_ms(1)
    life.run("s0")
    life.pass_ms(1)
    life.run("s1")  # stands before x in the document
    assert life.wants() == []
    life.complete(long)
    assert life.wants() == ["x"]


def test_of_two_exclusive_steps_the_first_goes_first() -> None:
    life = quest(alone("x"), alone("y"))
    assert life.wants() == ["x"]
    life.run("x")
    assert life.wants() == ["y"]


# -- gives the quest back while it retries or waits ---------------------------------------------------


def test_an_exclusive_step_gives_the_quest_back_while_it_retries() -> None:
    life = quest(alone("x"), step("a"))
    life.fail(life.start("x"))
    assert life.wants() == ["a"]
    a = life.start("a")
    life.pass_ms(1_000)
    assert life.wants() == []
    life.complete(a)
    assert life.wants() == ["x"]


def test_an_exclusive_step_gives_the_quest_back_while_it_waits_for_a_decision() -> None:
    life = quest(alone("x", idempotent=False), step("a"), step("b"))
    life.lose(life.start("x"))
    a = life.start("a")
    life.pass_ms(1)
    life.when(cmd.ResolveTask("x", "retry", "ann"))
    b = life.start("b")  # it could run before x was decided on
    life.complete(a)
    assert life.wants() == []
    life.complete(b)
    assert life.wants() == ["x"]


def test_an_exclusive_step_that_is_lost_asks_again_before_the_others() -> None:
    life = quest(alone("x", priority=9), step("a"))
    life.lose(life.start("x"))
    assert life.wants() == ["x"]


def test_an_exclusive_step_that_fails_untried_lets_the_others_go() -> None:
    life = quest(alone("x", on_error="continue"), step("a"))
    life.when(cmd.FailTask("x", failure(retryable=False)))
    assert life.wants() == ["a"]


def test_exclusivity_survives_a_restart() -> None:
    life = quest(alone("x"), step("a"))
    x = life.start("x")
    life.restart()
    assert isinstance(life.offer("a"), cmd.Rejected)
    life.complete(x)
    assert life.wants() == ["a"]


# -- limits.parallel -------------------------------------------------------------------------------


def test_no_more_tasks_run_or_ask_than_the_limit_allows() -> None:
    life = quest(*(step(f"s{n}") for n in range(5)), limits=QuestLimits(parallel=2))
    assert life.wants() == ["s0", "s1"]
    first = life.start("s0")
    assert life.wants() == ["s1"]
    life.start("s1")
    assert life.wants() == []
    life.complete(first)
    assert life.wants() == ["s2"]


def test_a_retrying_task_does_not_count_against_the_limit() -> None:
    life = quest(step("a"), step("b"), limits=QuestLimits(parallel=1))
    life.fail(life.start("a"))
    assert life.wants() == ["b"]
    b = life.start("b")
    life.pass_ms(1_000)
    assert life.wants() == []
    life.complete(b)
    assert life.wants() == ["a"]


def test_a_task_that_asks_in_vain_holds_no_slot_of_the_limit() -> None:
    life = quest(step("a"), step("b"), step("c"), limits=QuestLimits(parallel=1))
    life.ask_in_vain("a")
    assert life.wants() == ["a", "b"]
    b = life.start("b")
    assert life.offer("a") == LIMIT
    life.complete(b)
    life.run("a", "c")
    assert life.wants() == []


def test_an_exclusive_step_is_within_any_limit() -> None:
    life = quest(step("a"), alone("x", priority=9), limits=QuestLimits(parallel=1))
    assert life.wants() == ["x"]


def test_an_exclusive_step_comes_to_ask_though_the_limit_is_asked_for() -> None:
    life = quest(alone("x", priority=9), step("a"), limits=QuestLimits(parallel=1))
    life.fail(life.start("x"))
    assert life.wants() == ["a"]
    life.pass_ms(1_000)
    assert life.wants() == ["a", "x"]
    assert life.offer("a") == HELD
    life.run("x")
    assert life.wants() == ["a"]


def test_the_more_urgent_step_asks_first_then_the_one_that_has_waited_longest() -> None:
    steps = [step("low", priority=1), step("high", priority=10), step("plain"), step("second")]
    life = quest(*steps, limits=QuestLimits(parallel=1))
    order: list[str] = []
    while life.wants():
        order += life.wants()
        life.run(*life.wants())
    assert order == ["high", "plain", "second", "low"]


# -- why nothing moves -----------------------------------------------------------------------------


def test_a_task_that_asks_waits_for_its_agent() -> None:
    life = quest(step("a"), step("b", "a"))
    assert waits_of(life.state) == (Wait("a", "agent", "worker", T0_US),)


def test_a_task_behind_an_exclusive_one_says_so() -> None:
    life = quest(step("long"), alone("x"), step("a"))
    life.start("long")
    life.offer("x")
    assert waits_of(life.state) == (
        Wait("x", "exclusive", "parallel: false", T0_US),
        Wait("a", "exclusive", "parallel: false", T0_US),
    )


def test_a_task_held_by_the_limit_says_so() -> None:
    life = quest(step("a"), step("b"), limits=QuestLimits(parallel=1))
    life.start("a")
    assert waits_of(life.state) == (Wait("b", "limit", "limits.parallel", T0_US),)


def test_a_retry_whose_time_has_come_waits_for_what_holds_it() -> None:
    life = quest(step("a", retry=AT_ONCE), step("b"), limits=QuestLimits(parallel=1))
    life.fail(life.start("a"))
    assert [wait.what for wait in waits_of(life.state)] == ["retry", "agent"]
    life.start("b")
    life.pass_ms(0)
    assert waits_of(life.state) == (Wait("a", "limit", "limits.parallel", T0_US),)


def test_a_retry_says_until_when_it_waits() -> None:
    life = quest(step("a"))
    life.fail(life.start("a"))
    until_us = T0_US + 1_000_000
    assert waits_of(life.state) == (Wait("a", "retry", "attempt 2", T0_US, until_us),)
    life.pass_until_due()
    assert waits_of(life.state) == (Wait("a", "agent", "worker", until_us),)


def test_a_breakpoint_waits_with_its_question() -> None:
    life = quest(step("a", idempotent=False))
    life.lose(life.start("a"))
    (wait,) = waits_of(life.state)
    assert wait.what == "breakpoint"
    assert "must not be repeated blindly" in wait.name


def test_waits_are_told_in_document_order_and_bounded() -> None:
    life = quest(*(step(f"s{n}") for n in range(9)))
    assert [wait.task for wait in waits_of(life.state, 3)] == ["s0", "s1", "s2"]


def test_a_quest_that_is_over_waits_for_nothing() -> None:
    life = quest(step("a"))
    life.when(cmd.CancelQuest("why", "ann"))
    assert waits_of(life.state) == ()
