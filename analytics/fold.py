"""What one event does to the rows of its quest.

Every event makes a row of ``events``; most change a task and an attempt (task_fold.py has the verbs). Never refuses
history: an event about something unknown makes its row and changes nothing else. Pure, as projection.py says.
"""

from typing import Any, Final, assert_never

import msgspec

from questd.analytics.details import detail_of
from questd.analytics.quest_state import StepState
from questd.analytics.signal_fold import SignalFold
from questd.analytics.tables import BreakpointRow, DefinitionRow, EventRow, LogRow, QuestRow
from questd.analytics.task_fold import show_failure
from questd.messages import events as ev
from questd.messages.address import address_of, round_of, step_of
from questd.messages.failure import AGENT_LOST
from questd.messages.upcasting import event_of

TEXT_MAX_BYTES: Final = 65_536
"""Payloads above it are not copied into the history: only their size and digest are."""
QuestEvent = (
    ev.QuestStarted
    | ev.CancelRequested
    | ev.QuestStopping
    | ev.QuestCompleted
    | ev.QuestFailed
    | ev.QuestCancelled
)


class Fold(SignalFold):
    """One record, applied to the state of its quest by ``run``."""

    __slots__ = ()

    def run(self) -> None:
        """Decode, write the event's row, and change the rows that it is about."""
        record = self.record
        self.state.n = record.n
        try:
            event = event_of(record)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self._add_event(None, None, {"undecoded": str(error)})
            return
        task, epoch = getattr(event, "task", None), getattr(event, "epoch", None)
        self._add_event(task, epoch, detail_of(event))
        self._on_event(event)

    def _add_event(self, task: str | None, epoch: int | None, detail: dict[str, Any]) -> None:
        record = self.record
        row = EventRow(
            record.seq, record.quest, record.n, record.at_us, record.kind, task, epoch, detail
        )
        self.sink.add(row)

    def _on_event(self, event: ev.Event) -> None:
        match event:
            case ev.AttemptStarted():
                self._on_attempt_started(event)
            case ev.AttemptCompleted():
                self._on_attempt_completed(event)
            case ev.AttemptFailed():
                self._on_attempt_failed(event)
            case ev.AttemptLost():
                self._on_attempt_lost(event)
            case ev.AttemptCancelled():
                self._on_attempt_cancelled(event)
            case ev.AttemptRefused():
                return
            case ev.AttemptLogged():
                self._on_attempt_logged(event)
            case ev.TaskFailed():
                self._on_task_failed(event)
            case ev.TaskCompleted():
                self._on_task_completed(event)
            case ev.TaskAllowed():
                self._on_task_allowed(event)
            case ev.TaskSkipped():
                self._on_task_skipped(event)
            case ev.TaskFellBack():
                self._on_task_fell_back(event)
            case ev.TaskAccepted():
                self._on_task_accepted(event)
            case ev.TaskSentBack():
                self._on_task_sent_back(event)
            case ev.TaskExpanded():
                self._on_task_expanded(event)
            case ev.TaskGathered():
                self._on_task_gathered(event)
            case ev.TaskPlanned():
                self._on_task_planned(event)
            case ev.SignalReceived() | ev.TaskSignalled() | ev.TaskDefaulted() | ev.TaskWoke():
                self._on_wait_event(event)
            case ev.BreakpointOpened():
                self._on_breakpoint_opened(event)
            case ev.BreakpointResolved():
                self._on_breakpoint_resolved(event)
            case ev.QuestSubmitted():
                self._on_submitted(event)
            case _:
                self._on_quest_event(event)
        self._show_movement()

    # -- the quest -----------------------------------------------------------------------------

    def _on_quest_event(self, event: QuestEvent) -> None:
        row = self.state.row
        if row is None:
            return
        match event:
            case ev.QuestStarted():
                self._on_started(row)
            case ev.CancelRequested(reason, actor):
                self.state.active = False
                row.cancel_reason, row.cancelled_by = reason, actor
            case ev.QuestStopping(failure):
                self.state.active = False
                show_failure(row, failure)
                row.failure_task = failure.task
            case ev.QuestCompleted(output, failed_steps):
                self._set_result(row, output)
                row.failed_steps = failed_steps or None
                self._end_quest(row, "completed")
            case ev.QuestFailed(failure):
                show_failure(row, failure)
                row.failure_task = failure.task
                self._end_quest(row, "failed")
            case ev.QuestCancelled(reason):
                row.cancel_reason = row.cancel_reason or reason
                self._end_quest(row, "cancelled")
            case _:
                assert_never(event)
        self.sink.touch(row)

    def _on_submitted(self, event: ev.QuestSubmitted) -> None:
        state, record = self.state, self.record
        state.plan = plan = self.lookup.plan(event.definition)
        inputs, inputs_size, inputs_digest = self.lookup.text(event.inputs)
        state.row = QuestRow(
            seq=record.seq,
            quest=record.quest,
            definition=event.definition,
            quest_name=event.name,
            quest_version=event.version,
            project=event.project,
            labels=event.labels,
            priority=event.priority,
            idempotency_key=event.key,
            deadline_at=event.deadline_us,
            total_timeout_ms=event.total_timeout_ms,
            submitted_at=self.at_us,
            step_count=len(plan.keys),
            inputs=inputs,
            inputs_size=inputs_size,
            inputs_digest=inputs_digest,
        )
        self.sink.add(state.row)
        self._add_definition(state.row)
        for place, key in enumerate(plan.keys):
            step = state.steps[key] = StepState(place, plan.needs[place], plan.standing.get(place))
            state.hear(step)

    def _add_definition(self, row: QuestRow) -> None:
        plan = self.state.plan
        definition = plan.definition
        if definition is None:
            return
        self.sink.add_definition(
            DefinitionRow(
                row.seq,
                row.definition,
                definition.name,
                definition.version,
                definition.project,
                definition.description,
                len(definition.steps),
                self.at_us,
                msgspec.Raw(plan.body) if len(plan.body) <= TEXT_MAX_BYTES else None,
                len(plan.body),
            ),
            lambda: plan.parts(row.definition),
        )

    def _on_started(self, row: QuestRow) -> None:
        row.started_at = self.at_us
        self.state.active = True
        for key, step in self.state.steps.items():
            if not step.unfinished and step.task is None:
                self._make_ready(row, step, key)

    def _end_quest(self, row: QuestRow, status: str) -> None:
        state = self.state
        row.status = status
        row.finished_at = self.at_us
        row.duration_us = self.at_us - (row.started_at or row.submitted_at)
        row.attempts, row.retries = state.attempt_count, state.retry_count
        state.active = False
        self._drop_signals()
        for epoch in list(state.attempts):
            self._stop_attempt(epoch)
        for step in state.steps.values():
            if step.task is not None and step.task.finished_at is None:
                self._end_task(step, step.task, "cancelled")
            elif step.task is not None and step.wait is not None:
                self._end_wait(step, step.task)

    # -- attempts ------------------------------------------------------------------------------

    def _on_attempt_started(self, event: ev.AttemptStarted) -> None:
        found, quest = self._task(event.task), self.state.row
        if found is None or quest is None:
            return
        step, task = found
        self._end_wait(step, task)
        self._begin_attempt(event, step, task)
        task.status = "running"
        if step.of is not None and step.of.task is not None:
            self._begin_whole(step.of.task)
        task.attempts += 1
        task.agent, task.instance, task.tool = event.agent, event.instance, event.tool
        if task.started_at is None:
            task.started_at, task.queue_us = self.at_us, self.at_us - task.ready_at
        self.state.count_attempt(event.attempt)
        if quest.queue_us is None and quest.started_at is not None:
            quest.queue_us = self.at_us - quest.started_at
            self.sink.touch(quest)

    def _on_attempt_completed(self, event: ev.AttemptCompleted) -> None:
        row = self._end_attempt(event.epoch, "completed")
        if row is not None:
            row.failure_kind = row.failure_message = None
            row.tool_us = event.duration_us
            row.tokens, row.cost_total = event.tokens, event.cost
            row.model, row.confidence = event.model, event.confidence
        found = self._task(event.task)
        if found is not None:
            self._complete(*found, event.result)

    def _on_attempt_failed(self, event: ev.AttemptFailed) -> None:
        row = self._end_attempt(event.epoch, "failed")
        if row is not None:
            row.tool_us, row.retry_at = event.duration_us, event.retry_at_us
            row.tokens, row.cost_total, row.model = event.tokens, event.cost, event.model
            show_failure(row, event.failure)
        found = self._task(event.task)
        if found is None:
            return
        step, task = found
        show_failure(task, event.failure)
        if event.retry_at_us is None:
            self._end_task(step, task, "failed")
        else:
            self._begin_wait(step, task, "retry", event.retry_at_us)
            step.ready_us = event.retry_at_us
            task.status = "retrying"

    def _on_attempt_lost(self, event: ev.AttemptLost) -> None:
        row = self._end_attempt(event.epoch, "lost")
        found = self._task(event.task)
        if found is None:
            return
        step, task = found
        task.failure_kind, task.failure_message = AGENT_LOST, event.reason
        if row is not None:
            row.failure_kind, row.failure_message = AGENT_LOST, event.reason
        step.ready_us = self.at_us
        task.status = "ready"

    def _on_attempt_cancelled(self, event: ev.AttemptCancelled) -> None:
        self._end_attempt(event.epoch, "cancelled")
        found = self._task(event.task)
        if found is not None:
            self._end_task(*found, "cancelled")

    def _on_attempt_logged(self, event: ev.AttemptLogged) -> None:
        for place, line in enumerate(event.lines):
            self.sink.add(
                LogRow(
                    self.record.seq,
                    place,
                    self.record.quest,
                    event.task,
                    event.epoch,
                    line.at_us,
                    line.text,
                    line.fields.decode("utf-8", "replace"),
                )
            )

    # -- decisions -----------------------------------------------------------------------------

    def _on_task_failed(self, event: ev.TaskFailed) -> None:
        found = self._task(event.task)
        if found is None:
            return
        step, task = found
        show_failure(task, event.failure)
        self._stop_attempt(step.epoch)
        if event.continued:
            task.continued = True
            self._set_result(task, event.result)
        if task.finished_at is None or task.status == "completed":  # its result did not stand
            self._end_task(step, task, "failed")
        if event.continued:
            self._release_dependents(step)
            self._let_next(step)
        self._drop_items(step)

    def _on_task_completed(self, event: ev.TaskCompleted) -> None:
        found = self._task(event.task)
        if found is not None:
            step, task = found
            task.decided_by = event.actor
            self._complete(step, task, event.result)

    def _on_task_expanded(self, event: ev.TaskExpanded) -> None:
        found, quest = self._task(event.task), self.state.row
        if found is None or quest is None:
            return
        step, task = found
        task.status = "running"
        key, turn = step_of(event.task), round_of(event.task)
        names = [address_of(key, number, turn) for number in range(len(event.items))]
        step.coming, step.came = names[::-1], []
        for _ in range(self.state.plan.window(step.place) or len(names)):
            self._make_next(quest, step)

    def _on_task_gathered(self, event: ev.TaskGathered) -> None:
        found = self._task(event.task)
        if found is not None:
            self._complete(*found, event.result)

    def _on_task_planned(self, event: ev.TaskPlanned) -> None:
        found, quest = self._task(event.task), self.state.row
        if found is not None and quest is not None:
            step, task = found
            self._join(quest, step, event.steps)
            self._end_task(step, task, "completed")
            self._release_dependents(step)

    def _on_task_allowed(self, event: ev.TaskAllowed) -> None:
        found = self._task(event.task)
        if found is not None:
            found[0].ready_us = self.at_us
            self._stand(*found)

    def _on_task_skipped(self, event: ev.TaskSkipped) -> None:
        found = self._task(event.task)
        if found is not None:
            step, task = found
            self._end_task(step, task, "skipped")
            self._release_dependents(step)

    def _on_task_fell_back(self, event: ev.TaskFellBack) -> None:
        """Whatever ended with its last attempt goes on."""
        found = self._task(event.task)
        if found is not None:
            step, task = found
            self._end_wait(step, task)
            show_failure(task, event.failure)
            task.status = "ready"
            task.finished_at = task.duration_us = None
            step.ready_us = self.at_us

    def _on_breakpoint_opened(self, event: ev.BreakpointOpened) -> None:
        found, record = self._task(event.task), self.record
        if found is None:
            return
        step, task = found
        self._begin_wait(step, task, "breakpoint", None)
        if task.finished_at is None:
            task.status = "waiting"
        row = BreakpointRow(
            record.seq,
            record.quest,
            record.n,
            event.task,
            task.project,
            event.kind,
            event.question,
            event.options,
            self.at_us,
        )
        self.state.breakpoints[record.n] = row
        self.sink.add(row)

    def _on_breakpoint_resolved(self, event: ev.BreakpointResolved) -> None:
        row = self._end_breakpoint(event.breakpoint, "resolved")
        if row is not None:
            row.choice, row.actor = event.choice, event.actor
        found = self._task(event.task)
        if found is not None:
            step, task = found
            self._end_wait(step, task)
            if task.finished_at is None:
                step.ready_us = self.at_us
                task.status = "ready"
