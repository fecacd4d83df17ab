"""What follows the last failure of a task: on_error, total timeouts, tasks that cannot be tried at all."""

import pytest

from questd.actors.quest import commands as cmd
from questd.actors.quest import core, owed
from questd.actors.quest import task as tk
from questd.messages import events as ev
from questd.messages.definition import StepDefinition
from tests.quest.making import AT_ONCE, ONCE, Life, failure, kinds, quest, step

FINAL = failure("validation", "no", retryable=False)
LOCATED = failure("validation", "no", task="a", retryable=False)


def failed(on_error: str, *others: StepDefinition) -> Life:
    life = quest(step("a", on_error=on_error), *others)
    life.fail(life.start("a"), FINAL)
    return life


def test_stop_fails_the_quest_with_the_failure_of_the_task() -> None:
    life = quest(step("a"), step("b", "a"))
    epoch = life.start("a")
    assert life.fail(epoch, FINAL) == [
        ev.AttemptFailed("a", epoch, LOCATED),
        ev.TaskFailed("a", LOCATED),
        ev.QuestStopping(LOCATED),
        ev.QuestFailed(LOCATED),
    ]
    assert life.status == "failed"
    assert life.statuses() == {"a": "failed", "b": "cancelled"}
    assert life.state.failed_steps == []


def test_stop_lets_what_runs_end_before_the_quest_has_failed() -> None:
    life = quest(step("a"), step("b"), step("c"))
    b, a = life.start("b"), life.start("a")
    assert kinds(life.fail(a, FINAL))[-1] == "quest.stopping"
    assert life.status == "running"
    assert life.wants() == []  # c starts no more
    assert life.owed.recalls == {"b": b}
    assert life.complete(b) == [ev.AttemptCompleted("b", b, b"1"), ev.QuestFailed(LOCATED)]
    assert life.statuses() == {"a": "failed", "b": "completed", "c": "cancelled"}


def test_the_first_failure_is_the_quests() -> None:
    life = quest(step("a"), step("b"))
    a, b = life.start("a"), life.start("b")
    life.fail(a, FINAL)
    life.fail(b, failure(message="later", retryable=True))
    assert life.state.failure == LOCATED
    assert life.statuses() == {"a": "failed", "b": "failed"}


def test_nothing_is_retried_in_a_quest_that_stops() -> None:
    life = quest(step("a"), step("b", retry=AT_ONCE, on_error="continue"))
    a, b = life.start("a"), life.start("b")
    life.fail(a, FINAL)
    assert kinds(life.fail(b)) == ["attempt.failed", "quest.failed"]


def test_a_failure_that_a_tool_calls_cancelled_fails_the_quest() -> None:
    life = quest(step("a"))
    why = failure("cancelled", "I was not in the mood", retryable=False)
    assert kinds(life.fail(life.start("a"), why))[-1] == "quest.failed"
    assert life.status == "failed"


def test_continue_gives_dependants_null_and_lists_the_step() -> None:
    life = failed("continue", step("b", "a"))
    assert life.events[-1][1] == ev.TaskFailed("a", LOCATED, continued=True, result=b"null")
    assert life.wants() == ["b"]
    life.run("b")
    assert life.finish() == [ev.QuestCompleted(b"1", ("a",))]
    assert life.status == "completed"


def test_continue_with_input_waits_for_what_it_was_given() -> None:
    life = failed("continue_with_input", step("b", "a"))
    assert isinstance(life.events[-1][1], ev.AttemptFailed)
    assert (list(life.owed.renders), life.status_of("a"), life.wants()) == (["a"], "running", [])
    assert life.status == "running"
    given = life.when(cmd.ContinueTask("a", b'"given"'))
    assert given == [ev.TaskFailed("a", LOCATED, continued=True, result=b'"given"')]
    assert (list(life.owed.renders), life.status_of("a"), life.wants()) == ([], "failed", ["b"])
    state = life.state.at("a").state
    assert isinstance(state, tk.Failed)
    assert state.result == b'"given"'


def test_what_it_was_given_is_wanted_once() -> None:
    life = failed("continue_with_input", step("b", "a"))
    life.when(cmd.ContinueTask("a", b"1"))
    assert isinstance(life.when(cmd.ContinueTask("a", b"2")), cmd.Rejected)
    assert isinstance(life.when(cmd.ContinueTask("b", b"2")), cmd.Rejected)


def test_a_stop_overtakes_a_step_that_is_still_to_continue() -> None:
    life = quest(step("a", on_error="continue_with_input"), step("b"), step("c"))
    b, c = life.start("b"), life.start("c")
    life.fail(life.start("a"), FINAL)
    life.fail(b, FINAL)
    assert life.owed.renders == {}
    assert kinds(life.complete(c)) == ["attempt.completed", "quest.failed"]
    assert life.status_of("a") == "cancelled"


def test_continued_failures_are_listed_in_the_order_in_which_they_failed() -> None:
    steps = [step(key, on_error="continue") for key in ("a", "b", "c")]
    life = quest(*steps)
    for key in ("c", "a"):
        life.fail(life.start(key), FINAL)
    life.run("b")
    assert life.finish() == [ev.QuestCompleted(b"1", ("c", "a"))]


# -- tasks that cannot be tried --------------------------------------------------------------------


@pytest.mark.parametrize("on_error", ["stop", "continue", "continue_with_input"])
def test_a_task_that_nobody_can_do_fails_by_its_on_error(on_error: str) -> None:
    life = quest(step("a", on_error=on_error), step("b", "a"))
    life.when(cmd.FailTask("a", FINAL))
    if on_error == "continue_with_input":
        assert life.owed.renders == {"a": None}
        life.when(cmd.ContinueTask("a", b'"given"'))
    assert life.status_of("a") == "failed"
    assert life.status == ("failed" if on_error == "stop" else "waiting")
    state = life.state.at("a").state
    assert isinstance(state, tk.Failed)
    assert state.result == (b'"given"' if on_error == "continue_with_input" else b"null")


def test_a_running_or_ended_task_cannot_be_called_impossible() -> None:
    life = quest(step("a"), step("b"), step("c", "b"))
    life.start("a")
    life.run("b")
    for task in ("a", "b", "nobody"):
        assert isinstance(life.when(cmd.FailTask(task, FINAL)), cmd.Rejected)
    assert isinstance(life.when(cmd.FailTask("c", FINAL)), list)


# -- total timeouts --------------------------------------------------------------------------------


def test_the_total_timeout_of_a_step_ends_a_running_attempt_and_calls_it_back() -> None:
    life = quest(step("a", total_timeout_ms=1_000, retry=AT_ONCE), step("b"))
    epoch = life.start("a")
    assert life.pass_ms(999) == []
    made = life.pass_ms(1)
    assert kinds(made) == ["attempt.failed", "task.failed", "quest.stopping", "quest.failed"]
    why = made[0]
    assert isinstance(why, ev.AttemptFailed)
    assert why.failure.message == "not done within its total timeout of 1000 ms"
    assert (why.epoch, why.failure.kind, why.retry_at_us) == (epoch, "timeout", None)


def test_the_total_timeout_of_a_step_counts_from_when_it_could_run() -> None:
    life = quest(step("a"), step("b", "a", total_timeout_ms=1_000, on_error="continue"))
    life.pass_ms(5_000)
    life.run("a")
    assert life.pass_ms(999) == []
    assert kinds(life.pass_ms(1)) == ["task.failed"]  # nobody ever took it
    assert life.status_of("b") == "failed"


def test_the_total_timeout_of_a_step_ends_its_retries() -> None:
    life = quest(step("a", total_timeout_ms=1_500, on_error="continue_with_input"))
    life.fail(life.start("a"))
    life.pass_ms(1_000)
    life.fail(life.start("a"))
    assert life.status_of("a") == "retrying"
    life.pass_ms(500)
    assert life.owed.renders == {"a": None}
    life.when(cmd.ContinueTask("a", b'"given"'))
    state = life.state.at("a").state
    assert isinstance(state, tk.Failed)
    assert (state.failure.kind, state.result) == ("timeout", b'"given"')


def test_the_total_timeout_of_a_step_says_nothing_once_it_has_ended() -> None:
    life = quest(step("a", total_timeout_ms=1_000), step("b", "a"))
    life.run("a")
    assert core.next_wake_us(life.state) is None
    assert life.pass_ms(5_000) == []
    assert isinstance(life.when(cmd.ExpireTask("a")), cmd.Rejected)
    assert isinstance(life.when(cmd.ExpireTask("nobody")), cmd.Rejected)


def test_the_total_timeout_of_a_quest_stops_it_and_calls_back_what_runs() -> None:
    life = quest(step("a"), step("b"), total_timeout_ms=2_000)
    epoch = life.start("a")
    assert life.pass_ms(1_999) == []
    assert kinds(life.pass_ms(1)) == ["quest.stopping"]
    assert (life.owed.recalls, life.wants()) == ({"a": epoch}, [])
    made = life.when(cmd.EndAttempt(epoch))
    assert kinds(made) == ["attempt.cancelled", "quest.failed"]
    assert life.state.failure is not None
    assert life.state.failure.message == "not done within its total timeout of 2000 ms"


def test_a_quest_that_ended_in_time_does_not_expire() -> None:
    life = quest(step("a"), total_timeout_ms=2_000)
    life.run("a")
    life.finish()
    assert life.pass_ms(10_000) == []
    assert isinstance(life.when(cmd.ExpireQuest()), cmd.Rejected)
    assert life.status == "completed"


def test_an_attempt_that_timed_out_is_called_back() -> None:
    life = quest(step("a", retry=ONCE, on_error="continue"))
    epoch = life.start("a")
    core.evolve(life.state, ev.AttemptFailed("a", epoch, failure("timeout")), life.now_us)
    assert [type(each) for each in life.state.take_due()] == [owed.RecallAttempt, owed.DropAttempt]
