"""Durable steps a second: many quests at once, against the floor in the same run."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager

from benchmarks.bed import SUBMITTERS, Bed, Load, made, run_load
from benchmarks.bench import Bench, load
from benchmarks.definitions import CHAIN_STEPS, chain
from benchmarks.report import Figure, at_least, middle
from benchmarks.statistics import median, steady_rate

QUESTS = 1_000
MANY = 4_000
CAPACITY = 64
WARM_UP = 100
FROM_TO = (
    f"from before the first submit ({SUBMITTERS} clients) until the last completion was seen in the journal by another process; "
    "fresh daemon, then all runs on it, in the order given"
)


@contextmanager
def floor(bench: Bench) -> Generator[Bed]:
    """A floor process in place of the daemon, with the same agent program."""
    data = bench.data()
    process = bench.nursery.start("benchmarks.floor", str(data))
    bed = Bed(bench.nursery, data, process, process.json(60.0))
    try:
        bed.add_agent(CAPACITY)
        yield bed
    finally:
        bed.close()
        bed.forget()


def burst(bench: Bench, bed: Bed, quests: int) -> Load:
    """That many ten-step chains at once."""
    return run_load(bed, chain(), quests, CHAIN_STEPS, timeout_s=bench.left_s(120.0))


def throughput(bench: Bench) -> Iterator[Figure]:
    """Three loads in turn: the floor, 1,000 quests, 4,000 quests."""
    floors: list[Load] = []
    loads: list[Load] = []
    many: list[Load] = []
    with made(bench.nursery, bench.data(), capacity=CAPACITY) as bed, floor(bench) as ground:
        for warm in (ground, bed):
            burst(bench, warm, WARM_UP)
        for _ in range(bench.repeats):
            floors.append(burst(bench, ground, bench.size(QUESTS)))
            loads.append(burst(bench, bed, bench.size(QUESTS)))
            many.append(burst(bench, bed, bench.size(MANY)))
        pids = bed.pids | {f"floor {name}": pid for name, pid in ground.pids.items()}
    yield _steps(
        "throughput",
        f"steps/s, {bench.size(QUESTS):,} quests at once, ten-step chains",
        loads,
        8_000,
        pids,
    )
    yield _ratio("floor", "the same against the floor", loads, floors, 0.5, pids)
    yield _ratio("many", f"the same with {bench.size(MANY):,} quests", many, loads, 0.9, pids)


def capacity(bench: Bench) -> Iterator[Figure]:
    """An agent that does four things at once."""
    with made(bench.nursery, bench.data(), capacity=4) as bed:
        burst(bench, bed, WARM_UP)
        loads = [burst(bench, bed, bench.size(QUESTS)) for _ in range(bench.repeats)]
        pids = bed.pids
    title = f"steps/s, {bench.size(QUESTS):,} quests at once, agent of capacity 4"
    yield _steps("capacity_4", title, loads, 4_000, pids)


def _steps(name: str, title: str, loads: list[Load], bound: float, pids: dict[str, int]) -> Figure:
    runs = tuple(each.steps_per_s for each in loads)
    value, chosen = middle(runs)
    return Figure(
        name=name,
        title=title,
        unit="steps/s",
        measured=FROM_TO,
        value=value,
        target=at_least(bound),
        runs=runs,
        chosen=chosen,
        details={
            "best": max(runs),
            "steady (20–80 % of completions)": median(
                [steady_rate(one.completed_us) for one in loads]
            ),
            "submits/s": median([one.submits_per_s for one in loads]),
            "daemon's processor µs a step": median([one.cpu_us_a_step for one in loads]),
            "open at once": max(one.open_at_once for one in loads),
            "busy answers": sum(one.busy for one in loads),
        },
        pids=pids,
        load=load(),
    )


def _ratio(
    name: str,
    title: str,
    loads: list[Load],
    others: list[Load],
    bound: float,
    pids: dict[str, int],
) -> Figure:
    """Each run against its neighbour in time: the machine was the same."""
    runs = tuple(a.steps_per_s / b.steps_per_s for a, b in zip(loads, others, strict=True))
    value, chosen = middle(runs)
    return Figure(
        name=name,
        title=title,
        unit="×",
        measured="each run against the one beside it",
        value=value,
        target=at_least(bound),
        runs=runs,
        chosen=chosen,
        details={
            "steps/s here": median([one.steps_per_s for one in loads]),
            "steps/s there": median([one.steps_per_s for one in others]),
            "processor µs a step here": median([one.cpu_us_a_step for one in loads]),
            "processor µs a step there": median([one.cpu_us_a_step for one in others]),
        },
        pids=pids,
        load=load(),
    )
