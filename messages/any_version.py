"""What can be read of a message whatever version wrote it: the few places that stay as they are for ever (docs/upgrades.md).

Two programs of different versions use it to say so, when they cannot read anything else of each other.
"""

from typing import TypeVar

import msgspec
from msgspec import Struct


class Greeting(Struct, frozen=True, array_like=True, tag="hello"):
    """The beginning of every Hello."""

    protocol: int


class Tagged(Struct, frozen=True):
    """The tag of every request and reply of the control and of the history door."""

    type: str


class Named(Struct, frozen=True):
    """Of every answer to Ping."""

    version: str


Wanted = TypeVar("Wanted")


def _read(data: bytes, kind: type[Wanted]) -> Wanted | None:
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def protocol_of(data: bytes) -> int | None:
    """The protocol that a Hello speaks; None when the bytes are no Hello."""
    found = _read(data, Greeting)
    return None if found is None else found.protocol


def tag_of(data: bytes) -> str | None:
    """Which request is it? None when the bytes are none."""
    found = _read(data, Tagged)
    return None if found is None else found.type


def version_of(data: bytes) -> str | None:
    """The version of the daemon that answered Ping so; None when the bytes are no such answer."""
    found = _read(data, Named)
    return None if found is None else found.version
