"""Rounds: each system in turn, so that all of them meet the same moods of the machine.

Invariants: every wait is bounded; every process is ended by its pid; a system that fails says why, and the others go on.
"""

import os
import shutil
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.peers import ours
from benchmarks.peers.catalogue import OURS, Peer
from benchmarks.peers.environments import environment
from benchmarks.peers.measured import Measured, NotMeasured, Outcome, checked
from benchmarks.peers.neighbours import Neighbours
from benchmarks.processes import ChildFailed, Nursery

LEAST_S = 20.0


class OutOfTime(BaseException):
    """The time of the whole command is over. Not an Exception: no measurement may swallow it."""


class Runs:
    """All rounds of the systems that are asked for. ``folder``: on a disk. ``ends_s``: by the monotonic clock, set when the rounds begin.

    ``pythons``: the interpreter of each peer.
    """

    def __init__(self, folder: Path, peers: Sequence[Peer]) -> None:
        self._folder = folder
        self._peers = peers
        self.pythons: dict[str, Path] = {}
        self._others: dict[str, list[float]] = {peer.name: [] for peer in peers}
        self._rounds: dict[str, list[Measured]] = {peer.name: [] for peer in peers}
        self._faults: dict[str, str] = {}
        self._beds = 0
        self.ends_s = float("inf")

    def prepare(self) -> None:
        """Environments, before the clock runs."""
        for peer in self._peers:
            try:
                self._require(peer)
            except NotMeasured as error:
                self._fault(peer.name, str(error))

    def _require(self, peer: Peer) -> None:
        for program, remedy in peer.servers.items():
            if shutil.which(program) is None:
                raise NotMeasured(f"{program} is not on this machine ({remedy})")
        if peer.name != OURS:
            self.pythons[peer.name] = environment(self._folder / "peers", peer.name)

    def measure(self, rounds: int) -> None:
        """Round after round; who failed once is not tried again."""
        with Nursery(self._folder / "logs") as nursery:
            try:
                for turn in range(rounds):
                    for peer in self._peers:
                        if peer.name not in self._faults:
                            self._one(nursery, peer, f"round {turn + 1}")
            except OutOfTime:
                for peer in self._peers:
                    if len(self._rounds[peer.name]) < rounds:
                        self._faults.setdefault(peer.name, "the time of the command was over")

    def outcomes(self) -> tuple[Outcome, ...]:
        """What came of it."""
        return tuple(
            Outcome(
                p.name,
                tuple(self._rounds[p.name]),
                self._faults.get(p.name, ""),
                tuple(self._others[p.name]),
            )
            for p in self._peers
        )

    def _one(self, nursery: Nursery, peer: Peer, turn: str) -> None:
        began, neighbours = time.monotonic(), Neighbours()
        try:
            self._require_time(peer)
            with self._place() as place:
                self._rounds[peer.name].append(self._measured(nursery, peer, place))
        except Exception as error:  # noqa: BLE001 - whatever went wrong is what is told of this system
            self._fault(peer.name, f"{turn}: {self._why(error, peer)}")
        else:
            others = neighbours.share()
            self._others[peer.name] += [] if others is None else [others]
            meanwhile = "" if others is None else f", others used {others:.0%} of the processors"
            took_s = time.monotonic() - began
            print(f"{turn}, {peer.name}: {took_s:.0f} s{meanwhile}", file=sys.stderr, flush=True)

    def _measured(self, nursery: Nursery, peer: Peer, place: Path) -> Measured:
        if peer.name == OURS:
            return ours.measure(nursery, place / "data", peer, lambda: self._left_s(peer))
        sizes = (str(place), str(peer.runs), str(peer.singles), str(peer.fans))
        python = str(self.pythons[peer.name])
        child = nursery.start_command([python, "-m", peer.module, *sizes], f"peer-{peer.name}")
        try:
            return checked(child.line(self._left_s(peer)), peer)
        finally:
            nursery.end(child)

    def _why(self, error: Exception, peer: Peer) -> str:
        if isinstance(error, NotMeasured):
            return str(error)
        why = f"{type(error).__name__}: {error}"
        return (
            f"{why} (logs/peer-{peer.name}.log in the benchmark's directory says more)"
            if isinstance(error, ChildFailed)
            else why
        )

    def _require_time(self, peer: Peer) -> None:
        if self._left_s(peer) < LEAST_S:
            raise NotMeasured("no time was left")

    def _left_s(self, peer: Peer) -> float:
        return min(peer.limit_s, self.ends_s - time.monotonic())

    @contextmanager
    def _place(self) -> Generator[Path]:
        """A directory that nobody has used; its name says whose it is, so that a later benchmark can sweep it."""
        self._beds += 1
        place = self._folder / f"bed-{os.getpid()}-peers-{self._beds}"
        place.mkdir(mode=0o700)
        try:
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def _fault(self, name: str, why: str) -> None:
        self._faults[name] = why
        print(f"{name}: {why}", file=sys.stderr, flush=True)
