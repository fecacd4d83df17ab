"""A daemon dies between a result and what it is for, and the time of its step passes before there is another one."""

import pytest

from questd.messages import events as ev
from questd.messages.control import ListQuests
from questd.messages.definition import QuestDefinition, Repeat
from questd.messages.exchange import Completed
from questd.runtime.journal.memory import MemoryStore
from tests.limits.standing import START_US, Standing, greeted, quest, step

LARGE = b'{"steps": [], "pad": "' + b"x" * 5_000 + b'"}'
"""Kept by digest, so it is read when it is on disk, and not before."""
HOUR_US = 3_600_000_000
SHAPES = {
    "a plan": quest(step("a", plan_steps=5, total_timeout_ms=60_000)),
    "a round": quest(step("a", repeat=Repeat("result.pad"), total_timeout_ms=60_000)),
    "an output": quest(step("a"), output="{{ a.result.steps }}", total_timeout_ms=60_000),
    "a condition": quest(
        step("a"), step("b", dependencies=("a",), when="a.result.pad", total_timeout_ms=60_000)
    ),
    "a list": quest(
        step("a"),
        step("b", dependencies=("a",), for_each="a.result.steps", total_timeout_ms=60_000),
    ),
}


def kinds(store: MemoryStore, of: str) -> list[str]:
    return [ev.kind_of(ev.decode_event(record.body)) for record in store.events(of)]


def left_behind(definition: QuestDefinition) -> tuple[MemoryStore, str]:
    """By a daemon that died when the result of the quest's first step was on disk, and nothing after it."""
    house = Standing()
    submitted = house.submit(definition)
    agent = greeted(house)
    (invocation,) = agent.take()
    agent.post(outcomes=(Completed(submitted, invocation.epoch, LARGE),))
    while "attempt.completed" not in kinds(house.store, submitted):
        assert house.step()
    return house.store, submitted


@pytest.mark.parametrize("name", SHAPES)
def test_the_quest_ends_and_its_actor_does_not_fail(name: str) -> None:
    store, submitted = left_behind(SHAPES[name])
    assert kinds(store, submitted)[-1] == "attempt.completed"
    house = Standing(store=store, start_us=START_US + HOUR_US)
    house.wait(30)
    assert [note for note in house.notes if note[0] == "quest.crashed"] == []
    head = store.head(submitted)
    assert head is not None
    assert head.parked is None
    assert head.status in {"completed", "failed"}
    assert house.ask(ListQuests()) is not None
