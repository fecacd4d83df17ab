"""What a quest tells others: its head row and its wants."""

from typing import Any

from questd.actors.quest import core
from questd.actors.quest.owed import TellParent
from questd.messages.heads import Want
from tests.quest.making import Life, plan_of, quest, step


def test_a_head_names_the_last_event_and_what_a_list_shows() -> None:
    life = Life(plan_of(step("a"), version="2.0"))
    life.submit(project="payments", labels={"team": "core"}, key="k", priority=8)
    head = core.head_of(life.state)
    assert (head.quest, head.version, head.status) == ("q_1", 2, "running")
    assert (head.name, head.template_version, head.definition) == ("made", "2.0", life.plan.digest)
    assert (head.project, head.labels, head.key) == ("payments", {"team": "core"}, "k")
    assert (head.priority, head.created_us, head.finished_us) == (8, life.now_us, None)
    assert (head.wants, head.waits, head.wake_us) == ((), (), None)


def test_only_the_head_of_a_resting_quest_is_waiting() -> None:
    life = quest(step("a"))
    assert core.head_of(life.state).status == "running"
    resting = core.head_of(life.state, resting=True)
    assert resting.status == "waiting"
    assert [want.task for want in resting.wants] == ["a"]
    assert [wait.what for wait in resting.waits] == ["agent"]


def test_a_resting_head_says_when_to_wake() -> None:
    life = quest(step("a"), step("b", total_timeout_ms=90_000))
    life.fail(life.start("a"))
    assert core.head_of(life.state, resting=True).wake_us == life.now_us + 1_000_000
    life.pass_until_due()
    assert core.head_of(life.state, resting=True).wake_us == life.now_us + 89_000_000


def test_a_resting_head_asks_once_for_each_kind_of_place() -> None:
    life = quest(
        step("a"), step("b"), step("c", tool="t"), step("d", capabilities=("gpu",)), step("e")
    )
    wants = core.head_of(life.state, resting=True).wants
    assert [want.task for want in wants] == ["a", "c", "d"]


def test_a_want_says_what_the_step_asks_for() -> None:
    fields: dict[str, Any] = {"capabilities": ("x", "y"), "tool": "t", "priority": 9}
    life = quest(step("a", **fields), step("b"))
    at_us = life.now_us
    assert core.want_of(life.state, "a") == Want(
        "q_1", "a", "worker", ("x", "y"), "t", priority=9, ready_us=at_us
    )
    assert core.want_of(life.state, "b") == Want(
        "q_1", "b", "worker", (), None, priority=5, ready_us=at_us
    )


def test_a_want_is_as_old_as_the_readiness_not_as_the_asking() -> None:
    life = quest(step("a"))
    at_us = life.now_us
    life.pass_ms(500)
    assert core.want_of(life.state, "a").ready_us == at_us
    life.fail(life.start("a"))
    life.pass_until_due()
    life.pass_ms(500)
    assert core.want_of(life.state, "a").ready_us == at_us + 1_500_000


def test_a_finished_quest_has_a_finished_head() -> None:
    life = quest(step("a"))
    life.run("a")
    life.pass_ms(3)
    life.finish()
    head = core.head_of(life.state)
    assert (head.status, head.finished_us) == ("completed", life.now_us)


def test_only_a_child_owes_the_word_that_it_has_ended_and_owes_it_again_after_a_restart() -> None:
    for name, child in (("q_1", False), ("q_1.3", True)):
        life = Life(plan_of(step("a")), id=name).submit()
        life.run("a")
        assert not life.owed.parent_told
        life.finish()
        assert life.owed.parent_told is child
        assert core.outstanding(life.folded()) == ([TellParent()] if child else [])
