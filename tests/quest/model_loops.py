"""Loops of the model: who is in which, and who waits for whom."""

from functools import cache
from typing import Any

Step = dict[str, Any]
ENDS = ("completed", "failed", "skipped", "cancelled")


def key_of(task: str) -> str:
    return task.partition("@")[0].partition("[")[0]


class Loops:
    """``steps`` of a document by key, each with ``needs`` and perhaps ``back_to``."""

    def __init__(self, steps: dict[str, Step]) -> None:
        self.document = dict(steps)

    @cache  # noqa: B019 - a test's
    def before(self, key: str) -> set[str]:
        needs = self.document[key]["needs"]
        return set(needs).union(*map(self.before, needs))

    @cache  # noqa: B019
    def body(self, key: str) -> list[str]:
        """What runs again when this step goes back, in document order."""
        back_to = self.document[key]["back_to"]
        return [
            other
            for other in self.document
            if other in (key, back_to)
            or (other in self.before(key) and back_to in self.before(other))
        ]

    @cache  # noqa: B019
    def around(self, key: str) -> set[str]:
        """The steps whose loops this one is in."""
        loops = [other for other, step in self.document.items() if step["back_to"]]
        return {other for other in loops if key in self.body(other)}

    @cache  # noqa: B019
    def waits(self, key: str) -> set[str]:
        """Whose latest rounds must be over before this step runs: its dependencies, and the loops that it is not in."""
        waits = set(self.document[key]["needs"])
        while True:
            more = set[str]().union(*map(self.around, waits)) - self.around(key) - waits
            if not more:
                return waits
            waits |= more

    def crossed(self) -> bool:
        """Would some step wait for itself?"""
        reached = {key: self.waits(key) for key in self.document}
        for _ in self.document:
            reached = {
                key: waits.union(*(reached[other] for other in waits))
                for key, waits in reached.items()
            }
        return any(key in waits for key, waits in reached.items())


class Rounds:
    """What the model knows of rounds."""

    steps: dict[str, Step]
    places: list[str]
    phase: dict[str, str]
    choice: dict[str, int]
    tried: dict[str, int]
    losses: dict[str, int]
    completed: dict[str, int]
    continued: list[str]
    quest: str
    loops: Loops
    rounds_left: int
    latest: dict[str, str]
    taken: dict[str, int]
    asked: dict[str, bool]

    def move(self, task: str, phase: str) -> None:
        raise NotImplementedError

    def _give_up(self, task: str, *, tried: bool) -> None:
        raise NotImplementedError

    def complete(self, task: str) -> None:
        """It has a result, which may not stand."""
        self.completed[task] += not self.steps[task]["plans"]  # that is to be read first
        goes_back = self.steps[task]["back_to"] and self.quest == "active"
        self.move(task, "judging" if goes_back else "completed")

    def judge(self, task: str, *, holds: bool) -> None:
        step = self.steps[task]
        if holds:
            return self.move(task, "completed")
        if self.taken[task] >= step["max_rounds"]:
            if step["on_exhausted"] == "continue":
                return self.move(task, "completed")
            return self._give_up(task, tried=False)
        if not self.rounds_left and not self.asked.get(task):
            self.asked[task] = False
            return self.move(task, "waiting")
        self.rounds_left = max(0, self.rounds_left - 1)
        for key in self.loops.body(key_of(task)):
            self._begin_round(key, by=task)
        return self.move(task, "completed")

    def _begin_round(self, key: str, by: str) -> None:
        before = self.latest[key]
        number = int(before.partition("@")[2] or 1) + 1
        task = self.latest[key] = f"{key}@{number}"
        self.places.append(task)
        self.steps[task], self.phase[task] = self.steps[key], "pending"
        self.taken[task] = self.taken[before] + 1 if before == by else 1
        self.choice[task] = self.tried[task] = self.losses[task] = self.completed[task] = 0

    def failed_steps(self) -> list[str]:
        return [key_of(task) for task in self.continued if self.latest[key_of(task)] == task]

    def asks_for_budget(self, task: str) -> bool:
        raise NotImplementedError

    def options(self, task: str) -> tuple[str, ...]:
        if self.asks_for_budget(task):
            return ("more", "fail")
        return ("again", "accept", "fail") if task in self.asked else ("retry", "complete", "fail")

    def _end_of(self, task: str) -> str:
        phase = self.phase[task]
        if phase == "judging" or (phase == "waiting" and task in self.asked):
            return "completed"
        return phase if phase in ENDS else "cancelled"
