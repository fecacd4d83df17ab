"""Strangers who come again and again leave nothing behind: no container of the actors grows with their visits."""

from collections import deque
from collections.abc import Callable
from typing import Any

import pytest
from msgspec import structs

from questd.messages import exchange as ex
from tests.fuzz import control, exchange
from tests.fuzz.doors import HONEST, SECOND, SILENCE_S, Client, Ground, HonestAgent
from tests.fuzz.script import Say, read

ACTORS = ("router", "exchange", "directory", "control")
BOUNDED = {"_heard"}
"""Counters of instances that are gone: kept on purpose, REMEMBERED_INSTANCES of them."""


def sizes(ground: Ground) -> dict[str, int]:
    """Of all containers that an actor of the static tree has, by their path."""
    found = {"timers": len(ground.timers.armed()), "agenda": len(ground.agenda)}
    for name in ACTORS:
        for attribute, value in ground.inside(name).items():
            if attribute not in BOUNDED | {"actor_inbox", "_house", "parent", "_actor_ref"}:
                _measure(value, f"{name}.{attribute}", found, 0)
    return found


def _measure(value: Any, path: str, found: dict[str, int], depth: int) -> None:
    if isinstance(value, dict | list | set | deque):
        found[path] = len(value)  # pyright: ignore[reportUnknownArgumentType]
    elif depth < 3 and type(value).__module__.startswith("questd.actors"):
        for name, inner in getattr(value, "__dict__", {}).items():
            _measure(inner, f"{path}.{name}", found, depth + 1)
        for name in getattr(value, "__struct_fields__", ()):
            _measure(getattr(value, name), f"{path}.{name}", found, depth + 1)


def grown(ground: Ground, visit: Callable[[int], None]) -> dict[str, tuple[int, int]]:
    """What has grown by one a visit between the third and the tenth. (A quest that has just woken is one more, and no leak.)"""
    for number in range(3):
        visit(number)
    before = sizes(ground)
    for number in range(3, 10):
        visit(number)
    after = sizes(ground)
    return {path: (old, n) for path, n in after.items() if n >= (old := before.get(path, 0)) + 7}


@pytest.mark.parametrize("name", exchange.seeds())
def test_agents_that_come_and_go_leave_nothing(name: str) -> None:
    ground = Ground()
    HonestAgent(ground, "honest", HONEST, 80)
    client = Client(ground)
    client.submit(exchange.ALONE)
    client.submit(exchange.TAINTED)
    steps = [step for step in read(exchange.seeds()[name]) if isinstance(step, Say)]

    def visit(number: int) -> None:
        for step in steps:
            ground.agent_says(step.line, _renamed(step.frame, f"stranger{number:04d}"))
            ground.run(20_000)
        for line in range(4):
            ground.agents.hang_up(line)
        ground.run(int(SILENCE_S * SECOND))

    assert grown(ground, visit) == {}


def _renamed(frame: bytes, incarnation: str) -> bytes:
    try:
        return ex.encode_frame(
            structs.replace(ex.decode_agent_frame(frame), incarnation=incarnation)
        )
    except (ValueError, RecursionError):
        return frame


@pytest.mark.parametrize("name", control.seeds())
def test_clients_that_come_and_go_leave_nothing(name: str) -> None:
    ground = Ground()
    HonestAgent(ground, "worker", HONEST, 80)
    control.furnish(ground, Client(ground))
    steps = read(control.seeds()[name])

    def visit(_number: int) -> None:
        for step in steps:
            control.do(ground, step)
        for line in range(4):
            ground.clients.hang_up(line)
        ground.run(control.WAIT_MAX_S * SECOND)

    assert grown(ground, visit) == {}


def test_a_leak_would_be_seen() -> None:
    ground = Ground()
    names = ground.inside("exchange")["_names"]
    assert grown(ground, lambda number: names.update({str(number): ""})) == {
        "exchange._names": (3, 10)
    }
