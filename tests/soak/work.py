"""What the soak's quests are, and what each must come to. The expected results are computed here, by plain arithmetic."""

import random
import zlib
from collections.abc import Callable

from msgspec import Struct

from questd.messages.definition import QuestDefinition, RetryPolicy, StepDefinition

AGENT = "worker"
LATE = "late"
"""An agent that comes and goes."""
RETRY = RetryPolicy(attempts=8, delay_ms=300, max_delay_ms=3_000)


def mixed(values: list[int], salt: int) -> int:
    """The tool's result: what came in decides what comes out."""
    return zlib.crc32(repr((values, salt)).encode())


class Errand(Struct, frozen=True):
    """One quest, by its idempotency key, and its right output."""

    key: str
    definition: QuestDefinition
    output: int


class _Drawing:
    """A quest in the making, with the results of its steps."""

    def __init__(self, chance: random.Random, pace_s: float) -> None:
        self._chance = chance
        self._pace_s = pace_s
        self.steps: list[StepDefinition] = []
        self.results: dict[str, int] = {}

    def add(
        self, *dependencies: str, fails: int = 0, agent: str = AGENT, seconds: float | None = None
    ) -> str:
        """One more step after these; its key."""
        key = f"s{len(self.steps)}"
        salt = self._chance.randrange(1_000_000)
        arguments = {
            "values": [f"{{{{ {name}.result }}}}" for name in dependencies],
            "salt": salt,
            "seconds": self._draw_seconds() if seconds is None else seconds,
            "fails": fails,
        }
        self.results[key] = mixed([self.results[name] for name in dependencies], salt)
        step = StepDefinition(
            key,
            agent=agent,
            tool="mix",
            arguments=arguments,
            dependencies=dependencies,
            retry=RETRY,
        )
        self.steps.append(step)
        return key

    def _draw_seconds(self) -> float:
        """Most are quick; some take as long as a lease."""
        drawn = self._chance.random()
        if drawn < 0.7:
            return 0.0
        return round(self._pace_s * (1.0 if drawn < 0.95 else 8.0), 3)

    def row(self, count: int, *first: str) -> str:
        key = self.add(*first)
        for _ in range(count - 1):
            key = self.add(key)
        return key


def _chain(drawing: _Drawing) -> str:
    return drawing.row(6)


def _fan_out(drawing: _Drawing) -> str:
    root = drawing.add()
    return drawing.add(*[drawing.add(root) for _ in range(8)])


def _retries(drawing: _Drawing) -> str:
    first = drawing.add(fails=2)
    return drawing.add(drawing.add(first, fails=1), first, fails=1)


def _waits(drawing: _Drawing) -> str:
    """For an agent that is not always there."""
    first = drawing.add()
    return drawing.add(drawing.add(first, agent=LATE), first)


SHAPES: tuple[Callable[[_Drawing], str], ...] = (_chain, _fan_out, _retries, _waits)


def single(number: int, seconds: float) -> Errand:
    """A quest of one step that takes so long."""
    drawing = _Drawing(random.Random(number), seconds)
    key = drawing.add(seconds=seconds)
    definition = QuestDefinition("single", tuple(drawing.steps), output=f"{{{{ {key}.result }}}}")
    return Errand(f"single-{number}", definition, drawing.results[key])


def errand(number: int, *, pace_s: float) -> Errand:
    """The quest of that number: always the same. ``pace_s``: what a tool takes that is not quick."""
    drawing = _Drawing(random.Random(number), pace_s)
    shape = SHAPES[number % len(SHAPES)]
    last = shape(drawing)
    definition = QuestDefinition(
        shape.__name__.strip("_"), tuple(drawing.steps), output=f"{{{{ {last}.result }}}}"
    )
    return Errand(f"soak-{number}", definition, drawing.results[last])
