"""The agent of the golden journals: ``python -m tests.upgrades.worker URL``. Every call writes one line into $LEDGER first.

Quests that were begun by earlier versions are finished by it: a tool that a golden journal names may never go or change.
"""

import os
import sys
import time
from pathlib import Path
from typing import Any

from questd.agent import Agent, Context, ToolError
from tests.system.agents.worker import enter
from tests.system.parent import die_with_parent

GATE = Path(os.environ.get("GATE", "/nonexistent"))
CAPABILITIES = os.environ.get("CAPABILITIES", "gold").split(",")
POLL_S = 0.02
agent = Agent(os.environ.get("AGENT", "golden"), capabilities=CAPABILITIES, capacity=16)


@agent.tool
def say(ctx: Context, value: Any = None) -> Any:
    """Leaves all that an attempt can leave."""
    enter(ctx)
    ctx.log("said", value=value)
    ctx.usage(tokens=12, cost=0.25, model="a-model")
    ctx.confidence(0.75)
    return value


@agent.tool
def large(ctx: Context, size: int) -> str:
    enter(ctx)
    return "x" * size


@agent.tool
def measure(ctx: Context, text: str) -> int:
    enter(ctx)
    return len(text)


@agent.tool
def flaky(ctx: Context) -> str:
    """Fails the first time."""
    enter(ctx)
    if ctx.attempt == 1:
        raise ToolError("not yet", kind="flaky", retryable=True)
    return "at last"


@agent.tool
def broken(ctx: Context) -> str:
    enter(ctx)
    raise ToolError("no", kind="auth")


@agent.tool
def gated(ctx: Context, value: Any = None) -> Any:
    """Works until the gate opens; deaf to everything else."""
    enter(ctx)
    while not GATE.exists():
        time.sleep(POLL_S)
    return value


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


if __name__ == "__main__":
    die_with_parent()
    agent.run(sys.argv[1])
