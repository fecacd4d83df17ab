"""The invariants that hold at every step, checked where something becomes durable or is said to somebody.

A second, simpler account of every quest, kept from the bytes that the journal made durable and from nothing else:

- Events of a quest are numbered without a gap, its time never goes back, what is durable stays as it is.
- A task has at most one completion. An outcome counts for the latest attempt of its task only, and a result is the one that
  the tool returned.
- An attempt starts when all dependencies have ended, no retry delay is left, exclusivity and limits allow it, and never of a
  task that has been completed. A lost attempt of a tool that is not idempotent is repeated only after a decision.
- What an attempt used is what its tool said; beyond the quest's budget none starts, and one task asks for all.
- Work is sent only of attempts whose start is durable and whose task is not completed; arguments and idempotency key of a
  task never change, and no other task of the quest has its key. An outcome is acknowledged only when the journal says what became of it.
- A tool begins once per (quest, epoch), on the instance that its start names. It may begin although its task is completed
  only if the attempt was given up as lost before (that is what *at least once* means for idempotent tools), or a person
  completed or ended the task; and one that was given up more than two holds before begins no more.
- Whoever hears ``created``, ``Done`` or events hears of what is durable.

Knows the production fold for one purpose: a live supervisor must agree with it (agreement.py).
"""

from collections.abc import Sequence

from questd.actors.quest import core
from questd.actors.quest.plans import PlanCache
from questd.actors.quest.state import QuestState
from questd.messages import events as ev
from questd.messages.definition import QuestDefinition
from questd.messages.exchange import (
    Completed,
)
from questd.messages.failure import TIMEOUT
from questd.messages.payload import BlobRef, Payload
from questd.messages.upcasting import event_of
from questd.runtime.deterministic import VirtualClock
from questd.runtime.journal.memory import MemoryStore
from questd.runtime.journal.store import Append, Appended, KeyTaken, Refusal
from questd.simulation import budgets, choices, concealed, families, items, loops, plans, waits
from questd.simulation.accounts import NEVER_US, SAID_BY_THE_DAEMON, Account, Attempt
from questd.simulation.company import check_company
from questd.simulation.conditions import note_decision
from questd.simulation.schedules import Book
from questd.simulation.spoken import Spoken


class Ledger(Spoken):
    """All quests. ``opened`` is told (quest, task) when a breakpoint has become durable."""

    def __init__(self, store: MemoryStore, clock: VirtualClock, stale_us: int) -> None:
        super().__init__(clock, stale_us)
        self._store = store
        self._plans = PlanCache()
        self.by_key: dict[str, str] = {}
        self.breakpoints: list[tuple[str, str, tuple[str, ...]]] = []
        self.waiting_children: list[tuple[str, QuestDefinition]] = []
        self.events = 0
        self.schedules = Book(clock, self.expect, self.by_key)

    # -- what becomes durable --------------------------------------------------------------------------

    def committed(self, items: Sequence[Append], outcomes: Sequence[Appended | Refusal]) -> None:
        """A transaction is on disk."""
        for item, outcome in zip(items, outcomes, strict=True):
            match outcome:
                case Appended():
                    self._on_appended(item)
                case KeyTaken(key=key, holder=holder):
                    self.expect(self.by_key.get(key) == holder, f"key {key} is not {holder}'s")
                case _:
                    pass
        for item in items:
            head, account = self._store.head(item.quest), self.accounts.get(item.quest)
            if head is not None and account is not None:
                level = head.version == account.version
                self.expect(level, f"the head of {item.quest} does not name its last event")

    def _on_appended(self, item: Append) -> None:
        if self.schedules.take(item, self._store):
            return
        account = self.accounts.get(item.quest) or self._open(item)
        records = self._store.events(item.quest, account.version, len(item.events))
        self.expect(len(records) == len(item.events), f"{item.quest}: lost or doubled events")
        for record in records:
            last = account.records[-1] if account.records else None
            self.expect(record.n == account.version + 1, f"{item.quest}: a gap before {record.n}")
            if last is not None:
                backwards = record.at_us < last.at_us or record.seq <= last.seq
                self.expect(not backwards, f"{item.quest}: {record.n} is older than its forerunner")
            account.records.append(record)
            self._fold(account, record)
        waits.check_served(account, self.expect)

    def _open(self, item: Append) -> Account:
        data = self._store.definition(item.head.definition)
        assert data is not None, "the definition is written with the first event"
        plan = self._plans.load(data, trusted=True).plan
        fold = QuestState(item.quest, plan)
        account = self.accounts[item.quest] = Account(item.quest, plan.definition, fold)
        account.loops = loops.Loops(plan.definition)
        account.purse = budgets.Purse(plan.definition.limits)
        if account.only_waits and not families.is_root(account):
            self.waiting_children.append((item.quest, plan.definition))
        return account

    def _fold(self, account: Account, record: ev.Record) -> None:
        self.events += 1
        event = event_of(record)
        self.expect(
            account.end is None or isinstance(event, ev.AttemptRefused),
            f"{account.quest}: {record.kind} after its end",
        )
        budgets.note(account, event, self.outcomes, self.expect)
        self._note(account, event, record)
        waits.look(account, record.at_us)
        try:
            core.evolve(account.fold, event, record.at_us)
        except Exception as error:  # noqa: BLE001 - whatever the fold says of history is a finding
            self.fail(f"{account.quest}: history cannot be folded: {error!r}")
        account.fold.take_due()

    def _note(self, account: Account, event: ev.Event, record: ev.Record) -> None:
        match event:
            case ev.AttemptStarted():
                self._on_started(account, event, record)
            case ev.AttemptCompleted():
                self._on_completed(account, event)
            case ev.AttemptFailed():
                self._on_failed(account, event, record)
            case ev.AttemptLost(task, epoch, _, begun):
                self._close(account, epoch).lost_us = self._clock.monotonic_us
                if begun:
                    choices.note_loss(account, task)
                if begun and not account.attempts[epoch].event.idempotent:
                    account.undecided[task] = epoch
                called = (account.quest, epoch) in self.begun
                self.expect(begun or not called, f"{account.quest} {task}: called, yet not begun")
            case ev.AttemptCancelled(_, epoch):
                self._close(account, epoch).over = True
            case ev.AttemptRefused(task, epoch):
                news = epoch not in account.refused and account.completed.get(task) != epoch
                self.expect(news and epoch in account.attempts, f"{account.quest}: refused {epoch}")
                account.refused[epoch] = None
            case ev.TaskFailed():
                self._on_task_failed(account, event)
            case ev.TaskCompleted(task, result, _):
                self._complete(account, task, -1, result)
            case ev.TaskPlanned(task):
                plans.planned(account, event, self._text, self.expect)
                self._complete(account, task, -1, account.results[task])
            case ev.TaskAllowed() | ev.TaskSkipped():
                note_decision(account, event, self.expect)
            case ev.TaskFellBack():
                choices.fell_back(account, event, self.expect)
            case ev.TaskAccepted():
                loops.note_accepted(account, event, self.expect)
            case ev.TaskSentBack(feedback=told):
                loops.note_sent_back(account, event, self._text(account, told), self.expect)
            case ev.BreakpointOpened(task, options=options):
                self.breakpoints.append((account.quest, task, options))
                loops.note_asked(account, event, self.expect)
            case ev.TaskExpanded():
                items.expanded(account, event, self._text, self.expect)
            case ev.TaskGathered(task, result):
                items.gathered(account, event, self._text, self.expect)
                self._complete(account, task, -1, result)
            case ev.SignalReceived():
                text = self._text(account, event.payload)
                waits.note_received(account, event, record.n, text, self.expect)
            case ev.TaskSignalled() | ev.TaskDefaulted() | ev.TaskWoke():
                result = waits.note_over(account, event, self._clock.latest_us, self.expect)
                self._complete(account, event.task, -1, result)
            case ev.BreakpointResolved(_, task, _, actor):
                account.undecided.pop(task, None)
                account.actors[actor] = None
            case _:
                self._note_quest(account, event, record)

    def _on_task_failed(self, account: Account, event: ev.TaskFailed) -> None:
        task, failure = event.task, event.failure
        if not loops.check_failed(account, event, self.expect):
            choices.check_failed(account, task, failure, self.expect)
        items.note_failed(account, event, self.expect)
        plans.check_failed(account, event, self._text, self.expect)
        waits.check_failed(account, task, failure, self._clock.latest_us, self.expect)
        account.failed[task] = None
        if event.continued:
            account.ended[task] = None
        self._text(account, event.result)

    def _note_quest(self, account: Account, event: ev.Event, record: ev.Record) -> None:
        match event:
            case ev.QuestSubmitted(inputs=inputs, key=key, total_timeout_ms=total_ms):
                self._on_submitted(account, key, record)
                self._text(account, inputs)
                account.total_timeout_ms = total_ms
            case ev.QuestStarted():
                account.started_us = record.at_us
            case ev.CancelRequested(reason, _):
                account.stopping = True
                account.actors[reason] = None
            case ev.QuestStopping(failure):
                self._on_stopping(account, failure.kind == TIMEOUT and failure.task is None)
            case ev.QuestCompleted() | ev.QuestFailed() | ev.QuestCancelled():
                self._on_end(account, event)
                self.schedules.quest_ended(account, record)
            case _:
                pass

    def _on_submitted(self, account: Account, key: str | None, record: ev.Record) -> None:
        self.expect(record.n == 1, f"{account.quest}: submitted twice")
        families.note_begun(self, account)
        account.key = key
        if key is not None:
            holder = self.by_key.setdefault(key, account.quest)
            self.expect(holder == account.quest, f"key {key} has two quests")
            self.schedules.quest_submitted(key, account.quest)

    def _on_stopping(self, account: Account, expired: bool) -> None:
        account.stopping = True
        if expired:
            total_us = (account.total_timeout_ms or 0) * 1_000
            due = self._clock.latest_us >= account.started_us + total_us
            self.expect(due, f"{account.quest}: its total timeout came early")

    def _on_end(self, account: Account, event: ev.Event) -> None:
        account.end = ev.kind_of(event)
        self.expect(not account.running, f"{account.quest}: ended while {account.running} ran")
        families.note_end(self, account, event, self._text)
        if isinstance(event, ev.QuestCompleted):
            items.check_all_ended(account, self.expect)
            self._text(account, event.output)
            items.check_failed_steps(account, event, self.expect)

    # -- attempts ----------------------------------------------------------------------------------------

    def _on_started(self, account: Account, event: ev.AttemptStarted, record: ev.Record) -> None:
        where, task = f"{account.quest} {event.task}", event.task
        step = account.steps[task]
        before = account.latest.get(task)
        self.expect(task not in account.completed, f"{where}: started again after its completion")
        self.expect(task not in account.failed, f"{where}: started again after its failure")
        self.expect(not account.stopping, f"{where}: started in a stopping quest")
        self.expect(task not in account.undecided, f"{where}: repeated without a decision")
        self.expect(loops.over(account, step), f"{where}: started too soon")
        due = self._clock.latest_us >= account.not_before_us.get(task, 0)
        self.expect(due, f"{where}: retried before its time")
        number = 1 + (before.event.attempt if before else 0)
        self.expect(event.attempt == number, f"{where}: wrong number")
        self.expect(task not in account.skipped, f"{where}: started although it was skipped")
        undecided = step.when is not None and task not in account.allowed
        self.expect(not undecided, f"{where}: started before its condition was looked at")
        after = any(account.now(key) in account.skipped for key in step.dependencies)
        self.expect(step.allow_skipped or not after, f"{where}: started after a skipped one")
        choices.check_started(account, event, self.expect)
        items.check_started(account, task, self.expect)
        plans.check_started(account, task, self.expect)
        check_company(account, where, self.expect, exclusive=not step.parallel)
        attempt = Attempt(record.n, event, self._clock.monotonic_us)
        account.attempts[record.n] = account.latest[task] = attempt
        account.running[record.n] = task

    def _close(self, account: Account, epoch: int) -> Attempt:
        """Its running is over."""
        self.expect(epoch in account.running, f"{account.quest}: {epoch} does not run")
        account.running.pop(epoch, None)
        return account.attempts[epoch]

    def _counts(self, account: Account, task: str, epoch: int) -> Attempt:
        """Only the latest attempt of a task counts, running or lost."""
        attempt = account.attempts[epoch]
        where = f"{account.quest} {task} epoch {epoch}"
        self.expect(attempt.event.task == task, f"{where}: belongs to {attempt.event.task}")
        self.expect(account.latest[task] is attempt, f"{where}: counted although superseded")
        self.expect(not attempt.over, f"{where}: counted although over")
        account.running.pop(epoch, None)
        account.undecided.pop(task, None)
        attempt.over = True
        return attempt

    def _on_completed(self, account: Account, event: ev.AttemptCompleted) -> None:
        self._counts(account, event.task, event.epoch)
        self._complete(account, event.task, event.epoch, event.result)
        outcome = self.outcomes.get((account.quest, event.epoch))
        text = self._text(account, event.result)
        told = isinstance(outcome, Completed) and concealed.is_told(outcome.result, text)
        self.expect(told, f"{account.quest} {event.task}: its result is not what the tool returned")

    def _complete(self, account: Account, task: str, epoch: int, result: Payload) -> None:
        where = f"{account.quest} {task}"
        if plans.returned(account, epoch, task, result):
            return
        self.expect(task not in account.completed, f"{where}: completed twice")
        self.expect(task not in account.failed, f"{where}: completed after it had failed")
        account.completed[task] = epoch
        account.results[task] = result
        loops.note_result(account, task, self._text(account, result))

    def _on_failed(self, account: Account, event: ev.AttemptFailed, record: ev.Record) -> None:
        attempt = self._counts(account, event.task, event.epoch)
        if attempt.lost_us != NEVER_US:
            account.losses[event.task] -= 1
        choices.note_failure(account, event, self.expect)
        if event.retry_at_us is not None:
            self.expect(event.retry_at_us >= record.at_us, f"{account.quest}: a retry in the past")
            account.not_before_us[event.task] = event.retry_at_us
        outcome = self.outcomes.get((account.quest, event.epoch))
        timeout_ms = attempt.event.timeout_ms
        if event.failure.message.startswith("not done within its timeout") and timeout_ms:
            ran_us = self._clock.monotonic_us - attempt.started_us
            self.expect(ran_us >= timeout_ms * 1_000, f"{account.quest}: a timeout came early")
        elif outcome is None and event.failure.kind not in SAID_BY_THE_DAEMON:
            self.fail(
                f"{account.quest} {event.task}: failed as {event.failure}, and no tool said so"
            )

    def _text(self, account: Account, payload: Payload) -> bytes | None:
        if not isinstance(payload, BlobRef):
            return payload
        text = self._store.blob(payload.digest)
        self.expect(text is not None, f"{account.quest}: a payload is not in the journal")
        return text

    # -- from time to time -----------------------------------------------------------------------------

    def compare(self, store: MemoryStore) -> None:
        """What was durable once is there still, unchanged."""
        for quest, account in self.accounts.items():
            self.expect(store.events(quest) == account.records, f"{quest}: its events changed")
        self.schedules.compare(store.events)
