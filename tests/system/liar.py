"""An agent by hand: whatever frames a test wants to send, in any order."""

import itertools
from typing import Any

from questd.messages.exchange import (
    PROTOCOL_VERSION,
    DaemonFrame,
    Denied,
    Exchange,
    Hello,
    Invocation,
    Outcome,
    Parameter,
    ToolSpec,
    Welcome,
    Work,
    decode_daemon_frame,
    encode_frame,
)
from questd.runtime.nng import Caller
from tests.system.place import Place, until

TIMEOUT_S = 30.0
LARGE = 16 * 1024 * 1024
NUMBERS = itertools.count()
TOOL = ToolSpec("lie", (Parameter("value", required=False),))


class Liar:
    """One instance of agent ``name``. It has its own link, and says only what it is told to say."""

    def __init__(self, place: Place, url: str | None = None, name: str = "liar") -> None:
        self.name = name
        self.incarnation = f"{next(NUMBERS):032d}"
        self.caller = Caller(url or place.addresses["exchange"], frame_max=LARGE)
        place.keep(self.caller)
        self.boot = ""
        self.counter = 0
        self.ack = 0

    def send(self, frame: bytes, timeout_s: float = TIMEOUT_S) -> DaemonFrame:
        """Unreachable when the daemon hangs up instead of answering."""
        return decode_daemon_frame(self.caller.request(frame, timeout_s))

    def greet(self, **more: Any) -> DaemonFrame:
        fields: dict[str, Any] = {"tools": (TOOL,), "capacity": 10, **more}
        protocol = fields.pop("protocol", PROTOCOL_VERSION)
        name, incarnation = fields.pop("agent", self.name), fields.pop("incarnation", None)
        hello = Hello(protocol, name, incarnation or self.incarnation, **fields)
        answer = self.send(encode_frame(hello))
        if isinstance(answer, Welcome):
            self.boot = answer.boot
            self.counter = self.ack = 0
        return answer

    def denied(self, **more: Any) -> str:
        """Greet, be refused; why."""
        answer = self.greet(**more)
        assert isinstance(answer, Denied), answer
        return answer.message

    def say(self, *outcomes: Outcome, **more: Any) -> Work:
        """One honest-looking exchange."""
        self.counter += 1
        frame = Exchange(
            self.incarnation, self.boot, self.counter, self.ack, outcomes=outcomes, **more
        )
        work = self.send(encode_frame(frame))
        assert isinstance(work, Work), work
        self.ack = max([self.ack, *(item.number for item in work.items)])
        return work

    def take_work(self) -> Invocation:
        """Wait for something to do."""

        def invoked() -> Invocation | None:
            items = [item for item in self.say().items if isinstance(item, Invocation)]
            return items[0] if items else None

        return until("work for the liar", invoked)
