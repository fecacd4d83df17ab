"""The shell of an agent: one inbox, one thread that owns session and executor, and the time.

Invariant: session and executor are touched by the owner's thread alone; everybody else posts. All decisions are
the session's (what to say) and the executor's (what runs); here they are only connected.
"""

import logging
import signal
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from time import monotonic, monotonic_ns
from types import FrameType
from typing import NamedTuple, assert_never

from questd.agent.effects import (
    EXIT_DRAINED,
    Begin,
    Cancel,
    Effect,
    Exit,
    Offer,
    Redial,
    Send,
    Withdraw,
)
from questd.agent.executor import Began, Ended, Executor, Freed, Job, Note, Said
from questd.agent.lanes import make_lane
from questd.agent.link import Answered, Link, Lost
from questd.agent.session import Session
from questd.agent.tools import Tool
from questd.messages.exchange import Progress
from questd.runtime.nng import TLSSettings

BATCH = 512
"""Notes handled before the session speaks: outcomes of one batch share a frame."""
SWITCH_INTERVAL_S = 0.001
"""A tool that computes must not keep the link waiting for 5 ms at each step."""

log = logging.getLogger("questd.agent")


class Drain(NamedTuple):
    """Somebody wants the agent to end when nothing runs."""

    reason: str


class Quit(NamedTuple):
    """Somebody wants the agent to end now."""

    reason: str


Item = Note | Answered | Lost | Drain | Quit


class Runner:
    """Runs one instance until it ends; ``run`` returns its exit code."""

    def __init__(
        self, offer: Offer, tools: dict[str, Tool], url: str, tls: TLSSettings | None
    ) -> None:
        self._inbox: SimpleQueue[Item] = SimpleQueue()
        self._url = url
        self._exit: Exit | None = None
        self._running = 0
        self._session = Session(offer, _now_us())
        self._executor = Executor(tools, offer.capacity, self._inbox.put, make_lane)
        self._link = Link(url, tls=tls, frame_max=offer.frame_max, post=self._inbox.put)
        self._beat_s = 0.0
        self._phase = ""

    @property
    def busy(self) -> bool:
        """Whether tools still run, in time or not."""
        return self._running > 0 or self._executor.stuck > 0

    @property
    def link_stands(self) -> bool:
        """Whether the daemon was connected when the runner ended."""
        return self._link.connected

    def drain(self, reason: str) -> None:
        """End when nothing runs; a second time, now. From any thread."""
        self._inbox.put(Drain(reason))

    def quit(self, reason: str) -> None:
        """End now, whatever runs. From any thread."""
        self._inbox.put(Quit(reason))

    def run(self) -> Exit:
        """Work until the end."""
        while self._exit is None:
            effects = self._session.poll(_now_us())
            self._executor.trust(self._session.trusted_until_us / 1e6)
            for effect in effects:
                self._do(effect)
            if self._exit is None:
                self._wait()
        self._executor.stop()
        return self._exit

    def close(self) -> None:
        """Close the link."""
        self._link.close()

    def _wait(self) -> None:
        """Take what has come; when nothing has, sleep until something does or is due."""
        try:
            self._take(self._inbox.get(timeout=max(0.0, self._wake_s() - monotonic())))
            for _ in range(BATCH):
                self._take(self._inbox.get_nowait())
        except Empty:
            pass
        now_s = monotonic()
        self._executor.expire(now_s)
        self._session.stuck(self._executor.stuck)
        if now_s >= self._beat_s:
            self._session.beats(self._executor.alive(now_s))
            self._beat_s = now_s + self._beat_interval_s()

    def _wake_s(self) -> float:
        wake = min(self._session.next_wake(_now_us()) / 1e6, self._executor.next_wake())
        return min(wake, self._beat_s) if self._running else wake

    def _beat_interval_s(self) -> float:
        return min(self._session.hold_us / 2e6, self._executor.beat_interval_s())

    def _take(self, item: Item) -> None:
        match item:
            case Began(job):
                self._running += 1
                self._executor.note_began(job)
                self._beat_s = min(self._beat_s, monotonic() + self._executor.beat_interval_s())
                self._session.began(job.attempt)
            case Said(job):
                self._report(job, final=False)
            case Ended(outcome, job):
                if job is not None:
                    self._report(job, final=True)
                    self._running -= job.started_s is not None
                    self._executor.forget(job)
                self._session.ended(outcome)
            case Freed(job):
                self._executor.forget(job)
            case Answered(ticket, frame):
                self._session.heard(ticket, frame, _now_us())
                self._show_phase()
            case Lost(ticket, reason):
                self._session.lost(ticket, _now_us())
                self._show_lost(reason)
            case Drain(reason):
                if self._session.draining:
                    self._exit = Exit(EXIT_DRAINED, f"{reason}, again")
                self._session.drain(reason)
            case Quit(reason):
                self._exit = Exit(EXIT_DRAINED, reason)
            case _:
                assert_never(item)

    def _report(self, job: Job, *, final: bool) -> None:
        progress, lines = job.report.fetch(final=final)
        if progress is not None:
            self._session.progress(Progress(*job.attempt, *progress))
        if lines:
            self._session.logged(job.attempt, lines)

    def _do(self, effect: Effect) -> None:
        match effect:
            case Send():
                self._link.send(effect)
            case Begin(invocation):
                self._executor.begin(invocation)
            case Cancel(attempt, _reason):
                self._executor.cancel(attempt)
            case Withdraw(attempt):
                if self._executor.withdraw(attempt):
                    self._session.withdrawn(attempt)
            case Redial():
                self._link.redial()
            case Exit():
                self._exit = effect
            case _:
                assert_never(effect)

    def _show_phase(self) -> None:
        session = self._session
        if session.phase == "talking" != self._phase:
            log.info("agent.connected", extra={"url": self._url, "boot": session.boot})
        self._phase = session.phase

    def _show_lost(self, reason: str) -> None:
        if self._phase != "lost":
            log.warning("agent.unreachable: %s", reason)
        self._phase = "lost"


@contextmanager
def quick_switches() -> Generator[None]:
    """Let threads change more often while the agent runs."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@contextmanager
def signals(runner: Runner) -> Generator[None]:
    """Drain on SIGTERM and SIGINT, end at once on the second. On other threads than the main one: nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def on_signal(number: int, _frame: FrameType | None) -> None:
        runner.drain(signal.Signals(number).name)

    before = {
        number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _now_us() -> int:
    return monotonic_ns() // 1000
