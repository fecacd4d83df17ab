"""What a session is told once, and what it wants done: plain values between the pure core and its shell."""

from typing import Final, NamedTuple

from msgspec import Struct

from questd.messages.exchange import (
    FRAME_MAX_BYTES,
    PROTOCOL_VERSION,
    AgentFrame,
    AttemptId,
    Hello,
    Invocation,
    ToolSpec,
)

EXIT_DRAINED: Final = 0
EXIT_UNREACHABLE: Final = 69
EXIT_STUCK: Final = 75
EXIT_DENIED: Final = 77


class Offer(Struct, frozen=True):
    """What this instance is and can do. ``ahead``: how many invocations beyond capacity its executor queues itself."""

    agent: str
    incarnation: str
    token: str | None = None
    tools: tuple[ToolSpec, ...] = ()
    capabilities: tuple[str, ...] = ()
    labels: dict[str, str | int | float | bool] = {}
    capacity: int = 1
    prefetch: int = 2
    frame_max: int = FRAME_MAX_BYTES
    host: str = ""
    pid: int = 0
    sdk: str = ""
    started_by: str | None = None
    ahead: int = 0


def greeting(offer: Offer, counter: int, held: tuple[AttemptId, ...], *, draining: bool) -> Hello:
    """Make the Hello of an offer, without outcomes."""
    return Hello(
        protocol=PROTOCOL_VERSION,
        agent=offer.agent,
        incarnation=offer.incarnation,
        token=offer.token,
        tools=offer.tools,
        capabilities=offer.capabilities,
        labels=offer.labels,
        capacity=offer.capacity,
        prefetch=offer.prefetch,
        frame_max=offer.frame_max,
        held=held,
        host=offer.host,
        pid=offer.pid,
        sdk=offer.sdk,
        started_by=offer.started_by,
        draining=draining,
        counter=counter,
    )


class Send(NamedTuple):
    """Ask the daemon; report ``heard(ticket, …)`` or, after ``timeout_us`` or a broken link, ``lost(ticket)``."""

    ticket: int
    frame: AgentFrame
    timeout_us: int


class Begin(NamedTuple):
    """Call the tool (as soon as a slot is free); report ``began`` and ``ended``."""

    invocation: Invocation


class Cancel(NamedTuple):
    """Ask a begun attempt to end; one that still waits for a slot ends at once, as Cancelled."""

    attempt: AttemptId
    reason: str


class Withdraw(NamedTuple):
    """Take back what was not begun; report ``withdrawn`` if it was not."""

    attempt: AttemptId


class Redial(NamedTuple):
    """Close the link and dial again: nothing was heard for too long."""


class Exit(NamedTuple):
    """End the process."""

    code: int
    reason: str


Effect = Send | Begin | Cancel | Withdraw | Redial | Exit
