"""Finds the daemon of a data directory: ``daemon.json`` says where, a touch of the socket says whether it lives."""

import os
import socket
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from questd.runtime.errors import Unreachable

FILE_NAME = "daemon.json"
IPC = "ipc://"
FAR = ("tcp://", "tls+tcp://")
DIAL_S = 5.0


class DaemonAddress(Struct, frozen=True):
    """``control``, ``history`` and each of ``exchange`` are URLs."""

    pid: int
    boot: str
    control: str
    exchange: tuple[str, ...] = ()
    history: str | None = None
    version: str = ""
    started: str = ""


def find_daemon(data: Path) -> DaemonAddress | None:
    """The address of the daemon that lives there; None when there is none, or only what a dead one left."""
    try:
        found = msgspec.json.decode((data / FILE_NAME).read_bytes(), type=DaemonAddress)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    return found if _lives(found.pid) and answers(found.control) else None


def need_daemon(data: Path) -> DaemonAddress:
    """The same, or Unreachable with what to do."""
    found = find_daemon(data)
    if found is None:
        raise Unreachable(f"no daemon serves {data}: start one with `quest serve`, or use --data")
    return found


def is_far(url: str) -> bool:
    """Whether it may be on another machine, whose files and other sockets cannot be reached."""
    return url.startswith(FAR)


def answers(url: str) -> bool:
    """Whether somebody takes calls there. Of what is no address it is not known: whoever dials it says what is wrong."""
    try:
        if url.startswith(IPC):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                probe.settimeout(1.0)
                probe.connect(url.removeprefix(IPC))
        elif is_far(url) and (place := _host_and_port(url)) is not None:
            socket.create_connection(place, DIAL_S).close()
    except OSError:
        return False
    return True


def _host_and_port(url: str) -> tuple[str, int] | None:
    parts = urlsplit(url)
    with suppress(ValueError):
        if parts.hostname and parts.port:
            return parts.hostname, parts.port
    return None


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
