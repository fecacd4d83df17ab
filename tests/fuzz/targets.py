"""The targets by name, what they begin with, and one run of one input."""

import importlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol, cast

from questd.simulation.chance import Chance, stream
from tests.fuzz.place import Fault

NAMES: Final = ("exchange", "control", "documents", "expressions", "sql", "rows")
CORPUS: Final = Path(__file__).parent / "corpus"
PROCESSOR_MAX_S: Final = 20.0
"""Of one input, in a long run: far more than any should need under instrumentation. By the processor's time, not the clock."""


class Target(Protocol):
    """A module of this package. ``one`` raises on a real fault only; ``change`` gives an input like another."""

    NAME: str
    WORDS: tuple[bytes, ...]

    def one(self, data: bytes) -> None: ...

    def change(self, data: bytes, chance: Chance, words: tuple[bytes, ...]) -> bytes: ...

    def seeds(self) -> dict[str, bytes]: ...


def target(name: str) -> Target:
    """The target of that name."""
    return cast("Target", importlib.import_module(f"tests.fuzz.{name}"))


def corpus(of: Target) -> dict[str, bytes]:
    """Inputs by name: what it begins with, and what was found worth keeping."""
    kept = sorted((CORPUS / of.NAME).glob("*"))
    return {**of.seeds(), **{path.name: path.read_bytes() for path in kept}}


def mutants(of: Target, first: int, count: int) -> Iterator[tuple[int, bytes]]:
    """Inputs that follow from their number: changed ones of the corpus."""
    pool = list(corpus(of).values())
    for number in range(first, first + count):
        chance = stream(number, of.NAME)
        data = chance.pick(pool)
        for _ in range(chance.skewed(1, 4)):
            data = of.change(data, chance, of.WORDS)
        yield number, data


def timed(of: Target, data: bytes) -> None:
    """One run that may not take longer than PROCESSOR_MAX_S."""
    began = time.process_time()
    of.one(data)
    took = time.process_time() - began
    if took > PROCESSOR_MAX_S:
        raise Fault(f"one input of {len(data)} bytes took {took:.1f} s of the processor")
