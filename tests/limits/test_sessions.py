"""One instance's session: what it gives out, takes and remembers is bounded, and what is left over comes again."""

from typing import Any

import pytest

from questd.actors.agent import core, edge
from questd.messages.events import AttemptCompleted, decode_event
from questd.messages.exchange import Completed, Exchange, Hello, Invocation, Work
from questd.simulation.daemon import insides
from tests.limits.standing import Standing, greeted, quest


def completions(house: Standing, quest_id: str) -> int:
    found = [decode_event(record.body) for record in house.store.events(quest_id)]
    return sum(isinstance(event, AttemptCompleted) for event in found)


def session(**hello: Any) -> core.Session:
    return core.Session(Hello(1, "a", "1" * 32, **hello))


def test_strange_outcomes_are_taken_up_to_a_number_and_the_rest_when_there_is_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each wakes a quest: five frames of them made 250,000 actors."""
    monkeypatch.setattr(core, "DELIVERED_MAX", 10)
    house = Standing()
    agent = greeted(house)
    quest_id = house.submit(quest())
    (item,) = agent.take()
    strange = [Completed(f"q_{n:018d}", 1, b"1") for n in range(15)]
    real = Completed(quest_id, item.epoch, b"1")
    agent.post(outcomes=(*strange, real))
    house.turns()
    assert len(insides(house.directory)["_quests"]) <= 11
    house.run()
    assert not completions(house, quest_id)
    agent.say(outcomes=(*strange[10:], real))
    assert completions(house, quest_id) == 1


def test_outcomes_that_are_not_on_disk_are_bounded_by_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(core, "DELIVERED_MAX_BYTES", 100)
    of = session()
    results = tuple(Completed("q", n, b'"' + b"x" * 48 + b'"') for n in range(4))
    assert of.arrived(results) == list(results[:2])
    assert of.arrived(results[:1]) == [results[0]]
    of.acknowledge(("q", 0))
    assert of.arrived(results[2:]) == [results[2]]
    for n in (1, 2):
        of.acknowledge(("q", n))
    assert insides(of)["_delivered_bytes"] == 0


def invocation(n: int, arguments: bytes = b"{}") -> Invocation:
    return Invocation(0, "q", n, "a", 1, "t", arguments, "key")


def test_an_answer_holds_so_many_items_and_acknowledgements_and_the_rest_follows() -> None:
    of = session()
    for n in range(core.ITEMS_PER_FRAME + 1):
        of.give(invocation(n))
        of.acknowledge(("other", n))
    first, second = of.answer(1), of.answer(2)
    assert (len(first.items), len(first.acks)) == (core.ITEMS_PER_FRAME, core.ACKS_PER_FRAME)
    assert (len(second.items), len(second.acks)) == (1, 1)
    assert not of.talkative


def test_an_answer_fits_the_frame_of_its_instance() -> None:
    of = session(frame_max=edge.FRAME_MIN_BYTES)
    room = edge.FRAME_MIN_BYTES - core.FRAME_RESERVE_BYTES - core.ITEM_OVERHEAD_BYTES
    fits, beyond = invocation(1, b"x" * room), invocation(2, b"x" * (room + 1))
    assert of.fits(fits)
    assert not of.fits(beyond)
    of.give(fits)
    of.give(invocation(3))
    assert [len(of.answer(n).items) for n in (1, 2)] == [1, 1]


def test_acknowledgements_that_nobody_takes_are_kept_up_to_a_number() -> None:
    of = session()
    for n in range(core.ACKS_MAX + 1):
        of.acknowledge(("q", n))
    assert len(of.acks) == core.ACKS_MAX
    assert of.acks[0] == ("q", 1)


def test_counters_that_are_said_to_be_open_are_looked_at_up_to_a_number() -> None:
    of = session()
    of.give(invocation(1))
    sent: Work = of.answer(1)
    assert len(sent.items) == 1
    counters = tuple(range(10_000, 10_000 + core.OPEN_LOOKED_AT))
    of.take(Exchange("1" * 32, "boot", 2, 0, open=(*counters, 1)))
    assert of.talkative
