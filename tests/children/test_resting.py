"""A quest that waits for its children only rests: no actor, no memory; it is woken by their end, and by nothing else."""

import pytest

from questd.actors.house import Limits
from questd.actors.quest import children
from questd.messages import control as ctl
from questd.messages import templates as tp
from questd.messages.definition import Awaited, QuestDefinition, StepDefinition, encode_definition
from questd.messages.exchange import Completed
from questd.messages.heads import at_rest, child_id
from tests.children.test_children import EPOCH, ONCE, begin, head, housed, kinds, parent
from tests.limits.standing import Standing

PATIENT = QuestDefinition("patient", (StepDefinition("wait", wait_for=Awaited("go")),))
ABSENT = QuestDefinition("absent", (StepDefinition("do", agent="nobody"),))


def family(use: str = "patient", count: int = 1, **fields: object) -> QuestDefinition:
    steps = [StepDefinition(f"s{n}", use=use, retry=ONCE, **fields) for n in range(count)]  # type: ignore[arg-type]
    return QuestDefinition("parent", tuple(steps))


def with_templates(**made: object) -> Standing:
    house = Standing(**made)  # type: ignore[arg-type]
    for one in (PATIENT, ABSENT):
        house.ask(tp.AddTemplate(encode_definition(one)))
    return house


def go(house: Standing, child: str) -> None:
    assert house.ask(ctl.SendSignal(child, "go", b"1", "ann")).message == "taken"
    house.run()


def again(house: Standing) -> Standing:
    """The next daemon, on the same disk."""
    house.clock.advance(house.clock.monotonic_us)
    return Standing(store=house.store.copy(), shelf=house.shelf)


def test_it_rests_and_says_for_which_children_and_is_shown_as_running() -> None:
    house = with_templates()
    quest = begin(house, family(count=2), b"{}")
    house.wait(9)
    resting = head(house, quest)
    assert house.house.awake == 0
    assert (resting.status, at_rest(resting)) == ("running", True)
    assert [(wait.task, wait.what, wait.name) for wait in resting.waits] == [
        ("s0", "child", child_id(quest, EPOCH)),
        ("s1", "child", child_id(quest, EPOCH + 1)),
    ]
    go(house, child_id(quest, EPOCH))
    house.wait(9)
    assert [wait.task for wait in head(house, quest).waits] == ["s1"]
    go(house, child_id(quest, EPOCH + 1))
    house.wait(9)
    assert (head(house, quest).status, house.house.awake) == ("completed", 0)


def test_a_child_that_comes_back_does_not_wake_the_parent_that_waits_for_it() -> None:
    house = with_templates()
    quest = begin(house, family("absent"), b"{}")
    house.wait(9)
    second = again(house)
    second.wait(9)
    assert second.house.awake == 0
    assert at_rest(head(second, quest))


@pytest.mark.parametrize("lived_s", [0.0, 0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.008, 0.02])
def test_a_child_that_ends_as_the_daemon_dies_is_heard_by_the_next_one(lived_s: float) -> None:
    house = with_templates()
    quest = begin(house, family(), b"{}")
    house.wait(9)
    child = child_id(quest, EPOCH)
    house.post(ctl.SendSignal(child, "go", b"1", "ann", "once"))
    house.wait(lived_s)
    second = again(house)
    second.wait(5)
    second.ask(ctl.SendSignal(child, "go", b"1", "ann", "once"))
    second.wait(5)
    assert head(second, quest).status == "completed"
    assert kinds(second, quest).count("attempt.completed") == 1


def test_a_restart_wakes_no_parent_whose_children_have_not_ended() -> None:
    house = with_templates()
    quests = [begin(house, family(), b"{}") for _ in range(5)]
    house.wait(9)
    second = again(house)
    assert second.house.awake == 0
    second.store.count_deaths()
    assert {head(second, quest).deaths for quest in quests} == {0}


def test_a_resting_parent_whose_time_is_over_ends_its_child() -> None:
    house = with_templates()
    quest = begin(house, family(total_timeout_ms=60_000), b"{}")
    house.wait(90)
    assert head(house, quest).status == "failed"
    assert head(house, child_id(quest, EPOCH)).status == "cancelled"


def test_a_resting_parent_that_is_cancelled_ends_its_child() -> None:
    house = with_templates()
    quest = begin(house, family(), b"{}")
    house.wait(9)
    house.ask(ctl.CancelQuest(quest, "enough", "ann"))
    house.wait(15)
    assert {head(house, one).status for one in (quest, child_id(quest, EPOCH))} == {"cancelled"}


def test_a_large_output_reaches_a_parent_that_rests() -> None:
    house, agent = housed()
    quest = begin(house, parent())
    house.wait(9)
    (work,) = agent.take()
    agent.say(outcomes=(Completed(work.quest, work.epoch, b'"' + b"x" * 100_000 + b'"'),))
    house.wait(9)
    assert head(house, quest).status == "completed"


def test_with_so_many_children_it_rests_and_with_one_more_it_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("questd.actors.quest.steps.CHILDREN_MAX", 2)
    assert children.CHILDREN_MAX == 100
    for count, awake in ((2, 0), (3, 1)):
        house = with_templates()
        begin(house, family(count=count), b"{}")
        house.wait(90)
        assert house.house.awake == awake


def test_a_thousand_parents_rest_as_their_children_do() -> None:
    house = with_templates(limits=Limits(rest_after_s=0.2))
    quests = [begin(house, family(), b"{}") for _ in range(1_000)]
    house.wait(30)
    assert house.house.awake == 0
    assert not house.directory._quests
    for quest in quests[::100]:
        go(house, child_id(quest, EPOCH))
        house.wait(1)
        assert head(house, quest).status == "completed"
    assert house.house.awake == 0
