"""Of a quest that has ended nothing stays in the daemon's memory: what a soak sees growing is SQLite's page cache, up to ``CACHE_KIB``."""

import gc
from collections import Counter

from questd.messages.exchange import Completed, Invocation
from tests.limits.standing import Agent, Standing, greeted, quest, step

OURS = ("questd.actors", "questd.runtime")


def objects() -> Counter[str]:
    """Of our classes, those in memory. What the journal of this test keeps, in place of a disk, are messages."""
    gc.collect()
    found = Counter(map(name_of, gc.get_objects()))
    del found["of others"]
    found.pop("Timer", None)  # cancelled ones lie in the heap until half of it is dead
    return found


def name_of(each: object) -> str:
    kind = type(each)
    return kind.__qualname__ if str(kind.__module__).startswith(OURS) else "of others"


def run_quests(house: Standing, agent: Agent, count: int) -> None:
    """So many quests of two steps, from submit to rest."""
    chain = quest(step("a"), step("b", dependencies=("a",)))
    quests = [house.submit(chain) for _ in range(count)]
    done: tuple[Completed, ...] = ()
    while not has_ended(house, quests[-1]) or done:
        answer = agent.say(outcomes=done)
        items = () if answer is None else answer.items
        work = [item for item in items if isinstance(item, Invocation)]
        done = tuple(Completed(item.quest, item.epoch, b"1") for item in work)
        house.wait(0.05)
    house.wait(house.house.limits.rest_after_s + 1)


def has_ended(house: Standing, quest_id: str) -> bool:
    head = house.store.head(quest_id)
    return head is not None and head.status == "completed"


def test_a_finished_quest_leaves_no_object_behind() -> None:
    house = Standing()
    agent = greeted(house)
    run_quests(house, agent, 20)
    before = objects()
    run_quests(house, agent, 100)
    assert house.store.count_open() == 0
    grown = {name: count - before[name] for name, count in objects().items()}
    assert max(grown.values()) < 10, {name: more for name, more in grown.items() if more > 0}
