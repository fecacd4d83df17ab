"""``for_each``: the items of a list as tasks, a window of them, one result of them all."""

from typing import Any

import pytest

from questd.actors.quest import commands as cmd
from questd.actors.quest import core, owed
from questd.actors.quest import task as tk
from questd.actors.quest.items import TASKS_MAX
from questd.messages import events as ev
from questd.messages.definition import Fallback, QuestLimits
from questd.messages.failure import Failure
from tests.quest.making import ONCE, Life, failure, kinds, quest, step

NULL = b"null"


def spread(count: int, *others: Any, **fields: Any) -> Life:
    """A quest whose first step ``a`` has so many items."""
    life = quest(step("a", for_each="[1]", retry=ONCE, **fields), *others)
    life.expand("a", *(str(number).encode() for number in range(count)))
    return life


def test_the_list_is_asked_for_when_all_before_it_has_ended_and_its_condition_holds() -> None:
    life = quest(step("a"), step("b", "a", for_each="a.result", when="a.result"))
    life.run("a")
    assert not life.owed.lists
    life.decide("b", holds=True)
    assert list(life.owed.lists) == ["b"]
    assert life.wants() == []
    assert life.expand("b", b"1", b"2") == [ev.TaskExpanded("b", (b"1", b"2"))]
    assert life.wants() == ["b[0]", "b[1]"]


def test_it_completes_with_the_list_of_results_when_all_items_have_ended() -> None:
    life = spread(3, step("b", "a"))
    life.run("a[2]", "a[0]")
    assert not life.owed.gathers
    life.run("a[1]")
    assert list(life.owed.gathers) == ["a"]
    assert life.gather("a", b"[1,2,3]") == [ev.TaskGathered("a", b"[1,2,3]")]
    assert life.wants() == ["b"]
    life.run("b")
    assert life.finish() == [ev.QuestCompleted(b"1", ())]


def test_no_items_are_an_empty_list() -> None:
    life = spread(0, step("b", "a"))
    assert list(life.owed.gathers) == ["a"]
    life.gather("a")
    assert life.statuses() == {"a": "completed", "b": "ready"}


def test_one_item_is_a_list_of_one() -> None:
    life = spread(1)
    life.run("a[0]")
    life.gather("a", b"[1]")
    assert life.owed.output


@pytest.mark.parametrize("fields", [{"max_parallel": 2}, {"parallel": False}])
def test_a_window_lets_so_many_be_under_way_at_once(fields: dict[str, Any]) -> None:
    life = spread(4, step("other"), **fields)
    window = fields.get("max_parallel", 1)
    first = [f"a[{number}]" for number in range(window)]
    assert life.wants() == ["other", *first]
    life.run(first[0])
    assert life.wants() == ["other", *first[1:], f"a[{window}]"]


def test_items_that_go_one_by_one_let_the_rest_of_the_quest_run() -> None:
    life = spread(2, step("other"), parallel=False)
    life.start("a[0]")
    assert isinstance(life.offer("other"), list)


def test_an_item_keeps_its_place_in_the_window_while_it_retries() -> None:
    life = quest(step("a", for_each="[1]", max_parallel=1))
    life.expand("a", b"1", b"2")
    life.fail(life.start("a[0]"))
    assert life.wants() == []
    life.pass_until_due()
    assert life.wants() == ["a[0]"]
    life.run("a[0]")
    assert life.wants() == ["a[1]"]


def test_the_quests_own_limit_holds_for_items_too() -> None:
    life = quest(step("a", for_each="[1]"), limits=QuestLimits(parallel=1))
    life.expand("a", b"1", b"2")
    assert life.wants() == ["a[0]"]


@pytest.mark.parametrize(
    ("on_error", "quest_status"), [("stop", "failed"), ("continue", "waiting")]
)
def test_the_first_item_that_fails_for_good_fails_the_step(
    on_error: str, quest_status: str
) -> None:
    life = spread(4, step("b", "a"), on_error=on_error, max_parallel=3)
    epochs = [life.start(f"a[{number}]") for number in range(2)]
    made = life.fail(epochs[1])
    last = ["quest.stopping", "quest.failed"] if on_error == "stop" else []
    assert kinds(made) == ["attempt.failed", "task.failed", "task.failed", *last]
    rest = {key: life.status_of(key) for key in ("a", "a[0]", "a[1]", "a[2]", "a[3]")}
    assert rest == dict(
        zip(rest, ("failed", "cancelled", "failed", *["cancelled"] * 2), strict=True)
    )
    assert life.status == quest_status
    assert life.wants() == (["b"] if on_error == "continue" else [])
    assert kinds(life.complete(epochs[0])) == ["attempt.refused"]


def test_a_step_that_goes_on_after_its_items_failed_gives_what_it_was_given() -> None:
    life = spread(2, step("b", "a"), on_error="continue_with_input")
    life.fail(life.start("a[0]"))
    assert list(life.owed.renders) == ["a"]
    assert life.status_of("a") == "running"
    life.restart()
    assert list(life.owed.renders) == ["a"]
    life.when(cmd.ContinueTask("a", b"[0,1]"))
    assert life.state.at("a").state == tk.Failed(
        failure(task="a[0]"), life.now_us, True, b"[0,1]", life.state.at("a").last
    )
    assert life.wants() == ["b"]
    life.run("b")
    assert life.owed.output


def test_partial_results_go_on_without_the_items_that_failed() -> None:
    life = spread(3, partial="continue", max_parallel=1)
    assert kinds(life.fail(life.start("a[0]"))) == ["attempt.failed", "task.failed"]
    life.run("a[1]")
    life.fail(life.start("a[2]"))
    life.gather("a", b"[null,1,null]")
    assert life.status_of("a") == "completed"
    assert life.finish() == [ev.QuestCompleted(b"1", ("a",))]
    items = life.state.at("a").items
    assert items is not None
    assert items.failed == [0, 2]


def test_an_item_is_retried_lost_and_decided_on_like_any_task() -> None:
    life = quest(step("a", for_each="[1]", idempotent=False))
    life.expand("a", b"1", b"2")
    life.fail(life.start("a[0]"))
    life.pass_until_due()
    assert kinds(life.lose(life.start("a[0]"))) == ["attempt.lost", "breakpoint.opened"]
    life.when(cmd.ResolveTask("a[0]", "complete", "ann", b"7"))
    life.run("a[1]")
    assert list(life.owed.gathers) == ["a"]


def test_what_is_no_list_fails_the_step() -> None:
    life = quest(step("a", for_each="1", on_error="continue"), step("b", "a"))
    life.when(cmd.FailTask("a", Failure("validation", "no list", None, False)))
    assert life.statuses() == {"a": "failed", "b": "ready"}


def test_results_that_are_too_large_fail_the_step() -> None:
    life = spread(1, on_error="continue")
    life.run("a[0]")
    life.when(cmd.FailTask("a", Failure("too_large", "too large", None, False)))
    assert life.status_of("a") == "failed"
    assert life.owed.output


def test_the_total_timeout_is_of_all_items() -> None:
    life = spread(2, total_timeout_ms=1_000, on_error="continue")
    epoch = life.start("a[0]")
    made = life.pass_ms(1_000)
    assert kinds(made) == ["task.failed"]
    assert life.statuses() == {"a": "failed", "a[0]": "cancelled", "a[1]": "cancelled"}
    assert not life.owed.runs
    assert kinds(life.complete(epoch)) == ["attempt.refused"]
    assert life.owed.output


def test_a_cancel_in_the_middle_ends_what_runs_and_starts_nothing_more() -> None:
    life = spread(3, max_parallel=2)
    epoch = life.start("a[0]")
    life.start("a[1]")
    life.when(cmd.CancelQuest("not needed", "ann"))
    assert set(life.owed.recalls) == {"a[0]", "a[1]"}
    life.complete(epoch)
    assert life.wants() == []
    life.when(cmd.EndAttempt(life.state.at("a[1]").state.attempt.epoch))  # type: ignore[union-attr]
    assert life.status == "cancelled"
    assert set(life.statuses().values()) == {"cancelled", "completed"}


def test_a_skipped_step_has_no_items() -> None:
    life = quest(step("a", for_each="[1]", when="false"), step("b", "a", allow_skipped=True))
    life.decide("a", holds=False)
    assert isinstance(life.expand("a", b"1"), cmd.Rejected)
    assert life.statuses() == {"a": "skipped", "b": "ready"}


def test_it_is_said_once() -> None:
    life = spread(1)
    assert isinstance(life.expand("a", b"1"), cmd.Rejected)
    assert isinstance(life.gather("a"), cmd.Rejected)
    life.run("a[0]")
    life.gather("a")
    assert isinstance(life.gather("a"), cmd.Rejected)


@pytest.mark.parametrize("at", range(6))
def test_a_restart_anywhere_goes_on_from_there(at: int) -> None:
    life = quest(step("a", for_each="[1]", max_parallel=1), step("b", "a"))
    acts: list[Any] = [
        lambda: life.expand("a", b"1", b"2"),
        lambda: life.run("a[0]"),
        lambda: life.run("a[1]"),
        lambda: life.gather("a", b"[1,1]"),
        lambda: life.run("b"),
        lambda: None,
    ]
    for number, act in enumerate(acts):
        if number == at:
            life.restart()
        act()
    assert life.finish() == [ev.QuestCompleted(b"1", ())]


def test_what_is_owed_follows_from_the_states() -> None:
    life = quest(step("a", for_each="[1]"))
    assert life.folded().due == []
    life.restart()
    assert list(life.owed.lists) == ["a"]
    life.expand("a")
    life.restart()
    assert list(life.owed.gathers) == ["a"]
    assert owed.GatherItems("a") in core_outstanding(life)


def core_outstanding(life: Life) -> list[owed.Due]:
    return core.outstanding(life.state)


def test_ten_thousand_items_are_each_run_once_in_a_window() -> None:
    life = spread(10_000, max_parallel=3)
    for number in range(10_000):
        assert len(life.wants()) == min(3, 10_000 - number)
        life.run(f"a[{number}]")
    assert list(life.owed.gathers) == ["a"]


def test_a_quest_has_so_many_tasks_and_no_more() -> None:
    count = TASKS_MAX // 2
    life = quest(*(step(key, for_each="[1]", max_parallel=1, on_error="continue") for key in "abc"))
    assert kinds(life.expand("a", *[NULL] * count)) == ["task.expanded"]
    assert kinds(life.expand("b", *[NULL] * (count - 2))) == ["task.failed"]
    assert kinds(life.expand("c", *[NULL] * (count - 3))) == ["task.expanded"]
    failed = life.state.at("b").state
    assert isinstance(failed, tk.Failed)
    assert failed.failure.kind == "too_large"
    assert len(life.state.tasks) == TASKS_MAX


def test_each_item_falls_back_by_itself_and_the_step_never_does() -> None:
    others = (Fallback("other"),)
    life = spread(2, fallback=others, on_error="continue")
    assert kinds(life.fail(life.start("a[0]"))) == ["attempt.failed", "task.fell_back"]
    assert (life.state.at("a[0]").choice, life.state.at("a[1]").choice) == (1, 0)
    made = life.fail(life.start("a[0]"))
    assert kinds(made) == ["attempt.failed", "task.failed", "task.failed"]
    assert life.state.at("a").choice == 0
    failed = life.state.at("a").state
    assert isinstance(failed, tk.Failed)
    assert failed.failure.message == "it broke (the last of 2 to try)"


def test_an_attempt_of_an_item_that_its_step_fails_without_is_recalled() -> None:
    life = spread(2, on_error="continue")
    epoch = life.start("a[1]")
    other = life.start("a[0]")
    life.when(cmd.FailAttempt(other, failure()))
    recalls = [due for due in life.taken if isinstance(due, owed.RecallAttempt)]
    assert recalls == [owed.RecallAttempt("a[1]", epoch, "it broke")]
