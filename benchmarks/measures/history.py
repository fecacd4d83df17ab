"""The history beside the work: how far it is behind, and what it costs."""

import threading
import time
from collections.abc import Iterator
from typing import Self

from benchmarks.bed import Bed, made
from benchmarks.bench import Bench, load
from benchmarks.journal import Tail
from benchmarks.measures.throughput import WARM_UP, burst
from benchmarks.report import Figure, at_most, middle
from benchmarks.statistics import lags_s, median, percentile
from questd.messages.history import HistoryInfo, HistoryStatus
from questd.runtime.errors import QuestdError

QUESTS = 2_000
SAMPLE_S = 0.02
CATCH_UP_S = 30.0


class Watch:
    """Asks the historian again and again how far it is. Samples: (wall time in µs *before* the question, seq)."""

    def __init__(self, bed: Bed) -> None:
        self._bed = bed
        self._over = threading.Event()
        self.samples: list[tuple[int, int]] = []
        self.unanswered = 0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(SAMPLE_S):
            now_us = time.time_ns() // 1_000
            try:
                info = self._bed.ask_history(HistoryStatus(), 5.0)
            except QuestdError:
                self.unanswered += 1
                continue
            if isinstance(info, HistoryInfo):
                # Late answers count in full: the time is taken when the answer is here.
                self.samples.append((max(now_us, time.time_ns() // 1_000), info.seq))


def history(bench: Bench) -> Iterator[Figure]:
    """The same load on a daemon with and one without a historian, in turn."""
    quests = bench.size(QUESTS)
    with_it: list[float] = []
    without: list[float] = []
    lags: list[float] = []
    unanswered = 0
    caught_up: list[float] = []
    with (
        made(bench.nursery, bench.data()) as bed,
        made(bench.nursery, bench.data(), history=False) as bare,
    ):
        for each in (bed, bare):
            burst(bench, each, WARM_UP)
        for _ in range(bench.repeats):
            tail = Tail(bed.data)
            with Watch(bed) as watch:
                with_it.append(burst(bench, bed, quests).steps_per_s)
            ended = time.monotonic()
            lags += lags_s(watch.samples, tail.times_us(), tail.first_seq)
            unanswered += watch.unanswered
            caught_up.append(_catch_up(bed, tail, ended))
            tail.close()
            without.append(burst(bench, bare, quests).steps_per_s)
        pids = bed.pids | {f"bare {name}": pid for name, pid in bare.pids.items()}
    yield _lag(lags, unanswered, max(caught_up), pids)
    yield _cost(with_it, without, pids)


def _catch_up(bed: Bed, tail: Tail, since: float) -> float:
    """Seconds until the history had everything."""
    wanted = tail.last_seq()
    while time.monotonic() < since + CATCH_UP_S:
        info = bed.ask_history(HistoryStatus())
        if isinstance(info, HistoryInfo) and info.seq >= wanted:
            break
        time.sleep(0.01)
    return time.monotonic() - since


def _lag(lags: list[float], unanswered: int, caught_up_s: float, pids: dict[str, int]) -> Figure:
    value = percentile(lags, 0.99)
    return Figure(
        name="history_lag",
        title="history behind the journal at full load, p99",
        unit="s",
        measured="asked of the historian every 20 ms: age of the oldest journal event that it had not committed yet",
        value=value,
        target=at_most(1.0),
        runs=(value,),
        chosen=f"p99 of {len(lags)} samples",
        details={
            "p50 s": percentile(lags, 0.5),
            "longest s": max(lags),
            "caught up after the load, s": caught_up_s,
            "unanswered": unanswered,
        },
        pids=pids,
        load=load(),
    )


def _cost(with_it: list[float], without: list[float], pids: dict[str, int]) -> Figure:
    runs = tuple(100 * (1 - a / b) for a, b in zip(with_it, without, strict=True))
    value, chosen = middle(runs)
    return Figure(
        name="history_cost",
        title="what the history costs of the throughput",
        unit="%",
        measured="the same load on a daemon with and one without a historian, in turn; each pair of neighbours",
        value=value,
        target=at_most(15.0),
        runs=runs,
        chosen=chosen,
        details={"steps/s with": median(with_it), "steps/s without": median(without)},
        pids=pids,
        load=load(),
    )
