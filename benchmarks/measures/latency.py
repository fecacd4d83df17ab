"""One step, one quest at a time: what a single client waits for."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from benchmarks.bed import Bed, made
from benchmarks.bench import Bench, load
from benchmarks.definitions import chain
from benchmarks.journal import Tail
from benchmarks.report import Figure, at_most
from benchmarks.statistics import median, percentile
from questd.messages.control import QuestRecords, ReadQuest, Submit, Submitted
from questd.messages.heads import TERMINAL

QUESTS = 1_000
WARM_UP = 100
WAIT_MS = 5_000
T = TypeVar("T")


def one_quest_ms(bed: Bed, definition: bytes) -> float:
    """From before the submit until the client holds the event that ended the quest, in milliseconds."""
    began = time.perf_counter()
    submitted = bed.ask(Submit(definition))
    assert isinstance(submitted, Submitted), submitted
    after = 0
    while True:
        found = bed.ask(ReadQuest(submitted.quest, after=after, wait_ms=WAIT_MS, until_end=True))
        assert isinstance(found, QuestRecords), found
        if found.head.status in TERMINAL:
            assert found.head.status == "completed", found.head
            return (time.perf_counter() - began) * 1e3
        after = found.records[-1].n if found.records else after


def aside(work: Callable[[], T]) -> T:
    """Run it on a thread of its own: on the main thread a caller hands its questions to another thread, for Ctrl-C's sake."""
    results: list[T] = []
    faults: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - raised below, on the thread that asked
            faults.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(0.2)
    if faults:
        raise faults[0]
    return results[0]


def latency(bench: Bench) -> Iterator[Figure]:
    """p50 and p99 of one client that submits, waits, submits again."""
    definition, quests = chain(1), bench.size(QUESTS)

    def measure(bed: Bed) -> list[float]:
        for _ in range(WARM_UP):
            one_quest_ms(bed, definition)
        tails.append(Tail(bed.data))
        return [one_quest_ms(bed, definition) for _ in range(quests)]

    tails: list[Tail] = []
    with made(bench.nursery, bench.data()) as bed:
        taken = aside(lambda: measure(bed))
        inside = journal_span_ms(tails[0])
        tails[0].close()
        pids = bed.pids
    details: dict[str, float | int | str] = {
        "journal's own span, submitted to completed, p50 ms": inside,
        "quests": quests,
        "slowest ms": max(taken),
    }
    for name, share, bound in (("p50", 0.5, 1.3), ("p99", 0.99, 4.0)):
        yield Figure(
            name=f"one_step_{name}",
            title=f"one step, one quest at a time, {name}",
            unit="ms",
            measured="one client: from before the submit until it holds the last event of the completed quest",
            value=percentile(taken, share),
            target=at_most(bound),
            runs=(percentile(taken, share),),
            chosen=f"{name} of {quests}",
            details=details,
            pids=pids,
            load=load(),
        )


def journal_span_ms(tail: Tail) -> float:
    """Median time between the first and the last event of a quest."""
    begun, ended = tail.times_us("quest.submitted"), tail.times_us("quest.completed")
    return median([(b - a) / 1e3 for a, b in zip(begun, ended, strict=True)])
