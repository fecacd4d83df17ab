"""questd itself, in the same shapes, on the beds of ``make bench``: a daemon, its historian, an agent and clients, all processes."""

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from benchmarks.bed import PROCESSES, SUBMITTERS, Bed, made, run_load
from benchmarks.definitions import chain, fan
from benchmarks.measures.latency import aside, one_quest_ms
from benchmarks.peers.catalogue import OURS, Peer
from benchmarks.peers.measured import Burst, Measured
from benchmarks.peers.workload import STEPS, WIDE, warm_up
from benchmarks.processes import Nursery

CAPACITY = 64


def measure(nursery: Nursery, data: Path, ours: Peer, limit_s: Callable[[], float]) -> Measured:
    """One round. TooSlow, ChildFailed, AssertionError when it was not done right."""
    with made(nursery, data, capacity=CAPACITY) as bed:
        run_load(bed, chain(STEPS), len(warm_up(ours.runs)), STEPS, timeout_s=limit_s())
        load = run_load(bed, chain(STEPS), ours.runs, STEPS, timeout_s=limit_s())
        chain_ms, fan_ms = aside(lambda: one_at_a_time(bed, ours))
        return Measured(
            peer=OURS,
            settings={
                "durability": "each event of a step in a synced commit; SQLite, journal_mode=wal, synchronous=FULL",
                "concurrency": f"a daemon, its historian, an agent of capacity {CAPACITY}; "
                f"{SUBMITTERS} clients (processes: {PROCESSES}) submit the many, one submits the single",
            },
            bursts=(Burst(1, ours.runs, (load.seen_us - load.began_us) / 1e6),),
            chain_ms=tuple(chain_ms),
            fan_ms=tuple(fan_ms),
            pids=bed.pids,
            versions={OURS: version(OURS)},
        )


def one_at_a_time(bed: Bed, ours: Peer) -> tuple[list[float], list[float]]:
    """Chains, then fan-outs (the first warms up), each in milliseconds until its client holds the end."""
    chains, fans = chain(STEPS), fan(WIDE)
    chain_ms = [one_quest_ms(bed, chains) for _ in range(ours.singles)]
    return chain_ms, [one_quest_ms(bed, fans) for _ in range(ours.fans + 1)][1:]
