"""The kinds of slots: worker threads, one event loop, child processes.

Invariant: whatever a tool raises, SystemExit and KeyboardInterrupt included, becomes its attempt's outcome and
ends neither a thread nor the loop.
"""

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from time import monotonic, perf_counter_ns

from questd.agent.context import Context
from questd.agent.executor import Executor, Job, Lane
from questd.agent.isolated import Child, run_isolated
from questd.agent.tools import encode_result, failure_of
from questd.messages.exchange import Cancelled, Completed, Outcome

LOOP_PULSE_S = 0.5


def make_lane(name: str, executor: Executor) -> Lane:
    """Make a lane by name."""
    match name:
        case "loop":
            return LoopLane(executor)
        case "process":
            return ThreadLane(executor, call_isolated, grace_s=10.0)
        case _:
            return ThreadLane(executor, call, grace_s=1.0)


def call(job: Job) -> Outcome:
    """Call a function."""
    began_ns = perf_counter_ns()
    try:
        positional, named = bind(job)
        result = job.tool.function(*positional, **named)
        text = encode_result(result, job.tool.name)
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is this attempt's
        return failed(job, error, began_ns)
    return completed(job, text, began_ns)


def call_isolated(job: Job) -> Outcome:
    """Call a function in a child process."""
    began_ns = perf_counter_ns()
    try:
        job.tool.arguments(
            job.invocation.arguments
        )  # a child costs 100 ms: not for wrong arguments
        job.handle = child = Child(job.tool, job.invocation)
        if job.told_s is not None:
            child.end()
        text = run_isolated(child, job.report)
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is this attempt's
        return failed(job, error, began_ns)
    return completed(job, text, began_ns)


def bind(job: Job) -> tuple[tuple[object, ...], dict[str, object]]:
    """Decode the arguments, and add the context where the function wants one."""
    positional, named = job.tool.arguments(job.invocation.arguments)
    if job.tool.context_name is not None:
        named[job.tool.context_name] = Context(job.invocation, job.report)
    return positional, named


def completed(job: Job, text: bytes, began_ns: int) -> Completed:
    """Make the outcome of a tool that returned."""
    report = job.report
    return Completed(
        job.invocation.quest,
        job.invocation.epoch,
        text,
        (perf_counter_ns() - began_ns) // 1000,
        report.tokens,
        report.cost,
        report.model,
        report.confidence,
    )


def failed(job: Job, error: BaseException, began_ns: int) -> Outcome:
    """Make the outcome of a tool that raised; after a cancellation that is how it ended."""
    if job.cancelling:
        return Cancelled(*job.attempt)
    return job.failed(failure_of(error), (perf_counter_ns() - began_ns) // 1000)


class ThreadLane:
    """Worker threads, made when none is idle: never more than there are slots. A thread cannot be made to end."""

    def __init__(
        self, executor: Executor, run: Callable[[Job], Outcome], *, grace_s: float
    ) -> None:
        self.grace_s = grace_s
        self._executor = executor
        self._run_tool = run
        self._queue: SimpleQueue[Job] = SimpleQueue()
        self._lock = threading.Lock()
        self._idle = 0
        self._running: set[Job] = set()

    def launch(self, job: Job) -> None:
        """Hand it to an idle thread, or a new one."""
        with self._lock:
            wanted = not self._idle
            if not wanted:
                self._idle -= 1
        if wanted:
            threading.Thread(target=self._work, name="tool", daemon=True).start()
        self._queue.put(job)

    def interrupt(self, job: Job) -> None:
        """End its child process, if it has one."""
        if isinstance(job.handle, Child):
            job.handle.end()

    def blocked_s(self) -> float:
        """Threads do not block each other."""
        return 0.0

    def stop(self) -> None:
        """End child processes at once."""
        for job in list(self._running):
            if isinstance(job.handle, Child):
                job.handle.kill()

    def _work(self) -> None:
        while True:
            job: Job | None = self._queue.get()
            while job is not None:
                job = self._run(job)
            with self._lock:
                self._idle += 1

    def _run(self, job: Job) -> Job | None:
        """Run one; the answer is the next one, if it is for this lane."""
        executor = self._executor
        if executor.started(job):
            self._running.add(job)
            outcome = self._run_tool(job)
            self._running.discard(job)
            following = executor.finished(job, outcome)
        else:
            following = executor.passed_over(job)
        if following is None or following.lane is self:
            return following
        following.lane.launch(following)
        return None


class LoopLane:
    """One event loop in its own thread; each job a task. A task that never awaits blocks all of them."""

    grace_s = 5.0

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._loop = asyncio.new_event_loop()
        self._pulse_s = monotonic()
        self._thread = threading.Thread(target=self._run_loop, name="tools.loop", daemon=True)
        self._thread.start()

    def launch(self, job: Job) -> None:
        """Start a task for it."""
        self._loop.call_soon_threadsafe(self._start, job)

    def interrupt(self, job: Job) -> None:
        """Cancel its task."""
        self._loop.call_soon_threadsafe(self._cancel, job)

    def blocked_s(self) -> float:
        """Tell for how long the loop has not turned."""
        silent = monotonic() - self._pulse_s
        return silent if silent > 2 * LOOP_PULSE_S else 0.0

    def stop(self) -> None:
        """Stop the loop; what ran on it is gone."""
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._beat()
        self._loop.run_forever()

    def _beat(self) -> None:
        self._pulse_s = monotonic()
        self._loop.call_later(LOOP_PULSE_S, self._beat)

    def _start(self, job: Job) -> None:
        job.handle = self._loop.create_task(self._run(job))

    def _cancel(self, job: Job) -> None:
        if isinstance(job.handle, asyncio.Task):
            job.handle.cancel()

    async def _run(self, job: Job) -> None:
        # Only a started job is ever interrupted, so no task is cancelled before it came here and owns its slot.
        if self._executor.started(job):
            self._go_on(self._executor.finished(job, await _call_async(job)))
        else:
            self._go_on(self._executor.passed_over(job))

    def _go_on(self, following: Job | None) -> None:
        if following is None:
            return
        if following.lane is self:
            self._loop.call_soon(self._start, following)
        else:
            following.lane.launch(following)


async def _call_async(job: Job) -> Outcome:
    began_ns = perf_counter_ns()
    try:
        positional, named = bind(job)
        result = await job.tool.function(*positional, **named)
        text = encode_result(result, job.tool.name)
    except BaseException as error:  # noqa: BLE001 - a task that raised SystemExit would stop the loop
        return failed(job, error, began_ns)
    return completed(job, text, began_ns)
