"""The daemon's sockets: bytes in, one message to an actor out.

The exchange and the control door take frames on nng's receiving threads, decode them there, and post. Bytes that are no
frame, and requests that a client of another host may not make, are answered at once with what is wrong with them; they never
reach an actor. Nothing else is decided here.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from questd.actors.control.arriving import ClientGone, RequestArrived
from questd.actors.control.roles import refusal
from questd.actors.exchange.actor import DoorPipeClosed, FrameArrived
from questd.actors.exchange.protocols import unspoken
from questd.actors.house import VERSION, Answers, House
from questd.daemon.gatekeeper import Gatekeeper
from questd.messages.any_version import protocol_of, tag_of
from questd.messages.control import (
    REQUEST_TAGS,
    Error,
    Request,
    decode_request,
    encode_control,
)
from questd.messages.exchange import (
    FRAME_MAX_BYTES,
    Denied,
    Hello,
    decode_agent_frame,
    encode_frame,
)
from questd.messages.remote import Bearer, Role, decode_asked
from questd.runtime.nng import CONNECTIONS_MAX, UNANSWERED_MAX_BYTES, Door, Route

AGENT_CREDIT = 32
"""Frames an instance may send without waiting for answers: an honest one has four open."""
CLIENT_CREDIT = 1_000
CLIENT_SILENCE_MAX_S = 120.0
"""Of a client of another host. A question for news is answered within a minute (WAIT_MAX_MS), and the next one comes at once."""
BEARER_TAG = str(Bearer.__struct_config__.tag)
Decoded = TypeVar("Decoded")
OVERFLOW = f"UNANSWERED_MAX_BYTES: {UNANSWERED_MAX_BYTES} bytes wait for their answers: try again"
Undecodable = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def open_exchange(
    house: House,
    *,
    token: str | None,
    name: str,
    connections: int = CONNECTIONS_MAX,
    certified: bool = False,
) -> Door:
    """A door for agents. ``token``: what they must show; None where the socket's folder is the guard.

    ``certified``: it is asked for certificates, and an agent must be named as its certificate is. A connection that is silent for a
    lease is closed: its instance is lost by then, or there is none.
    """

    def receive(route: Route, body: bytes) -> None:
        take_frame(house, door, route, body, token, door.certificate_name if certified else None)

    def closed(pipe: int) -> None:
        house.exchange.tell(DoorPipeClosed(door, pipe))

    door = Door(
        receive,
        pipe_closed=closed,
        frame_max=FRAME_MAX_BYTES,
        name=name,
        credit=AGENT_CREDIT,
        connections=connections,
        busy=encode_frame(Denied("busy", OVERFLOW, fatal=False)),
        silence_s=house.limits.lease_s,
    )
    return door


def open_control(
    house: House,
    *,
    name: str = "control",
    connections: int = CONNECTIONS_MAX,
    gatekeeper: Gatekeeper | None = None,
) -> Door:
    """A door for clients: of this machine, whose guard is the socket's folder, or with a gatekeeper of any.

    Beyond a gatekeeper a connection that is silent for longer than any question may wait is closed.
    """

    def receive(route: Route, body: bytes) -> None:
        take_request(house, door, route, body, gatekeeper)

    def closed(pipe: int) -> None:
        house.control.tell(ClientGone(door, pipe))

    door = Door(
        receive,
        pipe_closed=closed,
        frame_max=FRAME_MAX_BYTES,
        name=name,
        credit=CLIENT_CREDIT,
        connections=connections,
        busy=encode_control(Error("busy", OVERFLOW, retry_after_ms=500)),
        silence_s=None if gatekeeper is None else CLIENT_SILENCE_MAX_S,
    )
    return door


def take_frame(
    house: House,
    door: Answers,
    route: Any,
    body: bytes,
    token: str | None,
    certificate_name: Callable[[int], str | None] | None = None,
) -> None:
    """Bytes that came in at the exchange, whatever kind of door they came by. ``certificate_name``: of a connection, where it counts."""
    try:
        frame = decode_agent_frame(body)
    except Undecodable as error:
        door.send(route, encode_frame(_denied(body, error)))
        return
    certificate = None
    if certificate_name is not None and isinstance(frame, Hello):
        certificate = certificate_name(route.pipe)
        if certificate is None:
            return  # its connection is gone: nobody waits for the answer
    house.exchange.tell(FrameArrived(door, route, frame, token, certificate))


def take_request(
    house: House, door: Answers, route: Any, body: bytes, gatekeeper: Gatekeeper | None = None
) -> None:
    """Bytes that came in at the control door, whatever kind of door they came by."""
    found = request_in(body, route.pipe, gatekeeper)
    if isinstance(found, Error):
        door.send(route, encode_control(found))
    else:
        house.control.tell(RequestArrived(door, route, found))


def request_in(body: bytes, pipe: int, gatekeeper: Gatekeeper | None) -> Request | Error:
    """The request, or why there is none. Where nobody keeps the gate a token is not looked at."""
    asked = _read(body, decode_asked)
    role: Role | None = None
    if gatekeeper is not None and not isinstance(asked, Error):
        known = gatekeeper.role_of(pipe, asked)
        if isinstance(known, Error):
            return known
        role = known
    if isinstance(asked, Bearer):
        asked = _read(bytes(asked.request), decode_request)
    if role is None or isinstance(asked, Error):
        return asked
    return refusal(role, asked) or asked


def _read(body: bytes, decode: Callable[[bytes], Decoded]) -> Decoded | Error:
    try:
        return decode(body)
    except Undecodable as error:
        return _refused(body, error)


def _denied(body: bytes, error: Exception) -> Denied:
    """A Hello of another protocol may look different from ours in all but its beginning: then that is what is wrong."""
    protocol = protocol_of(body)
    denied = None if protocol is None else unspoken(protocol)
    return denied or Denied("validation", f"these bytes are no frame: {error}", fatal=False)


def _refused(body: bytes, error: Exception) -> Error:
    tag = tag_of(body)
    if tag is None or tag in REQUEST_TAGS or tag == BEARER_TAG:
        return Error("invalid", f"these bytes are no request: {error}")
    return Error(
        "invalid",
        f"this daemon is questd {VERSION} and knows no request {tag[:100]!r}: the client is newer. "
        "Restart the daemon with the client's version",
    )
