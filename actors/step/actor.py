"""The actor that sees one running task through its attempt.

It renders the arguments (fetching what is kept by digest), brings the invocation to the agent, watches the tool's
own time, and tells its quest how it ended. It decides nothing: what an outcome means is the quest's business.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from questd.actors.agent.edge import Lines
from questd.actors.graph import CompiledStep
from questd.actors.house import House
from questd.actors.mail import (
    Address,
    Attach,
    Attached,
    AttemptBeat,
    AttemptBegan,
    AttemptEnded,
    AttemptSaid,
    AttemptVanished,
    AttemptWrote,
    CancelWork,
    ChildStands,
    Detach,
    EndStep,
    Invoke,
    NeverSeen,
    Place,
    ProgressMade,
    Recall,
    TextsRead,
    ToQuest,
)
from questd.actors.quest.children import CHILDREN
from questd.actors.quest.task import Attempt
from questd.actors.redaction import redactor_of, secrets_for
from questd.actors.rendering import (
    Material,
    TextMissing,
    missing,
    payloads_of,
    render_arguments,
    rendering_failure,
)
from questd.actors.texts import read_texts, texts_of
from questd.messages.control import TaskProgress
from questd.messages.events import LogLine
from questd.messages.exchange import Cancelled, Failed, Invocation, ToolSpec
from questd.messages.failure import INTERNAL, TIMEOUT, TOO_LARGE, Failure
from questd.messages.payload import PAYLOAD_MAX_BYTES
from questd.runtime.actor import Actor, Ref
from questd.runtime.clock import Timer
from questd.runtime.errors import BadExpression, JournalError, SecretUnavailable
from questd.runtime.journal.store import JournalStore


class StepOrder(Struct, frozen=True):
    """One attempt to see through. ``place`` is None when it was given out before a restart.

    ``secrets``: all the quest's references, by input.
    """

    quest: str
    task: str
    attempt: Attempt
    step: CompiledStep
    material: Material
    idempotency_key: str
    place: Place | None
    heartbeat_timeout_ms: int | None = None
    deadline_us: int | None = None
    secrets: Mapping[str, str] = {}


class TimeIsOver(Struct, frozen=True):
    """To itself: the attempt's timeout or its heartbeat timeout."""

    what: str


class Given(Struct, frozen=True):
    """To itself: what its arguments are made of. ``secrets``: by input, or why they cannot be had. It is not shown: it holds values."""

    texts: dict[str, bytes]
    secrets: dict[str, str] | Failure

    def __repr__(self) -> str:
        return "Given(…)"


class StepActor(Actor):
    """Child of a quest. Ends when the attempt has, or when the quest says so."""

    tells_parent = False

    def __init__(self, house: House, order: StepOrder, parent: Ref) -> None:
        super().__init__(parent=parent, name=order.task)
        self._house = house
        self._order = order
        self._address: Ref | None = None
        self._tool: ToolSpec | None = None
        self._timeout: Timer | None = None
        self._heartbeat: Timer | None = None
        self._said = False
        self._lines = Lines()
        self._delivered = False
        self._recalled: str | None = None

    @property
    def _attempt_id(self) -> tuple[str, int]:
        return (self._order.quest, self._order.attempt.epoch)

    def on_start(self) -> None:
        place = self._order.place
        if place is None:
            attach = Attach(self.ref, self._order.attempt.instance, self._attempt_id)
            if attach.instance == CHILDREN:  # it can be cancelled before it is known how it stands
                self._address, self._delivered = self._house.children, True
            (self._address or self._house.exchange).tell(attach)
        else:
            self._send(place.address, place.tool)

    def on_receive(self, message: Any) -> None:
        match message:
            case AttemptEnded() | AttemptVanished():
                self._finish(message)
            case AttemptWrote(epoch, lines):
                self._on_wrote(epoch, lines)
            case EndStep(cancel):
                if cancel and self._delivered:
                    self._cancel_work("the quest needs it no more")
                self._detach()
                self._end()
            case AttemptBegan():
                self._on_began()
            case AttemptBeat():
                self._arm_heartbeat()
            case AttemptSaid(fraction, text):
                self._on_said(fraction, text)
            case TextsRead(texts=texts):
                self._invoke(texts, {})
            case Given(texts, secrets):
                self._on_given(texts, secrets)
            case NeverSeen(address, tools):
                self._send_again(address, tools)
            case Attached(address, stands):
                self._on_attached(address, stands=stands)
            case Recall(reason):
                self._recall(reason)
            case TimeIsOver(what):
                self._on_time_over(what)
            case JournalError():
                self._report(Failure(INTERNAL, "the journal cannot be read"))
            case _:
                raise AssertionError(f"a step got {message!r}")

    def on_undelivered(self, message: Any) -> None:
        """It came while the step was ending: an outcome must still reach the quest, and no session keep the step."""
        match message:
            case AttemptEnded() | AttemptWrote():
                self._house.directory.tell(ToQuest(self._order.quest, message))
            case Attached(address) | NeverSeen(address):
                address.tell(Detach(self._attempt_id, self.ref))
            case _:
                pass

    # -- sending ---------------------------------------------------------------------------------

    def _on_attached(self, address: Address, *, stands: bool) -> None:
        self._address, self._delivered = address, True
        if stands:
            self._tell_quest(ChildStands(self._order.task, self._attempt_id[1]))
        if self._recalled is not None:
            self._recall(self._recalled)

    def _send(self, address: Address, tool: ToolSpec) -> None:
        self._address, self._tool = address, tool
        step = self._order.step
        digests = missing(payloads_of(self._order.material, bool(step.inputs)))
        if any(name in self._order.secrets for name in step.inputs):
            self._look_up(digests)
        elif digests:
            read_texts(self._house, self.ref, 0, digests)
        else:
            self._invoke({}, {})

    def _look_up(self, digests: tuple[str, ...]) -> None:
        """Texts and secrets, anew for each attempt. Files are read, so it is not done here."""
        order, keyring = self._order, self._house.keyring

        def look(store: JournalStore) -> Given:
            texts = texts_of(store, digests)
            try:
                return Given(texts, secrets_for(order.step, order.secrets, keyring))
            except SecretUnavailable as error:
                return Given(texts, rendering_failure(error))

        self._house.journal.read(look, self.ref.tell)

    def _on_given(self, texts: dict[str, bytes], secrets: dict[str, str] | Failure) -> None:
        if isinstance(secrets, Failure) and self._recalled is None:
            self._report(secrets)
        else:
            self._invoke(texts, {} if isinstance(secrets, Failure) else secrets)

    def _send_again(self, address: Address, tools: tuple[ToolSpec, ...]) -> None:
        """Under the same epoch: the instance never saw it, so nothing has been run."""
        wanted = self._order.attempt.tool
        tool = next((tool for tool in tools if tool.name == wanted), None)
        if tool is None:
            self._report(Failure(INTERNAL, f"the agent came back without its tool {wanted}"))
        else:
            self._send(address, tool)

    def _invoke(self, texts: dict[str, bytes], secrets: dict[str, str]) -> None:
        if self._recalled is not None:
            self._detach()
            self._finish(AttemptEnded(self._attempt_id[1], Cancelled(*self._attempt_id)))
            return
        assert self._tool is not None
        order = self._order
        try:
            arguments = render_arguments(order.step, self._tool, order.material, texts, secrets)
        except (BadExpression, TextMissing) as error:
            self._report(rendering_failure(error))
            return
        if len(arguments) > PAYLOAD_MAX_BYTES:
            message = f"arguments of {len(arguments)} bytes; {PAYLOAD_MAX_BYTES} are allowed"
            self._report(Failure(TOO_LARGE, message, None, False))
            return
        self._deliver(arguments)

    def _deliver(self, arguments: bytes) -> None:
        order, attempt = self._order, self._order.attempt
        invocation = Invocation(
            0,
            order.quest,
            attempt.epoch,
            order.task,
            attempt.number,
            attempt.tool,
            arguments,
            order.idempotency_key,
            attempt.timeout_ms,
            order.heartbeat_timeout_ms,
            order.deadline_us,
            order.material.scope.round,
        )
        assert self._address is not None
        self._delivered = True
        if not self._address.tell(Invoke(self.ref, invocation)):
            self._finish(AttemptVanished(attempt.epoch, "the agent left before it was told"))

    # -- while it runs -----------------------------------------------------------------------------

    def _on_began(self) -> None:
        timeout_ms = self._order.attempt.timeout_ms
        if timeout_ms is not None and self._timeout is None:
            message = TimeIsOver(f"not done within its timeout of {timeout_ms} ms")
            self._timeout = self._house.timers.after(timeout_ms / 1_000, self.ref, message)
        self._arm_heartbeat()

    def _arm_heartbeat(self) -> None:
        limit_ms = self._order.heartbeat_timeout_ms
        if limit_ms is None:
            return
        if self._heartbeat is not None:
            self._heartbeat.cancel()
        message = TimeIsOver(f"no heartbeat within {limit_ms} ms")
        self._heartbeat = self._house.timers.after(limit_ms / 1_000, self.ref, message)

    def _on_time_over(self, what: str) -> None:
        self._cancel_work(what)
        self._report(Failure(TIMEOUT, what))

    def _on_said(self, fraction: float | None, text: str) -> None:
        self._said = True
        order = self._order
        if order.secrets:
            text = redactor_of(order.secrets, self._house.keyring).text(text)
        progress = TaskProgress(order.task, fraction, text, self._house.clock.now_us())
        self._house.control.tell(ProgressMade(order.quest, progress, order.task))

    def _on_wrote(self, epoch: int, lines: tuple[LogLine, ...]) -> None:
        admitted = self._lines.admit(lines)
        if admitted:
            self._tell_quest(AttemptWrote(epoch, admitted))

    def _recall(self, reason: str) -> None:
        """What has not gone out yet will not; the quest hears so when that is known."""
        self._recalled = reason
        if self._delivered:
            self._cancel_work(reason)

    def _cancel_work(self, reason: str) -> None:
        if self._address is not None:
            self._address.tell(CancelWork(self._attempt_id, reason))

    # -- the end -----------------------------------------------------------------------------------

    def _report(self, failure: Failure) -> None:
        self._detach()
        self._finish(AttemptEnded(self._attempt_id[1], Failed(*self._attempt_id, failure)))

    def _finish(self, message: AttemptEnded | AttemptVanished) -> None:
        """The attempt is over: the quest is told, and nothing is left to do."""
        self._tell_quest(message)
        self._end()

    def _tell_quest(self, message: Any) -> None:
        assert self.parent is not None
        if not self.parent.tell(message):
            self._house.directory.tell(ToQuest(self._order.quest, message))

    def _detach(self) -> None:
        """The quest does not care any more: the agent's word on it will go to the quest as a stray."""
        if self._address is not None:
            self._address.tell(Detach(self._attempt_id, self.ref))

    def _end(self) -> None:
        self._let_go()
        self._stop()

    def on_failure(self, *_: Any) -> None:
        """The quest will count the attempt as lost: its agent shall not run it for nothing."""
        self._cancel_work("its step actor failed")
        self._detach()
        self._let_go()

    def _let_go(self) -> None:
        for timer in (self._timeout, self._heartbeat):
            if timer is not None:
                timer.cancel()
        if self._said:
            order = self._order
            self._house.control.tell(ProgressMade(order.quest, None, order.task))
