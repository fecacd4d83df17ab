"""The agent that tests start as a process of its own: one tool for each way to behave."""

import asyncio
import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from questd.agent import Agent, Context, ToolError

agent = Agent(
    "sample",
    capabilities=["testing"],
    labels={"gpu": 1},
    capacity=int(os.environ.get("CAPACITY", "2")),
)


@dataclasses.dataclass
class Report:
    text: str
    depth: int


@agent.tool(capabilities=["audit"], timeout="2m", idempotent=False)
def audit(diff: str, depth: int = 1, *, ctx: Context) -> Report:
    """Look at a diff."""
    ctx.progress(0.5, "half")
    ctx.log("looking", depth=depth)
    ctx.usage(tokens=7, cost=0.5, model="m")
    ctx.confidence(0.9)
    return Report(f"{diff} {ctx.task} {ctx.attempt} {ctx.round} {ctx.idempotency_key}", depth)


@agent.tool
async def wait_async(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "slept"


@agent.tool
async def block_loop(seconds: float) -> None:
    time.sleep(seconds)  # noqa: ASYNC251 - what the test is about


@agent.tool
def hang(seconds: float = 60) -> None:
    time.sleep(seconds)


@agent.tool
def until_cancelled(ctx: Context) -> str:
    while not ctx.cancelled:
        time.sleep(0.005)
    raise RuntimeError("told to stop")


@agent.tool
def beat(times: int, ctx: Context) -> None:
    for _ in range(times):
        ctx.heartbeat()
        time.sleep(0.02)
    time.sleep(5)


@agent.tool
def refuse(kind: str, retry_after: float | None = None) -> None:
    raise ToolError("no", kind=kind, retry_after=retry_after)


@agent.tool
def misbehave(how: str) -> Any:
    match how:
        case "raise":
            raise ValueError("a reason")
        case "exit":
            sys.exit(3)
        case "interrupt":
            raise KeyboardInterrupt
        case "recurse":
            return misbehave(how)
        case "print":
            sys.stdout.write("noise\n" * 1000)
            return "printed"
        case "big":
            return "x" * 100_000_000
        case "object":
            return {"a": [object()]}
        case "nan":
            return {"a": [float("nan")]}
        case "coroutine":
            return asyncio.sleep(1)
        case "generator":
            return (n for n in range(3))
        case "surrogate":
            return "\ud800"
        case "attach":
            return Context.attach.__doc__
        case _:
            raise AssertionError(how)


@agent.tool
async def misbehave_async(how: str) -> Any:
    if how == "exit":
        sys.exit(3)
    if how == "interrupt":
        raise KeyboardInterrupt
    if how == "cancelled":
        raise asyncio.CancelledError
    return misbehave(how)


@agent.tool
def chatter(lines: int, ctx: Context) -> str:
    for n in range(lines):
        ctx.log(f"line {n}")
        ctx.progress(n / lines, f"at {n}")
    return "done"


@agent.tool
def change(items: list[int]) -> list[int]:
    items.append(1)
    return items


@agent.tool
def threads() -> int:
    return threading.active_count()


@agent.tool(isolate=True)
def alone(how: str, path: str = "", ctx: Context = None) -> Any:  # type: ignore[assignment]
    ctx.progress(0.25, "alone")
    ctx.log("from a child", pid=os.getpid())
    sys.stdout.write("noise on standard output\n")
    if how == "pid":
        ctx.usage(tokens=3)
        return os.getpid()
    if how == "raise":
        ctx.usage(tokens=5, cost=0.25, model="m")
        raise ToolError("no", kind="mine")
    if how == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "stdin":
        return sys.stdin.read()
    if how in {"grandchild", "stubborn"}:
        child = subprocess.Popen(["sleep", "60"])
        if how == "stubborn":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        Path(path).write_text(f"{os.getpid()} {child.pid}")
        time.sleep(60)
    return None


if __name__ == "__main__":
    agent.run()
