"""The agent of these tests: ``python -m tests.system.agents.worker URL``. Every call writes one line into $LEDGER first.

$AGENT, $CAPACITY, $PREFETCH and $GATE say what it is; a tool that waits for the gate goes on when that file exists.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from questd.agent import Agent, Context, ToolError
from tests.system.parent import die_with_parent

LEDGER = os.environ["LEDGER"]
GATE = Path(os.environ.get("GATE", "/nonexistent"))
POLL_S = 0.02
agent = Agent(
    os.environ.get("AGENT", "worker"),
    capabilities=["work"],
    capacity=int(os.environ.get("CAPACITY", "4")),
    prefetch=int(os.environ["PREFETCH"]) if "PREFETCH" in os.environ else None,
)


def enter(ctx: Context) -> None:
    """One write a line: the file is opened O_APPEND, so lines of many processes do not mix."""
    line = {
        "quest": ctx.quest,
        "task": ctx.task,
        "attempt": ctx.attempt,
        "key": ctx.idempotency_key,
        "pid": os.getpid(),
        "at_us": time.time_ns() // 1_000,
    }
    file = os.open(LEDGER, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, json.dumps(line).encode() + b"\n")
    os.close(file)


@agent.tool
def work(ctx: Context, value: Any = None, seconds: float = 0.0) -> Any:
    enter(ctx)
    time.sleep(seconds)
    return value


@agent.tool
def gated(ctx: Context) -> str:
    """Works until the gate opens; deaf to everything else."""
    enter(ctx)
    while not GATE.exists():
        time.sleep(POLL_S)
    return "through"


@agent.tool(idempotent=False)
def pay(ctx: Context) -> str:
    """Must not be repeated blindly. Works until the gate opens."""
    enter(ctx)
    while not GATE.exists():
        time.sleep(POLL_S)
    return "paid"


@agent.tool
def obedient(ctx: Context) -> str:
    """Ends when it is asked to."""
    enter(ctx)
    while not ctx.cancelled:
        time.sleep(POLL_S)
    raise ToolError("told to stop", kind="cancelled")


@agent.tool
def silent(ctx: Context) -> None:
    """Says that it lives, once."""
    enter(ctx)
    ctx.heartbeat()
    time.sleep(600)


@agent.tool
def raising(ctx: Context) -> None:
    enter(ctx)
    raise ValueError("a reason")


@agent.tool
def big(ctx: Context, size: int, seed: str = "x", before: Any = None) -> str:
    enter(ctx)
    return seed * size


@agent.tool
def measure(ctx: Context, text: str) -> int:
    enter(ctx)
    return len(text)


@agent.tool
def returning(ctx: Context, what: str) -> Any:
    enter(ctx)
    match what:
        case "object":
            return {"a": [object()]}
        case "nan":
            return [float("nan")]
        case "surrogate":
            return "\ud800"
        case "huge":
            return "x" * 100_000_000
        case _:
            raise AssertionError(what)


if __name__ == "__main__":
    die_with_parent()
    agent.run(sys.argv[1])
