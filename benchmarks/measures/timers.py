"""Quests that sleep: what a timer costs a daemon that has many, and whether they fire on time when it was killed meanwhile."""

import shutil
import time
import tracemalloc
from collections.abc import Iterator

from benchmarks.bed import Bed, opened, until
from benchmarks.bench import Bench, load
from benchmarks.definitions import nap
from benchmarks.journal import Tail
from benchmarks.measures.parked import (
    WARM_UP,
    free_port,
    opened_again,
    resting,
    settled_bytes,
    submit,
)
from benchmarks.report import Figure, at_most
from questd.actors.directory.alarms import Alarms
from questd.messages.control import Submit, Submitted
from questd.messages.payload import EMPTY_OBJECT

TIMERS = 100_000
FAR_S = 30 * 86_400
DUE = 50
"""Quests that come due in each second …"""
SECONDS = 20
"""… of so many, the first of which begins …"""
FIRST_S = 20
"""… so long after they were submitted: the daemon is back by then."""


def timers(bench: Bench) -> Iterator[Figure]:
    """Let them sleep, kill the daemon, start it again, and see when the first of them wake."""
    data, quests = bench.data(), bench.size(TIMERS)
    shutil.rmtree(data, ignore_errors=True)
    url = f"tcp://127.0.0.1:{free_port()}"
    bed = opened(bench.nursery, data, listen=url)
    try:
        submit(bench, bed, nap(FAR_S), WARM_UP)
        resting(bench, bed, WARM_UP)
        again_s, few = killed(bench, bed, url)
        submit(bench, bed, nap(FAR_S), quests)
        resting(bench, bed, WARM_UP + quests)
        due = {second: soon(bed, FIRST_S + second) for second in range(SECONDS)}
        resting(bench, bed, WARM_UP + quests + DUE * SECONDS)
        again_s, many = killed(bench, bed, url)
        yield _index(bench)
        yield _memory(bed, quests, few, many)
        yield _lateness(bench, bed, due, again_s)
    finally:
        bed.close()
        bed.forget()


def soon(bed: Bed, seconds: int) -> list[str]:
    """Quests that sleep so long; their ids."""
    definition = nap(seconds)
    answers = [bed.ask(Submit(definition, EMPTY_OBJECT)) for _ in range(DUE)]
    return [answer.quest for answer in answers if isinstance(answer, Submitted)]


def killed(bench: Bench, bed: Bed, url: str) -> tuple[float, int]:
    """SIGKILL, and a new daemon: how long until it knew all of them, and its memory then."""
    bed.daemon.kill()
    began_s = time.monotonic()
    again = opened_again(bench, bed, url)
    taken_s = time.monotonic() - began_s
    return taken_s, settled_bytes(again.daemon.pid)


def _index(bench: Bench) -> Figure:
    count, alarms = bench.size(TIMERS), Alarms()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for n in range(count):
            alarms.set(f"q_{n:018d}", n)
        each = (tracemalloc.get_traced_memory()[0] - before) / count
    finally:
        tracemalloc.stop()
    return Figure(
        name="timer_memory",
        title=f"a timer among {count:,}",
        unit="bytes",
        measured="the daemon's index of who is to be woken when, filled in this process; the quests' ids included",
        value=each,
        target=at_most(300),
        runs=(each,),
        chosen="one run",
        load=load(),
    )


def _memory(bed: Bed, quests: int, few: int, many: int) -> Figure:
    each = (many - few) / quests
    return Figure(
        name="sleeper_memory",
        title=f"{quests:,} quests asleep: memory each after a restart",
        unit="bytes",
        measured="resident memory of a daemon that was started with all of them, less that of one that was started with "
        f"{WARM_UP}; reading the heads at the start included",
        value=each,
        target=at_most(1_024),
        runs=(each,),
        chosen="one run",
        details={"MB with few": few / 1e6, "MB with all": many / 1e6},
        pids=bed.pids,
        load=load(),
    )


def _lateness(bench: Bench, bed: Bed, due: dict[int, list[str]], again_s: float) -> Figure:
    """From the moment that a sleep was to end until the event that says so; that of one that was early is negative."""
    wanted = sum(map(len, due.values()))
    tail = Tail(bed.data)
    tail.first_seq = 1
    try:
        woken = bench.left_s(FIRST_S + SECONDS + 30.0)
        until(lambda: tail.count("task.woke") >= wanted, woken, f"{wanted} sleeps ended")
        late = sorted(
            (woke_us - started_us) / 1e6 - FIRST_S - second
            for second, quests in due.items()
            for quest in quests
            for started_us, woke_us in [tail.sleep_of(quest)]
        )
    finally:
        tail.close()
    return Figure(
        name="timer_lateness",
        title=f"of {wanted:,} of them that end after the restart, {DUE} a second: the latest",
        unit="s",
        measured="from the moment at which a sleep was to end to its task.woke in the journal; none may be early",
        value=late[-1],
        target=at_most(1.0),
        runs=(late[-1],),
        chosen="the latest",
        details={
            "earliest, s": late[0],
            "p50, s": late[len(late) // 2],
            "p99, s": late[len(late) * 99 // 100],
            "started again within, s": again_s,
        },
        pids=bed.pids,
        load=load(),
        fault="a sleep ended early" if late[0] < 0 else "",
    )
