"""Simulated agent instances: the production session, on a simulated link, with tools that only take time.

An instance can crash with all it knows, freeze past its lease and thaw as a zombie, drain, and come back as another
incarnation.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

from msgspec import Struct

from questd.agent.effects import Begin, Cancel, Exit, Offer, Redial, Send, Withdraw
from questd.agent.session import Session
from questd.messages.events import LogLine
from questd.messages.exchange import (
    AttemptId,
    Cancelled,
    Completed,
    DaemonFrame,
    Failed,
    Invocation,
    Outcome,
    Progress,
    encode_frame,
)
from questd.messages.failure import AUTH, EXCEPTION, TIMEOUT, Failure
from questd.messages.payload import decode_json, encode_json
from questd.runtime.deterministic import Agenda
from questd.simulation.budgets import draw_usage
from questd.simulation.chance import Chance
from questd.simulation.concealed import holds_secret
from questd.simulation.faults import MILLISECOND, SECOND
from questd.simulation.network import Endpoint, Network
from questd.simulation.plans import draw_plan
from questd.simulation.trace import Trace
from questd.simulation.workload import AGENTS, TAGS, TOOLS

LARGE_BYTES: Final = 5_000


class Body(Struct, frozen=True):
    """What an instance is: its agent's name, how much it takes on, and how its tools behave."""

    agent: str
    capacity: int
    prefetch: int
    tool_fails: float
    tool_hangs: float


class Witness(Protocol):
    """Who sees what tools do."""

    def tool_began(self, attempt: AttemptId, instance: str) -> None:
        """A tool is called."""
        ...

    def tool_ended(self, outcome: Outcome) -> None:
        """It has an outcome."""
        ...

    def instance_ended(self, instance: "Instance", code: int) -> None:
        """The process has ended by itself."""
        ...


class _Job:
    """An attempt in the instance's executor."""

    def __init__(self, invocation: Invocation) -> None:
        self.invocation = invocation
        self.attempt: AttemptId = (invocation.quest, invocation.epoch)
        self.running = False
        self.told = False
        self.ended = False
        self.silent = False

    @property
    def told_secret(self) -> str:
        """All that it was told, if a secret is among it: it passes it on wherever it can."""
        arguments = self.invocation.arguments
        if not holds_secret(arguments):
            return ""
        told = [text for text in decode_json(arguments).values() if isinstance(text, str)]
        return f": {' '.join(told)}"


class Instance:
    """One process of an agent. What happens to it is put in an inbox, which stands still while it is frozen."""

    def __init__(
        self,
        body: Body,
        incarnation: str,
        network: Network,
        agenda: Agenda,
        now: Callable[[], int],
        chance: Chance,
        witness: Witness,
        trace: Trace,
    ) -> None:
        self.body = body
        self.incarnation = incarnation
        self._agenda = agenda
        self._now = now
        self._chance = chance
        self._witness = witness
        self._trace = trace
        self._inbox: deque[Callable[[], None]] = deque()
        self._working = False
        self.frozen = False
        self.alive = True
        offer = Offer(
            body.agent,
            incarnation,
            tools=TOOLS,
            capabilities=TAGS.get(body.agent, ()),
            capacity=body.capacity,
            prefetch=body.prefetch,
            ahead=chance.between(0, 2),
        )
        self.session = Session(offer, now())
        self._jobs: dict[AttemptId, _Job] = {}
        self._waiting: deque[_Job] = deque()
        self._free = body.capacity
        self._wake_at: int | None = None
        self._beating = False
        self.endpoint = Endpoint(network, self)
        self.post(lambda: None)

    @property
    def idle(self) -> bool:
        """Connected, with nothing to do and nothing to say."""
        session = self.session
        return not self._jobs and session.outbox.empty and session.phase == "talking"

    @property
    def works(self) -> bool:
        """It has tools that run, or that shall."""
        return bool(self._jobs)

    def post(self, happen: Callable[[], None]) -> None:
        """Something happens to the process; it notices when it is not frozen."""
        self._inbox.append(happen)
        if not self._working:
            self._work()

    def _work(self) -> None:
        self._working = True
        while self._inbox and self.alive and not self.frozen:
            self._inbox.popleft()()
            if self.alive:
                self._poll()
        self._working = False

    def _poll(self) -> None:
        now = self._now()
        for effect in self.session.poll(now):
            self._do(effect)
        if self.alive:
            self._fill()
            self._plan_wake(max(now + 100, self.session.next_wake(now)), now)

    def _plan_wake(self, at_us: int, now: int) -> None:
        if self._wake_at is None or at_us < self._wake_at:
            self._wake_at = at_us
            self._agenda.after(at_us - now, lambda: self._wake(at_us))

    def _wake(self, at_us: int) -> None:
        if self._wake_at == at_us and self.alive:
            self._wake_at = None
            self.post(lambda: None)

    def _do(self, effect: Send | Begin | Cancel | Withdraw | Redial | Exit) -> None:
        match effect:
            case Send(ticket, frame, timeout_us):
                self.endpoint.send(ticket, encode_frame(frame), timeout_us)
            case Begin(invocation):
                self._begin(invocation)
            case Cancel(attempt):
                self._cancel(attempt)
            case Withdraw(attempt):
                self._withdraw(attempt)
            case Redial():
                self.endpoint.redial()
            case Exit(code):
                self.crash()
                self._witness.instance_ended(self, code)

    # -- the link ----------------------------------------------------------------------------------

    def heard(self, ticket: int, frame: DaemonFrame) -> None:
        """The answer to a ticket."""
        self.post(lambda: self.session.heard(ticket, frame, self._now()))

    def lost(self, ticket: int) -> None:
        """There will be none."""
        self.post(lambda: self.session.lost(ticket, self._now()))

    # -- the executor ------------------------------------------------------------------------------

    def _begin(self, invocation: Invocation) -> None:
        job = _Job(invocation)
        self._jobs[job.attempt] = job
        self._waiting.append(job)

    def _fill(self) -> None:
        """Begin what waits, in slots that are free, while the session lets it."""
        while self._free and self._waiting and self._now() <= self.session.trusted_until_us:
            self._start(self._waiting.popleft())

    def _start(self, job: _Job) -> None:
        self._free -= 1
        job.running = True
        self._trace.note("tool.began", self.incarnation, *job.attempt)
        self._witness.tool_began(job.attempt, self.incarnation)
        self.post(lambda: self.session.began(job.attempt))
        took_us, outcome = self._draw_outcome(job)
        timeout_ms = job.invocation.timeout_ms
        if timeout_ms is not None and took_us > timeout_ms * MILLISECOND:
            failure = Failure(TIMEOUT, f"not done within {timeout_ms} ms")
            over = Failed(*job.attempt, failure)
            self._later(timeout_ms * MILLISECOND, lambda: self._end(job, over))
        self._later(took_us, lambda: self._return(job, outcome))
        if not self._beating:
            self._beat()

    def _draw_outcome(self, job: _Job) -> tuple[int, Outcome]:
        chance, attempt = self._chance, job.attempt
        took_us = chance.skewed(100, 600 * MILLISECOND)
        if chance.maybe(self.body.tool_hangs):
            took_us = chance.between(SECOND, 12 * SECOND)
            job.silent = chance.maybe(0.5)
        (quest, epoch), said = attempt, job.told_secret
        used = draw_usage(chance)
        if chance.maybe(self.body.tool_fails):
            kind = chance.pick((EXCEPTION, EXCEPTION, EXCEPTION, "out_of_paper", AUTH))
            wish = chance.pick((None, None, 0, 300))
            failure = Failure(kind, f"simulated{said}", None, not chance.maybe(0.15), wish)
            return took_us, Failed(quest, epoch, failure, took_us, *used)
        pad = "x" * (LARGE_BYTES if chance.maybe(0.12) else chance.between(0, 40))
        result: dict[str, Any] = {"task": job.invocation.task, "epoch": attempt[1], "pad": pad}
        if job.invocation.tool == "plan":
            result = draw_plan(chance, job.invocation.task, AGENTS)
        elif said:
            result["said"] = [said, {said: 1}]
        return took_us, Completed(quest, epoch, encode_json(result), took_us, *used)

    def _later(self, delay_us: int, happen: Callable[[], None]) -> None:
        self._agenda.after(delay_us, lambda: self.post(happen) if self.alive else None)

    def _return(self, job: _Job, outcome: Outcome) -> None:
        """The tool is over; its slot takes the next one."""
        if not job.running:
            return
        job.running = False
        self._end(job, outcome)
        self._jobs.pop(job.attempt, None)
        self._free += 1

    def _end(self, job: _Job, outcome: Outcome) -> None:
        if job.ended:
            return
        job.ended = True
        self._trace.note("tool.ended", self.incarnation, *job.attempt, type(outcome).__name__)
        self._witness.tool_ended(outcome)
        if self._chance.maybe(0.1):
            said = job.told_secret
            lines = (LogLine(self._now(), f"done{said}", encode_json({"said": said})),)
            self.session.logged(job.attempt, lines)
        self.session.ended(outcome)

    def _cancel(self, attempt: AttemptId) -> None:
        job = self._jobs.get(attempt)
        if job is None or job.told:
            return
        job.told = True
        if not job.running:
            self._waiting.remove(job)
            del self._jobs[attempt]
            self._finish_unbegun(job)
        elif self._chance.maybe(0.8):  # the others do not listen
            delay_us = self._chance.skewed(100, 200 * MILLISECOND)
            self._later(delay_us, lambda: self._return(job, Cancelled(*attempt)))

    def _finish_unbegun(self, job: _Job) -> None:
        self.post(lambda: self._end(job, Cancelled(*job.attempt)))

    def _withdraw(self, attempt: AttemptId) -> None:
        job = self._jobs.get(attempt)
        if job is not None and not job.running and job in self._waiting:
            self._waiting.remove(job)
            del self._jobs[attempt]
            self.session.withdrawn(
                attempt
            )  # at once, as the runner does: the next poll may say Hello

    def _beat(self) -> None:
        """Say who lives, often enough for the strictest heartbeat timeout of what runs."""
        running = [job for job in self._jobs.values() if job.running]
        self._beating = bool(running)
        if not running:
            return
        self.session.beats([job.attempt for job in running if not job.silent and not job.ended])
        limits = [job.invocation.heartbeat_timeout_ms or 60_000 for job in running]
        if self._chance.maybe(0.2):
            said = f"half{running[0].told_secret}"
            self.session.progress(Progress(*running[0].attempt, 0.5, said))
        self._later(min(self.session.hold_us // 2, min(limits) * 250), self._beat)

    # -- what befalls it ---------------------------------------------------------------------------

    def crash(self) -> None:
        """The process is gone, with all that it knew."""
        self.alive = False
        self.endpoint.close()
        self._inbox.clear()

    def freeze(self) -> None:
        """Nothing moves in it, while the world goes on."""
        self.frozen = True

    def thaw(self) -> None:
        """It goes on, with all that has happened to it meanwhile."""
        self.frozen = False
        if not self._working:
            self._work()

    def drain(self) -> None:
        """It was told to end when nothing runs."""
        self.post(lambda: self.session.drain("simulated"))
