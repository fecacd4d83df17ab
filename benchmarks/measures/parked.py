"""Quests that wait: what they cost, how fast they come in, and how long a daemon with many of them takes to be back after a crash."""

import shutil
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.bed import Bed, Load, Submitters, opened, until
from benchmarks.bench import Bench, load
from benchmarks.definitions import ABSENT, chain
from benchmarks.journal import Tail
from benchmarks.processes import memory_bytes
from benchmarks.report import Figure, at_least, at_most

PARKED = 100_000
RUNNING = 1_000
LONG = 1_000
"""Steps of a running quest: more than it can do before the daemon is killed."""
CLIENTS = 16
WARM_UP = 500
SETTLE_S = 3.0
REST_S = 60.0


@dataclass
class Parking:
    """What came of parking them. Bytes of the daemon's resident memory before and after."""

    quests: int
    load: Load
    before: int
    after: int

    @property
    def each(self) -> float:
        """Bytes a quest."""
        return (self.after - self.before) / self.quests


def parked(bench: Bench) -> Iterator[Figure]:
    """Park them, look at the memory; then kill the daemon at work and start it again."""
    data, quests = bench.data(), bench.size(PARKED)
    shutil.rmtree(data, ignore_errors=True)
    url = f"tcp://127.0.0.1:{free_port()}"
    bed = opened(bench.nursery, data, listen=url)
    try:
        parking = park(bench, bed, quests)
        yield _memory(parking, bed)
        yield _rate(parking, bed)
        yield restart(bench, bed, url, quests)
    finally:
        bed.close()
        bed.forget()


def free_port() -> int:
    """A port of the loopback that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def park(bench: Bench, bed: Bed, quests: int) -> Parking:
    """Submit quests of an agent that nobody runs, and wait until all rest."""
    submit(bench, bed, chain(1, ABSENT), WARM_UP)
    resting(bench, bed, WARM_UP)
    before = settled_bytes(bed.daemon.pid)
    taken = submit(bench, bed, chain(1, ABSENT), quests)
    resting(bench, bed, WARM_UP + quests)
    return Parking(quests, taken, before, settled_bytes(bed.daemon.pid))


def submit(bench: Bench, bed: Bed, definition: bytes, quests: int) -> Load:
    """By sixteen client processes; from before the first submit to the last answer, each of which says "on disk"."""
    path = bed.data.with_suffix(".definition")
    path.write_bytes(definition)
    submitters = Submitters(
        bed.nursery,
        bed.addresses["control"],
        path,
        quests,
        clients=CLIENTS,
        processes=CLIENTS,
    )
    submitters.go()
    reports = submitters.reports(bench.left_s(180.0))
    return Load(
        quests,
        0,
        min(report["began_us"] for report in reports),
        max(report["ended_us"] for report in reports),
        0,
        sum(report["busy"] for report in reports),
        [taken for report in reports for taken in report["taken_us"]],
        [],
    )


def resting(bench: Bench, bed: Bed, quests: int) -> None:
    """Wait until so many have written down what they wait for and have no actor any more."""
    tail = Tail(bed.data)
    try:
        until(lambda: tail.waiting() >= quests, bench.left_s(REST_S), f"{quests} quests at rest")
    finally:
        tail.close()


def settled_bytes(pid: int) -> int:
    """Resident memory once it no longer moves."""
    time.sleep(SETTLE_S)
    return memory_bytes(pid)


def _memory(parking: Parking, bed: Bed) -> Figure:
    return Figure(
        name="parked_memory",
        title=f"{parking.quests:,} parked quests: memory each",
        unit="bytes",
        measured="growth of the daemon's resident memory over all of them (journal caches and what the submits left behind included)",
        value=parking.each,
        target=at_most(1_024),
        runs=(parking.each,),
        chosen="one run",
        details={
            "MB before": parking.before / 1e6,
            "MB after": parking.after / 1e6,
        },
        pids=bed.pids,
        load=load(),
    )


def _rate(parking: Parking, bed: Bed) -> Figure:
    taken = parking.load
    return Figure(
        name="submit_rate",
        title=f"{parking.quests:,} submits by {CLIENTS} clients",
        unit="quests/s",
        measured="sixteen processes, one submit under way each, every answer durable: from before the first to the last answer",
        value=taken.submits_per_s,
        target=at_least(3_000),
        runs=(taken.submits_per_s,),
        chosen="one run",
        details={
            "submit p50 ms": sorted(taken.submit_us)[len(taken.submit_us) // 2] / 1e3,
            "busy answers": taken.busy,
        },
        pids=bed.pids,
        load=load(),
    )


def restart(bench: Bench, bed: Bed, url: str, parked_quests: int) -> Figure:
    """SIGKILL under full load, then the time to the first step that the new daemon gave out."""
    running = bench.size(RUNNING)
    bed.add_agent(64, url)
    submit(bench, bed, chain(LONG), running)
    tail = Tail(bed.data)
    try:
        bed.daemon.kill()
        tail.first_seq = tail.last_seq() + 1
        again = opened_again(bench, bed, url)
        began_us, ready_us = again.daemon.started_us, time.time_ns() // 1_000
        tail.wait_for("attempt.started", 1, bench.left_s(60.0))
        first_us = tail.times_us("attempt.started")[0]
        done_us = first_new_completion_us(bench, tail)
    finally:
        tail.close()
    value = (done_us - began_us) / 1e6
    return Figure(
        name="restart",
        title=f"restart with {parked_quests:,} parked and {running:,} running: to first dispatch",
        unit="s",
        measured="daemon killed (SIGKILL) under load: from the start of the new process until the first attempt that it gave out "
        "had been done by the agent, which redialled by itself",
        value=value,
        target=at_most(5.0),
        runs=(value,),
        chosen="one run",
        details={
            "first attempt.started, s": (first_us - began_us) / 1e6,
            "answers and its historian too, s": (ready_us - began_us) / 1e6,
            "MB after the restart": memory_bytes(again.daemon.pid) / 1e6,
        },
        pids=again.pids,
        load=load(),
    )


def opened_again(bench: Bench, bed: Bed, url: str) -> Bed:
    """The same directory, a new daemon; the old bed's agents go with the new one, which the old one's owner ends."""
    again = opened(bench.nursery, bed.data, listen=url)
    again.agents = bed.agents
    bed.daemon, bed.addresses = again.daemon, again.addresses
    return again


def first_new_completion_us(bench: Bench, tail: Tail) -> int:
    """When the first attempt that began after ``tail`` did was completed."""
    found: list[int] = []

    def look() -> bool:
        found.extend(tail.first_completion())
        return bool(found)

    until(look, bench.left_s(60.0), "a step completed after the restart")
    return found[0]
