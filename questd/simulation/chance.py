"""Chance, split into named streams, so that one more draw in one place changes nothing elsewhere."""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Chance(Random):
    """One stream: everything drawn from it follows from the seed and the name."""

    def maybe(self, probability: float) -> bool:
        """True with that probability."""
        return self.random() < probability

    def between(self, low: float, high: float) -> int:
        """A whole number, evenly spread; either end may come."""
        return int(low + self.random() * (high - low))

    def pick(self, options: Sequence[T]) -> T:
        """One of them."""
        return options[int(self.random() * len(options))]

    def skewed(self, low: int, high: int) -> int:
        """Mostly near ``low``, sometimes as much as ``high``."""
        return low + int((high - low) * self.random() ** 4)


def stream(seed: int, name: str) -> Chance:
    """The stream of that name."""
    return Chance(f"{seed}/{name}")
