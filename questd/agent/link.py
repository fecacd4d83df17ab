"""The agent's link to the daemon: frames out, frames in, by blocking threads (asyncio costs three times as much).

Invariant: each sent ticket is reported exactly once, as an answer or as lost. Knows frames but not what they mean.
"""

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import NamedTuple

import msgspec

from questd.agent.effects import Send
from questd.agent.pace import OPEN_MAX
from questd.messages.exchange import DaemonFrame, decode_daemon_frame, encode_frame
from questd.runtime.errors import QuestdError
from questd.runtime.nng import Caller, TLSSettings

THREADS_MAX = OPEN_MAX + 2
"""The open exchanges, a Hello beside them, and a Goodbye."""

log = logging.getLogger("questd.agent")


class Answered(NamedTuple):
    """The daemon answered a ticket."""

    ticket: int
    frame: DaemonFrame


class Lost(NamedTuple):
    """Nobody answered a ticket."""

    ticket: int
    reason: str


class Link:
    """``post`` is called from the link's threads."""

    def __init__(
        self,
        url: str,
        *,
        tls: TLSSettings | None,
        frame_max: int,
        post: Callable[[Answered | Lost], None],
    ) -> None:
        self._caller = Caller(url, tls=tls, frame_max=frame_max)
        self._post = post
        self._queue: SimpleQueue[Send] = SimpleQueue()
        self._lock = threading.Lock()
        self._idle = 0
        self._threads = 0

    @property
    def connected(self) -> bool:
        """Whether a link stands, as far as the system knows."""
        return self._caller.connected

    def send(self, send: Send) -> None:
        """Ask the daemon; never blocks."""
        self._queue.put(send)
        with self._lock:
            if self._idle:
                self._idle -= 1
                return
            if self._threads == THREADS_MAX:
                return
            self._threads += 1
        threading.Thread(target=self._work, name="link", daemon=True).start()

    def redial(self) -> None:
        """Close the link; it is dialled again by itself."""
        self._caller.hang_up()

    def close(self) -> None:
        """End it; open tickets are reported as lost."""
        self._caller.close()

    def _work(self) -> None:
        while True:
            self._post(self._ask(self._queue.get()))
            with self._lock:
                self._idle += 1

    def _ask(self, send: Send) -> Answered | Lost:
        try:
            answer = self._caller.request(encode_frame(send.frame), send.timeout_us / 1e6)
            return Answered(send.ticket, decode_daemon_frame(answer))
        except (QuestdError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            log.debug("exchange.lost", extra={"reason": str(error)})
            return Lost(send.ticket, str(error))
