"""Sockets that lose, delay, double, reorder and forget: request and reply, as nng's REQ and raw REP behave, only worse.

A *pipe* joins an agent's endpoint to one life of the daemon. Sending never fails: what goes into a dead pipe is gone. Either
side may hear of a cut late or never. A request that was under way when its pipe was cut may be sent again, byte for byte,
over the next pipe, to whoever answers there.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from questd.messages.exchange import DaemonFrame, decode_daemon_frame
from questd.runtime.deterministic import Agenda
from questd.simulation.chance import Chance
from questd.simulation.faults import MILLISECOND, SECOND, Faults
from questd.simulation.trace import Trace


class Route(NamedTuple):
    """Where to answer: the pipe, and the number of the request."""

    pipe: int
    header: int


class Daemon(Protocol):
    """One life of the daemon, as the network sees it."""

    alive: bool

    def agent_frame(self, route: Route, body: bytes) -> None:
        """A frame came in at the exchange."""
        ...

    def pipe_closed(self, pipe: int) -> None:
        """The exchange's socket has noticed."""
        ...


class Door:
    """The answering side of a daemon's socket (``actors.house.Answers``)."""

    def __init__(
        self, answer: Callable[[Any, bytes], None], hang_up: Callable[[int], None]
    ) -> None:
        self._answer = answer
        self._hang_up = hang_up

    def send(self, route: Any, body: bytes) -> None:
        """Answer one request."""
        self._answer(route, body)

    def close_pipe(self, pipe: int) -> None:
        """Hang up."""
        self._hang_up(pipe)


class Pipe:
    """``open`` is the truth; what each side believes is its own business."""

    def __init__(self, number: int, endpoint: "Endpoint", daemon: Daemon) -> None:
        self.number = number
        self.endpoint = endpoint
        self.daemon = daemon
        self.open = True


class Network:
    """All pipes. ``faults`` is asked each time, so that they can end."""

    def __init__(self, agenda: Agenda, chance: Chance, trace: Trace) -> None:
        self.agenda = agenda
        self.chance = chance
        self.trace = trace
        self.faults = Faults()
        self.daemon: Daemon | None = None
        self.pipes: dict[int, Pipe] = {}
        self._numbers = 0

    def number(self) -> int:
        """A new one, of a pipe or a request."""
        self._numbers += 1
        return self._numbers

    def connect(self, endpoint: "Endpoint") -> Pipe | None:
        """A pipe to the daemon that lives now."""
        daemon = self.daemon
        if daemon is None or not daemon.alive:
            return None
        pipe = Pipe(self.number(), endpoint, daemon)
        self.pipes[pipe.number] = pipe
        return pipe

    def delay_us(self) -> int:
        """How long a frame is under way."""
        if self.chance.maybe(self.faults.late):
            return self.chance.between(MILLISECOND, self.faults.late_us)
        return self.chance.skewed(30, 3 * MILLISECOND)

    def request(self, pipe: Pipe, header: int, body: bytes) -> None:
        """From an agent to its daemon."""
        if not self.chance.maybe(self.faults.request_lost):
            self.agenda.after(self.delay_us(), lambda: self._arrive(pipe, header, body))
        if self.chance.maybe(self.faults.doubled):
            delay_us = self.chance.between(0, self.faults.late_us)
            endpoint = pipe.endpoint
            self.agenda.after(delay_us, lambda: self._arrive(endpoint.pipe, header, body))

    def _arrive(self, pipe: Pipe | None, header: int, body: bytes) -> None:
        if pipe is not None and pipe.open and pipe.daemon.alive:
            pipe.daemon.agent_frame(Route(pipe.number, header), body)

    def reply(self, route: Route, body: bytes) -> None:
        """From a daemon to an agent."""
        pipe = self.pipes.get(route.pipe)
        lost = self.chance.maybe(self.faults.reply_lost)
        if pipe is None or not pipe.open or lost:
            return
        self.agenda.after(self.delay_us(), lambda: self._return(pipe, route.header, body))

    def _return(self, pipe: Pipe, header: int, body: bytes) -> None:
        if pipe.open:
            pipe.endpoint.answered(header, body)

    def hang_up(self, number: int) -> None:
        """The daemon closes a pipe."""
        pipe = self.pipes.get(number)
        if pipe is not None:
            self.cut(pipe, by_agent=False)

    def cut(self, pipe: Pipe, *, by_agent: bool) -> None:
        """The pipe is dead; who did not do it hears of it sooner, later or never."""
        if not pipe.open:
            return
        pipe.open = False
        del self.pipes[pipe.number]
        if pipe.daemon.alive and not self.chance.maybe(self.faults.unnoticed):
            late = self.chance.maybe(0.2)
            delay_us = self.chance.skewed(0, 5 * SECOND if late else 5 * MILLISECOND)
            self.agenda.after(delay_us, lambda: self._tell_daemon(pipe))
        if not by_agent and not self.chance.maybe(self.faults.half_open):
            delay_us = self.chance.skewed(0, 20 * MILLISECOND)
            self.agenda.after(delay_us, lambda: pipe.endpoint.broken(pipe))

    def _tell_daemon(self, pipe: Pipe) -> None:
        if pipe.daemon.alive:
            pipe.daemon.pipe_closed(pipe.number)

    def daemon_died(self, daemon: Daemon) -> None:
        """Its sockets are gone; its peers hear of it (on one host they do at once, over TCP perhaps never)."""
        for pipe in list(self.pipes.values()):
            if pipe.daemon is daemon:
                self.cut(pipe, by_agent=False)


class Peer(Protocol):
    """Who owns an endpoint."""

    def heard(self, ticket: int, frame: DaemonFrame) -> None:
        """The answer to a ticket."""
        ...

    def lost(self, ticket: int) -> None:
        """There will be none."""
        ...


class Endpoint:
    """An agent's link (``questd.agent.link.Link``): each ticket is reported once, as answered or as lost."""

    def __init__(self, network: Network, peer: Peer) -> None:
        self._network = network
        self.peer = peer
        self._open: dict[int, tuple[int, bytes]] = {}
        self.pipe: Pipe | None = None
        self.closed = False
        self._dial()

    def _dial(self) -> None:
        delay_us = self._network.chance.skewed(200, 100 * MILLISECOND)
        self._network.agenda.after(delay_us, self._dialled)

    def _dialled(self) -> None:
        if self.closed or self.pipe is not None:
            return
        self.pipe = self._network.connect(self)
        if self.pipe is None:
            self._dial()
            return
        for header, (_, body) in self._open.items():
            self._network.request(self.pipe, header, body)

    def send(self, ticket: int, body: bytes, timeout_us: int) -> None:
        """Ask the daemon."""
        header = self._network.number()
        self._open[header] = (ticket, body)
        if self.pipe is not None:
            self._network.request(self.pipe, header, body)
        self._network.agenda.after(timeout_us, lambda: self._give_up(header))

    def answered(self, header: int, body: bytes) -> None:
        """The daemon's answer arrived; a second one, or one that came too late, is nobody's."""
        opened = self._open.pop(header, None)
        if opened is not None and not self.closed:
            self.peer.heard(opened[0], decode_daemon_frame(body))

    def _give_up(self, header: int) -> None:
        opened = self._open.pop(header, None)
        if opened is not None and not self.closed:
            self.peer.lost(opened[0])

    def broken(self, pipe: Pipe) -> None:
        """The system says that the pipe is dead: dial again, and perhaps send again what was under way."""
        if self.pipe is not pipe or self.closed:
            return
        self.pipe = None
        network = self._network
        for header in list(self._open):
            if not network.chance.maybe(network.faults.resent):
                self._give_up(header)
        self._dial()

    def redial(self) -> None:
        """Close the link and dial again."""
        pipe, self.pipe = self.pipe, None
        for header in list(self._open):
            self._give_up(header)
        if pipe is not None:
            self._network.cut(pipe, by_agent=True)
        self._dial()

    def close(self) -> None:
        """The process has ended."""
        self.closed = True
        pipe, self.pipe = self.pipe, None
        self._open.clear()
        if pipe is not None:
            self._network.cut(pipe, by_agent=True)
