"""The daemon-side actor of a connected agent instance: the thin shell around its session (core.py).

It answers the instance's open exchange as soon as there is something to say and at the latest after the hold time,
hands outcomes to whoever watches the attempt, and declares the instance lost when it is silent for longer than the
lease.
"""

from typing import Any, Final

from msgspec import Struct

from questd.actors.agent import core
from questd.actors.agent.edge import checked_lines, checked_progress, word_of_the_gone
from questd.actors.agent.shown import tool_view
from questd.actors.agent.strays import Strays
from questd.actors.house import VERSION, Answers, House
from questd.actors.mail import (
    Acknowledge,
    Attach,
    Attached,
    AttemptBeat,
    AttemptBegan,
    AttemptEnded,
    AttemptSaid,
    AttemptVanished,
    AttemptWrote,
    CancelWork,
    Detach,
    InstanceDrains,
    InstanceJoined,
    InstanceLeft,
    InstanceResized,
    Invoke,
    NeverSeen,
    ToQuest,
)
from questd.messages.control import InstanceView
from questd.messages.exchange import (
    FRAME_MAX_BYTES,
    AttemptId,
    Cancelled,
    Completed,
    Exchange,
    Failed,
    Goodbye,
    Hello,
    Invocation,
    Outcome,
    Welcome,
    Work,
    encode_frame,
)
from questd.messages.failure import TOO_LARGE, Failure
from questd.runtime.actor import Actor, Ref
from questd.runtime.clock import Timer

STANDSTILL_S: Final = 1.0


class Arrived(Struct, frozen=True):
    """A frame of this instance, and where to answer it."""

    door: Answers
    route: Any
    frame: Hello | Exchange | Goodbye


class PipeClosed(Struct, frozen=True):
    """The connection is gone; the instance may dial again."""

    pipe: int


class Beat(Struct, frozen=True):
    """To itself: look at the time."""


class Look(Struct, frozen=True):
    """Describe yourself to this actor, under this job number."""

    address: Ref
    job: int


class Described(Struct, frozen=True):
    """The answer to ``Look``."""

    job: int
    view: InstanceView


class DrainInstance(Struct, frozen=True):
    """Give the instance no new work, and tell it so."""


class AgentActor(Actor):
    """Child of the exchange. Ends when its instance is lost or says goodbye."""

    def __init__(self, house: House, hello: Hello, parent: Ref) -> None:
        super().__init__(parent=parent, name=hello.incarnation)
        self._house = house
        self._hello = core.offer_of(hello)
        self._session = core.Session(hello)
        self._strays = Strays()
        self._steps: dict[AttemptId, Ref] = {}
        self._door: Answers | None = None
        self._route: Any = None
        self._waiting: int | None = None
        self._waiting_since = 0.0
        self._heard = house.clock.monotonic_s()
        self._closed_at: float | None = None
        self._connected_us = house.clock.now_us()
        self._stuck = 0
        self._completed = 0
        self._failed = 0
        self._beat: Timer | None = None
        self._beat_at = 0.0

    def on_start(self) -> None:
        self._arm_beat()

    def on_stop(self) -> None:
        self._leave("the agent left")

    def on_failure(self, *_: Any) -> None:
        self._leave("its session failed")

    def on_receive(self, message: Any) -> None:
        match message:
            case Arrived(door, route, frame):
                self._on_frame(door, route, frame)
            case Invoke(step, invocation):
                self._give(step, invocation)
            case Acknowledge(attempt):
                self._acknowledge(attempt)
            case Detach(attempt):
                self._steps.pop(attempt, None)
            case CancelWork(attempt, reason):
                self._on_cancel(attempt, reason)
            case Attach():
                self._on_attach(message)
            case Beat():
                self._on_beat()
            case PipeClosed(pipe):
                self._on_pipe_closed(pipe)
            case DrainInstance():
                self._session.draining = self._session.drain_asked = True
                self._house.router.tell(InstanceDrains(self.name))
            case Look(address, job):
                address.tell(Described(job, self._view()))
            case _:
                raise AssertionError(f"an agent actor got {message!r}")

    def after_batch(self) -> None:
        if self._waiting is not None and self._session.talkative:
            self._answer()

    def on_undelivered(self, message: Any) -> None:
        if isinstance(message, Invoke):
            step, invocation = message.step, message.invocation
            step.tell(AttemptVanished(invocation.epoch, "the agent left before it was told"))
        elif isinstance(message, Attach):
            self._house.exchange.tell(message)
        elif isinstance(message, Look):
            message.address.tell(Described(message.job, self._view()))
        elif isinstance(message, Arrived):
            message.door.send(
                message.route, encode_frame(word_of_the_gone(message.frame, self._house.boot))
            )

    # -- frames ----------------------------------------------------------------------------------

    def _on_frame(self, door: Answers, route: Any, frame: Hello | Exchange | Goodbye) -> None:
        self._heard = self._house.clock.monotonic_s()
        match frame:
            case Exchange():
                self._on_exchange(route, frame)
            case Hello():
                self._on_hello(door, route, frame)
            case Goodbye():
                door.send(route, encode_frame(Work(0)))
                self._leave("the agent left in order", begun=False)
                self._stop()

    def _on_hello(self, door: Answers, route: Any, hello: Hello) -> None:
        self._release()
        self._door, self._route = door, route
        self._closed_at = None
        self._hello = core.offer_of(hello)
        never_seen = self._session.restart(hello, set(self._steps))
        house = self._house
        if hello.started_by not in (None, house.boot):
            # The child of a daemon that is gone: what it runs counts, and its successor has children of its own.
            self._session.draining = True
        hold_ms = int(house.limits.hold_s * 1_000)
        welcome = Welcome(hello.protocol, house.boot, hold_ms, FRAME_MAX_BYTES, VERSION)
        door.send(route, encode_frame(welcome))
        self._hand_over(self._session.arrived(hello.outcomes))
        for attempt in never_seen:
            self._steps[attempt].tell(NeverSeen(self.ref, hello.tools))
        house.router.tell(self._joined())

    def _joined(self) -> InstanceJoined:
        hello = self._hello
        return InstanceJoined(
            self.name,
            hello.agent,
            frozenset(hello.capabilities),
            hello.tools,
            self._credit,
            self.ref,
            self._session.draining,
        )

    @property
    def _credit(self) -> int:
        """Attempts that may be with the instance: its working slots and what it queues."""
        hello = self._hello
        slots = max(0, hello.capacity - self._stuck)
        return slots + hello.prefetch if slots else 0

    def _on_exchange(self, route: Any, exchange: Exchange) -> None:
        session = self._session
        self._pass_on(exchange)  # before its outcomes: a step that hears its outcome is gone
        if exchange.counter <= session.counter:  # overtaken on its way, or repeated
            self._send(route, Work(exchange.counter))
            self._hand_over(session.arrived(exchange.outcomes))
        else:
            if self._waiting is not None:  # a newer exchange releases an older one
                self._send(self._route, session.answer(self._waiting))
            self._hand_over(session.take(exchange))
            self._waiting, self._route = exchange.counter, route
            self._waiting_since = self._heard
            self._note_slots(exchange)

    def _pass_on(self, exchange: Exchange) -> None:
        """What the exchange says of attempts that still run."""
        for quest, epoch in exchange.started:
            self._tell_step((quest, epoch), AttemptBegan())
        for quest, epoch in exchange.beats:
            self._tell_step((quest, epoch), AttemptBeat())
        for said in exchange.progress:
            self._tell_step((said.quest, said.epoch), AttemptSaid(*checked_progress(said)))
        for logged in exchange.logs:
            lines = checked_lines(logged.lines)
            self._tell_step((logged.quest, logged.epoch), AttemptWrote(logged.epoch, lines))

    def _note_slots(self, exchange: Exchange) -> None:
        if exchange.stuck != self._stuck:
            self._stuck = exchange.stuck
            self._house.router.tell(InstanceResized(self.name, self._credit))
        if exchange.draining:
            self._house.router.tell(InstanceDrains(self.name))

    def _hand_over(self, outcomes: list[Outcome]) -> None:
        """To the step that watches, else to the quest itself: it may count, or be refused."""
        for outcome in outcomes:
            if isinstance(outcome, Completed):
                self._completed += 1
            elif not isinstance(outcome, Cancelled):
                self._failed += 1
            self._deliver(core.attempt_of(outcome), outcome)

    def _deliver(self, attempt: AttemptId, outcome: Outcome) -> None:
        ended = AttemptEnded(attempt[1], outcome, self.ref, self.name)
        step = self._steps.pop(attempt, None)
        if step is not None and step.tell(ended):
            return
        if self._strays.offer(attempt, self._heard):
            self._house.directory.tell(ToQuest(attempt[0], ended))

    def _acknowledge(self, attempt: AttemptId) -> None:
        self._session.acknowledge(attempt)
        stray = self._strays.done(attempt)
        if stray is not None and stray in self._session.delivered:
            self._deliver(stray, self._session.delivered[stray])

    def _tell_step(self, attempt: AttemptId, message: Any) -> None:
        step = self._steps.get(attempt)
        if step is not None:
            step.tell(message)

    def _answer(self) -> None:
        assert self._waiting is not None
        counter, self._waiting = self._waiting, None
        self._send(self._route, self._session.answer(counter))

    def _release(self) -> None:
        """Answer the exchange that waits with nothing: what comes now is said elsewhere, or not at all."""
        if self._waiting is not None:
            counter, self._waiting = self._waiting, None
            self._send(self._route, Work(counter))

    def _send(self, route: Any, work: Work) -> None:
        assert self._door is not None
        self._door.send(route, encode_frame(work))

    # -- steps -----------------------------------------------------------------------------------

    def _give(self, step: Ref, invocation: Invocation) -> None:
        attempt, session = (invocation.quest, invocation.epoch), self._session
        if attempt in session.delivered:  # its outcome was faster than a second sending
            return
        if session.fits(invocation):
            self._steps[attempt] = step
            session.give(invocation)
            return
        size, most = len(invocation.arguments), session.frame_max
        message = f"arguments of {size} bytes; the agent takes frames of {most} bytes"
        failure = Failure(TOO_LARGE, message, None, False)
        step.tell(AttemptEnded(attempt[1], Failed(*attempt, failure)))

    def _on_attach(self, attach: Attach) -> None:
        attempt, session = attach.attempt, self._session
        outcome = session.delivered.get(attempt)
        if outcome is not None:
            ended = AttemptEnded(attempt[1], outcome, self.ref, self.name)
            if not attach.step.tell(ended):
                self._house.directory.tell(ToQuest(attempt[0], ended))
            return
        held = attempt in session.held
        answer = Attached(self.ref) if held else NeverSeen(self.ref, self._hello.tools)
        if attach.step.tell(answer):
            self._steps[attempt] = attach.step

    def _on_cancel(self, attempt: AttemptId, reason: str) -> None:
        if self._session.withdraw(attempt):
            step = self._steps.pop(attempt, None)
            if step is not None:
                step.tell(AttemptEnded(attempt[1], Cancelled(*attempt)))
        elif attempt in self._session.held:
            self._session.cancel(attempt, reason)

    # -- time ------------------------------------------------------------------------------------

    def _arm_beat(self) -> None:
        delay_s = self._house.limits.hold_s / 4
        self._beat_at = self._house.clock.monotonic_s() + delay_s
        self._beat = self._house.timers.after(delay_s, self.ref, Beat())

    def _on_beat(self) -> None:
        now, limits = self._house.clock.monotonic_s(), self._house.limits
        self._forgive(now - self._beat_at)
        silent_s = now - self._heard
        closed_s = 0.0 if self._closed_at is None else now - self._closed_at
        if silent_s > limits.lease_s or closed_s > limits.closed_pipe_s:
            self._house.note("agent.lost", agent=self._hello.agent, instance=self.name)
            self._stop()
            return
        if self._waiting is not None and now - self._waiting_since >= limits.hold_s * 3 / 4:
            self._answer()
        self._arm_beat()

    def _forgive(self, late_s: float) -> None:
        """While the daemon itself stood still (a slow disk, a stopped process) nobody could be heard."""
        if late_s > STANDSTILL_S:
            self._heard += late_s
            if self._closed_at is not None:
                self._closed_at += late_s

    def _on_pipe_closed(self, pipe: int) -> None:
        if self._route is not None and self._route.pipe == pipe:
            self._closed_at = self._house.clock.monotonic_s()
            self._waiting = None

    def _leave(self, reason: str, *, begun: bool = True) -> None:
        if self._beat is not None:
            self._beat.cancel()
        self._release()
        self._house.router.tell(InstanceLeft(self.name))
        for attempt, step in self._steps.items():
            step.tell(AttemptVanished(attempt[1], reason, begun))
        self._steps.clear()

    # -- looking ---------------------------------------------------------------------------------

    def _view(self) -> InstanceView:
        hello = self._hello
        monotonic = self._house.clock.monotonic_s()
        silent_us = int((monotonic - self._heard) * 1e6)
        return InstanceView(
            agent=hello.agent,
            instance=self.name,
            host=hello.host,
            pid=hello.pid,
            sdk=hello.sdk,
            capabilities=hello.capabilities,
            labels=hello.labels,
            capacity=hello.capacity,
            prefetch=hello.prefetch,
            in_flight=len(self._session.held),
            stuck=self._stuck,
            draining=self._session.draining,
            connected_us=self._connected_us,
            heard_us=self._house.clock.now_us() - silent_us,
            completed=self._completed,
            failed=self._failed,
            tools=tuple(tool_view(tool) for tool in hello.tools),
        )
