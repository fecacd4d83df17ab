"""What may be said to agents, and what tools may do: checked where it happens, against what is durable. A part of the ledger."""

from questd.messages.exchange import (
    AttemptId,
    Completed,
    Invocation,
    Outcome,
    Work,
    decode_daemon_frame,
)
from questd.runtime.deterministic import VirtualClock
from questd.simulation import concealed, items, loops
from questd.simulation.accounts import NEVER_US, Account


class Violation(Exception):
    """An invariant does not hold."""


class Spoken:
    """``outcomes``: what tools said first. ``begun``: where they were called. ``stale_us``: how long after a loss a tool may still be called."""

    def __init__(self, clock: VirtualClock, stale_us: int) -> None:
        self._clock = clock
        self._stale_us = stale_us
        self.accounts: dict[str, Account] = {}
        self.outcomes: dict[AttemptId, Outcome] = {}
        self.begun: dict[AttemptId, str] = {}
        self.violation: Violation | None = None

    def fail(self, message: str) -> None:
        """Note the first violation; the world stops at the end of the step, so that no actor can swallow it."""
        if self.violation is None:
            self.violation = Violation(message)

    def expect(self, holds: bool, message: str) -> None:
        """Fail unless it holds."""
        if not holds:
            self.fail(message)

    def agent_heard(self, instance: str, body: bytes) -> None:
        """A frame goes out to an instance."""
        frame = decode_daemon_frame(body)
        if not isinstance(frame, Work):
            return
        for item in (each for each in frame.items if isinstance(each, Invocation)):
            self._check_invocation(instance, item)
        for attempt in frame.acks:
            self._check_ack(attempt)

    def _check_invocation(self, instance: str, item: Invocation) -> None:
        account = self.accounts.get(item.quest)
        attempt = None if account is None else account.attempts.get(item.epoch)
        where = f"work of {item.quest} {item.task} epoch {item.epoch}"
        if account is None or attempt is None:
            self.fail(f"{where}: sent before its start was durable")
            return
        started = attempt.event
        same = (started.task, started.attempt, started.tool) == (item.task, item.attempt, item.tool)
        self.expect(same, f"{where}: is not what was started")
        self.expect(started.instance == instance, f"{where}: sent to {instance}")
        self.expect(item.task not in account.completed, f"{where}: its task is completed")
        given = (concealed.lasting(item.arguments), item.idempotency_key)
        loops.check_sent(account, item, self.expect)
        items.check_sent(account, item, self.expect)
        before = account.sent.setdefault(item.task, given)
        self.expect(before == given, f"{where}: other arguments or key than before")

    def _check_ack(self, attempt_id: AttemptId) -> None:
        quest, epoch = attempt_id
        account = self.accounts.get(quest)
        where = f"acknowledged {quest} epoch {epoch}"
        if account is None or epoch not in account.attempts:
            self.fail(f"{where}: nothing of it is durable")
            return
        attempt = account.attempts[epoch]
        task = attempt.event.task
        if isinstance(self.outcomes.get(attempt_id), Completed):
            kept = account.completed.get(task) == epoch or epoch in account.refused
            self.expect(kept, f"{where}: its result is not durable")
        else:
            self.expect(epoch not in account.running, f"{where}: its end is not durable")

    def tool_began(self, attempt_id: AttemptId, instance: str) -> None:
        """A tool is called on an instance."""
        quest, epoch = attempt_id
        account = self.accounts.get(quest)
        attempt = None if account is None else account.attempts.get(epoch)
        where = f"tool of {quest} epoch {epoch}"
        if account is None or attempt is None:
            self.fail(f"{where}: called before its start was durable")
            return
        self.expect(attempt_id not in self.begun, f"{where}: called twice")
        self.begun[attempt_id] = instance
        self.expect(attempt.event.instance == instance, f"{where}: called on {instance}")
        completed_by = account.completed.get(attempt.event.task)
        lost = attempt.lost_us != NEVER_US
        allowed = lost or completed_by is None or completed_by < 0
        self.expect(allowed, f"{where}: called although its task is completed")
        stale = lost and self._clock.monotonic_us > attempt.lost_us + self._stale_us
        self.expect(not stale, f"{where}: called long after it was given up")

    def tool_ended(self, outcome: Outcome) -> None:
        """An instance knows how an attempt ended; the first word counts."""
        self.outcomes.setdefault((outcome.quest, outcome.epoch), outcome)
