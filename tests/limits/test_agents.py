"""Agents at the daemon's edge: exactly at a limit is fine, one beyond is denied by its name, cut, or said again later."""

from typing import Any

import pytest
from msgspec import structs

from questd.actors.agent import edge
from questd.actors.exchange import actor as exchange
from questd.actors.exchange.actor import DoorPipeClosed
from questd.messages import control as ctl
from questd.messages.events import (
    AttemptCompleted,
    AttemptFailed,
    AttemptLogged,
    LogLine,
    decode_event,
)
from questd.messages.exchange import (
    Completed,
    Denied,
    Failed,
    Invocation,
    Logged,
    Parameter,
    Progress,
    ToolSpec,
    Welcome,
)
from questd.messages.failure import Failure
from questd.messages.payload import PAYLOAD_MAX_BYTES, encode_json
from questd.simulation.daemon import insides
from tests.limits.standing import Agent, Standing, greeted, quest

NAME = "n" * edge.WORD_MAX


def tools(count: int, **fields: Any) -> tuple[ToolSpec, ...]:
    return tuple(ToolSpec(f"t{n}", **fields) for n in range(count))


def words(count: int, size: int = 10) -> tuple[str, ...]:
    return tuple(str(n).rjust(size, "w") for n in range(count))


def schema(size: int) -> bytes:
    return b'{"d":"' + b"x" * (size - 8) + b'"}'


def held(count: int) -> tuple[tuple[str, int], ...]:
    return tuple(("q", n) for n in range(count))


HELLOS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "WORD_MAX": ({"agent": NAME}, {"agent": NAME + "n"}, "an agent's name has 1 to 200"),
    "WORD_MAX of a tool": (
        {"tools": (ToolSpec(NAME),)},
        {"tools": (ToolSpec(NAME + "n"),)},
        "a tool's name has 1 to 200",
    ),
    "WORD_MAX of a capability": (
        {"capabilities": (NAME,)},
        {"capabilities": (NAME + "n",)},
        "a capability has 1 to 200",
    ),
    "WORD_MAX of a label": (
        {"labels": {NAME: NAME}},
        {"labels": {"l": NAME + "n"}},
        "a text at most 200",
    ),
    "WORD_MAX of a parameter": (
        {"tools": tools(1, parameters=(Parameter(NAME),))},
        {"tools": tools(1, parameters=(Parameter(NAME + "n"),))},
        "a parameter's name has 1 to 200",
    ),
    "WORDS_MAX": (
        {"capabilities": words(edge.WORDS_MAX)},
        {"capabilities": words(edge.WORDS_MAX + 1)},
        "64 capabilities, not 65",
    ),
    "WORDS_MAX of a tool": (
        {"tools": tools(1, capabilities=words(edge.WORDS_MAX))},
        {"tools": tools(1, capabilities=words(edge.WORDS_MAX + 1))},
        "64 capabilities, not 65",
    ),
    "WORDS_MAX of labels": (
        {"labels": dict.fromkeys(words(edge.WORDS_MAX), 1)},
        {"labels": dict.fromkeys(words(edge.WORDS_MAX + 1), 1)},
        "64 labels, not 65",
    ),
    "a label's number": (
        {"labels": {"l": 1e308}},
        {"labels": {"l": float("inf")}},
        "no number that JSON can say",
    ),
    "HOST_MAX": (
        {"host": "h" * edge.HOST_MAX},
        {"host": "h" * (edge.HOST_MAX + 1)},
        "host has at most 255",
    ),
    "HOST_MAX of the SDK": (
        {"sdk": "s" * edge.HOST_MAX},
        {"sdk": "s" * (edge.HOST_MAX + 1)},
        "sdk has at most 255",
    ),
    "MAX_CAPACITY": (
        {"capacity": edge.MAX_CAPACITY},
        {"capacity": edge.MAX_CAPACITY + 1},
        "capacity is 1 to 100000",
    ),
    "MAX_CAPACITY of prefetch": (
        {"prefetch": edge.MAX_CAPACITY},
        {"prefetch": edge.MAX_CAPACITY + 1},
        "prefetch 0 to 100000",
    ),
    "FRAME_MIN_BYTES": (
        {"frame_max": edge.FRAME_MIN_BYTES},
        {"frame_max": edge.FRAME_MIN_BYTES - 1},
        "frame_max is at least 131072",
    ),
    "MAX_TOOLS": (
        {"tools": tools(edge.MAX_TOOLS)},
        {"tools": tools(edge.MAX_TOOLS + 1)},
        "1000 tools, not 1001",
    ),
    "TOOLS_MAX_BYTES": (
        {"tools": tools(4, input_schema=schema(edge.TOOLS_MAX_BYTES // 4 - 2))},
        {"tools": tools(4, input_schema=schema(edge.TOOLS_MAX_BYTES // 4 - 1))},
        "1048580 bytes; 1048576 are allowed",
    ),
    "PARAMETERS_MAX": (
        {"tools": tools(1, parameters=tuple(map(Parameter, words(edge.PARAMETERS_MAX))))},
        {"tools": tools(1, parameters=tuple(map(Parameter, words(edge.PARAMETERS_MAX + 1))))},
        "256 parameters, not 257",
    ),
    "NUMBER_MAX": (
        {"tools": tools(1, timeout_ms=edge.NUMBER_MAX)},
        {"tools": tools(1, timeout_ms=edge.NUMBER_MAX + 1)},
        "the timeout of tool 't0' is 1 to",
    ),
    "HELD_MAX": (
        {"held": held(edge.HELD_MAX)},
        {"held": held(edge.HELD_MAX + 1)},
        "hold 200000 attempts, not 200001",
    ),
}


@pytest.mark.parametrize("limit", HELLOS)
def test_an_instance_at_the_limit_is_welcome_and_one_beyond_is_denied(limit: str) -> None:
    at, beyond, said = HELLOS[limit]
    house = Standing()
    assert isinstance(Agent(house, 1, **at).greet(), Welcome)
    denied = Agent(house, 2, **beyond).greet()
    assert isinstance(denied, Denied), denied
    assert (denied.kind, denied.fatal) == ("validation", True)
    assert said in denied.message
    assert len(house.ask(ctl.ListAgents()).instances) == 1


def test_one_instance_too_many_is_asked_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "MAX_INSTANCES", 3)
    house = Standing()
    agents = [greeted(house, n + 1) for n in range(3)]
    denied = Agent(house, 4).greet()
    assert isinstance(denied, Denied)
    assert (denied.kind, denied.fatal) == ("busy", False)
    assert "3 instances are connected already" in denied.message
    assert isinstance(agents[0].greet(), Welcome)
    house.wait(house.house.limits.lease_s * 2)
    assert isinstance(Agent(house, 5).greet(), Welcome)


def test_instances_beyond_a_number_need_a_connection_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exchange, "INSTANCES_MAX_A_CONNECTION", 2)
    house = Standing()
    agents = [Agent(house, 1), Agent(house, 1), Agent(house, 1)]
    for number, agent in enumerate(agents):
        agent.incarnation = f"{number:032d}"
        agent.hello = structs.replace(agent.hello, incarnation=agent.incarnation)
    assert all(isinstance(agent.greet(), Welcome) for agent in agents[:2])
    denied = agents[2].greet()
    assert isinstance(denied, Denied)
    assert (denied.kind, denied.fatal) == ("busy", False)
    assert "2 instances talk by this connection already" in denied.message
    assert isinstance(agents[0].greet(), Welcome)
    agents[2].pipe = 2
    assert isinstance(agents[2].greet(), Welcome)
    agents[0].pipe = 2
    assert isinstance(agents[0].greet(), Welcome)
    agents[2].pipe = 1
    assert isinstance(agents[2].greet(), Welcome)


def test_all_instances_of_a_connection_hear_that_it_is_gone() -> None:
    house = Standing()
    agents = [Agent(house, 1), Agent(house, 1)]
    agents[1].incarnation = "1" * 32
    agents[1].hello = structs.replace(agents[1].hello, incarnation=agents[1].incarnation)
    for agent in agents:
        agent.greet()
    house.house.exchange.tell(DoorPipeClosed(house.door, 1))
    limits = house.house.limits
    house.wait(limits.closed_pipe_s + limits.hold_s)
    assert house.ask(ctl.ListAgents()).instances == ()


def test_counters_of_those_that_left_are_remembered_up_to_a_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exchange, "REMEMBERED_INSTANCES", 3)
    house = Standing()
    heard = insides(house.exchange)["_heard"]
    for n in range(10):
        greeted(house, n + 1)
        house.wait(house.house.limits.lease_s * 2)
    assert list(heard) == [f"{n:032d}" for n in (8, 9, 10)]


def test_the_offers_of_all_instances_together_are_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exchange, "OFFERS_MAX_BYTES", 3_008)
    house = Standing()
    large = {"tools": tools(1, input_schema=schema(1_000))}
    first = greeted(house, 1, **large)
    greeted(house, 2, **large)
    greeted(house, 3, **large)
    assert isinstance(first.greet(), Welcome)
    denied = Agent(house, 4, **large).greet()
    assert isinstance(denied, Denied)
    assert (denied.kind, denied.fatal) == ("busy", False)
    assert "3008 bytes" in denied.message
    house.wait(house.house.limits.lease_s * 2)
    assert isinstance(Agent(house, 5, **large).greet(), Welcome)


# -- what is said of an attempt ----------------------------------------------------------------------


def running(house: Standing) -> tuple[Agent, str, Invocation]:
    agent = greeted(house)
    quest_id = house.submit(quest())
    (item,) = agent.take()
    agent.say(started=((quest_id, item.epoch),))
    return agent, quest_id, item


def events(house: Standing, quest_id: str, kind: type[Any]) -> list[Any]:
    found = [decode_event(record.body) for record in house.store.events(quest_id)]
    return [event for event in found if isinstance(event, kind)]


@pytest.mark.parametrize("beyond", [0, 1])
def test_numbers_and_words_of_a_result_are_cut_to_their_limits(beyond: int) -> None:
    house = Standing()
    agent, quest_id, item = running(house)
    number, cost = edge.NUMBER_MAX + beyond, edge.COST_MAX * (1 + beyond)
    model = "m" * (edge.WORD_MAX + beyond)
    agent.say(outcomes=(Completed(quest_id, item.epoch, b"1", number, number, cost, model, 1.0),))
    (done,) = events(house, quest_id, AttemptCompleted)
    assert (done.tokens, done.cost) == (edge.NUMBER_MAX, edge.COST_MAX)
    assert done.model == "m" * edge.WORD_MAX


@pytest.mark.parametrize("beyond", [0, 1])
def test_what_a_failure_says_it_used_is_cut_as_that_of_a_result_is(beyond: int) -> None:
    house = Standing()
    agent, quest_id, item = running(house)
    number, cost = edge.NUMBER_MAX + beyond, edge.COST_MAX * (1 + beyond)
    failure = Failure("exception", "broken", None, retryable=False)
    used = (number, cost, "m" * (edge.WORD_MAX + beyond))
    agent.say(outcomes=(Failed(quest_id, item.epoch, failure, 1, *used),))
    (failed,) = events(house, quest_id, AttemptFailed)
    assert (failed.tokens, failed.cost) == (edge.NUMBER_MAX, edge.COST_MAX)
    assert failed.model == "m" * edge.WORD_MAX


@pytest.mark.parametrize("beyond", [0, 1])
def test_a_failure_is_cut_to_its_limits(beyond: int) -> None:
    house = Standing()
    agent, quest_id, item = running(house)
    failure = Failure(
        "k" * (edge.WORD_MAX + beyond),
        "m" * (edge.MESSAGE_MAX + beyond),
        None,
        True,
        edge.RETRY_AFTER_MAX_MS + beyond,
    )
    agent.say(outcomes=(Failed(quest_id, item.epoch, failure),))
    (failed,) = events(house, quest_id, AttemptFailed)
    assert failed.failure.kind == "k" * edge.WORD_MAX
    assert failed.failure.message == "m" * edge.MESSAGE_MAX
    assert failed.failure.retry_after_ms == edge.RETRY_AFTER_MAX_MS


@pytest.mark.parametrize("beyond", [0, 1])
def test_a_result_larger_than_a_payload_fails_the_attempt(beyond: int) -> None:
    house = Standing()
    agent, quest_id, item = running(house)
    text = encode_json("x" * (PAYLOAD_MAX_BYTES - 2 + beyond))
    agent.say(outcomes=(Completed(quest_id, item.epoch, text),))
    assert len(events(house, quest_id, AttemptCompleted)) == 1 - beyond
    failed = events(house, quest_id, AttemptFailed)
    assert len(failed) == beyond
    for each in failed:
        assert each.failure.kind == "unserialisable"
        assert "a result of 3145729 bytes; 3145728 are allowed" in each.failure.message


def test_a_progress_text_is_cut() -> None:
    house = Standing()
    agent, quest_id, item = running(house)
    for size in (edge.PROGRESS_TEXT_MAX, edge.PROGRESS_TEXT_MAX + 1):
        agent.say(progress=(Progress(quest_id, item.epoch, 0.5, "t" * size),))
        (said,) = house.ask(ctl.ReadQuest(quest_id)).progress
        assert said.text == "t" * edge.PROGRESS_TEXT_MAX


# -- log lines ---------------------------------------------------------------------------------------


def test_a_line_is_cut_and_its_fields_are_dropped_beyond_their_limits() -> None:
    fields = encode_json({"f": "x" * (edge.LINE_MAX - 8)})
    assert len(fields) == edge.LINE_MAX
    (line,) = edge.checked_lines((LogLine(1, "l" * edge.LINE_MAX, fields),))
    assert (len(line.text), line.fields) == (edge.LINE_MAX, fields)
    longer = LogLine(1, "l" * (edge.LINE_MAX + 1), encode_json({"f": "x" * (edge.LINE_MAX - 7)}))
    (line,) = edge.checked_lines((longer,))
    assert (len(line.text), line.fields) == (edge.LINE_MAX, b"{}")


@pytest.mark.parametrize(("letter", "size"), [("l", 1), ("é", 2), ("…", 3), ("𝄞", 4)])
def test_lines_of_a_frame_are_bounded_by_bytes_whatever_their_letters(
    letter: str, size: int
) -> None:
    lines = [LogLine(1, letter * 4_096, b"")] * 200
    kept = edge.checked_lines(tuple(lines))
    assert len(kept) == min(200, edge.LINES_MAX_BYTES // (4_096 * size + 2))
    short = [LogLine(1, "l", b"")] * (edge.LINES_A_FRAME_MAX + 1)
    assert len(edge.checked_lines(tuple(short))) == edge.LINES_A_FRAME_MAX


def lines_of(house: Standing, quest_id: str) -> list[str]:
    return [line.text for event in events(house, quest_id, AttemptLogged) for line in event.lines]


def test_an_attempt_that_writes_for_ever_does_not_fill_the_journal() -> None:
    house = Standing()
    agent, quest_id, item = running(house)
    for _ in range(edge.ATTEMPT_LINES_MAX // 1_000):
        lines = (LogLine(1, "l"),) * 1_000
        agent.say(logs=(Logged(quest_id, item.epoch, lines),))
    assert lines_of(house, quest_id) == ["l"] * edge.ATTEMPT_LINES_MAX
    for _ in range(3):
        agent.say(logs=(Logged(quest_id, item.epoch, (LogLine(1, "more"),)),))
    assert lines_of(house, quest_id)[edge.ATTEMPT_LINES_MAX :] == [edge.NO_MORE_LINES]
    assert "further lines are dropped" in edge.NO_MORE_LINES
    agent.say(outcomes=(Completed(quest_id, item.epoch, b"1"),))
    assert house.store.head(quest_id).status == "completed"  # type: ignore[union-attr]


def test_an_attempt_writes_no_more_bytes_than_it_may() -> None:
    lines = edge.Lines()
    large = LogLine(1, "l" * (edge.ATTEMPT_LINES_MAX_BYTES // 4 - 2), b"{}")
    assert lines.admit((large,) * 3) == (large,) * 3
    kept = lines.admit((large, LogLine(7, "l", b"")))
    assert kept == (large, LogLine(7, edge.NO_MORE_LINES))
    assert lines.admit((large,)) == ()
