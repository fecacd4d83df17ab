"""A quest of the floor: as many events, appends and messages as a chain of ten steps has, and no thought."""

# ruff: noqa: D102 - the hooks of an actor say what they are where runtime.actor declares them

from collections import deque
from typing import Any

from benchmarks.definitions import CHAIN_STEPS
from benchmarks.floor_mail import (
    Acknowledge,
    Began,
    Begun,
    Detach,
    Ended,
    EndStep,
    Invoke,
    Leave,
    Loud,
    Place,
    Places,
    Rest,
    Settle,
    Start,
)
from questd.messages.definition import definition_digest
from questd.messages.events import (
    AttemptCompleted,
    AttemptStarted,
    Event,
    QuestCompleted,
    QuestStarted,
    QuestSubmitted,
    encode_event,
    kind_of,
)
from questd.messages.exchange import (
    Completed,
    Invocation,
)
from questd.messages.heads import Head
from questd.messages.payload import NULL
from questd.runtime.actor import Ref
from questd.runtime.journal.store import Append, Appended, NewEvent

TIMEOUT_MS = 600_000


class Quest(Loud):
    """Ten attempts, one after the other."""

    def __init__(self, place: Place, name: str, start: Start) -> None:
        super().__init__(name=name)
        self._place = place
        self._start = start
        self._digest = definition_digest(start.definition)
        self._version = 0
        self._done = 0
        self._events: list[NewEvent] = []
        self._effects: list[Any] = []
        self._in_flight: deque[list[Any]] = deque()
        self._settling = False
        self._step: Ref | None = None
        self._created_us = place.clock.now_us()

    def on_start(self) -> None:
        self._note(QuestSubmitted(self._digest, "floor", "1", "default", b"{}"))
        self._note(QuestStarted())
        self._effects.append(Begun(self._start.job, self.name))
        self._settle(wants=1, releases=0)

    def on_receive(self, message: Any) -> None:
        match message:
            case Ended(outcome, reply):
                self._on_ended(outcome, reply)
            case Places(instance, settled):
                self._settling = self._settling and not settled
                if instance is not None:
                    self._begin(instance)
            case Appended():
                for effect in self._in_flight.popleft():
                    self._do(effect)
            case Leave():
                self._stop()
            case _:
                raise AssertionError(message)

    def _note(self, event: Event) -> None:
        self._version += 1
        now_us = self._place.clock.now_us()
        self._events.append(NewEvent(now_us, kind_of(event), encode_event(event)))

    def _settle(self, *, wants: int, releases: int) -> None:
        self._settling = bool(wants)
        self._place.router.tell(Settle(self.ref, wants, releases))

    def _begin(self, instance: Ref) -> None:
        task = f"s{self._done}"
        self._note(
            AttemptStarted(task, 1, "bench", instance.actor_urn, "noop", timeout_ms=TIMEOUT_MS)
        )
        self._effects.append(Step(self.name, self._version, task, instance, self.ref))

    def _on_ended(self, outcome: Completed, reply: Ref) -> None:
        self._note(
            AttemptCompleted(f"s{self._done}", outcome.epoch, outcome.result, outcome.duration_us)
        )
        self._effects.append((reply, Acknowledge((self.name, outcome.epoch))))
        self._effects.append(EndStep())
        self._done += 1
        if self._done < CHAIN_STEPS:
            self._settle(wants=1, releases=1)
        else:
            self._note(QuestCompleted(NULL))
            self._effects.append(Rest(self.name))
            self._settle(wants=0, releases=1)

    def _do(self, effect: Any) -> None:
        match effect:
            case Step():
                self._step = effect.launch(self._place.dispatcher)
            case (reply, acknowledge):
                reply.tell(acknowledge)
            case EndStep():
                assert self._step is not None
                self._step.tell(effect)
            case Begun():
                self._place.control.tell(effect)
            case Rest():
                self._place.directory.tell(effect)
            case _:
                raise AssertionError(effect)

    def after_batch(self) -> None:
        if self._settling or not self._events:
            return
        first = self._version == len(self._events)
        item = Append(
            self.name,
            self._version - len(self._events),
            tuple(self._events),
            self._head(),
            definition=(self._digest, self._start.definition) if first else None,
        )
        self._in_flight.append(self._effects)
        self._events, self._effects = [], []
        self._place.journal.append(item, self.ref.tell)

    def _head(self) -> Head:
        ended = self._done == CHAIN_STEPS
        return Head(
            self.name,
            self._version,
            "completed" if ended else "running",
            self._digest,
            "floor",
            "1",
            "default",
            {},
            None,
            5,
            self._created_us,
            self._place.clock.now_us() if ended else None,
        )


class Step(Loud):
    """One attempt."""

    def __init__(self, quest: str, epoch: int, task: str, agent: Ref, parent: Ref) -> None:
        super().__init__(parent=parent, name=task)
        self._agent = agent
        self._quest = parent
        key = f"{quest}/{task}"
        self._invocation = Invocation(
            0, quest, epoch, task, 1, "noop", b'{"input":null}', key, TIMEOUT_MS
        )

    def on_start(self) -> None:
        self._agent.tell(Invoke(self.ref, self._invocation))

    def on_receive(self, message: Any) -> None:
        match message:
            case Ended():
                self._quest.tell(message)
            case Began():
                pass
            case EndStep():
                self._agent.tell(Detach((self._invocation.quest, self._invocation.epoch)))
                self.actor_stopped.set()
            case _:
                raise AssertionError(message)
