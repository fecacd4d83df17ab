"""``fallback``: who else does a task, when, and when nobody else is asked."""

from typing import Any, cast

import pytest

from questd.actors.mail import Place
from questd.actors.quest import commands as cmd
from questd.actors.quest import core
from questd.actors.quest.attempts import MAX_LOSSES
from questd.actors.quest.incoming import start_command
from questd.actors.quest.materials import idempotency_key
from questd.messages import events as ev
from questd.messages.definition import Fallback, RetryPolicy, StepDefinition
from questd.messages.exchange import ToolSpec
from questd.messages.failure import AGENT_LOST, TIMEOUT
from questd.messages.heads import Want
from tests.quest.making import AT_ONCE, ONCE, Life, failure, kinds, quest, step

LITE = Fallback("lite", tool="scan")
ANY = Fallback(None, ("cheap", "slow"))


def begun(*more: StepDefinition, fallback: tuple[Fallback, ...] = (LITE,), **fields: Any) -> Life:
    """A quest of step a, which fails at its first attempt."""
    return quest(step("a", **({"retry": ONCE, "fallback": fallback} | fields)), *more)


def asked(life: Life) -> tuple[str, tuple[str, ...], str | None]:
    want = core.want_of(life.state, "a")
    return want.agent, want.capabilities, want.tool


def test_when_its_attempts_are_used_up_somebody_else_does_it() -> None:
    life = begun(retry=AT_ONCE)
    for _ in range(2):
        life.fail(life.start("a"))
        life.pass_ms(0)
    assert asked(life) == ("worker", (), None)
    why = failure(task="a")
    epoch = life.start("a")
    assert life.fail(epoch) == [ev.AttemptFailed("a", epoch, why), ev.TaskFellBack("a", 1, why)]
    assert (life.status_of("a"), life.wants(), asked(life)) == (
        "ready",
        ["a"],
        ("lite", (), "scan"),
    )


def test_each_choice_has_all_attempts_to_itself_and_their_numbers_go_on() -> None:
    life = begun(retry=AT_ONCE, fallback=(LITE, ANY))
    numbers: list[int] = []
    while life.status == "waiting":
        life.fail(life.start("a"))
        numbers.append(life.state.at("a").attempts)
        life.pass_ms(0)
    assert numbers == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert life.status == "failed"


def test_they_are_asked_in_order_and_the_error_says_that_it_was_the_last() -> None:
    life = begun(fallback=(LITE, ANY))
    life.fail(life.start("a"))
    life.fail(life.start("a"))
    assert asked(life) == ("", ("cheap", "slow"), None)
    made = life.fail(life.start("a"))
    assert kinds(made) == ["attempt.failed", "task.failed", "quest.stopping", "quest.failed"]
    assert life.state.failure == failure(message="it broke (the last of 3 to try)", task="a")


def test_what_the_next_one_returns_is_the_result() -> None:
    life = begun(step("b", "a"))
    life.fail(life.start("a"))
    life.run("a", "b")
    assert life.finish() == [ev.QuestCompleted(b"1", ())]


@pytest.mark.parametrize("kind", ["validation", "auth", "cancelled", "odd", "timeout"])
def test_of_what_kind_the_failure_is_makes_no_difference(kind: str) -> None:
    life = begun(retry=AT_ONCE)
    life.fail(life.start("a"), failure(kind, retryable=False))
    assert asked(life)[0] == "lite"


def test_a_choice_that_cannot_be_asked_at_all_is_passed_over() -> None:
    life = begun()
    made = life.when(cmd.FailTask("a", failure("validation", "no such tool", retryable=False)))
    assert kinds(made) == ["task.fell_back"]
    assert (life.wants(), asked(life)[0]) == (["a"], "lite")


def test_one_that_vanishes_again_and_again_is_passed_over_and_its_late_result_refused() -> None:
    life = begun()
    for _ in range(MAX_LOSSES - 1):
        life.lose(life.start("a"))
    epoch = life.start("a")
    assert kinds(life.lose(epoch)) == ["attempt.lost", "task.fell_back"]
    assert kinds(life.complete(epoch)) == ["attempt.refused"]
    for _ in range(MAX_LOSSES - 1):
        life.lose(life.start("a"))
    life.run("a")
    assert life.status_of("a") == "completed"


def test_what_must_not_be_repeated_blindly_is_not_repeated_by_somebody_else() -> None:
    life = begun(idempotent=False)
    for _ in range(MAX_LOSSES - 1):
        life.lose(life.start("a"))
        life.when(cmd.ResolveTask("a", "retry", "ann"))
    assert kinds(life.lose(life.start("a")))[1] == "task.failed"


def test_what_a_person_gave_up_is_given_up() -> None:
    life = begun(idempotent=False)
    life.lose(life.start("a"))
    made = life.when(cmd.ResolveTask("a", "fail", "ann"))
    assert kinds(made)[:2] == ["breakpoint.resolved", "task.failed"]
    assert life.state.failure is not None
    assert life.state.failure.kind == AGENT_LOST


@pytest.mark.parametrize("running", [True, False])
@pytest.mark.parametrize("on_error", ["stop", "continue", "continue_with_input"])
def test_nobody_else_is_asked_when_the_time_of_the_step_is_over(
    running: bool, on_error: str
) -> None:
    life = begun(total_timeout_ms=1_000, on_error=on_error)
    if running:
        life.start("a")
    made = life.pass_ms(1_000)
    assert "task.fell_back" not in kinds(made)
    assert (life.status_of("a"), life.state.at("a").choice) == (
        ("running", 0) if on_error == "continue_with_input" else ("failed", 0)
    )


def test_the_time_of_the_step_goes_on_over_all_choices() -> None:
    life = begun(total_timeout_ms=1_000)
    life.pass_ms(600)
    life.fail(life.start("a"))
    life.pass_ms(399)
    assert life.status_of("a") == "ready"
    life.pass_ms(1)
    assert life.state.failure is not None
    assert life.state.failure.kind == TIMEOUT


def test_a_condition_that_cannot_be_said_is_no_fault_of_who_does_it() -> None:
    life = begun(when="inputs.x")
    made = life.when(cmd.FailTask("a", failure("validation", retryable=False)))
    assert kinds(made)[0] == "task.failed"


def test_in_a_quest_that_stops_nobody_else_is_asked() -> None:
    life = begun()
    epoch = life.start("a")
    life.when(cmd.CancelQuest("not needed", "ann"))
    assert kinds(life.fail(epoch)) == ["attempt.failed", "quest.cancelled"]


def test_only_the_last_failure_lets_the_input_stand_in() -> None:
    life = begun(on_error="continue_with_input")
    life.fail(life.start("a"))
    assert (list(life.owed.renders), life.status_of("a")) == ([], "ready")
    life.fail(life.start("a"))
    assert list(life.owed.renders) == ["a"]
    made = life.when(cmd.ContinueTask("a", b'"given"'))
    why = failure(message="it broke (the last of 2 to try)", task="a")
    assert made == [ev.TaskFailed("a", why, continued=True, result=b'"given"')]


def test_one_in_an_open_ended_wait_between_attempts_does_not_wait_before_the_next_choice() -> None:
    life = begun(retry=RetryPolicy(attempts=2, delay_ms=60_000, jitter=0.0))
    life.fail(life.start("a"))
    life.pass_ms(60_000)
    life.fail(life.start("a"))
    assert life.wants() == ["a"]


def test_the_idempotency_key_stays_the_same() -> None:
    life = begun()
    before = idempotency_key("q_1", life.state.at("a"))
    life.fail(life.start("a"))
    assert idempotency_key("q_1", life.state.at("a")) == before


@pytest.mark.parametrize(("own_ms", "expected_ms"), [(500, 500), (None, 2_000)])
def test_the_timeout_of_an_attempt_is_that_of_who_does_it_else_that_of_the_step(
    own_ms: int | None, expected_ms: int
) -> None:
    life = begun(timeout_ms=2_000, fallback=(Fallback("lite", timeout_ms=own_ms),))
    place = Place("lite", "l-1", ToolSpec("run"), cast("Any", None))
    assert start_command(life.state, "a", place).timeout_ms == 2_000
    life.fail(life.start("a"))
    assert start_command(life.state, "a", place).timeout_ms == expected_ms


def test_a_place_on_whom_it_asked_before_is_not_what_it_wants() -> None:
    life = begun(fallback=(LITE, ANY))
    before = core.want_of(life.state, "a")
    assert core.still_wants(life.state, before)
    life.fail(life.start("a"))
    assert not core.still_wants(life.state, before)
    assert core.still_wants(life.state, core.want_of(life.state, "a"))


def test_a_place_for_what_it_asked_before_its_retry_is_not_what_it_wants() -> None:
    life = begun(retry=RetryPolicy(attempts=2, delay_ms=1_000, jitter=0.0))
    epoch = life.start("a")
    life.lose(epoch)
    before = core.want_of(life.state, "a")
    life.fail(epoch)
    assert not core.still_wants(life.state, before)
    life.pass_ms(1_000)
    assert core.still_wants(life.state, core.want_of(life.state, "a"))
    assert not core.still_wants(life.state, before)


def test_only_who_neither_asks_nor_runs_gives_a_place_back_that_comes_too_late() -> None:
    life = begun(fallback=(LITE,))
    assert not core.is_idle(life.state, "a")
    epoch = life.start("a")
    assert not core.is_idle(life.state, "a")
    life.fail(epoch)
    assert not core.is_idle(life.state, "a")
    life.run("a")
    assert core.is_idle(life.state, "a")


def test_nobody_wants_a_place_for_a_step_that_is_not_there() -> None:
    life = begun()
    assert not core.still_wants(life.state, Want("q_1", "planned", "worker", (), None, 5, 0))


def test_after_a_restart_the_same_one_is_asked() -> None:
    life = begun(fallback=(LITE, ANY))
    life.fail(life.start("a"))
    life.restart()
    assert (life.wants(), asked(life)[0]) == (["a"], "lite")
    life.fail(life.start("a"))
    life.restart()
    assert asked(life)[1] == ("cheap", "slow")
