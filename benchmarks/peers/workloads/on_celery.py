# pyright: basic, reportMissingImports=false
# The peer is installed in an environment of its own, where nothing checks types.
"""Celery on a Redis of its own (a Unix socket in a private folder, nothing on disk) with one prefork worker.

The fan-out is a chord.
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import redis

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

WAIT_S = 60.0
PROCESSES = os.cpu_count() or 1
SOCKET = "PEERS_REDIS_SOCKET"


def start_redis(nursery: Nursery, folder: str) -> tuple[int, str]:
    """An empty one; its pid and version."""
    socket = os.environ[SOCKET] = str(Path(folder) / "redis.sock")
    options = ("--port", "0", "--unixsocket", socket, "--unixsocketperm", "600", "--dir", folder)
    keep_nothing = ("--save", "", "--appendonly", "no")
    pid = server(nursery, ["redis-server", *options, *keep_nothing], "redis")
    client = redis.Redis(unix_socket_path=socket)

    def answers() -> bool:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False

    until(answers, "redis answers")
    info: Any = client.info("server")
    client.close()
    return pid, str(info["redis_version"])


def start_worker(nursery: Nursery) -> int:
    """One worker with a process a core, without the gossip of clusters."""
    app = ("-A", "benchmarks.peers.workloads.celery_tasks", "worker", "--loglevel", "ERROR")
    alone = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    pool = ("--pool", "prefork", "--concurrency", str(PROCESSES))
    return server(nursery, [sys.executable, "-m", "celery", *app, *alone, *pool], "celery")


def measured(script: Script, told: Told) -> None:
    """Redis and the worker run."""
    from celery import chain, chord  # noqa: PLC0415 - the tasks read the environment when they are imported

    from benchmarks.peers.workloads.celery_tasks import join, part, step  # noqa: PLC0415

    size = script.size

    def start(n: int) -> Any:
        # Made anew each time: a chain that is sent twice has the same ids, and its old result answers at once.
        return chain(step.s(n), *[step.s() for _ in range(STEPS - 2)], part.s()).apply_async()

    def fan(n: int) -> int:
        return int(chord([part.s(n) for _ in range(WIDE)])(join.s()).get(timeout=WAIT_S))

    def burst(runs: range) -> None:
        results = [start(n) for n in runs]
        check((result.get(timeout=WAIT_S) for result in results), runs)

    burst(warm_up(size.runs))
    told.bursts.append(burst_of(burst, size.runs))
    told.chain_ms = chains_ms(lambda n: start(n).get(timeout=WAIT_S), size.singles)
    told.fan_ms = fans_ms(fan, size.fans)


def main() -> None:
    """Measure."""
    script = Script()
    with (
        tempfile.TemporaryDirectory(prefix="peers-") as folder,
        Nursery(script.size.folder / "logs") as nursery,
    ):
        redis_pid, redis_version = start_redis(nursery, folder)
        pids = {"redis-server": redis_pid, "celery worker": start_worker(nursery)}
        told = Told(
            "celery",
            ("celery", "kombu", "redis"),
            {
                "durability": f"none: Redis {redis_version} keeps nothing on disk, a task is acknowledged before it runs",
                "concurrency": f"a client, Redis, a worker of {PROCESSES} processes",
            },
            pids=pids,
        )
        measured(script, told)
        script.tell(told)


if __name__ == "__main__":
    main()
