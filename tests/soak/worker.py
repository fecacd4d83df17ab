"""The agents of the soak: ``python -m tests.soak.worker URL``. Each call is in the ledger, on disk, before the tool does anything.

$AGENT, $CAPACITY and $LEDGER say what it is.
"""

import json
import os
import sys
import time

from questd.agent import Agent, Context, ToolError
from tests.soak.work import mixed
from tests.system.parent import die_with_parent

agent = Agent(os.environ["AGENT"], capacity=int(os.environ["CAPACITY"]))
ledger = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def enter(ctx: Context) -> None:
    line = {
        "quest": ctx.quest,
        "task": ctx.task,
        "attempt": ctx.attempt,
        "key": ctx.idempotency_key,
        "pid": os.getpid(),
        "at_us": time.time_ns() // 1_000,
    }
    os.write(ledger, json.dumps(line).encode() + b"\n")
    os.fdatasync(ledger)


@agent.tool
def mix(ctx: Context, values: list[int], salt: int, seconds: float, fails: int) -> int:
    enter(ctx)
    time.sleep(seconds)
    if ctx.attempt <= fails:
        raise ToolError("not yet", kind="shaky", retryable=True)
    return mixed(values, salt)


if __name__ == "__main__":
    die_with_parent()
    agent.run(sys.argv[1])
