"""A quest said as plainly as possible: words in dicts, everything looked up anew, nothing of ours imported.

Whoever asks pays for it; that is what makes it simple. Times are milliseconds.
"""

from typing import Any

MAX_LOSSES = 5
GRACE_MS = 10_000
ENDS = ("completed", "failed", "skipped", "cancelled")
Step = dict[str, Any]
"""needs, fallbacks (how many?), when (has it a condition?), allow_skipped, on_error, parallel, idempotent, priority, total_ms, and of its retries: attempts, delay_ms, backoff, cap_ms."""


class Model:
    def __init__(self, steps: dict[str, Step], limit: int | None, total_ms: int | None) -> None:
        self.steps, self.limit, self.places = steps, limit, list(steps)
        self.now, self.quest, self.stopped_at = 0, "active", 0
        self.cancelled = False
        self.expires_at = total_ms
        self.phase = dict.fromkeys(steps, "pending")
        self.since: dict[str, int] = {}  # since when it could run, or will
        self.step_expires_at: dict[str, int] = {}
        self.counts: dict[str, int] = {}  # the epoch whose outcome counts
        self.choice = dict.fromkeys(steps, 0)
        self.tried, self.losses = dict.fromkeys(steps, 0), dict.fromkeys(steps, 0)
        self.completed: dict[str, int] = dict.fromkeys(steps, 0)
        self.task_of: dict[int, str] = {}
        self.known: set[int] = set()  # epochs whose result is no news
        self.continued: list[str] = []
        self.asking: list[str] = []
        self._release()

    # -- who may go ----------------------------------------------------------------------------

    def running(self) -> list[str]:
        return [t for t in self.places if self.phase[t] == "running"]

    def could_run(self) -> list[str]:
        """First come the urgent, then those that wait longest."""
        able = [t for t in self.places if self.phase[t] in ("ready", "due")]
        return sorted(able, key=self._order) if self.quest == "active" else []

    def _order(self, task: str) -> tuple[int, int, int]:
        return (-self.steps[task]["priority"], self.since[task], self.places.index(task))

    def _alone(self, task: str) -> bool:
        return not self.steps[task]["parallel"]

    def _ask(self) -> None:
        self.asking = [t for t in self.asking if t in self.could_run()]
        while True:
            queue = [t for t in self.could_run() if t not in self.asking]
            if not queue or any(map(self._alone, self.asking + self.running())):
                return
            if self._alone(queue[0]):
                full = bool(self.running())
            else:
                full = self.limit is not None and len(self.running() + self.asking) >= self.limit
            if full:
                return
            self.asking.append(queue[0])

    def may_start(self, task: str) -> bool:
        running, queue = self.running(), [t for t in self.could_run() if t not in self.asking]
        first = [t for t in self.asking if self._alone(t)] or [
            t for t in queue[:1] if self._alone(t)
        ]
        return (
            task in self.asking
            and not any(map(self._alone, running))
            and not (self._alone(task) and running)
            and not (first and self._order(first[0]) < self._order(task))
            and (self.limit is None or len(running) < self.limit)
        )

    # -- moves ---------------------------------------------------------------------------------

    def move(self, task: str, phase: str) -> None:
        self.phase[task] = phase
        if phase not in ("running", "ready", "waiting"):
            self.counts.pop(task, None)
        if phase == "ready":
            self.since[task] = self.now
        self.completed[task] += phase == "completed"
        self._release()

    def _release(self) -> None:
        while self.quest == "active" and any(self._come_up(task) for task in self.places):
            pass  # what was skipped just now may let others come up
        self._ask()

    def _come_up(self, task: str) -> bool:
        step = self.steps[task]
        if self.phase[task] != "pending" or not all(map(self._over, step["needs"])):
            return False
        if not step["allow_skipped"] and any(self.phase[t] == "skipped" for t in step["needs"]):
            self.phase[task] = "skipped"
            return True
        self.phase[task], self.since[task] = "deciding" if step["when"] else "ready", self.now
        if step["total_ms"] is not None:
            self.step_expires_at[task] = self.now + step["total_ms"]
        return True

    def _over(self, task: str) -> bool:
        return self.phase[task] in ("completed", "skipped") or task in self.continued

    def _give_up(self, task: str, *, tried: bool) -> None:
        on_error = self.steps[task]["on_error"] if self.quest == "active" else "none"
        if on_error == "continue_with_input":
            return self.move(task, "settling")
        if tried:
            self.move(task, "failed")
        if on_error == "continue":
            return self.go_on(task)
        self.move(task, "failed")
        return self._stop() if on_error == "stop" else None

    def _try_another(self, task: str, *, tried: bool) -> bool:
        """Somebody else does it, if there is one left."""
        if self.quest != "active" or self.choice[task] == self.steps[task]["fallbacks"]:
            return False
        self.choice[task] += 1
        self.tried[task] = self.losses[task] = 0
        self.counts.pop(task, None)
        if tried:
            self.move(task, "failed")  # for a moment, in which others may ask in its place
        self.asking = [t for t in self.asking if t != task]  # it stands in the queue again
        self.move(task, "ready")
        return True

    def go_on(self, task: str) -> None:
        self.continued.append(task)
        self.move(task, "failed")

    def _stop(self) -> None:
        self.quest, self.stopped_at = "stopping", self.now
        self._ask()

    def conclude(self) -> None:
        if self.quest == "stopping" and not self.running():
            self.end("cancelled" if self.cancelled else "failed")

    def end(self, quest: str) -> None:
        self.quest = quest
        self.phase = {t: p if p in ENDS else "cancelled" for t, p in self.phase.items()}
        self.counts.clear()
        self._ask()

    # -- what is said to it --------------------------------------------------------------------

    def start(self, task: str, epoch: int) -> None:
        self.tried[task] += 1
        self.task_of[epoch], self.counts[task] = task, epoch
        self.move(task, "running")

    def task_that_counts(self, epoch: int) -> str | None:
        task = self.task_of.get(epoch, "")
        return task if self.counts.get(task) == epoch else None

    def fail(self, task: str, *, final: bool, wish_ms: int | None) -> None:
        step, lost = self.steps[task], self.phase[task] != "running"
        self.losses[task] -= lost
        tries = self.tried[task] - self.losses[task]
        if final or tries >= step["attempts"] or self.quest != "active":
            another = self._try_another(task, tried=True)
            return None if another else self._give_up(task, tried=True)
        delay_ms = min(step["delay_ms"] * step["backoff"] ** (tries - 1), step["cap_ms"])
        self.since[task] = self.now + (delay_ms if wish_ms is None else wish_ms)
        return self.move(task, "retrying")

    def lose(self, task: str, *, idempotent: bool, begun: bool) -> None:
        if begun:
            self.losses[task] += 1
        else:
            self.tried[task] -= 1
            del self.counts[task]
        self.move(task, "ready")
        if self.quest != "active" or not begun:
            return
        if self.losses[task] >= MAX_LOSSES:
            if not (idempotent and self._try_another(task, tried=False)):
                self._give_up(task, tried=False)
        elif not idempotent:
            self.move(task, "waiting")

    def decide(self, task: str, *, holds: bool) -> None:
        self.move(task, "ready" if holds else "skipped")

    def resolve(self, task: str, choice: str) -> None:
        self.move(task, "ready")
        if choice == "complete":
            self.move(task, "completed")
        elif choice == "fail":
            self._give_up(task, tried=False)

    def cancel(self) -> None:
        self.cancelled = True
        self._stop()

    def cannot(self, task: str) -> None:
        tries = self.phase[task] in ("ready", "due", "retrying")
        if not (tries and self._try_another(task, tried=False)):
            self.give_up(task)

    def give_up(self, task: str) -> None:
        self._give_up(task, tried=self.phase[task] == "running")

    def pass_to(self, now: int) -> None:
        self.now = now
        for task in self.places if self.quest == "active" else ():
            if self.phase[task] == "retrying" and self.since[task] <= now:
                self.phase[task] = "due"
        self._ask()
        over = [
            (at, 1, self.places.index(t)) for t, at in self.step_expires_at.items() if at <= now
        ]
        if self.expires_at is not None and self.expires_at <= now:
            over.append((self.expires_at, 0, 0))
        grace_over = self.quest == "stopping" and self.stopped_at + GRACE_MS <= now
        for _, kind, place in sorted(over):
            if self.quest != "active":
                break
            task = self.places[place]
            if not kind:
                self._stop()
            elif self.phase[task] not in (*ENDS, "settling"):
                self.give_up(task)
            self.conclude()
        for task in self.running() if grace_over else ():
            self.move(task, "cancelled")
        self.conclude()

    # -- what it owes --------------------------------------------------------------------------

    def ended(self) -> bool:
        return all(map(self._over, self.places))

    def owed(self) -> dict[str, Any]:
        runs = {t: self.counts[t] for t in self.running()}
        active = self.quest == "active"
        settling = {t for t in self.places if self.phase[t] == "settling" and active}
        deciding = {t for t in self.places if self.phase[t] == "deciding" and active}
        return {
            "wants": set(self.asking),
            "runs": runs,
            "recalls": runs if self.quest == "stopping" else {},
            "renders": settling,
            "decides": deciding,
            "output": active and self.ended(),
        }

    def wakes_at(self) -> int | None:
        times = [self.stopped_at + GRACE_MS] if self.quest == "stopping" else []
        if self.quest == "active":
            times += [self.since[t] for t in self.places if self.phase[t] == "retrying"]
            open_ = {t for t in self.places if self.phase[t] not in (*ENDS, "settling")}
            times += [at for t, at in self.step_expires_at.items() if t in open_]
            times += [] if self.expires_at is None else [self.expires_at]
        return min(times, default=None)
