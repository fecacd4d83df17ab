# pyright: basic, reportMissingImports=false
# The peer is installed in an environment of its own, where nothing checks types.
"""The tasks that Celery's worker runs. Broker and result backend: a Redis whose socket the environment names.

Of a chain only the last result is asked for, so the others are not kept (``ignore_result``), as Celery's guide to optimizing says; a
worker fetches many short tasks at once, as it says too.
"""

import os

from celery import Celery

SOCKET = "PEERS_REDIS_SOCKET"
PREFETCH = 64

app = Celery("peers")
app.conf.update(
    broker_url=f"redis+socket://{os.environ[SOCKET]}",
    result_backend=f"redis+socket://{os.environ[SOCKET]}?virtual_host=1",
    worker_prefetch_multiplier=PREFETCH,
    broker_connection_retry_on_startup=True,
)


@app.task(name="step", ignore_result=True)
def step(n: int) -> int:
    return n + 1


@app.task(name="part")
def part(n: int) -> int:
    return n + 1


@app.task(name="join")
def join(parts: list[int]) -> int:
    return sum(parts)
