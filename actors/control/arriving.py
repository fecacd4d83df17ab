"""What the doors tell the control actor. Whoever else asks as a client does (a schedule that submits) is a door of its own."""

from typing import Any

from msgspec import Struct

from questd.actors.house import Answers
from questd.messages.control import Request


class RequestArrived(Struct, frozen=True):
    """A request, and the way of its answer."""

    door: Answers
    route: Any
    request: Request


class ClientGone(Struct, frozen=True):
    """One of the door's connections is gone, and nobody waits for its answers."""

    door: Answers
    pipe: int
