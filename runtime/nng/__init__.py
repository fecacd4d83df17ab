"""Sockets: the daemon's doors, and the callers that knock on them."""

from questd.runtime.nng.address import TLSSettings
from questd.runtime.nng.caller import Caller
from questd.runtime.nng.door import CONNECTIONS_MAX, UNANSWERED_MAX_BYTES, Door, Route

__all__ = [
    "CONNECTIONS_MAX",
    "UNANSWERED_MAX_BYTES",
    "Caller",
    "Door",
    "Route",
    "TLSSettings",
]
