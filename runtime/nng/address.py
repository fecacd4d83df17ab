"""Addresses that sockets listen on or dial, and how they are secured.

Says clearly what is wrong with an address before nng says "address invalid".
"""

import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from questd.runtime.errors import BadSettings
from questd.runtime.nng.library import pynng

SCHEMES = ("inproc", "ipc", "tcp", "tls+tcp")
IPC_PATH_MAX_BYTES = 103 if sys.platform == "darwin" else 107


class TLSSettings(Struct, frozen=True):
    """Files in PEM. Listening needs ``certificate`` and ``key``; with ``authority`` every client must show a certificate it signed.

    Dialing needs ``authority`` (who signed the server's certificate); ``server_name`` is the name in that
    certificate (default: the host of the URL).
    """

    certificate: Path | None = None
    key: Path | None = None
    authority: Path | None = None
    server_name: str | None = None


def check_url(url: str, tls: TLSSettings | None) -> None:
    """BadSettings when no socket could ever use this address."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in SCHEMES or not rest:
        raise BadSettings(f"address {url!r}: write one of ipc://PATH, tcp://HOST:PORT, tls+tcp://…")
    if scheme == "ipc":
        _check_ipc(url, rest)
    elif scheme != "inproc":
        _check_port(url)
    if (scheme == "tls+tcp") != (tls is not None):
        needed = "needs TLS files" if tls is None else "cannot use TLS: write tls+tcp://"
        raise BadSettings(f"address {url!r} {needed}")


def _check_ipc(url: str, path: str) -> None:
    size = len(path.encode())
    if size > IPC_PATH_MAX_BYTES:
        raise BadSettings(
            f"address {url!r}: the socket's path has {size} bytes, the system takes {IPC_PATH_MAX_BYTES};"
            " put it into a folder with a shorter name"
        )


def _check_port(url: str) -> None:
    try:
        port = urlsplit(url).port
    except ValueError as error:
        raise BadSettings(f"address {url!r}: {error}") from None
    if port is None:
        raise BadSettings(f"address {url!r} names no port")


def server_tls(settings: TLSSettings) -> Any:
    """Load what a listener needs. BadSettings when a file is missing or unreadable."""
    if settings.certificate is None or settings.key is None:
        raise BadSettings("a TLS listener needs a certificate and its key")
    config: Any = pynng.TLSConfig(
        pynng.TLSConfig.MODE_SERVER,
        own_cert_string=_read(settings.certificate),
        own_key_string=_read(settings.key),
    )
    if settings.authority is not None:
        config.set_ca_chain(_read(settings.authority))
        config.set_auth_mode(pynng.TLSConfig.AUTH_MODE_REQUIRED)
    return config


def client_tls(settings: TLSSettings, url: str) -> Any:
    """Load what a dialer needs. BadSettings when a file is missing or unreadable."""
    if settings.authority is None:
        raise BadSettings(
            f"dialing {url!r} needs the authority that signed the server's certificate"
        )
    config: Any = pynng.TLSConfig(
        pynng.TLSConfig.MODE_CLIENT,
        server_name=settings.server_name or urlsplit(url).hostname,
        ca_string=_read(settings.authority),
        auth_mode=pynng.TLSConfig.AUTH_MODE_REQUIRED,
    )
    if settings.certificate is not None and settings.key is not None:
        config.set_own_cert(_read(settings.certificate), _read(settings.key))
    return config


def _read(path: Path) -> str:
    try:
        return path.read_text() + "\0"
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(f"TLS file {path}: {error}") from None
