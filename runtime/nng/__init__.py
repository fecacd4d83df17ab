"""Sockets: the daemon's doors, and the callers that knock on them."""

from questd.runtime.nng.address import TLSSettings
from questd.runtime.nng.caller import Caller
from questd.runtime.nng.door import Door, Route

__all__ = ["Caller", "Door", "Route", "TLSSettings"]
