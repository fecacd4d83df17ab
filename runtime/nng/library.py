"""The few calls of nng that this package makes, with errors as exceptions.

The only file that knows cffi. pynng 0.9 has no raw sockets, no listener options and no blocking contexts without
pipe bookkeeping, hence its ``lib`` and ``ffi`` are used directly. Never fork after a socket is open: nng aborts.
"""

from typing import Any, cast

import pynng as untyped_pynng

pynng = cast("Any", untyped_pynng)
lib: Any = pynng.lib
ffi: Any = pynng.ffi

CLOSED: int = lib.NNG_ECLOSED
AGAIN: int = lib.NNG_EAGAIN
ADDRESS_INVALID: tuple[int, ...] = (lib.NNG_EADDRINVAL, lib.NNG_EINVAL, lib.NNG_ENOTSUP)

HEADER_SLACK_BYTES = 64
"""The limit on a received message counts nng's own header too (at most 15 hops of 4 bytes)."""


class NngError(Exception):
    """An nng call that returned an error."""

    def __init__(self, code: int) -> None:
        super().__init__(str(ffi.string(lib.nng_strerror(code)).decode()))
        self.code = code


def check(code: int) -> None:
    """NngError unless the call returned 0."""
    if code:
        raise NngError(code)


def message(body: bytes, header: bytes = b"") -> Any:
    """Make an nng message; whoever fails to send it must free it."""
    slot = ffi.new("nng_msg **")
    check(lib.nng_msg_alloc(slot, 0))
    made = slot[0]
    code = lib.nng_msg_append(made, ffi.from_buffer(body), len(body)) if body else 0
    if not code and header:
        code = lib.nng_msg_header_append(made, ffi.from_buffer(header), len(header))
    if code:
        lib.nng_msg_free(made)
        raise NngError(code)
    return made


def body_of(received: Any) -> bytes:
    """Copy a message's bytes."""
    size = lib.nng_msg_len(received)
    return bytes(ffi.buffer(lib.nng_msg_body(received), size)) if size else b""


def header_of(received: Any) -> bytes:
    """Copy the routing header of a message that a raw socket received."""
    size = lib.nng_msg_header_len(received)
    return bytes(ffi.buffer(lib.nng_msg_header(received), size)) if size else b""


def pipe_of(received: Any) -> int:
    """Tell which pipe a message came by."""
    return int(lib.nng_pipe_id(lib.nng_msg_get_pipe(received)))


def pipe_handle(pipe: int) -> Any:
    """Make a handle from a pipe's id."""
    handle = ffi.new("nng_pipe *")
    handle[0].id = pipe
    return handle[0]


def pipe_text(pipe: int, option: bytes) -> str | None:
    """Read a text option of a living pipe, "" where it has no value; None of a dead one, or one without that option."""
    slot = ffi.new("char **")
    if lib.nng_pipe_get_string(pipe_handle(pipe), option, slot):
        return None
    if slot[0] == ffi.NULL:
        return ""
    text = ffi.string(slot[0]).decode("utf-8", "replace")
    lib.nng_strfree(slot[0])
    return str(text)


def bytes_sent(socket: int) -> dict[int, int]:
    """How many bytes of messages each living pipe of a socket has passed on to the system, by pipe: nng's own count."""
    slot = ffi.new("nng_stat **")
    check(lib.nng_stats_get(slot))
    found: dict[int, int] = {}
    scope = lib.nng_stat_child(slot[0])
    while scope != ffi.NULL:
        if ffi.string(lib.nng_stat_name(scope)) == b"pipe":
            values = _values(scope)
            if values.get(b"socket") == socket:
                found[values[b"id"]] = values.get(b"tx_bytes", 0)
        scope = lib.nng_stat_next(scope)
    lib.nng_stats_free(slot[0])
    return found


def _values(scope: Any) -> dict[bytes, int]:
    values: dict[bytes, int] = {}
    each = lib.nng_stat_child(scope)
    while each != ffi.NULL:
        values[bytes(ffi.string(lib.nng_stat_name(each)))] = int(lib.nng_stat_value(each))
        each = lib.nng_stat_next(each)
    return values
