"""What was measured of each system: the line that a peer's script prints, checked; rounds; the record of a whole run. Pure.

Invariant: a system that was not measured has a reason and no figures, and never a zero.
"""

import msgspec
from msgspec import Struct

from benchmarks.conditions import Conditions
from benchmarks.peers.catalogue import Peer
from benchmarks.peers.workload import STEPS
from benchmarks.statistics import median


class NotMeasured(Exception):
    """Why there is no figure: something is absent, failed, or took too long."""


class Burst(Struct, frozen=True, forbid_unknown_fields=True):
    """So many chains at once, in ``stores`` processes with a database each, took so long."""

    stores: int
    runs: int
    took_s: float

    @property
    def steps_per_s(self) -> float:
        """Of all processes."""
        return self.runs * STEPS / self.took_s


class Measured(Struct, frozen=True, forbid_unknown_fields=True):
    """One round of one system. Times of each single chain and fan-out in milliseconds; ``settings`` in words."""

    peer: str
    settings: dict[str, str]
    bursts: tuple[Burst, ...]
    chain_ms: tuple[float, ...]
    fan_ms: tuple[float, ...]
    pids: dict[str, int]
    versions: dict[str, str]


class Outcome(Struct, frozen=True):
    """All rounds of one system. ``fault``: why rounds are missing; with no round at all, it was not run.

    ``others``: for each round the share (0..1) of the processors that others used meanwhile, where that can be told.
    """

    peer: str
    rounds: tuple[Measured, ...] = ()
    fault: str = ""
    others: tuple[float, ...] = ()

    def rate(self, stores: int = 1) -> float | None:
        """Steps a second of many chains at once; None when that was not measured."""
        rates = [b.steps_per_s for one in self.rounds for b in one.bursts if b.stores == stores]
        return median(rates) if rates else None

    @property
    def chain_ms(self) -> float | None:
        """p50 of one chain at a time, of all rounds."""
        return median([ms for one in self.rounds for ms in one.chain_ms]) if self.rounds else None

    @property
    def fan_ms(self) -> float | None:
        """p50 of one fan-out at a time, of all rounds."""
        return median([ms for one in self.rounds for ms in one.fan_ms]) if self.rounds else None


class Record(Struct, frozen=True):
    """A whole run: enough to make the table and the plot again. ``nice``: of every process that took part."""

    conditions: Conditions
    outcomes: tuple[Outcome, ...]
    rounds: int
    took_s: float
    nice: int | None = None

    def of(self, name: str) -> Outcome:
        """One system's."""
        found = [outcome for outcome in self.outcomes if outcome.peer == name]
        return found[0] if found else Outcome(name, fault="not asked for")


def checked(line: str, peer: Peer) -> Measured:
    """What a script said. NotMeasured when it is not what was asked."""
    try:
        said = msgspec.json.decode(line, type=Measured)
    except msgspec.DecodeError as error:
        raise NotMeasured(f"its script said {line[:80]!r}: {error}") from error
    why = _why_wrong(said, peer)
    if why:
        raise NotMeasured(f"its script's figures are wrong: {why}")
    return said


def _why_wrong(said: Measured, peer: Peer) -> str | None:
    counts = (len(said.chain_ms), len(said.fan_ms))
    times = (*said.chain_ms, *said.fan_ms, *(burst.took_s for burst in said.bursts))
    if said.peer != peer.name:
        return f"they are of {said.peer!r}, not of {peer.name!r}"
    if counts != (peer.singles, peer.fans):
        return f"{counts[0]} chains and {counts[1]} fan-outs, not {peer.singles} and {peer.fans}"
    if not said.bursts or any(burst.runs != peer.runs for burst in said.bursts):
        return f"not each burst is of {peer.runs} runs"
    if min(times) <= 0:
        return "a time is not above zero"
    return None if said.versions else "no version"


def as_json(record: Record) -> bytes:
    """The record, for people and for :func:`recorded`."""
    return msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n"


def recorded(document: bytes) -> Record:
    """The record again. msgspec.ValidationError."""
    return msgspec.json.decode(document, type=Record)
