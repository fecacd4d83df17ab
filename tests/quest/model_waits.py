"""Waits of the model: who takes which signal, and when a wait is over."""

from typing import Any

Step = dict[str, Any]
"""needs, back_to (whom it sends the quest back to), max_rounds, on_exhausted, fallbacks (how many?), when (has it a condition?), allow_skipped, on_error, parallel, idempotent, priority, total_ms, for_each, max_parallel, partial, plans (is its result a plan?), and of its retries: attempts, delay_ms, backoff, cap_ms.
Of its kind (agent, signal, sleep): signal (its name), wait_ms, default (has it one?), sleep_ms."""


class Waits:
    """A part of ``Model``, which has the rest."""

    now: int
    quest: str
    places: list[str]
    steps: dict[str, Step]
    phase: dict[str, str]
    since: dict[str, int]

    def __init__(self) -> None:
        self.wait_ends_at: dict[str, int] = {}
        self.kept: dict[str, int] = {}  # signals that nobody has taken yet, by name
        self.waiting: dict[str, list[str]] = {}  # who waits for a signal, the longest first
        self.handed: list[str] = []  # who is about to take one
        self.keys: set[int] = set()

    def complete(self, task: str) -> None:
        raise NotImplementedError

    def _release(self) -> None:
        raise NotImplementedError

    def _give_up(self, task: str, *, tried: bool) -> None:
        raise NotImplementedError

    def _begin(self, task: str) -> None:
        step = self.steps[task]
        self.since[task] = self.now
        able = "listing" if step["for_each"] else "ready"
        self.phase[task] = {"agent": able, "signal": "awaiting", "sleep": "sleeping"}[step["kind"]]
        if step["kind"] == "sleep":
            self.wait_ends_at[task] = self.now + step["sleep_ms"]
        if step["kind"] == "signal":
            if step["wait_ms"] is not None:
                self.wait_ends_at[task] = self.now + step["wait_ms"]
            name = step["signal"]
            if min(self.kept.get(name, 0), len(self.could_take(name))):
                self.kept[name] -= 1
                self.handed.append(task)
            else:
                self.waiting.setdefault(name, []).append(task)

    def could_take(self, name: str) -> list[str]:
        """Those that wait for such a signal, or may yet."""
        before = ("pending", "deciding", "awaiting")
        return [
            t
            for t in self.places
            if self.steps[t]["kind"] == "signal"
            and self.steps[t]["signal"] == name
            and self.phase[t] in before
        ]

    def drop_signals(self) -> None:
        """What nobody is left to take is kept no longer."""
        for name, kept in self.kept.items():
            self.kept[name] = min(kept, len(self.could_take(name)))

    def signal(self, name: str, key: int) -> str:
        """taken, kept, known or refused."""
        could = self.could_take(name)
        waiting = [t for t in self.waiting.get(name, []) if self.phase[t] == "awaiting"]
        kept = min(self.kept.get(name, 0), len(could))
        if key in self.keys:
            return "known"
        if self.quest != "active" or kept >= len(could):
            return "refused"
        self.keys.add(key)
        self.kept[name] = kept
        if waiting:
            self.waiting[name] = waiting[1:]
            self.handed.append(waiting[0])
            self._release()
            return "taken"
        self.kept[name] += 1
        return "kept"

    def end_wait(self, task: str) -> None:
        if self.phase[task] == "sleeping" or self.steps[task]["default"]:
            self.complete(task)
        else:
            self._give_up(task, tried=False)
