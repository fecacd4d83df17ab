"""REQ by hand on a plain socket, for peers that nng would not let us be: they flood, read nothing, or never even greet."""

import itertools
import socket
import struct
from typing import Self

GREETING = b"\0SP\0\0\x30\0\0"
"""Of a REQ socket (the SP protocols over TCP and over ipc)."""
TIMEOUT_S = 30.0
LARGE = 64 * 1024 * 1024


def dial(url: str, *, receive_bytes: int | None = None) -> socket.socket:
    """A connection, and nothing said. ``receive_bytes``: the system's buffer for what comes in."""
    scheme, _, where = url.partition("://")
    host, _, port = where.partition(":")
    address = where if scheme == "ipc" else (host, int(port))
    made = socket.socket(socket.AF_UNIX if scheme == "ipc" else socket.AF_INET)
    made.settimeout(TIMEOUT_S)
    if receive_bytes is not None:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    made.connect(address)
    return made


class Wire:
    """A connection that has greeted. ConnectionError when the daemon hangs up."""

    def __init__(self, url: str, *, receive_bytes: int | None = None) -> None:
        self.socket = dial(url, receive_bytes=receive_bytes)
        self._prefix = b"\x01" if url.startswith("ipc") else b""
        self._numbers = itertools.count(1)
        self.socket.sendall(GREETING)
        self._take(len(GREETING))

    def framed(self, body: bytes, number: int | None = None) -> bytes:
        """A request, as it goes over the wire."""
        number = next(self._numbers) if number is None else number
        head = struct.pack(">I", 0x80000000 | number)
        return self._prefix + struct.pack(">Q", len(body) + 4) + head + body

    def send(self, body: bytes) -> None:
        """One more request; nobody waits for its answer."""
        self.socket.sendall(self.framed(body))

    def receive(self) -> bytes:
        """The next answer, to whatever request."""
        head = self._take(len(self._prefix) + 8)
        (size,) = struct.unpack(">Q", head[len(self._prefix) :])
        return self._take(size)[4:]

    def ask(self, body: bytes) -> bytes:
        """One request and its answer."""
        self.send(body)
        return self.receive()

    def _take(self, size: int) -> bytes:
        pieces: list[bytes] = []
        while size:
            piece = self.socket.recv(min(size, 1 << 20))
            if not piece:
                raise ConnectionResetError("the daemon hung up")
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
