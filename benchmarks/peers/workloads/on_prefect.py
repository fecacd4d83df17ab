# pyright: basic, reportMissingImports=false
# The peer is installed in an environment of its own, where nothing checks types.
"""Prefect with a server of its own on SQLite: flows whose tasks report each of their states to the server.

Plain calls for the chain (submitting each to the task runner took a quarter longer), flows in threads for many at once, ``map`` for the
fan-out. No logs to the server, no analytics, no user interface.
"""

import os
import socket
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor

from benchmarks.peers.workload import (
    STEPS,
    WIDE,
    Script,
    Told,
    burst_of,
    chains_ms,
    check,
    fans_ms,
    server,
    until,
    warm_up,
)
from benchmarks.processes import Nursery

THREADS = 4
HOST = "127.0.0.1"


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def start_server(nursery: Nursery, script: Script) -> int:
    """On a free port, with a database in the folder; its pid."""
    port = free_port()
    os.environ |= {
        "PREFECT_HOME": str(script.size.folder),
        "PREFECT_API_URL": f"http://{HOST}:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_LOGGING_LEVEL": "ERROR",
        "PREFECT_LOGGING_TO_API_ENABLED": "false",
    }
    where = ("--host", HOST, "--port", str(port), "--no-ui")
    command = [sys.executable, "-m", "prefect", "server", "start", *where]
    pid = server(nursery, command, "prefect")
    until(answers, "the server answers")
    return pid


def answers() -> bool:
    """Is the server healthy?"""
    try:
        with urllib.request.urlopen(f"{os.environ['PREFECT_API_URL']}/health", timeout=5) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


def measured(script: Script, told: Told) -> None:
    """The server runs."""
    from prefect import flow, task  # noqa: PLC0415 - reads the environment when it is imported

    @task
    def step(n: int) -> int:
        return n + 1

    @task
    def join(parts: list[int]) -> int:
        return sum(parts)

    @flow
    def chain(n: int) -> int:
        for _ in range(STEPS):
            n = step(n)
        return n

    @flow
    def fan(n: int) -> int:
        return join(step.map([n] * WIDE))

    def burst(runs: range) -> None:
        with ThreadPoolExecutor(THREADS) as threads:
            check(threads.map(chain, runs), runs)

    size = script.size
    burst(warm_up(size.runs))
    told.fan_ms = fans_ms(fan, size.fans)
    told.bursts.append(burst_of(burst, size.runs))
    told.chain_ms = chains_ms(chain, size.singles)


def main() -> None:
    """Measure."""
    script = Script()
    with Nursery(script.size.folder / "logs") as nursery:
        pids = {"prefect server": start_server(nursery, script)}
        told = Told(
            "prefect",
            ("prefect", "fastapi", "sqlalchemy"),
            {
                "durability": "states of tasks reach the server as events, later; SQLite, journal_mode=wal, synchronous=NORMAL",
                "concurrency": f"a server, a process that runs flows in {THREADS} threads",
            },
            pids=pids,
        )
        measured(script, told)
        script.tell(told)


if __name__ == "__main__":
    main()
