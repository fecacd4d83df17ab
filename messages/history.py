"""The history door: questions to the historian, answered from DuckDB (docs/protocol.md)."""

import msgspec
from msgspec import Struct


class Query(Struct, frozen=True, tag_field="type", tag="query"):
    """One read-only statement, asked of the history as the journal stood when it came; waits at most ``wait_ms`` for that.

    ``parameters`` is a JSON array. ``fmt``: "json" (rows as JSON text) or "arrow" (an IPC stream).
    """

    sql: str
    parameters: bytes = b"[]"
    fmt: str = "json"
    row_limit: int = 10_000
    time_limit_ms: int = 30_000
    wait_ms: int = 2_000


class HistoryStatus(Struct, frozen=True, tag_field="type", tag="status"):
    """How far is the history? Answered by ``HistoryInfo``."""


HistoryRequest = Query | HistoryStatus


class Rows(Struct, frozen=True, tag_field="type", tag="rows"):
    """``data``: a JSON array of arrays, or Arrow IPC bytes. ``lag``: events of the journal not yet in the history when it answered."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    data: bytes
    rows: int
    truncated: bool
    lag: int


class HistoryInfo(Struct, frozen=True, tag_field="type", tag="info"):
    """``seq``: the watermark. ``rebuilt``: why the database was set aside and built anew, if it was."""

    seq: int
    journal_seq: int
    lag_ms: int
    path: str
    pid: int
    rebuilt: str | None = None


class HistoryError(Struct, frozen=True, tag_field="type", tag="error", omit_defaults=True):
    """``kind``: sql (bad or not allowed), limit (time, memory), busy, internal. ``retry_after_ms``: where asking again may help."""

    kind: str
    message: str
    retry_after_ms: int | None = None


HistoryReply = Rows | HistoryInfo | HistoryError

_encoder = msgspec.msgpack.Encoder()
_request_decoder: msgspec.msgpack.Decoder[HistoryRequest] = msgspec.msgpack.Decoder(HistoryRequest)
_reply_decoder: msgspec.msgpack.Decoder[HistoryReply] = msgspec.msgpack.Decoder(HistoryReply)


def encode_history(message: HistoryRequest | HistoryReply) -> bytes:
    """One request's or reply's bytes."""
    return _encoder.encode(message)


def decode_history_request(data: bytes) -> HistoryRequest:
    """msgspec.DecodeError or UnicodeDecodeError when the bytes are no request."""
    return _request_decoder.decode(data)


def decode_history_reply(data: bytes) -> HistoryReply:
    """msgspec.DecodeError or UnicodeDecodeError when the bytes are no reply."""
    return _reply_decoder.decode(data)
