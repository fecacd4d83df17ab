# pyright: basic, reportMissingImports=false
# The peer is installed in an environment of its own, where nothing checks types.
"""DBOS Transact on SQLite: a workflow of steps, each recorded before the next one begins.

The quickest of the documented ways that were tried: synchronous workflows on a pool of few threads for many runs, direct calls for one
run, coroutines gathered in one workflow for the fan-out (children started as workflows of their own took three times as long), and a
database in WAL mode (DBOS leaves SQLite's default, with which each step took twice as long).
"""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from dbos import DBOS, DBOSConfig

from benchmarks.peers.workload import (
    STEPS,
    WIDE,
    Script,
    Told,
    burst_in_shards,
    burst_of,
    chains_ms,
    check,
    fans_ms,
    sqlite_settings,
    warm_up,
)

THREADS = 4


@DBOS.step()
def step(n: int) -> int:
    return n + 1


@DBOS.step()
async def part(n: int) -> int:
    return n + 1


@DBOS.step()
async def join(parts: list[int]) -> int:
    return sum(parts)


@DBOS.workflow()
def chain(n: int) -> int:
    for _ in range(STEPS):
        n = step(n)
    return n


@DBOS.workflow()
async def fan(n: int) -> int:
    return await join(list(await asyncio.gather(*[part(n) for _ in range(WIDE)])))


def burst(runs: range) -> None:
    """All started, then all awaited."""
    handles = [DBOS.start_workflow(chain, n) for n in runs]
    check((handle.get_result() for handle in handles), runs)


def launch(folder: Path) -> Path:
    """DBOS on an empty database."""
    path = folder / "dbos.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("pragma journal_mode = wal")
    config: DBOSConfig = {
        "name": "peers",
        "system_database_url": f"sqlite:///{path}",
        "log_level": "ERROR",
        "run_admin_server": False,
        "max_executor_threads": THREADS,
    }
    DBOS(config=config)
    DBOS.launch()
    return path


def main() -> None:
    """Measure."""
    script = Script()
    size = script.size
    path = launch(size.folder)
    if size.shard:
        script.shard(burst)
    else:
        told = Told(
            "dbos",
            ("dbos", "sqlalchemy"),
            {
                "durability": f"each step and each run's begin and end in a transaction; {sqlite_settings(path)}",
                "concurrency": f"one process that starts, runs and awaits, {THREADS} threads",
            },
        )
        burst(warm_up(size.runs))
        told.bursts.append(burst_of(burst, size.runs))
        told.chain_ms = chains_ms(chain, size.singles)
        with asyncio.Runner() as runner:
            told.fan_ms = fans_ms(lambda n: runner.run(fan(n)), size.fans)
        told.bursts.append(burst_in_shards("benchmarks.peers.workloads.on_dbos", size))
        script.tell(told)
    DBOS.destroy()


if __name__ == "__main__":
    main()
