"""The projection: one record of the journal in, rows of the history out.

Pure: the rows follow from the journal alone, however its records are cut into batches. No clock, no set is
iterated, and what is looked up (``Facts``) never changes once it is written. The state of a quest is small and is
not stored: a quest whose state is not at hand (after a restart, or because it waited for long) is folded again from
its own events, into ``Discard``. Storing the state beside the rows was rejected: it would be a second truth to keep in
step, written with every batch, to save a read that only the first event after a restart needs.
"""

from typing import Protocol

from questd.analytics.batch import Batch, Discard
from questd.analytics.fold import TEXT_MAX_BYTES, Fold
from questd.analytics.quest_state import Plan, QuestState
from questd.analytics.schedule_fold import schedule_row
from questd.messages import events as ev
from questd.messages.definition import decode_definition
from questd.messages.payload import Payload, size_of
from questd.messages.schedules import is_schedule

REMEMBERED_STEPS = 200_000
REMEMBERED_PLANS = 256


class Facts(Protocol):
    """The verbs of a journal that the projection asks: immutable facts only."""

    def events(self, quest: str, after: int = 0, limit: int = 10_000) -> list[ev.Record]:
        """The quest's events with n > after, in order."""
        ...

    def definition(self, digest: str) -> bytes | None:
        """Canonical bytes of a definition."""
        ...

    def blob(self, digest: str) -> bytes | None:
        """The text of a payload kept by digest."""
        ...


class Projector:
    """Applies records in order of seq, from the one after ``watermark`` on, and hands their rows over in batches.

    ``remembered_steps`` bounds the states that are kept between batches.
    """

    def __init__(
        self, facts: Facts, watermark: int, *, remembered_steps: int = REMEMBERED_STEPS
    ) -> None:
        self._facts = facts
        self._remembered_steps = remembered_steps
        self._states: dict[str, QuestState] = {}
        self._plans: dict[str, Plan] = {}
        self._ended: dict[str, None] = {}
        self._weight = 0
        self.batch = Batch(watermark)

    def apply(self, record: ev.Record) -> None:
        """Project one record into the current batch."""
        if is_schedule(record.quest):
            self.batch.add(schedule_row(record))
            self.batch.last = record.seq
            return
        state = self._state_before(record)
        before = state.weight
        Fold(self, state, record, self.batch).run()
        self._weight += state.weight - before
        if state.ended:
            self._ended[record.quest] = None
        self.batch.last = record.seq

    def take(self) -> Batch:
        """The finished batch; a new one begins. The caller writes it, then calls its ``release``."""
        batch, self.batch = self.batch, Batch(self.batch.last)
        batch.finish()
        self._forget()
        return batch

    def plan(self, digest: str) -> Plan:
        """The graph of a definition; an empty one when the journal does not have it."""
        plan = self._plans.pop(digest, None)
        if plan is None:
            data = self._facts.definition(digest)
            plan = Plan(None if data is None else decode_definition(data))
        self._plans[digest] = plan
        return plan

    def text(self, payload: Payload) -> tuple[str | None, int, str | None]:
        """A payload's text (None above the limit), its size in bytes, and its digest when it is a blob."""
        digest = None if isinstance(payload, bytes) else payload.digest
        size = size_of(payload)
        if size > TEXT_MAX_BYTES:
            return None, size, digest
        data = payload if isinstance(payload, bytes) else self._facts.blob(payload.digest)
        if data is None:
            return None, size, digest
        self.batch.text_bytes += size
        return data.decode("utf-8", "replace"), size, digest

    def _state_before(self, record: ev.Record) -> QuestState:
        """The state, moved to the end of the order in which states are forgotten."""
        state = self._states.pop(record.quest, None)
        if state is None:
            state = QuestState(record.quest)
            if record.n > 1:
                self._recall(state, record.n)
            self._weight += state.weight
        self._states[record.quest] = state
        return state

    def _recall(self, state: QuestState, before: int) -> None:
        sink = Discard()
        while state.n < before - 1:
            records = self._facts.events(state.quest, state.n, min(10_000, before - 1 - state.n))
            if not records:
                return
            for record in records:
                Fold(self, state, record, sink).run()
        state.release()

    def _forget(self) -> None:
        """Only between batches: within one, the rows of an ended quest may still be changed."""
        for quest in self._ended:
            self._weight -= self._states.pop(quest).weight
        self._ended.clear()
        while self._weight > self._remembered_steps:
            self._weight -= self._states.pop(next(iter(self._states))).weight
        while len(self._plans) > REMEMBERED_PLANS:
            del self._plans[next(iter(self._plans))]
