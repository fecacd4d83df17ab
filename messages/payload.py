"""Payloads: the JSON values that travel between steps, agents, journal and history.

A payload is JSON *text* (UTF-8 bytes), never a decoded value: the daemon passes it on without reading it,
the history stores it as it is, and only an expression that names a value decodes it. Being JSON text it
can hold nothing but plain data, whoever sent it. A payload above ``INLINE_MAX_BYTES`` is kept once, by the
SHA-256 of its text, and travels inside the daemon as a ``BlobRef``.
"""

import hashlib
from typing import Any

import msgspec
from msgspec import Struct

INLINE_MAX_BYTES = 4096
PAYLOAD_MAX_BYTES = 3 * 1024 * 1024

NULL = b"null"
EMPTY_OBJECT = b"{}"


class BlobRef(Struct, frozen=True, array_like=True, tag="blob"):
    """A payload kept elsewhere: hex SHA-256 of its text, and its size in bytes."""

    digest: str
    size: int


Payload = bytes | BlobRef
Blob = tuple[str, bytes]
"""A digest and the text it stands for."""

_encoder = msgspec.json.Encoder(order=None)
_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder()


def encode_json(value: object) -> bytes:
    """JSON text of a plain value. TypeError when it holds something JSON cannot say."""
    return _encoder.encode(value)


def decode_json(text: bytes) -> Any:
    """The value of a JSON text. ValueError (msgspec.DecodeError, UnicodeDecodeError) when it is not JSON, or a number of it is no number of ours."""
    return _decoder.decode(text)


def size_of(payload: Payload) -> int:
    """Bytes of its text."""
    return len(payload) if isinstance(payload, bytes) else payload.size


def hold(text: bytes) -> tuple[Payload, tuple[Blob, ...]]:
    """The payload to write in an event for this text, and the blob to store beside it, if any."""
    if len(text) <= INLINE_MAX_BYTES:
        return text, ()
    digest = hashlib.sha256(text).hexdigest()
    return BlobRef(digest, len(text)), ((digest, text),)


_checker = msgspec.json.Decoder(msgspec.Raw)


def is_json(text: bytes) -> bool:
    """Is it JSON text in UTF-8? Reads it once without building its value."""
    try:
        _checker.decode(text)
        text.decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True
