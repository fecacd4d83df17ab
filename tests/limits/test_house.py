"""Inside the house: payloads, places and quests at their limits, by the real actors."""

from typing import Any

import pytest

from questd.actors.house import Limits
from questd.messages import control as ctl
from questd.messages.definition import QuestLimits, RetryPolicy, encode_definition
from questd.messages.events import (
    AttemptCompleted,
    AttemptFailed,
    QuestFailed,
    QuestSubmitted,
    decode_event,
)
from questd.messages.exchange import Completed
from questd.messages.payload import (
    INLINE_MAX_BYTES,
    PAYLOAD_MAX_BYTES,
    BlobRef,
    encode_json,
)
from questd.runtime.errors import BadExpression
from questd.runtime.expressions import Names, compile_expression, compile_value
from questd.runtime.expressions.bounds import (
    CONSTANT_WORK_MAX,
    FUEL,
    INTEGER_MAX,
    TEXT_MAX_BYTES,
    WORK_MAX,
)
from tests.limits.standing import Agent, Standing, greeted, quest, step

ONCE = RetryPolicy(attempts=1)


def found(house: Standing, quest_id: str, kind: type[Any]) -> list[Any]:
    events = [decode_event(record.body) for record in house.store.events(quest_id)]
    return [event for event in events if isinstance(event, kind)]


def text(size: int) -> bytes:
    """JSON text of that many bytes."""
    return encode_json("x" * (size - 2))


# -- payloads ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("beyond", [0, 1])
def test_a_payload_stands_in_its_event_up_to_a_size_and_beyond_it_is_kept_by_digest(
    beyond: int,
) -> None:
    house = Standing()
    agent = greeted(house)
    given = encode_json({"a": "x" * (INLINE_MAX_BYTES - 8 + beyond)})
    quest_id = house.submit(quest(step("s", arguments={"input": "{{ a }}"})), inputs=given)
    (item,) = agent.take()
    agent.say(outcomes=(Completed(quest_id, item.epoch, text(INLINE_MAX_BYTES + beyond)),))
    payloads = [found(house, quest_id, QuestSubmitted)[0].inputs]
    payloads += [found(house, quest_id, AttemptCompleted)[0].result]
    assert [isinstance(payload, BlobRef) for payload in payloads] == [bool(beyond)] * 2
    assert house.store.head(quest_id).status == "completed"  # type: ignore[union-attr]


def of_two(house: Standing, sizes: tuple[int, int], **fields: Any) -> tuple[Agent, str]:
    """A quest whose first two steps gave results of these sizes."""
    agent = greeted(house)
    quest_id = house.submit(quest(step("a"), step("b"), **fields))
    for item, size in zip(agent.take(), sizes, strict=True):
        agent.say(outcomes=(Completed(quest_id, item.epoch, text(size)),))
    return agent, quest_id


@pytest.mark.parametrize("beyond", [0, 1])
def test_arguments_fit_a_payload_or_the_attempt_fails(beyond: int) -> None:
    house = Standing()
    agent = greeted(house)
    overhead = len(b'{"input":{"a":"","b":""}}') - 4
    half = (PAYLOAD_MAX_BYTES - overhead) // 2
    both = quest(step("a"), step("b"), step("c", dependencies=("a", "b"), retry=ONCE))
    quest_id = house.submit(both)
    sizes = (half, PAYLOAD_MAX_BYTES - overhead - half + beyond)
    for item, size in zip(agent.take(), sizes, strict=True):
        agent.say(outcomes=(Completed(quest_id, item.epoch, text(size)),))
    given = agent.take()
    assert [len(item.arguments) for item in given] == [PAYLOAD_MAX_BYTES] * (1 - beyond)
    for failed in found(house, quest_id, AttemptFailed):
        assert failed.failure.kind == "too_large"
        assert "arguments of 3145729 bytes; 3145728 are allowed" in failed.failure.message
    assert len(found(house, quest_id, QuestFailed)) == beyond


@pytest.mark.parametrize("beyond", [0, 1])
def test_an_output_fits_a_payload_or_the_quest_fails(beyond: int) -> None:
    house = Standing()
    overhead = len(b'{"a":"","b":""}') - 4
    half = (PAYLOAD_MAX_BYTES - overhead) // 2
    sizes = (half, PAYLOAD_MAX_BYTES - overhead - half + beyond)
    _, quest_id = of_two(house, sizes)
    ended = found(house, quest_id, QuestFailed)
    assert len(ended) == beyond
    for failed in ended:
        assert failed.failure.kind == "too_large"
        assert str(PAYLOAD_MAX_BYTES) in failed.failure.message


# -- places ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [1, 3])
def test_a_quest_has_no_more_attempts_at_once_than_it_may(most: int) -> None:
    house = Standing()
    agent = greeted(house)
    steps = [step(f"s{n}") for n in range(5)]
    quest_id = house.submit(quest(*steps, limits=QuestLimits(parallel=most)))
    first = agent.take()
    assert len(first) == most
    work = agent.say(outcomes=(Completed(quest_id, first[0].epoch, b"1"),))
    given = len(work.items) if work is not None else 0
    assert given + len(agent.take()) == 1


def test_a_daemon_has_no_more_attempts_at_once_than_it_may() -> None:
    house = Standing(Limits(parallel=2))
    agent = greeted(house)
    quests = [house.submit(quest()) for _ in range(3)]
    first = agent.take()
    assert len(first) == 2
    work = agent.say(outcomes=(Completed(first[0].quest, first[0].epoch, b"1"),))
    items = (*(work.items if work is not None else ()), *agent.take())
    assert {item.quest for item in (*first, *items)} == set(quests)


def test_an_instance_holds_no_more_than_capacity_and_prefetch() -> None:
    house = Standing()
    agent = greeted(house, capacity=2, prefetch=1)
    for _ in range(5):
        house.submit(quest())
    assert len(agent.take()) == 3


def test_a_definition_that_is_refused_leaves_nothing_behind() -> None:
    house = Standing()
    bad = encode_definition(quest(labels={"l": "v" * 201}))
    reply = house.ask(ctl.Submit(bad))
    assert isinstance(reply, ctl.Error)
    assert reply.details == ("labels.l: is longer than 200 characters",)
    assert not list(house.store.heads())


# -- expressions -------------------------------------------------------------------------------------

NAMES = Names(frozenset(), frozenset({"n", "big"}))


def test_whole_numbers_have_an_end() -> None:
    assert compile_expression(str(INTEGER_MAX), NAMES).render(steps={}, inputs={}) == INTEGER_MAX
    with pytest.raises(BadExpression, match="the number is too large"):
        compile_expression(str(INTEGER_MAX + 1), NAMES)
    more = compile_expression("n + 1", NAMES)
    with pytest.raises(BadExpression, match="a number is out of range"):
        more.render(steps={}, inputs={"n": INTEGER_MAX})


def test_one_rendering_touches_so_many_bytes() -> None:
    big = ["x" * 1_000] * 1_000
    weight = len(encode_json(big))
    times = WORK_MAX // weight - 2
    fits = compile_value(["{{ big|length }}"] * times, NAMES)
    assert fits.render(steps={}, inputs={"big": big}) == [1_000] * times
    often = compile_expression(" + ".join(["(big|sort|length)"] * 60), NAMES)
    with pytest.raises(
        BadExpression, match=r"works on too many bytes .*; do this in a tool instead"
    ):
        often.render(steps={}, inputs={"big": big})


def test_what_names_nothing_may_cost_less() -> None:
    fits = "range(1000)|length"
    compile_expression(fits, NAMES)
    dear = " + ".join(["(range(10000)|sort|length)"] * 60)
    with pytest.raises(BadExpression, match="works on too many bytes"):
        compile_expression(dear, NAMES)
    assert CONSTANT_WORK_MAX < WORK_MAX
    assert FUEL > 8_192
    assert TEXT_MAX_BYTES == CONSTANT_WORK_MAX
