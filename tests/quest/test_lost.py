"""Attempts whose agent vanished: never paid twice, never repeated blindly where that does harm, never for ever."""

import pytest

from questd.actors.quest import commands as cmd
from questd.actors.quest import task as tk
from questd.actors.quest.attempts import MAX_LOSSES
from questd.messages import events as ev
from questd.messages.failure import AGENT_LOST
from tests.quest.making import AT_ONCE, ONCE, Life, kinds, quest, step


def resolve(life: Life, choice: str, task: str = "a", result: bytes | None = None) -> object:
    return life.when(cmd.ResolveTask(task, choice, "ann", result))


def undecided(**fields: object) -> tuple[Life, int]:
    """A quest whose task "a" waits for a decision, and the epoch that was lost."""
    life = quest(step("a", idempotent=False, **fields), step("b", "a"))
    epoch = life.start("a")
    life.lose(epoch)
    return life, epoch


def test_a_lost_attempt_is_given_out_again() -> None:
    life = quest(step("a"))
    epoch = life.start("a")
    assert life.lose(epoch) == [ev.AttemptLost("a", epoch, "its agent vanished")]
    assert (life.status_of("a"), life.wants()) == ("ready", ["a"])
    again = life.start("a")
    assert again > epoch
    assert isinstance(life.events[-1][1], ev.AttemptStarted)
    assert life.events[-1][1].attempt == 2


def test_the_result_of_a_lost_attempt_counts_until_another_has_started() -> None:
    life = quest(step("a"), step("b", "a"))
    epoch = life.start("a")
    life.lose(epoch)
    assert kinds(life.complete(epoch)) == ["attempt.completed"]
    assert life.wants() == ["b"]


def test_the_result_of_a_lost_attempt_is_refused_after_another_has_started() -> None:
    life = quest(step("a"))
    lost = life.start("a")
    life.lose(lost)
    second = life.start("a")
    assert life.complete(lost) == [ev.AttemptRefused("a", lost, "completed", "superseded")]
    assert life.status_of("a") == "running"
    assert kinds(life.complete(second)) == ["attempt.completed"]


def test_a_place_for_a_task_whose_lost_attempt_has_answered_is_refused() -> None:
    life = quest(step("a"))
    epoch = life.start("a")
    life.lose(epoch)
    life.complete(epoch)
    assert isinstance(life.offer("a"), cmd.Rejected)


def test_an_attempt_that_was_given_back_counts_as_lost() -> None:
    life = quest(step("a"))
    epoch = life.start("a")
    assert kinds(life.when(cmd.EndAttempt(epoch))) == ["attempt.lost"]
    assert life.wants() == ["a"]


def test_only_a_running_attempt_is_lost() -> None:
    life = quest(step("a"))
    epoch = life.start("a")
    life.lose(epoch)
    for late in (epoch, 99):
        assert isinstance(life.lose(late), cmd.Rejected)
    second = life.start("a")
    assert isinstance(life.lose(epoch), cmd.Rejected)
    life.complete(second)
    assert isinstance(life.lose(second), cmd.Rejected)


def test_a_task_that_is_lost_too_often_fails_as_agent_lost() -> None:
    life = quest(step("a"))
    for _ in range(MAX_LOSSES - 1):
        assert kinds(life.lose(life.start("a"))) == ["attempt.lost"]
    made = life.lose(life.start("a"))
    assert kinds(made) == ["attempt.lost", "task.failed", "quest.stopping", "quest.failed"]
    assert life.state.failure is not None
    assert life.state.failure.kind == AGENT_LOST


@pytest.mark.parametrize("on_error", ["continue", "continue_with_input"])
def test_a_task_that_is_lost_too_often_is_continued_past_where_it_may(on_error: str) -> None:
    life = quest(step("a", on_error=on_error, idempotent=False), step("b", "a"))
    for _ in range(MAX_LOSSES - 1):
        life.lose(life.start("a"))
        resolve(life, "retry")
    life.lose(life.start("a"))
    if on_error == "continue_with_input":
        assert life.owed.renders == {"a": None}
        life.when(cmd.ContinueTask("a", b"7"))
    assert life.wants() == ["b"]


def test_the_late_result_of_a_task_that_was_given_up_is_refused() -> None:
    life = quest(step("a", on_error="continue"), step("b", "a"))
    epoch = 0
    for _ in range(MAX_LOSSES):
        epoch = life.start("a")
        life.lose(epoch)
    assert life.complete(epoch) == [ev.AttemptRefused("a", epoch, "completed", "superseded")]


def test_an_attempt_that_never_began_is_no_loss_and_needs_no_decision() -> None:
    life = quest(step("a", idempotent=False, retry=AT_ONCE))
    for _ in range(MAX_LOSSES + 1):
        epoch = life.start("a")
        left = cmd.LoseAttempt(epoch, "it left in order", begun=False)
        assert kinds(life.when(left)) == ["attempt.lost"]
        assert life.wants() == ["a"]
    assert life.state.at("a").losses == 0


def test_an_attempt_that_never_began_was_no_try() -> None:
    life = quest(step("a", retry=ONCE))
    life.when(cmd.LoseAttempt(life.start("a"), "it left in order", begun=False))
    life.fail(life.start("a"))
    assert life.status_of("a") == "failed"


def test_nothing_comes_of_an_attempt_that_never_began() -> None:
    life = quest(step("a"))
    epoch = life.start("a")
    life.when(cmd.LoseAttempt(epoch, "it left in order", begun=False))
    assert kinds(life.complete(epoch)) == ["attempt.refused"]


# -- what must not be repeated blindly ----------------------------------------------------------------


def test_a_lost_attempt_that_may_not_be_repeated_waits_for_a_decision() -> None:
    life = quest(step("a", idempotent=False))
    epoch = life.start("a")
    lost, opened = life.lose(epoch)  # type: ignore[misc]
    assert isinstance(lost, ev.AttemptLost)
    assert isinstance(opened, ev.BreakpointOpened)
    assert (opened.kind, opened.options) == ("lost_attempt", ("retry", "complete", "fail"))
    assert "its agent vanished" in opened.question
    assert (life.status, life.status_of("a"), life.wants()) == ("waiting", "waiting", [])


def test_the_tools_own_mark_counts_as_well() -> None:
    life = quest(step("a"))
    assert "breakpoint.opened" in kinds(life.lose(life.start("a", idempotent=False)))


def test_the_late_result_of_a_lost_attempt_needs_no_decision_any_more() -> None:
    life, epoch = undecided()
    assert kinds(life.complete(epoch)) == ["attempt.completed"]
    assert isinstance(resolve(life, "retry"), cmd.Rejected)
    assert life.wants() == ["b"]


def test_the_late_failure_of_a_lost_attempt_is_retried_by_the_policy() -> None:
    life, epoch = undecided(retry=AT_ONCE)
    assert kinds(life.fail(epoch)) == ["attempt.failed"]
    life.pass_ms(0)
    assert life.wants() == ["a"]


def test_retry_lets_the_task_run_again() -> None:
    life, epoch = undecided()
    opened = life.state.version
    assert resolve(life, "retry") == [ev.BreakpointResolved(opened, "a", "retry", "ann")]
    assert life.wants() == ["a"]
    assert kinds(life.complete(epoch)) == ["attempt.completed"]  # it still counts


def test_complete_gives_the_task_its_result() -> None:
    life, epoch = undecided()
    opened = life.state.version
    assert resolve(life, "complete", result=b'"by hand"') == [
        ev.BreakpointResolved(opened, "a", "complete", "ann"),
        ev.TaskCompleted("a", b'"by hand"', "ann"),
    ]
    state = life.state.at("a").state
    assert isinstance(state, tk.Completed)
    assert (state.result, state.attempt, life.wants()) == (b'"by hand"', None, ["b"])
    assert kinds(life.complete(epoch)) == ["attempt.refused"]


def test_complete_without_a_result_is_null() -> None:
    life, _ = undecided()
    resolve(life, "complete")
    assert life.events[-1][1] == ev.TaskCompleted("a", b"null", "ann")


@pytest.mark.parametrize("on_error", ["stop", "continue", "continue_with_input"])
def test_fail_fails_the_task_by_its_on_error(on_error: str) -> None:
    life, _ = undecided(on_error=on_error)
    resolve(life, "fail")
    if on_error == "continue_with_input":
        assert life.owed.renders == {"a": None}
        life.when(cmd.ContinueTask("a", b"7"))
    assert life.status_of("a") == "failed"
    assert (life.status, life.wants()) == (
        ("failed", []) if on_error == "stop" else ("waiting", ["b"])
    )


@pytest.mark.parametrize("first", ["retry", "complete", "fail"])
@pytest.mark.parametrize("second", ["retry", "complete", "fail"])
def test_a_second_answer_is_refused(first: str, second: str) -> None:
    life, _ = undecided()
    resolve(life, first)
    before = life.state.version
    for task in ("a", ""):
        answer = resolve(life, second, task)
        assert isinstance(answer, cmd.Rejected)
        assert answer.kind == "conflict"
    assert life.state.version == before


def test_an_answer_that_is_no_option_names_the_options() -> None:
    life, _ = undecided()
    assert resolve(life, "maybe") == cmd.Rejected(
        "invalid", "'maybe' is no option here; choose one of: retry, complete, fail"
    )


def test_an_answer_names_its_task_where_several_wait() -> None:
    life = quest(*(step(key, idempotent=False) for key in ("a", "b")))
    for key in ("a", "b"):
        life.lose(life.start(key))
    assert resolve(life, "retry", "") == cmd.Rejected(
        "invalid", "several tasks wait for a decision; name one of: a, b"
    )
    resolve(life, "retry", "b")
    assert kinds(resolve(life, "retry", "")) == ["breakpoint.resolved"]  # type: ignore[arg-type]


def test_an_answer_for_what_does_not_wait_says_so() -> None:
    life = quest(step("a"))
    assert resolve(life, "retry", "nobody") == cmd.Rejected("invalid", "q_1 has no task 'nobody'")
    assert resolve(life, "retry", "a") == cmd.Rejected(
        "conflict", "a does not wait for a decision (it is ready)"
    )
    life.when(cmd.CancelQuest("why", "ann"))
    assert resolve(life, "retry", "a") == cmd.Rejected(
        "conflict", "q_1 is cancelled: nothing waits for a decision"
    )


def test_a_decision_may_wait_for_days_and_survives_a_restart() -> None:
    life, _ = undecided()
    life.pass_ms(9 * 86_400_000)
    fresh = life.folded()
    assert fresh.at("a").state == life.state.at("a").state
