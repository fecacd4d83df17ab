"""Simulated clients: they submit with idempotency keys and try again, send signals, cancel, watch, and resolve breakpoints."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final, Protocol

from msgspec import Struct, structs

from questd.messages.control import (
    CancelQuest,
    Done,
    Error,
    ListAgents,
    ListQuests,
    Missing,
    Ping,
    QuestRecords,
    ReadQuest,
    Reply,
    Request,
    ResolveTask,
    SendSignal,
    Submit,
    Submitted,
)
from questd.messages.definition import QuestDefinition
from questd.messages.heads import TERMINAL
from questd.runtime.deterministic import Agenda
from questd.simulation.chance import Chance
from questd.simulation.faults import MILLISECOND, SECOND
from questd.simulation.waits import Sending, draw_sendings, payload_of

RESULTS: Final[dict[str, tuple[bytes | None, ...]]] = {
    "complete": (b'"decided"',),
    "more": (None, None, b'{"tokens": 7}'),
}
"""What may come with an answer."""


class Ask(Protocol):
    """Sends one request; ``then`` hears the reply, or None when there was none in time."""

    def __call__(
        self, request: Request, timeout_us: int, then: Callable[[Reply | None], None]
    ) -> None:
        """Ask the daemon that lives now."""
        ...


class Errand(Struct):
    """What one client wants: a quest, perhaps its end, perhaps to watch it."""

    definition: bytes
    inputs: bytes
    key: str
    cancel_after_us: int | None = None
    watches: bool = False
    total_timeout_ms: int | None = None
    sendings: tuple[Sending, ...] = ()


class Sender:
    """Somebody who sends signals, each until it is answered."""

    def __init__(self, ask: Ask, agenda: Agenda, chance: Chance) -> None:
        self._ask = ask
        self._agenda = agenda
        self._chance = chance
        self.open = 0
        """Things it still waits for."""

    def _again(self, what: Callable[[], None]) -> None:
        self._agenda.after(self._chance.between(10 * MILLISECOND, 600 * MILLISECOND), what)

    def _done_or_again(self, reply: Reply | None, again: Callable[[], None]) -> None:
        """It was done, or refused for good; else it is tried again."""
        match reply:
            case Done():
                self.open -= 1
            case Error(kind) if kind not in {"busy", "internal"}:
                self.open -= 1
            case _:
                self._again(again)

    def send(self, quest: str, sendings: Iterable[Sending]) -> None:
        """Send these, each at its time."""
        for sending in sendings:
            self.open += 1
            signal = SendSignal(quest, sending.name, payload_of(sending.key), "client", sending.key)
            self._agenda.after(sending.after_us, partial(self._send, signal))

    def _send(self, signal: SendSignal) -> None:
        again = partial(self._send, signal)
        self._ask(signal, 2 * SECOND, lambda reply: self._done_or_again(reply, again))


class Client(Sender):
    """Submits until it has heard of its quest, then does what else it wants."""

    def __init__(self, errand: Errand, ask: Ask, agenda: Agenda, chance: Chance) -> None:
        super().__init__(ask, agenda, chance)
        self._errand = errand
        self.quest: str | None = None
        self.open = 1
        self.refusal: Error | None = None

    def begin(self) -> None:
        """Submit (again)."""
        errand = self._errand
        submit = Submit(
            errand.definition,
            errand.inputs,
            key=errand.key,
            labels={"by": "simulation"},
            total_timeout_ms=errand.total_timeout_ms,
        )
        self._ask(submit, 2 * SECOND, self._on_submitted)

    def _on_submitted(self, reply: Reply | None) -> None:
        match reply:
            case Submitted(quest):
                self.quest = quest
                self._go_on(quest)
                self.open -= 1
            case Error(kind) if kind not in {"busy", "internal"}:
                self.refusal = reply
                self.open -= 1
            case _:
                self._again(self.begin)

    def _go_on(self, quest: str) -> None:
        errand = self._errand
        if errand.cancel_after_us is not None:
            self.open += 1
            self._agenda.after(errand.cancel_after_us, lambda: self._cancel(quest))
        if errand.watches:
            self.open += 1
            self._watch(quest, 0)
        self.send(quest, errand.sendings)

    def _cancel(self, quest: str) -> None:
        cancel = CancelQuest(quest, f"{self._errand.key} changed its mind", "client")
        again = partial(self._cancel, quest)
        self._ask(cancel, 2 * SECOND, lambda reply: self._done_or_again(reply, again))

    def _watch(self, quest: str, after: int) -> None:
        wait_ms = self._chance.pick((0, 300, 2_000))
        request = ReadQuest(quest, after, self._chance.pick((3, 2_000)), wait_ms)
        timeout_us = wait_ms * 1_000 + 3 * SECOND
        self._ask(request, timeout_us, lambda reply: self._on_read(quest, after, reply))

    def _on_read(self, quest: str, after: int, reply: Reply | None) -> None:
        match reply:
            case QuestRecords(head, records, more):
                seen = records[-1].n if records else after
                if head.status in TERMINAL and not more:
                    self.open -= 1
                else:
                    self._again(lambda: self._watch(quest, seen))
            case _:
                self._again(lambda: self._watch(quest, after))


class Operator(Sender):
    """A person who decides what quests wait for, until each is decided, and sends quests that no client knows their signals."""

    def __init__(self, ask: Ask, agenda: Agenda, chance: Chance) -> None:
        super().__init__(ask, agenda, chance)
        self._number = 0

    def answer(self, quest: str, definition: QuestDefinition) -> None:
        """A quest was begun that waits for signals."""
        self.send(quest, draw_sendings(self._chance, definition, quest))

    def decide(self, quest: str, task: str, options: tuple[str, ...]) -> None:
        """A breakpoint has opened; sometimes two people answer."""
        for _ in range(self._chance.pick((1, 1, 2))):
            self.open += 1
            self._number += 1
            choice = self._chance.pick((options[0], *options))
            result = self._chance.pick(RESULTS.get(choice, (None,)))
            resolve = ResolveTask(quest, choice, f"operator-{self._number}", task, result)
            delay_us = self._chance.skewed(MILLISECOND, 3 * SECOND)
            self._agenda.after(delay_us, partial(self._resolve, resolve))

    def _resolve(self, resolve: ResolveTask) -> None:
        self._ask(resolve, 2 * SECOND, lambda reply: self._on_reply(resolve, reply))

    def _on_reply(self, resolve: ResolveTask, reply: Reply | None) -> None:
        match reply:
            case Error("invalid") if resolve.result is not None and resolve.choice == "more":
                self._resolve(structs.replace(resolve, result=None))  # it has another budget
            case _:
                self._done_or_again(reply, partial(self._resolve, resolve))


def passing_question(chance: Chance) -> Request:
    """What a passer-by asks."""
    questions: tuple[Request, ...] = (Ping(), Missing(), ListAgents(), ListQuests())
    return chance.pick(questions)
