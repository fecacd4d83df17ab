"""What a client of another host puts around each request: a token, which says in what role it asks (docs/remote.md).

Invariant: a request inside stands as it would alone, so whoever is behind the door never meets a token.
"""

from typing import Literal

import msgspec
from msgspec import Raw, Struct

from questd.messages.control import Request

Role = Literal["viewer", "operator", "admin"]
"""What a client may do: look; also steer; also end the daemon."""


class Bearer(Struct, frozen=True, tag_field="type", tag="bearer"):
    """A request with the token that says what its client may do, at a door for other hosts. Answered as the request is."""

    token: str
    request: Raw


_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Request | Bearer] = msgspec.msgpack.Decoder(Request | Bearer)


def encode_borne(token: str, request: bytes) -> bytes:
    """An encoded request, with the token."""
    return _encoder.encode(Bearer(token, Raw(request)))


def decode_asked(data: bytes) -> Request | Bearer:
    """What comes in at a control door. msgspec.DecodeError or UnicodeDecodeError when the bytes are neither."""
    return _decoder.decode(data)
