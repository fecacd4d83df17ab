"""A quest said as plainly as possible: words in dicts, everything looked up anew, nothing of ours imported.

Whoever asks pays for it; that is what makes it simple. Times are milliseconds.
"""

from typing import Any

from tests.quest.model_budgets import Budgets
from tests.quest.model_items import Items
from tests.quest.model_loops import ENDS, Loops
from tests.quest.model_plans import Plans
from tests.quest.model_waits import Step, Waits

MAX_LOSSES = 5
GRACE_MS = 10_000
RENDERED = {
    "decides": "deciding",
    "lists": "listing",
    "gathers": "gathering",
    "plans": "planning",
    "judges": "judging",
}


class Model(Budgets, Items, Plans, Waits):
    def __init__(
        self,
        steps: dict[str, Step],
        limit: int | None,
        total_ms: int | None,
        rounds: int = 1_000,
        tokens: int | None = None,
    ) -> None:
        super().__init__()
        self.steps, self.limit, self.places = dict(steps), limit, list(steps)
        self.loops, self.rounds_left = Loops(steps), rounds
        self.latest = {key: key for key in steps}
        self.taken = dict.fromkeys(steps, 1)
        self.asked: dict[str, bool] = {}  # may it go back? A person is asked, or has said so
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
        self.planned: dict[str, list[str]] = {}
        self.task_of: dict[int, str] = {}
        self.known: set[int] = set()  # epochs whose result is no news
        self.continued: list[str] = []
        self.asking: list[str] = []
        self.used, self.most, self.asker = 0, tokens, None
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
        self.drop_signals()
        self.asking = [t for t in self.asking if t in self.could_run()]
        while True:
            queue = [t for t in self.could_run() if t not in self.asking]
            if not queue or self.spent() or any(map(self._alone, self.asking + self.running())):
                return
            if self._alone(queue[0]):
                full = bool(self.running())
            else:
                full = self.limit is not None and len(self.running() + self.asking) >= self.limit
            if full:
                return
            self.asking.append(queue[0])

    def give_back(self, task: str) -> None:
        """Its place came while it may not start."""
        self.asking.remove(task)
        self._ask()

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
        if phase == "completed" and self.steps[task]["plans"]:
            phase = "planning"
        self.asker = None if self.asker == task else self.asker
        self.phase[task] = phase
        if phase not in ("running", "ready", "waiting"):
            self.counts.pop(task, None)
        if phase == "ready":
            self.since[task] = self.now
        self._release()

    def _release(self) -> None:
        """What is skipped because of others is so one by one, behind what could come up with the same event; then signals are taken."""
        doomed: list[str] = []
        taking: list[str] = []
        while self.quest == "active":
            while any(self._come_up(task) for task in self.places):
                pass
            self._gather_what_is_over()
            self._ask()
            doomed += [t for t in self.places if t not in doomed and self._is_doomed(t)]
            if not (taking or doomed):
                taking, self.handed = self.handed, []
            if taking:
                self._take(taking.pop(0))
            elif doomed:
                self.phase[doomed.pop(0)] = "skipped"
            else:
                return
        self._ask()

    def _take(self, task: str) -> None:
        self.phase[task] = "completed"
        self.completed[task] += 1

    def _waits_for_nothing(self, task: str) -> bool:
        return self.phase[task] == "pending" and all(map(self._over, self.waits_for(task)))

    def _is_doomed(self, task: str) -> bool:
        step = self.steps[task]
        after = any(self.phase[self.latest[key]] == "skipped" for key in step["needs"])
        return after and not step["allow_skipped"] and self._waits_for_nothing(task)

    def _come_up(self, task: str) -> bool:
        step = self.steps[task]
        if not self._waits_for_nothing(task) or self._is_doomed(task):
            return False
        if "of" in step and not self._next_in_the_window(task):
            return False
        if step["total_ms"] is not None:
            self.step_expires_at[task] = self.now + step["total_ms"]
        if step["when"]:
            self.phase[task], self.since[task] = "deciding", self.now
        else:
            self._begin(task)
        return True

    def _over(self, task: str) -> bool:
        if "of" in self.steps[task]:
            return self.phase[task] in ENDS
        phase = self.phase[task]
        return phase in ("completed", "skipped") or (phase == "failed" and task in self.continued)

    # -- items ---------------------------------------------------------------------------------

    def _gather_what_is_over(self) -> None:
        for whole in [t for t in self.places if self.phase[t] == "spread"]:
            if all(map(self._over, self._items(whole))):
                self.phase[whole] = "gathering"

    def gather(self, whole: str) -> None:
        if any(self.phase[t] == "failed" for t in self._items(whole)):
            self.continued.append(whole)
        self.complete(whole)

    def _give_up_item(self, item: str, *, tried: bool) -> None:
        whole = self.steps[item]["of"]
        goes_on = self.steps[whole]["partial"] == "continue"
        if tried or not goes_on:
            self._fail_for_a_moment(item)
        if goes_on:
            return self.move(item, "failed")
        return self._give_up(whole, tried=False)

    def _fail_for_a_moment(self, task: str) -> None:
        """Others may ask in its place until the next event, which says how it goes on."""
        self.phase[task] = "failed"
        self.counts.pop(task, None)
        self._ask()

    def _drop_items(self, whole: str) -> None:
        for item in self._items(whole):
            if self.phase[item] not in ENDS:
                self.phase[item] = "cancelled"
                self.counts.pop(item, None)

    def _give_up(self, task: str, *, tried: bool) -> None:
        if self.quest == "active" and "of" in self.steps[task]:
            return self._give_up_item(task, tried=tried)
        self._drop_items(task)
        self.continued = [other for other in self.continued if other != task]
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
            self._fail_for_a_moment(task)
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
        self.ask_for_budget()
        if self.quest == "stopping" and not self.running():
            self.end("cancelled" if self.cancelled else "failed")

    def end(self, quest: str) -> None:
        self.quest = quest
        self.phase = {task: self._end_of(task) for task in self.phase}
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
        if holds:
            self._begin(task)
            self._release()
        else:
            self.move(task, "skipped")

    def resolve(self, task: str, choice: str) -> None:
        if self.asks_for_budget(task):
            self.answer(task, choice)
        elif choice == "again":
            self.asked[task] = True
            self.move(task, "judging")
        elif choice == "accept":
            self.move(task, "completed")
        elif task in self.asked:
            self._give_up(task, tried=False)
        else:
            self._resolve_lost(task, choice)

    def _resolve_lost(self, task: str, choice: str) -> None:
        self.move(task, "ready")
        if choice == "complete":
            self.complete(task)
        elif choice == "fail":
            self._give_up(task, tried=False)

    def cancel(self) -> None:
        self.cancelled = True
        self._stop()

    def cannot(self, task: str) -> None:
        tries = self.phase[task] in ("ready", "due", "retrying", "planning")
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
        over += [(at, -1, self.places.index(t)) for t, at in self.wait_ends_at.items() if at <= now]
        grace_over = self.quest == "stopping" and self.stopped_at + GRACE_MS <= now
        for _, kind, place in sorted(over):
            if self.quest != "active":
                break
            task = self.places[place]
            if kind < 0:
                if self.phase[task] in ("awaiting", "sleeping"):
                    self.end_wait(task)
            elif not kind:
                self._stop()
            elif self._in_time(task):
                self.give_up(task)
            self.conclude()
        for task in self.running() if grace_over else ():
            self.move(task, "cancelled")
        self.conclude()

    # -- what it owes --------------------------------------------------------------------------

    def ended(self) -> bool:
        return all(map(self._over, self.latest.values()))

    def _in_time(self, task: str) -> bool:
        """Is its time still running? Not when it has its result, or its last failure."""
        return self.phase[task] not in (*ENDS, "settling", "judging") and task not in self.asked

    def owed(self) -> dict[str, Any]:
        runs = {t: self.counts[t] for t in self.running()}
        active = self.quest == "active"
        settling = {t for t in self.places if self.phase[t] == "settling" and active}
        return {
            "wants": set(self.asking),
            "runs": runs,
            "recalls": runs if self.quest == "stopping" else {},
            "renders": settling,
            **{
                name: {t for t in self.places if self.phase[t] == phase and active}
                for name, phase in RENDERED.items()
            },
            "output": active and self.ended(),
        }

    def wakes_at(self) -> int | None:
        times = [self.stopped_at + GRACE_MS] if self.quest == "stopping" else []
        if self.quest == "active":
            times += [self.since[t] for t in self.places if self.phase[t] == "retrying"]
            open_ = {t for t in self.places if self._in_time(t)}
            times += [at for t, at in self.step_expires_at.items() if t in open_]
            waits = {t for t in self.places if self.phase[t] in ("awaiting", "sleeping")}
            times += [at for t, at in self.wait_ends_at.items() if t in waits]
            times += [] if self.expires_at is None else [self.expires_at]
        return min(times, default=None)
