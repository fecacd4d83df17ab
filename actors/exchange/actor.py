"""The exchange: where agent instances knock. It admits them, gives each its actor, and brings each frame there.

Invariants: an instance is admitted by Hello only, with the token where the listener asks for one; from then on it is bound to
the pipe it came by, and a frame from elsewhere has to say Hello first. A session that this daemon does not know is
answered Resync, which is how a restarted daemon finds its running attempts again.

Steps that watch attempts from before a restart wait here for their instance, until the grace is over.
"""

import hmac
from typing import Any, Final

from msgspec import Struct

from questd.actors.agent.actor import (
    AgentActor,
    Arrived,
    Described,
    DrainInstance,
    Look,
    PipeClosed,
)
from questd.actors.agent.edge import WORD_MAX, fault_of, size_of_tools, word_of_the_gone
from questd.actors.exchange.protocols import unspoken
from questd.actors.house import Answers, House
from questd.actors.mail import (
    Answered,
    Attach,
    AttemptVanished,
    DrainAgents,
    InstanceLeft,
    LookAtAgents,
    ReplyTo,
)
from questd.messages.control import Agents, Done, Error, InstanceView
from questd.messages.exchange import (
    AgentFrame,
    Denied,
    Exchange,
    Goodbye,
    Hello,
    Work,
    encode_frame,
)
from questd.messages.failure import AUTH, VALIDATION
from questd.runtime.actor import Actor, ChildFailed, ChildStopped, Ref, stop

MAX_INSTANCES: Final = 2_000
INSTANCES_MAX_A_CONNECTION: Final = 64
"""Our agents have one each; one connection is one peer, whose frames share its credit and its buffers."""
REMEMBERED_INSTANCES: Final = 2 * MAX_INSTANCES
OFFERS_MAX_BYTES: Final = 256 * 1024 * 1024
"""Schemas and descriptions of the tools of all instances together."""


class FrameArrived(Struct, frozen=True):
    """From a door. ``token`` is what the listener asks for; None where the socket's folder is the guard.

    ``certificate``: of a Hello to a listener that asks for certificates, the name in the one that was shown ("" if it has none).
    """

    door: Answers
    route: Any
    frame: AgentFrame
    token: str | None = None
    certificate: str | None = None


Pipe = tuple[int, int]
"""A door and a connection of it."""


class DoorPipeClosed(Struct, frozen=True):
    """From a door: one of its connections is gone."""

    door: Answers
    pipe: int


class GraceOver(Struct, frozen=True):
    """To itself: instances that have not come back by now count as lost."""


class _Looking:
    """A description that is being gathered."""

    def __init__(self, reply: ReplyTo, awaited: int) -> None:
        self.reply = reply
        self.awaited = awaited
        self.views: list[InstanceView] = []


class ExchangeActor(Actor):
    """Parent of all agent actors.

    ``heard``: the highest counter of each instance, also of those that left: an old Hello must not bring back a session.
    It outlives this actor.
    """

    def __init__(self, house: House, parent: Ref, heard: dict[str, int]) -> None:
        super().__init__(parent=parent, name="exchange")
        self._house = house
        self._agents: dict[str, Ref] = {}
        self._names: dict[str, str] = {}
        self._offers: dict[str, int] = {}
        self._offered_bytes = 0
        self._pipe_of: dict[str, Pipe] = {}
        self._instances_on: dict[Pipe, dict[str, None]] = {}
        self._awaited: dict[str, list[Attach]] = {}
        self._grace_over = False
        self._looking: dict[int, _Looking] = {}
        self._looks = 0
        self._heard = heard

    def on_start(self) -> None:
        grace_s = self._house.limits.reattach_grace_s
        self._house.timers.after(grace_s, self.ref, GraceOver())

    def on_stop(self) -> None:
        for ref in list(self._agents.values()):
            stop(ref)

    def on_failure(self, *_: Any) -> None:
        self.on_stop()

    def on_receive(self, message: Any) -> None:
        match message:
            case FrameArrived():
                self._on_frame(message)
            case Attach():
                self._on_attach(message)
            case DoorPipeClosed(door, pipe):
                self._on_door_pipe_closed(door, pipe)
            case GraceOver():
                self._on_grace_over()
            case LookAtAgents(name, reply):
                self._look(name, reply)
            case Described(job, view):
                self._described(job, view)
            case DrainAgents(name, instance, reply):
                self._drain(name, instance, reply)
            case ChildStopped(ref, name) | ChildFailed(ref, name):
                self._child_ended(ref, name)
                if isinstance(message, ChildFailed):
                    self._house.note("session.failed", instance=name, error=repr(message.error))
            case _:
                raise AssertionError(f"the exchange got {message!r}")

    # -- frames ----------------------------------------------------------------------------------

    def _on_frame(self, arrived: FrameArrived) -> None:
        door, route, frame = arrived.door, arrived.route, arrived.frame
        match frame:
            case Hello():
                self._on_hello(arrived, frame)
            case Exchange(incarnation, boot) | Goodbye(incarnation, boot):
                agent = self._agents.get(incarnation)
                pipe = (id(door), route.pipe)
                known = boot == self._house.boot and self._pipe_of.get(incarnation) == pipe
                if known:  # a stranger's counter would keep the instance out for ever
                    self._hear(frame)
                if agent is None or not known or not agent.tell(Arrived(door, route, frame)):
                    door.send(route, encode_frame(word_of_the_gone(frame, self._house.boot)))

    def _on_hello(self, frame: FrameArrived, hello: Hello) -> None:
        door, route = frame.door, frame.route
        pipe = (id(door), route.pipe)
        denied = unspoken(hello.protocol) or self._unproven(frame, hello)
        denied = denied or self._why_denied(hello, pipe)
        if denied is not None:
            self._house.note("agent.denied", agent=hello.agent[:WORD_MAX], why=denied.message)
            door.send(route, encode_frame(denied))
            return
        if 0 < hello.counter < self._heard.get(hello.incarnation, 0):
            door.send(route, encode_frame(Work(hello.counter)))
            return
        self._hear(hello)
        incarnation = hello.incarnation
        self._unbind(incarnation)
        self._pipe_of[incarnation] = pipe
        self._names[incarnation] = hello.agent
        self._note_offer(incarnation, size_of_tools(hello))
        self._instances_on.setdefault(pipe, {})[incarnation] = None
        agent = self._agents.get(incarnation)
        arrived = Arrived(door, route, hello)
        if agent is None or not agent.tell(arrived):
            agent = AgentActor(self._house, hello, self.ref).launch(self._house.dispatcher)
            self._agents[incarnation] = agent
            self._house.note("agent.connected", agent=hello.agent, instance=incarnation)
            agent.tell(arrived)
            for attach in self._awaited.pop(incarnation, ()):
                agent.tell(attach)

    def _hear(self, frame: AgentFrame) -> None:
        """Note the counter of an admitted instance's frame; of those long gone the oldest are forgotten."""
        if isinstance(frame, Goodbye):
            return
        heard, incarnation = self._heard, frame.incarnation
        before = heard.get(incarnation)
        if before is None:
            if isinstance(frame, Exchange):
                return  # nobody said Hello here
            if len(heard) >= REMEMBERED_INSTANCES:
                gone = next(known for known in heard if known not in self._agents)
                del heard[gone]
        heard[incarnation] = max(before or 0, frame.counter)

    def _unproven(self, frame: FrameArrived, hello: Hello) -> Denied | None:
        """Is it who it says it is? By the token and the certificate, as far as the listener asks for them."""
        token, shown = frame.token, frame.certificate
        if token is not None and not hmac.compare_digest(
            token.encode(), (hello.token or "").encode()
        ):
            return Denied(AUTH, "this listener needs the daemon's token, and it was not given")
        if shown is None:
            return None
        if shown != hello.agent:
            return Denied(AUTH, misnamed(hello.agent[:WORD_MAX], shown))
        if self._names.get(hello.incarnation, hello.agent) != hello.agent:
            return Denied(AUTH, "this instance is connected already, under another agent's name")
        return None

    def _why_denied(self, hello: Hello, pipe: Pipe) -> Denied | None:
        fault = fault_of(hello)
        if fault is not None:
            return Denied(VALIDATION, fault)
        if hello.incarnation not in self._agents and len(self._agents) >= MAX_INSTANCES:
            return Denied("busy", f"{MAX_INSTANCES} instances are connected already", fatal=False)
        beside = self._instances_on.get(pipe, {})
        if hello.incarnation not in beside and len(beside) >= INSTANCES_MAX_A_CONNECTION:
            message = f"{INSTANCES_MAX_A_CONNECTION} instances talk by this connection already"
            return Denied("busy", message, fatal=False)
        before = self._offers.get(hello.incarnation, 0)
        if self._offered_bytes - before + size_of_tools(hello) > OFFERS_MAX_BYTES:
            message = f"the tools of all agents may have {OFFERS_MAX_BYTES} bytes of schemas"
            return Denied("busy", message, fatal=False)
        return None

    def _note_offer(self, incarnation: str, size: int) -> None:
        self._offered_bytes += size - self._offers.pop(incarnation, 0)
        if size:
            self._offers[incarnation] = size

    def _unbind(self, incarnation: str) -> None:
        old = self._pipe_of.pop(incarnation, None)
        beside = self._instances_on.get(old, {}) if old is not None else {}
        beside.pop(incarnation, None)
        if old is not None and not beside:
            self._instances_on.pop(old, None)

    def _on_door_pipe_closed(self, door: Answers, pipe: int) -> None:
        for incarnation in self._instances_on.pop((id(door), pipe), ()):
            self._pipe_of.pop(incarnation, None)
            agent = self._agents.get(incarnation)
            if agent is not None:
                agent.tell(PipeClosed(pipe))

    def _child_ended(self, ref: Ref, incarnation: str) -> None:
        if self._agents.get(incarnation) is ref:
            del self._agents[incarnation]
            del self._names[incarnation]
            self._note_offer(incarnation, 0)
            self._unbind(incarnation)
            self._house.router.tell(InstanceLeft(incarnation))

    # -- attempts from before a restart ------------------------------------------------------------

    def _on_attach(self, attach: Attach) -> None:
        agent = self._agents.get(attach.instance)
        if agent is not None and agent.tell(attach):
            return
        if self._grace_over:
            attach.step.tell(AttemptVanished(attach.attempt[1], "its agent did not come back"))
        else:
            self._awaited.setdefault(attach.instance, []).append(attach)

    def _on_grace_over(self) -> None:
        self._grace_over = True
        awaited, self._awaited = self._awaited, {}
        for attaches in awaited.values():
            for attach in attaches:
                self._on_attach(attach)

    # -- looking and draining ------------------------------------------------------------------------

    def _look(self, name: str | None, reply: ReplyTo) -> None:
        agents = [ref for i, ref in self._agents.items() if name in (None, self._names[i])]
        self._looks += 1
        looking = _Looking(reply, 0)
        for ref in agents:
            looking.awaited += ref.tell(Look(self.ref, self._looks))
        self._looking[self._looks] = looking
        self._finish_look(self._looks)

    def _described(self, job: int, view: InstanceView) -> None:
        looking = self._looking.get(job)
        if looking is not None:
            looking.views.append(view)
            looking.awaited -= 1
            self._finish_look(job)

    def _finish_look(self, job: int) -> None:
        looking = self._looking[job]
        if looking.awaited <= 0:
            del self._looking[job]
            views = sorted(looking.views, key=lambda view: (view.agent, view.instance))
            looking.reply.address.tell(Answered(looking.reply.job, Agents(tuple(views))))

    def _drain(self, name: str, instance: str | None, reply: ReplyTo) -> None:
        found = [
            ref
            for incarnation, ref in self._agents.items()
            if self._names[incarnation] == name and incarnation.startswith(instance or "")
        ]
        for ref in found:
            ref.tell(DrainInstance())
        answer: Done | Error
        if found:
            answer = Done(message=f"{len(found)} instance(s) of {name} drain")
        else:
            answer = Error("not_found", f"no connected agent is named {name}")
        reply.address.tell(Answered(reply.job, answer))


def misnamed(agent: str, certificate: str) -> str:
    """What to say to an agent whose certificate has another name."""
    named = f"names {certificate!r}" if certificate else "has no common name"
    return (
        f"the agent calls itself {agent!r} and its certificate {named}: "
        f"give it a certificate whose common name (CN) is {agent!r}"
    )
