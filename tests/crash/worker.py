"""The agents of the crash points. Each call is in the ledger, on disk, before the tool does anything."""

import json
import os
import threading
import time
from typing import Any

from questd.agent import Agent, Context, ToolError

FLAKY_SUCCEEDS_AT = 3
POLL_S = 0.01


def enter(ctx: Context) -> None:
    """One synced line; the file is opened O_APPEND, so lines of several processes do not mix."""
    line = {
        "quest": ctx.quest,
        "task": ctx.task,
        "attempt": ctx.attempt,
        "key": ctx.idempotency_key,
        "at_us": time.time_ns() // 1_000,
    }
    file = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, json.dumps(line).encode() + b"\n")
    os.fsync(file)
    os.close(file)


def add(ctx: Context, values: list[int], more: int) -> int:
    enter(ctx)
    return sum(values) + more


def flaky(ctx: Context, value: Any) -> Any:
    """Fails twice."""
    enter(ctx)
    if ctx.attempt < FLAKY_SUCCEEDS_AT:
        raise ToolError("not yet", kind="shaky", retryable=True)
    return value


def refuse(ctx: Context) -> None:
    enter(ctx)
    raise ToolError("never", kind="validation", retryable=False)


def obey(ctx: Context) -> None:
    """Ends when it is told to."""
    enter(ctx)
    while not ctx.cancelled:
        time.sleep(POLL_S)
    raise ToolError("told to stop", kind="cancelled")


def pay(ctx: Context) -> str:
    """Must not be repeated blindly. The first time it is never done."""
    enter(ctx)
    while ctx.attempt == 1:
        time.sleep(POLL_S)
    return "paid"


def serve(url: str, parent: int) -> None:
    """$AGENT: its name. Leaves when its parent is gone."""
    agent = Agent(os.environ["AGENT"], capacity=8)
    for tool in (add, flaky, refuse, obey):
        agent.tool(tool)
    agent.tool(idempotent=False)(pay)
    threading.Thread(target=leave_with, args=(parent,), name="parent-watch", daemon=True).start()
    agent.run(url)


def leave_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(9)
