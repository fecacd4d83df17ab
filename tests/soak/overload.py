"""Ten times what the agents can take: memory stays bounded, the daemon says ``busy`` in so many words, and nothing it accepted is lost.

First a load that it can take, for comparison; then clients that submit as fast as they can and do not wait when they are told to, beside
polite ones, over agents that are too few; at the end more agents come, and everything accepted must end.

How long an accepted submit takes is what the polite clients see, in a process that is not itself overloaded. The flood runs at a lower
priority: on the same processors it would otherwise starve the daemon of time, which says nothing of the daemon.
"""

import json
import math
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from msgspec import Struct, field

from questd.messages import events as ev
from questd.runtime.journal.sqlite import SqliteStore
from tests.soak import chaos
from tests.soak.flood import STEP_TAKES_S
from tests.soak.house import House, say
from tests.soak.samples import Sample, Sampler, last_life, measure, table, trend
from tests.soak.verdict import calls_of
from tests.soak.work import AGENT
from tests.system.place import Process
from tests.system.rules import check_calls, check_completions, check_numbers

FEW = 4
"""Slots while it is overloaded."""
MANY = 64
FLOOD_NICE = 10
TAKES_A_SECOND = FEW / STEP_TAKES_S


class Plan(Struct, frozen=True):
    """``limits``: of the daemon. ``clients`` of each of the ``floods`` processes. ``times``: what the agents can take is offered; 0: as much as goes."""

    seconds: float
    normal_s: float = 20.0
    floods: int = 2
    clients: int = 32
    times: float = 0.0
    limits: dict[str, int] = field(default_factory=lambda: {"open_quests": 20_000})
    sample_s: float = 2.0
    settle_s: float = 30.0
    quiet: bool = False


class Seen(Struct):
    """What the clients of one kind were told."""

    took_us: list[int] = []
    busy: int = 0
    waits_ms: set[int] = set()
    faults: list[str] = []
    seconds: float = 0.0

    def percentile_ms(self, part: float) -> float:
        ordered = sorted(self.took_us)
        return ordered[math.ceil(part * len(ordered)) - 1] / 1_000 if ordered else 0.0

    @property
    def offered(self) -> float:
        """A second."""
        return (len(self.took_us) + self.busy) / max(0.001, self.seconds)


class Outcome(Struct):
    """What was seen."""

    normal: Seen
    rude: Seen
    polite: Seen
    accepted: int
    ended: int
    samples: list[Sample]
    wrong: list[str]


class Clients:
    """Processes of clients of one kind."""

    def __init__(self, house: House, name: str, count: int, **plan: Any) -> None:
        accepted = str(house.folder / "accepted")
        text = json.dumps({"accepted": accepted, **plan})
        command = [sys.executable, "-m", "tests.soak.flood", house.addresses["control"], text]
        self._began_s = time.monotonic()
        self._log = house.folder / f"{name}.log"
        self._processes = [Process(command, self._log, {}) for _ in range(count)]
        self._lines: SimpleQueue[bytes] = SimpleQueue()
        self._readers = [Thread(target=self._read, args=(one,)) for one in self._processes]
        for reader in self._readers:
            reader.start()

    def _read(self, process: Process) -> None:
        assert process.popen.stdout is not None
        for line in process.popen.stdout:
            self._lines.put(line)

    def end(self) -> Seen:
        """Stop them; what they saw."""
        seen = Seen(seconds=time.monotonic() - self._began_s)
        for process in self._processes:
            assert process.popen.stdin is not None
            process.popen.stdin.close()
        for process in self._processes:
            process.wait()
        for reader in self._readers:
            reader.join()
        for process in self._processes:
            assert process.popen.stdout is not None
            process.popen.stdout.close()
        while True:
            try:
                add(seen, json.loads(self._lines.get_nowait()))
            except Empty:
                return seen


def add(seen: Seen, line: dict[str, Any]) -> None:
    seen.took_us += line["took_us"]
    seen.busy += line["busy"]
    seen.waits_ms |= set(line["waits_ms"])
    seen.faults += line["faults"]


def run(folder: Path, plan: Plan) -> Outcome:
    """A whole overload in this folder."""
    house = House(folder, history=False, limits=plan.limits)
    try:
        return _run(house, plan)
    finally:
        house.close()


def _run(house: House, plan: Plan) -> Outcome:
    house.begin()
    house.start_worker(f"{AGENT}0", AGENT, FEW)
    polite = {"clients": 8, "rate": TAKES_A_SECOND / 2, "patient": True}
    normal = let_run(plan.normal_s, Clients(house, "normal", 1, **polite))
    sampler = Sampler(plan.sample_s, lambda at_s: measure(house.daemon.pid, at_s, house.lives))
    sampler.start()
    try:
        rate = plan.times * TAKES_A_SECOND / plan.floods
        rude = {"clients": plan.clients, "rate": rate, "patient": False, "nice": FLOOD_NICE}
        rude_ones = Clients(house, "rude", plan.floods, **rude)
        polite_ones = Clients(house, "polite", 1, **polite)
        wait(plan, house)
        told, kind = rude_ones.end(), polite_ones.end()
    finally:
        sampler.stop()
    finish(house)
    house.end_daemon()
    accepted = set((house.folder / "accepted").read_text().split())
    wrong, ended = judge(house, accepted)
    wrong += complaints(normal, told, kind, sampler.samples, plan)
    return Outcome(normal, told, kind, len(accepted), ended, sampler.samples, wrong)


def let_run(seconds: float, clients: Clients) -> Seen:
    time.sleep(seconds)
    return clients.end()


def wait(plan: Plan, house: House) -> None:
    end_s, shown_s = time.monotonic() + plan.seconds, time.monotonic()
    while time.monotonic() < end_s:
        time.sleep(0.05)
        if not plan.quiet and time.monotonic() - shown_s > 15:
            shown_s = time.monotonic()
            accepted = (house.folder / "accepted").read_bytes().count(b"\n")
            say(f"{accepted} accepted, {measure(house.daemon.pid, 0, 1)}")


def finish(house: House) -> None:
    """Enough agents come, and what was accepted is done."""
    for number in range(1, 3):
        house.start_worker(f"{AGENT}{number}", AGENT, MANY)
    chaos.await_ends(house, chaos.Plan(0, 0, finish_s=600.0))


def judge(house: House, accepted: set[str]) -> tuple[list[str], int]:
    """Nothing accepted is lost, nothing was done twice."""
    wrong: list[str] = []
    calls = calls_of(house.ledger_file)
    with SqliteStore.open_reader(house.data) as reader:
        heads = {head.quest: head.status for head in reader.heads()}
        lost = accepted - set(heads)
        wrong += [f"{len(lost)} accepted quests are lost: {sorted(lost)[:5]}"] if lost else []
        for quest, status in heads.items():
            try:
                assert status == "completed", status
                records = reader.events(quest)
                story = [(record.n, ev.decode_event(record.body)) for record in records]
                check_numbers(records)
                check_completions(story)
                at_us = {record.n: record.at_us for record in records}
                check_calls(story, at_us, calls.get(quest, []))
            except AssertionError as error:
                wrong.append(f"{quest}: {error}")
    return wrong, sum(status == "completed" for status in heads.values())


def complaints(
    normal: Seen, rude: Seen, polite: Seen, samples: Sequence[Sample], plan: Plan
) -> Iterable[str]:
    """About what the clients were told, and how large the daemon became."""
    for seen in (normal, rude, polite):
        yield from (f"a client was told {fault}" for fault in seen.faults[:3])
    if normal.busy:
        yield f"busy {normal.busy} times at a load that it can take"
    if not rude.busy:
        yield "the flood was never told busy"
    if rude.busy and not min(rude.waits_ms) > 0:
        yield f"busy without a time to wait: {rude.waits_ms}"
    grown = trend(last_life(samples, plan.settle_s))
    if grown:
        yield grown


def report(outcome: Outcome) -> str:
    """For people."""
    normal_ms, polite_ms = (s.percentile_ms(0.99) for s in (outcome.normal, outcome.polite))
    lines = [table(outcome.samples)]
    for name in ("normal", "rude", "polite"):
        seen: Seen = getattr(outcome, name)
        lines.append(
            f"{name:7}: {seen.offered:.0f} submits/s, {len(seen.took_us)} accepted, {seen.busy} busy"
            f" (wait {sorted(seen.waits_ms)} ms), accepted p50 {seen.percentile_ms(0.5):.1f} ms,"
            f" p99 {seen.percentile_ms(0.99):.1f} ms"
        )
    lines += [
        f"offered {outcome.rude.offered / TAKES_A_SECOND:.0f} × what the agents can take",
        f"p99 of what is accepted: {polite_ms / max(0.001, normal_ms):.1f} × normal",
        f"{outcome.accepted} accepted, {outcome.ended} completed",
        *(f"WRONG: {word}" for word in outcome.wrong[:20]),
        f"{len(outcome.wrong)} things are wrong" if outcome.wrong else "everything is right",
    ]
    return "\n".join(lines)
