"""Daemons and agents within 50 ms: ``python -m tests.crash.hatchery`` loads everything once and forks for each.

It never opens a socket and has no threads, so forking is safe. One line of JSON in, one process: ``{"daemon": plan}`` is waited for, and
its end is said (``{"ended": status}``); ``{"agent": url, "env": {…}}`` is not (``{"pid": …}``). Ends when its input does.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from tests.crash import mortal, worker


def main() -> None:
    for line in mortal.lines(0):
        order: Any = json.loads(line)
        match order:
            case {"daemon": plan}:
                hatch_daemon(plan)
            case {"agent": url, "env": env}:
                hatch_agent(url, env)
            case _:
                pass  # it was for a daemon that died before it could read it


def hatch_daemon(plan: dict[str, object]) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if not pid:
        leave_after(lambda: mortal.serve(plan))
    _, status = os.waitpid(pid, 0)
    mortal.say({"ended": status})


def hatch_agent(url: str, env: dict[str, str]) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    parent = os.getpid()
    pid = os.fork()
    if not pid:
        os.environ.update(env)
        leave_after(lambda: worker.serve(url, parent))
    mortal.say({"pid": pid})


def leave_after(work: Callable[[], None]) -> None:
    code = 1
    try:
        work()
        code = 0
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
