"""The bed of a benchmark: a data directory with one daemon (and its historian), one agent and clients, all real processes."""

import shutil
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.journal import Tail, TooSlow
from benchmarks.processes import Child, Nursery, cpu_s
from benchmarks.statistics import most_at_once
from questd.messages.control import (
    Agents,
    ListAgents,
    Reply,
    Request,
    decode_reply,
    encode_control,
)
from questd.messages.exchange import FRAME_MAX_BYTES
from questd.messages.history import (
    HistoryInfo,
    HistoryReply,
    HistoryRequest,
    HistoryStatus,
    decode_history_reply,
    encode_history,
)
from questd.runtime.errors import Unreachable
from questd.runtime.nng import Caller

START_S = 60.0
ASK_S = 30.0
SUBMITTERS = 64
"""So many submits under way at once that most of a thousand quests are open before the first has ended."""
PROCESSES = 1


@dataclass
class Bed:
    """``daemon``: its process; ``addresses``: its sockets; ``agents``: their processes."""

    nursery: Nursery
    data: Path
    daemon: Child
    addresses: dict[str, str]
    agents: list[Child] = field(default_factory=list[Child])
    historian: int | None = None

    def __post_init__(self) -> None:
        self._control = Caller(self.addresses["control"], frame_max=FRAME_MAX_BYTES)
        self._history = (
            Caller(self.addresses["history"], frame_max=FRAME_MAX_BYTES)
            if "history" in self.addresses
            else None
        )

    @property
    def pids(self) -> dict[str, int]:
        """Who took part."""
        pids = {"daemon": self.daemon.pid}
        if self.historian is not None:
            pids["historian"] = self.historian
        return pids | {f"agent{n or ''}": child.pid for n, child in enumerate(self.agents)}

    def ask(self, request: Request) -> Reply:
        """One question to the control door."""
        return decode_reply(self._control.request(encode_control(request), ASK_S))

    def ask_history(self, request: HistoryRequest, timeout_s: float = ASK_S) -> HistoryReply:
        """One question to the historian. Unreachable when the daemon has none."""
        if self._history is None:
            raise Unreachable("this daemon keeps no history")
        return decode_history_reply(self._history.request(encode_history(request), timeout_s))

    def find_historian(self) -> None:
        """Wait until it answers, and note who it is."""
        info = self.ask_history(HistoryStatus(), START_S)
        assert isinstance(info, HistoryInfo), info
        self.historian = info.pid
        self.nursery.remember(info.pid)

    def add_agent(self, capacity: int, url: str | None = None) -> Child:
        """Start a no-op agent and wait until the daemon knows it."""
        where = url or self.addresses["exchange"]
        child = self.nursery.start("benchmarks.agent_process", where, str(capacity))
        self.agents.append(child)
        self.wait_for_agents(len(self.agents))
        return child

    def wait_for_agents(self, wanted: int) -> None:
        """Until so many instances are connected."""
        until(lambda: self._connected() >= wanted, START_S, f"{wanted} agent(s) connected")

    def _connected(self) -> int:
        known = self.ask(ListAgents())
        return len(known.instances) if isinstance(known, Agents) else 0

    def replace_agent(self, capacity: int) -> None:
        """Another capacity."""
        self.nursery.end(*self.agents)
        self.agents.clear()
        until(lambda: self._connected() == 0, START_S, "the agent left")
        self.add_agent(capacity)

    def close(self) -> None:
        """End agents, then the daemon."""
        for caller in (self._control, self._history):
            if caller is not None:
                caller.close()
        self.nursery.end(*self.agents)
        self.nursery.end(self.daemon)

    def forget(self) -> None:
        """Remove the data."""
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.with_suffix(".definition").unlink(missing_ok=True)


def until(condition: Callable[[], bool], timeout_s: float, what: str) -> None:
    """Wait for something that can only be asked. TooSlow."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TooSlow(f"not within {timeout_s:.0f} s: {what}")
        time.sleep(0.02)


@contextmanager
def made(
    nursery: Nursery, data: Path, *, history: bool = True, capacity: int | None = 64
) -> Generator[Bed]:
    """A bed on an empty directory, which is gone afterwards."""
    shutil.rmtree(data, ignore_errors=True)
    bed = opened(nursery, data, history=history)
    try:
        if capacity is not None:
            bed.add_agent(capacity)
        yield bed
    finally:
        bed.close()
        bed.forget()


def opened(nursery: Nursery, data: Path, *, history: bool = True, listen: str | None = None) -> Bed:
    """A daemon on a directory as it stands."""
    options = ([] if history else ["--no-history"]) + (["--listen", listen] if listen else [])
    daemon = nursery.start("benchmarks.daemon_process", str(data), *options)
    bed = Bed(nursery, data, daemon, daemon.json(START_S))
    if history:
        bed.find_historian()
    return bed


@dataclass
class Load:
    """What came of one load. ``seen_us``: when its last event was seen to be durable. ``open_at_once``: most quests between submit and end.

    ``cpu_s``: processor time of the daemon, the same whoever else uses the machine.
    """

    quests: int
    steps: int
    began_us: int
    submitted_us: int
    seen_us: int
    busy: int
    submit_us: list[int]
    completed_us: list[int]
    open_at_once: int = 0
    cpu_s: float = 0.0

    @property
    def steps_per_s(self) -> float:
        """From before the first submit until the last completion was seen durable."""
        return self.steps * 1e6 / (self.seen_us - self.began_us)

    @property
    def cpu_us_a_step(self) -> float:
        """Processor time of the daemon for one step, submits included."""
        return self.cpu_s * 1e6 / self.steps

    @property
    def submits_per_s(self) -> float:
        """From before the first submit until the last answer."""
        return self.quests * 1e6 / (self.submitted_us - self.began_us)


class Submitters:
    """Client processes that are ready: ``clients`` links in all, spread over ``processes``."""

    def __init__(
        self,
        nursery: Nursery,
        control: str,
        definition: Path,
        quests: int,
        *,
        clients: int = SUBMITTERS,
        processes: int = PROCESSES,
    ) -> None:
        self._nursery = nursery
        shares = [quests // processes + (n < quests % processes) for n in range(processes)]
        self.quests = quests
        self._children = [
            nursery.start(
                "benchmarks.client_process",
                control,
                str(definition),
                str(share),
                str(max(1, clients // processes)),
            )
            for share in shares
        ]
        for child in self._children:
            child.line(START_S)

    def go(self) -> None:
        """Begin, all at once."""
        for child in self._children:
            child.tell("go")

    def reports(self, timeout_s: float) -> list[dict[str, Any]]:
        """What each process says when it has submitted its share. AssertionError when one failed."""
        try:
            reports = [child.json(timeout_s) for child in self._children]
        finally:
            self._nursery.end(*self._children)
        for report in reports:
            assert not report["faults"], report["faults"]
        assert sum(report["submitted"] for report in reports) == self.quests
        return reports


def run_load(
    bed: Bed,
    definition: bytes,
    quests: int,
    steps_each: int,
    *,
    clients: int = SUBMITTERS,
    processes: int = PROCESSES,
    timeout_s: float = 120.0,
) -> Load:
    """Submit that many quests at once and see the last of them end. TooSlow, AssertionError when it was not done right."""
    path = bed.data.with_suffix(".definition")
    path.write_bytes(definition)
    control = bed.addresses["control"]
    submitters = Submitters(
        bed.nursery, control, path, quests, clients=clients, processes=processes
    )
    tail = Tail(bed.data)
    before_s = cpu_s(bed.daemon.pid)
    try:
        submitters.go()
        seen_us = tail.wait_for("quest.completed", quests, timeout_s)
        used_s = cpu_s(bed.daemon.pid) - before_s
        reports = submitters.reports(ASK_S)
        completed_us = tail.times_us("attempt.completed")
        spans = tail.times_us("quest.submitted"), tail.times_us("quest.completed")
    finally:
        tail.close()
    steps = quests * steps_each
    assert len(completed_us) == steps, f"{len(completed_us)} steps ended, not {steps}"
    return Load(
        quests,
        steps,
        min(report["began_us"] for report in reports),
        max(report["ended_us"] for report in reports),
        seen_us,
        sum(report["busy"] for report in reports),
        [taken for report in reports for taken in report["taken_us"]],
        completed_us,
        most_at_once(*spans),
        used_s,
    )
