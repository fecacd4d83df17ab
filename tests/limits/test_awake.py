"""Steps of awake quests are bounded: those that only wait go, the longest unused first; then quests are refused by name."""

from questd.actors.directory.room import Room
from questd.actors.house import Limits
from questd.messages import control as ctl
from questd.messages.control import Error, Submit, Submitted
from questd.messages.definition import QuestDefinition, encode_definition
from questd.messages.exchange import Completed, Invocation
from tests.limits.standing import Standing, greeted, quest, step


def chain(length: int) -> QuestDefinition:
    return quest(*(step(f"s{n}", dependencies=(f"s{n - 1}",) if n else ()) for n in range(length)))


def awake(house: Standing) -> list[str]:
    return sorted(house.directory._quests)


def test_a_quest_for_which_there_is_no_room_is_busy_and_those_that_wait_go() -> None:
    house = Standing(Limits(awake_steps=10, rest_after_s=3_600, rest_in_queue_s=3_600))
    greeted(house, capacity=1, prefetch=0)
    runs, waits = house.submit(chain(5)), house.submit(chain(5))
    assert awake(house) == sorted([runs, waits])
    refused = house.ask(Submit(encode_definition(chain(5))))
    assert isinstance(refused, Error)
    assert (refused.kind, refused.retry_after_ms) == ("busy", 500)
    assert "limits.awake_steps: awake quests have 10 steps" in refused.message
    house.wait(0.5)
    assert awake(house) == [runs]
    assert house.house.awake_steps == 5
    house.submit(chain(5))


def test_what_waits_goes_by_itself_when_quests_that_wake_are_too_many() -> None:
    """Waking is never refused: what is on its way would be lost."""
    house = Standing(Limits(awake_steps=12, rest_after_s=1, rest_in_queue_s=1))
    for _ in range(3):
        house.submit(chain(5))
        house.wait(5)
    assert awake(house) == []
    agent = greeted(house, capacity=2, prefetch=0)
    work = agent.take()
    house.wait(0.5)
    assert {item.quest for item in work} == set(awake(house))
    for _ in range(40):
        done = tuple(Completed(item.quest, item.epoch, b"1") for item in work)
        answer = agent.say(outcomes=done)
        items = () if answer is None else answer.items
        work = [item for item in items if isinstance(item, Invocation)]
        house.wait(0.1)
    heads = house.ask(ctl.ListQuests())
    assert [head.status for head in heads.heads] == ["completed"] * 3
    assert house.house.awake_steps == 0


def test_one_quest_alone_always_has_room() -> None:
    house = Standing(Limits(awake_steps=1))
    greeted(house)
    house.submit(chain(50))
    assert house.house.awake_steps == 50
    assert isinstance(house.ask(Submit(encode_definition(chain(1)))), Error)


def test_quests_that_are_not_on_disk_yet_take_room_too() -> None:
    house = Standing(Limits(awake_steps=20))
    greeted(house)
    routes = [house.post(Submit(encode_definition(chain(8)))) for _ in range(5)]
    house.run()
    taken = [isinstance(house.answer(route), Submitted) for route in routes]
    assert sum(taken) == 2


def test_the_longest_unused_is_asked_first() -> None:
    room = Room(10)
    for name in "abc":
        room.hold(name, 4)
    room.use("a")
    room.use("unknown")
    assert (room.longest_unused(), room.crowded, room.ample) == (["b", "c", "a"], True, False)
    room.leave("b")
    assert (room.steps, room.crowded, room.ample) == (8, False, False)
    room.leave("b")
    room.hold("c", 1)
    assert (room.steps, room.ample) == (5, True)
