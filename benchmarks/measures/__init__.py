"""The measurements, by the name that ``--only`` takes."""

from collections.abc import Callable, Iterator

from benchmarks.bench import Bench
from benchmarks.measures.history import history
from benchmarks.measures.latency import latency
from benchmarks.measures.parked import parked
from benchmarks.measures.shapes import items, long_chain, parallel
from benchmarks.measures.startup import startup
from benchmarks.measures.throughput import capacity, throughput
from benchmarks.measures.timers import timers
from benchmarks.report import Figure

MEASURES: dict[str, Callable[[Bench], Iterator[Figure]]] = {
    "throughput": throughput,
    "capacity": capacity,
    "latency": latency,
    "parallel": parallel,
    "items": items,
    "chain": long_chain,
    "parked": parked,
    "timers": timers,
    "history": history,
    "startup": startup,
}

__all__ = ["MEASURES"]
