"""How large the daemon is while it works: memory, descriptors, threads, and whether they grow."""

import os
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct

MEMORY_GROWTH = 1.15
MEMORY_SLACK_MB = 8.0
DESCRIPTOR_SLACK = 8
THREAD_SLACK = 2
THREADS_LEAST = 10
"""Of a daemon that serves."""
TREND_LEAST = 9
"""Samples of one life without which there is no trend."""


class Sample(Struct, frozen=True):
    """At ``at_s`` of the soak, in the daemon's ``life``. ``quests``: submitted until then, where that is counted."""

    at_s: float
    life: int
    memory_mb: float
    descriptors: int
    threads: int
    quests: int = 0


def measure(pid: int, at_s: float, life: int, quests: int = 0) -> Sample | None:
    """None when the process is gone, or is only beginning. From /proc: Linux only."""
    proc = Path(f"/proc/{pid}")
    try:
        pages = int((proc / "statm").read_text().split()[1])
        descriptors = sum(1 for _ in (proc / "fd").iterdir())
        threads = sum(1 for _ in (proc / "task").iterdir())
    except (OSError, IndexError):
        return None
    if threads < THREADS_LEAST:
        return None
    memory_mb = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    return Sample(round(at_s, 1), life, round(memory_mb, 1), descriptors, threads, quests)


class Sampler:
    """Samples at intervals, in a thread of its own."""

    def __init__(self, every_s: float, look: Callable[[float], Sample | None]) -> None:
        self._every_s = every_s
        self._look = look
        self._over = threading.Event()
        self._began_s = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="sampler")
        self.samples: list[Sample] = []

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(self._every_s):
            sample = self._look(time.monotonic() - self._began_s)
            if sample is not None:
                self.samples.append(sample)


def last_life(samples: Sequence[Sample], settle_s: float) -> list[Sample]:
    """Those of the last daemon, from when it had settled."""
    own = [sample for sample in samples if sample.life == samples[-1].life] if samples else []
    return [sample for sample in own if sample.at_s >= own[0].at_s + settle_s]


def trend(samples: Sequence[Sample]) -> str | None:
    """What grows, in words: the last third against the first. None when all is flat, or there is too little to say."""
    if len(samples) < TREND_LEAST:
        return None
    third = len(samples) // 3
    first, last = samples[:third], samples[-third:]

    def middle(part: Sequence[Sample], name: str) -> float:
        return float(statistics.median(getattr(sample, name) for sample in part))

    memory, before = middle(last, "memory_mb"), middle(first, "memory_mb")
    if memory > before * MEMORY_GROWTH + MEMORY_SLACK_MB:
        return f"memory grew from {before:.0f} to {memory:.0f} MB"
    for name, slack in (("descriptors", DESCRIPTOR_SLACK), ("threads", THREAD_SLACK)):
        if middle(last, name) > middle(first, name) + slack:
            return f"{name} grew from {middle(first, name):.0f} to {middle(last, name):.0f}"
    return None


def table(samples: Sequence[Sample], rows: int = 30) -> str:
    """At most about so many of them, as text."""
    step = max(1, len(samples) // rows)
    lines = ["   time s  life  memory MB  descriptors  threads  quests"]
    lines += [
        f"{s.at_s:9.1f} {s.life:5d} {s.memory_mb:10.1f} {s.descriptors:12d} {s.threads:8d} {s.quests:7d}"
        for s in samples[::step]
    ]
    return "\n".join(lines)
