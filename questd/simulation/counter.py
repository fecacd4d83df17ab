"""The control door as clients meet it: requests and replies may be lost, and every reply is checked before it goes out."""

from collections.abc import Callable
from typing import Any

from questd.messages.control import (
    AddSchedule,
    CancelQuest,
    Done,
    Error,
    QuestRecords,
    ReadQuest,
    Reply,
    Request,
    ResolveTask,
    SendSignal,
    Submit,
    Submitted,
    decode_reply,
    encode_control,
)
from questd.simulation.concealed import holds_secret
from questd.simulation.daemon import Life
from questd.simulation.faults import SECOND
from questd.simulation.ledger import Ledger
from questd.simulation.network import Network, Route
from questd.simulation.waits import is_wanted

PATIENCE_US = 60 * SECOND
"""A request that is unanswered for longer than it asked to wait, and this, counts as forgotten."""

Then = Callable[[Reply | None], None]


class Open:
    """A request that a life of the daemon has received."""

    def __init__(self, request: Request, due_us: int) -> None:
        self.request = request
        self.due_us = due_us


class Counter:
    """Where clients ask, whoever is behind it."""

    def __init__(self, network: Network, ledger: Ledger, now: Callable[[], int]) -> None:
        self._network = network
        self._ledger = ledger
        self._now = now
        self._waiting: dict[int, Then] = {}
        self._created: dict[str, int] = {}
        self._requests: dict[int, Request] = {}
        self.life: Life | None = None
        self.received: dict[int, Open] = {}

    def new_life(self, life: Life) -> None:
        """Another daemon: what its forerunner had received is forgotten with it."""
        self.life = life
        self.received.clear()

    def forgive(self) -> None:
        """The control actor was killed: it cannot answer what it had received."""
        self.received.clear()

    def ask(self, request: Request, timeout_us: int, then: Then) -> None:
        """Ask the daemon that lives now; ``then`` hears the reply, or None when there was none in time."""
        network = self._network
        header = network.number()
        self._waiting[header] = then
        if not network.chance.maybe(network.faults.request_lost):
            body = encode_control(request)
            self._requests[header] = request
            network.agenda.after(network.delay_us(), lambda: self._arrive(header, request, body))
        network.agenda.after(timeout_us, lambda: self._give_up(header))

    def _arrive(self, header: int, request: Request, body: bytes) -> None:
        life = self.life
        if life is None or not life.alive:
            return
        wait_us = request.wait_ms * 1_000 if isinstance(request, ReadQuest) else 0
        self.received[header] = Open(request, self._now() + wait_us + PATIENCE_US)
        life.client_request(Route(0, header), body)

    def _give_up(self, header: int) -> None:
        then = self._waiting.pop(header, None)
        if then is not None:
            then(None)

    def reply(self, route: Any, body: bytes) -> None:
        """The daemon answers."""
        header = route.header
        request = self._requests.pop(header, None)
        self._ledger.expect(request is not None, f"a request was answered twice: {body!r}")
        self._ledger.expect(not holds_secret(body), f"a reply holds a secret: {body!r}")
        self.received.pop(header, None)
        if request is None:
            return
        reply = decode_reply(body)
        self._check(request, reply)
        network = self._network
        if not network.chance.maybe(network.faults.reply_lost):
            network.agenda.after(network.delay_us(), lambda: self._return(header, reply))

    def _return(self, header: int, reply: Reply) -> None:
        then = self._waiting.pop(header, None)
        if then is not None:
            then(reply)

    def overdue(self) -> list[Request]:
        """What the daemon has received and does not answer."""
        now = self._now()
        return [each.request for each in self.received.values() if each.due_us < now]

    # -- what a reply may say ----------------------------------------------------------------------------

    def _check(self, request: Request, reply: Reply) -> None:
        match request, reply:
            case Submit(key=str(key)), Submitted():
                self._check_submitted(key, reply)
            case CancelQuest(quest, reason), Done(changed):
                account = self._ledger.accounts.get(quest)
                known = account is not None and (account.stopping or account.end is not None)
                said = account is not None and (not changed or reason in account.actors)
                self._ledger.expect(known and said, f"{quest}: a cancel was acknowledged too soon")
            case ResolveTask(quest=quest, actor=actor), Done():
                account = self._ledger.accounts.get(quest)
                known = account is not None and actor in account.actors
                self._ledger.expect(known, f"{quest}: a decision was acknowledged too soon")
            case AddSchedule(name), Done():
                known = self._ledger.schedules.page_of(name) is not None
                self._ledger.expect(known, f"schedule {name} was acknowledged too soon")
            case SendSignal(), Done() | Error():
                self._check_sent(request, reply)
            case ReadQuest(), QuestRecords():
                self._check_records(request, reply)
            case _:
                pass

    def _check_submitted(self, key: str, reply: Submitted) -> None:
        ledger = self._ledger
        ledger.expect(
            ledger.by_key.get(key) == reply.quest,
            f"submit with key {key} was acknowledged as {reply.quest}, durable is {ledger.by_key.get(key)}",
        )
        if reply.created:
            self._created[key] = self._created.get(key, 0) + 1
            ledger.expect(self._created[key] == 1, f"key {key} was created twice")

    def _check_sent(self, signal: SendSignal, reply: Done | Error) -> None:
        account = self._ledger.accounts[signal.quest]
        where = f"{signal.quest}: the signal {signal.key}"
        if isinstance(reply, Done):
            known = any(each.key == signal.key for each in account.signals.values())
            self._ledger.expect(known, f"{where} was acknowledged too soon")
        elif reply.kind not in {"busy", "internal"}:
            over = account.stopping or account.end is not None
            wanted = is_wanted(account, signal.name)
            self._ledger.expect(over or not wanted, f"{where} was turned away, and is wanted")

    def _check_records(self, request: ReadQuest, reply: QuestRecords) -> None:
        account = self._ledger.accounts.get(reply.head.quest)
        if account is None:
            self._ledger.fail(f"{reply.head.quest} was shown and is not durable")
            return
        durable = account.records[request.after : request.after + len(reply.records)]
        same = list(reply.records) == durable and reply.head.version <= account.version
        self._ledger.expect(same, f"{account.quest}: events were shown that are not durable")
