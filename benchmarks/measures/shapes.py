"""One large quest: wide, and long."""

from collections.abc import Iterator

from benchmarks.bed import Bed, Load, made, run_load
from benchmarks.bench import Bench, load
from benchmarks.definitions import chain, each, fan
from benchmarks.measures.throughput import WARM_UP, burst
from benchmarks.report import Figure, at_least, at_most, middle
from benchmarks.statistics import growth, steady_rate

WIDE = 5_000
LONG = 10_000
ITEMS = 1_000
WINDOW = 1_000


def one(bench: Bench, bed: Bed, definition: bytes, steps: int) -> Load:
    """One quest, from one client."""
    timeout_s = bench.left_s(150.0)
    return run_load(bed, definition, 1, steps, clients=1, processes=1, timeout_s=timeout_s)


def parallel(bench: Bench) -> Iterator[Figure]:
    """All steps at once, then a join."""
    steps = bench.size(WIDE)
    yield _at_once(
        bench,
        fan(steps),
        steps + 1,
        name="parallel",
        title=f"one quest, {steps:,} parallel steps and a join",
        measured="from before the submit, checking and compiling the definition included (the first run: the others find it compiled), "
        "until the quest was seen completed in the journal",
    )


def items(bench: Bench) -> Iterator[Figure]:
    """All items of a list at once, then a join."""
    count = bench.size(ITEMS)
    yield _at_once(
        bench,
        each(count),
        count + 1,
        name="items",
        title=f"one quest, for_each of {count:,} items and a join",
        measured="from before the submit, rendering the list and gathering the results included, until the quest was seen completed in the journal",
    )


def _at_once(
    bench: Bench, definition: bytes, steps: int, *, name: str, title: str, measured: str
) -> Figure:
    """One quest again and again."""
    with made(bench.nursery, bench.data()) as bed:
        burst(bench, bed, WARM_UP)
        loads = [one(bench, bed, definition, steps) for _ in range(bench.repeats)]
        pids = bed.pids
    runs = tuple(each.steps_per_s for each in loads)
    value, chosen = middle(runs)
    return Figure(
        name=name,
        title=title,
        unit="steps/s",
        measured=measured,
        value=value,
        target=at_least(5_000),
        runs=runs,
        chosen=chosen,
        details={
            "steady": steady_rate(loads[-1].completed_us),
            "submit ms, first": loads[0].submit_us[0] / 1e3,
            "submit ms, last": loads[-1].submit_us[0] / 1e3,
        },
        pids=pids,
        load=load(),
    )


def long_chain(bench: Bench) -> Iterator[Figure]:
    """Is the last step as fast as the first?"""
    steps, window = bench.size(LONG), bench.size(WINDOW)
    with made(bench.nursery, bench.data()) as bed:
        burst(bench, bed, WARM_UP)
        loads = [one(bench, bed, chain(steps), steps) for _ in range(bench.repeats)]
        pids = bed.pids
    runs = tuple(growth(each.completed_us, window - 1) for each in loads)
    value, chosen = middle(runs)
    yield Figure(
        name="long_chain",
        title=f"one quest, chain of {steps:,}: last {window:,} steps against the first",
        unit="×",
        measured="time between the completions of the first and of the last steps, by the journal",
        value=value,
        target=at_most(1.3),
        runs=runs,
        chosen=chosen,
        details={"steps/s": loads[-1].steps_per_s, "submit ms": loads[0].submit_us[0] / 1e3},
        pids=pids,
        load=load(),
    )
