"""Slots in which tools run: threads for functions, one loop for coroutines, child processes for isolated tools.

Invariants: at most ``capacity`` attempts run at once, whatever their kind; each job ends exactly once, whoever is
first (its tool, its timeout, a cancellation); a slot is free again only when its tool has really ended. A slot whose
tool was told to end and does not is *stuck*. Whoever finishes takes the next job along: a busy slot needs no hand-over.
No tool is called after the moment that ``trust`` named last: a process that stood still finds that out in ``started``,
and the job waits on.

Notes go to ``post`` from any thread. All methods but ``started``, ``passed_over`` and ``finished`` belong to the
owner's thread.
"""

import threading
from collections import deque
from collections.abc import Callable
from math import inf
from time import monotonic
from typing import NamedTuple, Protocol

from questd.agent.context import Report
from questd.agent.tools import Tool
from questd.messages.exchange import AttemptId, Cancelled, Failed, Invocation, Outcome
from questd.messages.failure import EXCEPTION, TIMEOUT, VALIDATION, Failure

CANCEL_GRACE_S = 10.0
LOOP_BLOCKED_S = 2.0
BLOCKED = "the agent's event loop is blocked by another async tool that does not await"


class Began(NamedTuple):
    """The job's tool runs now."""

    job: "Job"


class Said(NamedTuple):
    """The job's report has news."""

    job: "Job"


class Ended(NamedTuple):
    """An attempt has its outcome; ``job`` is None when there was no such tool."""

    outcome: Outcome
    job: "Job | None" = None


class Freed(NamedTuple):
    """The tool of a job that had ended before (timeout, cancellation) is over; its slot is free."""

    job: "Job"


Note = Began | Said | Ended | Freed


class Lane(Protocol):
    """Runs jobs of one kind, each in the slot that it was given. ``grace_s``: how long one may take to end once told."""

    grace_s: float

    def launch(self, job: "Job") -> None:
        """Run it elsewhere: ``started``, the tool, ``finished``."""
        ...

    def interrupt(self, job: "Job") -> None:
        """Tell its tool to end, as strongly as this kind can be told."""
        ...

    def blocked_s(self) -> float:
        """Tell for how long the lane has been unable to start anything because of one of its jobs."""
        ...

    def stop(self) -> None:
        """Give back what can be given back."""
        ...


class Job:
    """One attempt in the executor. ``started_s`` is None until its tool runs; ``handle`` is its lane's."""

    def __init__(
        self, invocation: Invocation, tool: Tool, lane: Lane, post: Callable[[Note], None]
    ) -> None:
        self.invocation = invocation
        self.attempt: AttemptId = (invocation.quest, invocation.epoch)
        self.tool = tool
        self.lane = lane
        self.report = Report(lambda: post(Said(self)))
        self.started_s: float | None = None
        self.told_s: float | None = None
        self.ended = False
        self.cancelling = False
        self.stuck = False
        self.returned = False
        self.handle: object | None = None
        limit = invocation.timeout_ms
        self.timeout_ms = tool.spec.timeout_ms if limit is None else limit

    def failed(self, failure: Failure, duration_us: int = 0) -> Failed:
        """How it ended, with what it has used by now."""
        quest, epoch = self.attempt
        return Failed(quest, epoch, failure, duration_us, *self.report.used())

    def due(self) -> tuple[float, str]:
        """When its tool must be told to end, and why; only while it runs and was not told."""
        at, why = inf, ""
        started = self.started_s or 0.0
        if self.timeout_ms is not None:
            at, why = started + self.timeout_ms / 1000, f"not done within {self.timeout_ms} ms"
        limit = self.invocation.heartbeat_timeout_ms
        if limit is not None:
            silent = max(started, self.report.heartbeat_at_s or 0.0) + limit / 1000
            if silent < at:
                at, why = silent, f"no ctx.heartbeat() for {limit} ms"
        return at, why


class Executor:
    """``lanes`` makes a lane by name ("thread", "loop", "process") when a tool first needs it."""

    def __init__(
        self,
        tools: dict[str, Tool],
        capacity: int,
        post: Callable[[Note], None],
        lanes: Callable[[str, "Executor"], Lane],
    ) -> None:
        self._tools = tools
        self._post = post
        self._make_lane = lanes
        self._lanes: dict[str, Lane] = {}
        self._jobs: dict[AttemptId, Job] = {}
        self._lock = threading.Lock()
        self._trusted_until_s = 0.0
        self._waiting: deque[Job] = deque()
        self._free = capacity
        self._due_s = inf
        self._beaten_s: dict[AttemptId, float] = {}
        self.stuck = 0

    # The owner's side -------------------------------------------------------------------------------------------

    def begin(self, invocation: Invocation) -> None:
        """Run it as soon as a slot is free. An unknown tool fails at once, as validation."""
        tool = self._tools.get(invocation.tool)
        if tool is None:
            self._refuse(invocation)
            return
        job = Job(invocation, tool, self._lane(tool), self._post)
        self._jobs[job.attempt] = job
        with self._lock:
            if not self._free:
                self._waiting.append(job)
                return
            self._free -= 1
        job.lane.launch(job)

    def trust(self, until_s: float) -> None:
        """Call tools until then, by the monotonic clock; what waits and may be called now is."""
        with self._lock:
            self._trusted_until_s = until_s
        while (job := self._take_waiting()) is not None:
            job.lane.launch(job)

    def cancel(self, attempt: AttemptId) -> None:
        """End one that waits at once; tell one that runs."""
        job = self._jobs.get(attempt)
        if job is None:
            return
        with self._lock:
            job.cancelling = job.report.cancelled = True
            waited = job in self._waiting
            if waited:
                self._waiting.remove(job)
        if waited:
            self._end(job, Cancelled(*attempt))
        elif job.started_s is not None:
            self._tell(job, monotonic())

    def withdraw(self, attempt: AttemptId) -> bool:
        """Take back one whose tool was not called; False when it is too late."""
        job = self._jobs.get(attempt)
        with self._lock:
            if job is None or job.started_s is not None or job.ended or job.cancelling:
                return False
            job.ended = True
            if job in self._waiting:
                self._waiting.remove(job)
        del self._jobs[attempt]
        return True

    def note_began(self, job: Job) -> None:
        """Watch its time from now on."""
        self._due_s = min(self._due_s, job.due()[0])

    def forget(self, job: Job) -> None:
        """Drop it once its outcome was taken and its tool is over."""
        if self._jobs.get(job.attempt) is not job:  # taken back, and perhaps sent again
            return
        if job.returned or job.started_s is None:
            del self._jobs[job.attempt]
            self._beaten_s.pop(job.attempt, None)

    def expire(self, now_s: float) -> None:
        """Tell what is over time to end, and count what does not."""
        if now_s < self._due_s:
            return
        self._due_s = inf
        for job in list(self._jobs.values()):
            if job.started_s is not None and not job.returned:
                self._due_s = min(self._due_s, self._watch(job, now_s))

    def next_wake(self) -> float:
        """Tell when to call ``expire`` at the latest; infinity when nothing has a time."""
        return self._due_s

    def alive(self, now_s: float) -> list[AttemptId]:
        """Tell which attempts live; those with a heartbeat timeout only if they said so since the last time."""
        return [job.attempt for job in self._jobs.values() if self._beats(job, now_s)]

    def beat_interval_s(self) -> float:
        """Tell how often to ask who lives, for the strictest heartbeat timeout of what is here."""
        limits = (job.invocation.heartbeat_timeout_ms for job in self._jobs.values())
        return min((limit / 4000 for limit in limits if limit is not None), default=inf)

    def stop(self) -> None:
        """End child processes and the loop; threads end with the process."""
        for lane in self._lanes.values():
            lane.stop()

    # The lanes' side --------------------------------------------------------------------------------------------

    def started(self, job: Job) -> bool:
        """Say that its tool runs from now on; False: it must not (any more, or yet), see ``passed_over``."""
        with self._lock:
            now_s = monotonic()
            if job.cancelling or job.ended or now_s > self._trusted_until_s:
                return False
            job.started_s = now_s
        self._post(Began(job))
        return True

    def passed_over(self, job: Job) -> Job | None:
        """Take one that was not started out of its slot, and get the next: it is over, or it waits on."""
        with self._lock:
            over = job.cancelling or job.ended
            if not over:
                self._waiting.appendleft(job)
                self._free += 1
        return self.finished(job, Cancelled(*job.attempt)) if over else self._take_waiting()

    def finished(self, job: Job, outcome: Outcome) -> Job | None:
        """Say how it ended, and get the next job for the same slot (of any lane), if one waits."""
        job.returned = True
        if not self._end(job, outcome):
            self._post(Freed(job))
        with self._lock:
            if job.stuck:
                self.stuck -= 1
            self._free += 1
        return self._take_waiting()

    # Within -----------------------------------------------------------------------------------------------------

    def _take_waiting(self) -> Job | None:
        """Give a free slot to what waits longest, if it may begin."""
        with self._lock:
            if not (self._free and self._waiting) or monotonic() > self._trusted_until_s:
                return None
            self._free -= 1
            return self._waiting.popleft()

    def _lane(self, tool: Tool) -> Lane:
        name = "process" if tool.isolate else "loop" if tool.is_async else "thread"
        if name not in self._lanes:
            self._lanes[name] = self._make_lane(name, self)
        return self._lanes[name]

    def _refuse(self, invocation: Invocation) -> None:
        known = ", ".join(sorted(self._tools)) or "none"
        failure = Failure(
            VALIDATION, f"no tool {invocation.tool!r} here; its tools: {known}", retryable=False
        )
        self._post(Ended(Failed(invocation.quest, invocation.epoch, failure)))

    def _end(self, job: Job, outcome: Outcome) -> bool:
        with self._lock:
            first, job.ended = not job.ended, True
        if first:
            self._post(Ended(outcome, job))
        return first

    def _watch(self, job: Job, now_s: float) -> float:
        """Do what is due for one running job; the answer is when to look again."""
        if job.told_s is None:
            at, why = job.due()
            if now_s < at:
                return at
            failure = Failure(TIMEOUT, f"{job.tool.name}: {why}")
            self._end(job, job.failed(failure))
            self._tell(job, now_s)
        return self._watch_told(job, now_s)

    def _watch_told(self, job: Job, now_s: float) -> float:
        """Count it as stuck when its grace is over."""
        assert job.told_s is not None
        grace = CANCEL_GRACE_S if job.cancelling and not job.ended else job.lane.grace_s
        if now_s < job.told_s + grace:
            return job.told_s + grace
        self._end(job, Cancelled(*job.attempt))
        with self._lock:
            if not (job.returned or job.stuck):
                job.stuck = True
                self.stuck += 1
        self._release_blocked(job.lane)
        return now_s + LOOP_BLOCKED_S if job.lane.blocked_s() else inf

    def _tell(self, job: Job, now_s: float) -> None:
        job.told_s, job.report.cancelled = now_s, True
        self._due_s = min(self._due_s, now_s)
        job.lane.interrupt(job)

    def _release_blocked(self, lane: Lane) -> None:
        """Give up what a blocked lane was given and cannot start: it holds slots."""
        if lane.blocked_s() < LOOP_BLOCKED_S:
            return
        for job in list(self._jobs.values()):
            if job.lane is lane and job.started_s is None and job not in self._waiting:
                self._end(job, Failed(*job.attempt, Failure(EXCEPTION, BLOCKED)))
                with self._lock:
                    self.stuck += not job.stuck
                    job.stuck = True

    def _beats(self, job: Job, now_s: float) -> bool:
        if job.started_s is None or job.ended:
            return False
        if job.invocation.heartbeat_timeout_ms is None:
            return True
        said = job.report.heartbeat_at_s
        if said is None or said <= self._beaten_s.get(job.attempt, 0.0):
            return False
        self._beaten_s[job.attempt] = now_s
        return True
