"""What happens to the rows of tasks, attempts, breakpoints and waits: the verbs that fold.py's events are made of.

Never refuses history: what is unknown is made, or left alone. Pure, as projection.py says.
"""

from typing import Protocol

from questd.analytics.batch import Sink
from questd.analytics.quest_state import Part, Plan, QuestState, StepState
from questd.analytics.tables import AttemptRow, BreakpointRow, QuestRow, SignalRow, TaskRow, WaitRow
from questd.messages import events as ev
from questd.messages.address import address_of, step_of
from questd.messages.definition import StepDefinition
from questd.messages.failure import Failure
from questd.messages.payload import Payload


class Lookup(Protocol):
    """What a fold asks about immutable things."""

    def plan(self, digest: str) -> Plan:
        """The graph of a definition."""
        ...

    def text(self, payload: Payload) -> tuple[str | None, int, str | None]:
        """Text, size, digest of a payload."""
        ...


class TaskFold:
    """One record, about to be applied to the state of its quest; rows go to ``sink``."""

    __slots__ = ("at_us", "lookup", "record", "sink", "state")

    def __init__(self, lookup: Lookup, state: QuestState, record: ev.Record, sink: Sink) -> None:
        self.lookup = lookup
        self.state = state
        self.record = record
        self.sink = sink
        self.at_us = record.at_us

    # -- tasks ---------------------------------------------------------------------------------

    def _task(self, name: str) -> tuple[StepState, TaskRow] | None:
        """The step and the row of a task's id, about to be changed; None before its quest was submitted."""
        quest = self.state.row
        if quest is None:
            return None
        step = self.state.steps.get(name)
        if step is None:
            step = self.state.steps[name] = StepState(len(self.state.steps), 0)
        task = step.task
        if task is None:
            task = self._make_ready(quest, step, name)
        else:
            self.sink.touch(task)
        return step, task

    def _make_ready(self, quest: QuestRow, step: StepState, name: str) -> TaskRow:
        """Its last dependency has ended: from here on it is a task."""
        task = TaskRow(
            self.record.seq,
            step.place,
            quest.quest,
            name,
            step_of(name),
            quest.quest_name,
            quest.project,
            self.at_us,
        )
        step.task = task
        step.ready_us = self.at_us
        self.sink.add(task)
        waits = step.waits
        if waits is not None and waits.when is None and not self._follows_skipped(waits):
            self._stand(step, task)
        return task

    def _follows_skipped(self, step: StepDefinition) -> bool:
        """Is it to be skipped in the same moment, because one that it depends on was?"""
        if step.allow_skipped:
            return False
        before = (self.state.latest(key)[0].task for key in step.dependencies)
        return any(task is not None and task.status == "skipped" for task in before)

    def _stand(self, step: StepState, task: TaskRow) -> None:
        """It begins to wait, if its step does nothing else."""
        waits = step.waits
        if waits is None:
            return
        kind, length_ms = "timer", waits.sleep_ms
        if waits.wait_for is not None:
            kind, length_ms = "signal", waits.timeout_ms
        until_us = None if length_ms is None else self.at_us + length_ms * 1_000
        self._begin_wait(step, task, kind, until_us, step.place)
        task.status = "waiting"

    def _end_task(self, step: StepState, task: TaskRow, status: str) -> None:
        self._end_wait(step, task)
        if step.waits is not None and task.finished_at is None:
            self._drop_signals_beyond(step.waits)
        task.status = status
        task.finished_at = self.at_us
        if task.started_at is not None:
            task.duration_us = self.at_us - task.started_at
        self.sink.touch(task)

    def _complete(self, step: StepState, task: TaskRow, result: Payload) -> None:
        self._set_result(task, result)
        task.failure_kind = task.failure_message = None
        if self.state.plan.plans(step.place):
            self._end_wait(step, task)  # whether its lost attempt is to be repeated, perhaps
            task.status = "running"
            return  # until it has been read
        self._end_task(step, task, "completed")
        if not (self.state.active and step.place in self.state.plan.loops):
            self._release_dependents(step)
        self._let_next(step)

    def _set_result(self, row: TaskRow | QuestRow, payload: Payload) -> None:
        row.result, row.result_size, row.result_digest = self.lookup.text(payload)
        row.released = False

    def _release_dependents(self, step: StepState) -> None:
        quest = self.state.row
        if step.released or quest is None:
            return
        step.released = True
        for name in self._dependents(step):
            self._release(quest, name)
        if step.part is not None:
            step.part.left -= 1
            for name in () if step.part.left else step.part.waiting:
                self._release(quest, name)

    def _dependents(self, step: StepState) -> list[str]:
        plan = self.state.plan
        places = plan.dependents[step.place] if step.place < len(plan.keys) else ()
        return [*(self.state.latest(plan.keys[place])[1] for place in places), *step.after]

    def _release(self, quest: QuestRow, name: str) -> None:
        dependent = self.state.steps[name]
        dependent.unfinished -= 1
        if not dependent.unfinished and self.state.active and dependent.task is None:
            self._make_ready(quest, dependent, name)

    # -- plans ---------------------------------------------------------------------------------

    def _join(self, quest: QuestRow, by: StepState, steps: tuple[StepDefinition, ...]) -> None:
        """Steps that a step planned join the quest."""
        part = by.plans = Part(len(steps))
        for name in self._dependents(by) if steps else ():
            self._wait_for(part, name)
        for step in steps:
            waits = step if step.only_waits else None
            joined = self.state.steps[step.key] = StepState(len(self.state.steps), 0, waits)
            joined.part = part
            self.state.hear(joined)
        for step in steps:
            self._tie(step.key, step.dependencies)
        for step in steps:
            joined = self.state.steps[step.key]
            if not joined.unfinished and self.state.active:
                self._make_ready(quest, joined, step.key)

    def _tie(self, name: str, dependencies: tuple[str, ...]) -> None:
        step = self.state.steps[name]
        for key in dependencies:
            other = self.state.steps[key]
            if not other.released:
                other.after.append(name)
                step.unfinished += 1
            elif other.plans is not None and other.plans.left and other.plans is not step.part:
                self._wait_for(other.plans, name)

    def _wait_for(self, part: Part, name: str) -> None:
        part.waiting.append(name)
        self.state.steps[name].unfinished += 1

    # -- rounds --------------------------------------------------------------------------------

    def _on_task_accepted(self, event: ev.TaskAccepted) -> None:
        found = self._task(event.task)
        if found is not None:
            self._release_dependents(found[0])

    def _on_task_sent_back(self, event: ev.TaskSentBack) -> None:
        found = self._task(event.task)
        if (
            found is not None
            and self.state.row is not None
            and found[0].place in self.state.plan.loops
        ):
            self._begin_round(self.state.row, found[0])

    def _begin_round(self, quest: QuestRow, step: StepState) -> None:
        """Everything in the step's loop is to run again."""
        step.released = True
        plan, state = self.state.plan, self.state
        body = dict.fromkeys(plan.loops[step.place].body)
        begun: list[tuple[StepState, str]] = []
        for place in body:
            key = plan.keys[place]
            round_ = state.rounds[key] = state.rounds.get(key, 1) + 1
            name = address_of(key, None, round_)
            unfinished = sum(other in body for other in plan.waits[place])
            again = StepState(place, unfinished, plan.standing.get(place))
            state.steps[name] = again
            state.hear(again)
            begun.append((again, name))
        for again, name in begun:
            if not again.unfinished:
                self._make_ready(quest, again, name)

    # -- items ---------------------------------------------------------------------------------

    def _make_next(self, quest: QuestRow, step: StepState) -> None:
        """The next item of a step may run."""
        if step.coming:
            name = step.coming.pop()
            step.came.append(name)
            item = self.state.steps[name] = StepState(len(self.state.steps), 0)
            item.of, item.released = step, True
            self._make_ready(quest, item, name)

    def _let_next(self, item: StepState) -> None:
        """An item has ended, if it is one."""
        if item.of is not None and self.state.row is not None and self.state.active:
            self._make_next(self.state.row, item.of)

    def _begin_whole(self, task: TaskRow) -> None:
        """An item of the step's task begins, perhaps the first."""
        if task.started_at is None:
            task.started_at, task.queue_us = self.at_us, self.at_us - task.ready_at
            self.sink.touch(task)

    def _drop_items(self, step: StepState) -> None:
        """The step has failed: what its items do does not count any more."""
        step.coming = []
        for item in (self.state.steps[name] for name in step.came):
            if item.task is not None and item.task.finished_at is None:
                self._stop_attempt(item.epoch)
                self._end_task(item, item.task, "cancelled")
        step.came = []

    # -- waits and breakpoints -----------------------------------------------------------------

    def _begin_wait(
        self, step: StepState, task: TaskRow, kind: str, until_us: int | None, place: int = 0
    ) -> None:
        self._end_wait(step, task)
        step.wait = WaitRow(
            self.record.seq,
            task.quest,
            task.task,
            task.project,
            kind,
            self.at_us,
            until_us,
            place=place,
        )
        self.sink.add(step.wait)

    def _end_wait(self, step: StepState, task: TaskRow) -> None:
        wait, step.wait = step.wait, None
        if wait is not None:
            wait.finished_at = self.at_us
            wait.wait_us = self.at_us - wait.began_at
            self.sink.touch(wait)
        if self.state.breakpoints:
            names = [n for n, row in self.state.breakpoints.items() if row.task == task.task]
            for n in names:
                self._end_breakpoint(n, "dropped")

    def _end_breakpoint(self, n: int, status: str) -> BreakpointRow | None:
        row = self.state.breakpoints.pop(n, None)
        if row is not None:
            row.status = status
            row.finished_at = self.at_us
            row.wait_us = self.at_us - row.opened_at
            self.sink.touch(row)
        return row

    # -- signals -------------------------------------------------------------------------------

    def _drop_signals_beyond(self, waits: StepDefinition) -> None:
        """A step waits no more, or never will: what is kept, and now nobody is left to take, goes."""
        if waits.wait_for is None:
            return
        name, state = waits.wait_for.signal, self.state
        state.hearing[name] -= 1
        kept = [n for n, row in state.signals.items() if row.signal_name == name]
        for n in kept[max(0, state.hearing[name]) :]:
            self._end_signal(n, "dropped")

    def _end_signal(self, n: int, status: str) -> SignalRow | None:
        row = self.state.signals.pop(n, None)
        if row is not None:
            row.status, row.finished_at = status, self.at_us
            row.kept_us = self.at_us - row.received_at
            self.sink.touch(row)
        return row

    # -- attempts ------------------------------------------------------------------------------

    def _begin_attempt(self, event: ev.AttemptStarted, step: StepState, task: TaskRow) -> None:
        """The attempt before it, if it was lost, cannot count any more."""
        record, ready_us = self.record, step.ready_us
        row = AttemptRow(
            record.seq,
            record.quest,
            event.task,
            task.step,
            record.n,
            event.attempt,
            task.quest_name,
            task.project,
            event.agent,
            event.instance,
            event.tool,
            event.idempotent,
            event.timeout_ms,
            self.at_us,
            None if ready_us is None else max(0, self.at_us - ready_us),
        )
        self.sink.add(row)
        self.state.attempts.pop(step.epoch, None)
        self.state.attempts[record.n] = row
        self.state.running += 1
        step.epoch = record.n
        counts = self.sink.tally(row, self.at_us)
        if counts is not None:
            counts.attempts += 1

    def _end_attempt(self, epoch: int, status: str) -> AttemptRow | None:
        """A lost attempt stays at hand: its result may still come and count."""
        row = self.state.attempts.get(epoch)
        if row is None:
            return None
        self.state.running -= row.status == "running"
        if status != "lost":
            del self.state.attempts[epoch]
        row.status = status
        row.finished_at = self.at_us
        row.duration_us = self.at_us - row.started_at
        self.sink.touch(row)
        counts = self.sink.tally(row, self.at_us)
        if counts is not None:
            setattr(counts, status, getattr(counts, status) + 1)
            counts.busy_us += row.duration_us if status in {"completed", "failed"} else 0
        return row

    def _stop_attempt(self, epoch: int) -> None:
        """What it was done for has ended without it."""
        attempt = self.state.attempts.get(epoch)
        if attempt is not None and attempt.status == "running":
            self._end_attempt(epoch, "cancelled")

    # -- the quest's movement ------------------------------------------------------------------

    def _show_movement(self) -> None:
        """An active quest is running while an attempt runs, else it waits."""
        row = self.state.row
        if row is None or row.started_at is None or row.finished_at is not None:
            return
        status = "running" if self.state.running else "waiting"
        if row.status != status:
            self.sink.flip(row)
            row.status = status


def show_failure(row: TaskRow | AttemptRow | QuestRow, failure: Failure) -> None:
    """Why it failed, in its row."""
    row.failure_kind, row.failure_message = failure.kind, failure.message
