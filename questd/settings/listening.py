"""``[listen]`` and ``[control]``: the doors for other hosts, and what each must ask of whoever comes.

Invariant: what comes out opens no door without a token, nor beyond the loopback without TLS, unless ``insecure`` says so and a
warning tells it at each start. A control door without a token there is never.
"""

from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from questd.runtime.errors import BadSettings
from questd.settings.model import ControlSettings, ListenSettings, TCPSettings, read_token

LISTEN_PORT: Final = 7411
CONTROL_PORT: Final = 7412


class Listen(Struct, frozen=True, forbid_unknown_fields=True):
    """The table as it is written."""

    tcp: str | list[str] = []
    token_file: str | None = None
    tls_certificate: str | None = None
    tls_key: str | None = None
    tls_authority: str | None = None
    insecure: bool = False


class Control(Struct, frozen=True, forbid_unknown_fields=True):
    """The table as it is written."""

    tcp: str | list[str] = []
    viewer_token_file: str | None = None
    operator_token_file: str | None = None
    admin_token_file: str | None = None
    tls_certificate: str | None = None
    tls_key: str | None = None
    tls_authority: str | None = None
    insecure: bool = False


def listen_settings(listen: Listen, folder: Path) -> ListenSettings:
    """The doors for agents; paths count from ``folder``."""
    checked = ListenSettings(
        tcp=_urls("listen.tcp", listen.tcp, LISTEN_PORT),
        token_file=_path(listen.token_file, folder),
        tls_certificate=_path(listen.tls_certificate, folder),
        tls_key=_path(listen.tls_key, folder),
        tls_authority=_path(listen.tls_authority, folder),
        insecure=listen.insecure,
    )
    for url in checked.tcp:
        if checked.token_file is None and not checked.insecure:
            raise BadSettings(
                f"listen.tcp: {url} needs listen.token_file (a file of mode 0600): without a token anybody "
                "who reaches the port could offer tools. `insecure = true` allows that, and warns"
            )
        _check_tls("listen", url, checked)
    if checked.tcp and checked.token_file is not None:
        read_token(checked.token_file, "listen.token_file")
    return checked


def control_settings(control: Control, listen: ListenSettings, folder: Path) -> ControlSettings:
    """The doors for clients of other hosts; paths count from ``folder``."""
    checked = ControlSettings(
        tcp=_urls("control.tcp", control.tcp, CONTROL_PORT),
        viewer_token_file=_path(control.viewer_token_file, folder),
        operator_token_file=_path(control.operator_token_file, folder),
        admin_token_file=_path(control.admin_token_file, folder),
        tls_certificate=_path(control.tls_certificate, folder),
        tls_key=_path(control.tls_key, folder),
        tls_authority=_path(control.tls_authority, folder),
        insecure=control.insecure,
    )
    for url in checked.tcp:
        if not checked.token_files:
            raise BadSettings(
                f"control.tcp: {url} needs control.viewer_token_file, operator_token_file or admin_token_file (files of "
                "mode 0600): nobody is served there without a token, with `insecure = true` neither"
            )
        _check_tls("control", url, checked)
    if checked.tcp:
        files = {f"control.{role}_token_file": path for role, path in checked.token_files.items()}
        if listen.tcp and listen.token_file is not None:
            files["listen.token_file"] = listen.token_file
        _check_distinct(files)
    return checked


def warnings_of(listen: ListenSettings, control: ControlSettings) -> tuple[str, ...]:
    """What was allowed by ``insecure``."""
    without_token = [f"listen.insecure: {url} is served without a token" for url in listen.tcp]
    agents = without_token if listen.token_file is None else _without_tls("listen", listen)
    return (*agents, *_without_tls("control", control))


def _without_tls(table: str, doors: TCPSettings) -> list[str]:
    return [
        f"{table}.insecure: {url} is served without TLS"
        for url in doors.tcp
        if not (url.startswith("tls+") or _is_loopback(url))
    ]


def _urls(field: str, written: str | list[str], port: int) -> tuple[str, ...]:
    texts = [written] if isinstance(written, str) else written
    return tuple(_url(field, text, port) for text in texts)


def _url(field: str, text: str, port: int) -> str:
    url = text if "://" in text else f"tcp://{text}"
    try:
        parts = urlsplit(url)
        whole = parts.scheme in ("tcp", "tls+tcp") and parts.hostname and parts.port is not None
    except ValueError:
        whole = False
    if not whole:
        raise BadSettings(
            f"{field}: {text!r} is not an address: write tcp://127.0.0.1:{port} or tls+tcp://0.0.0.0:{port}"
        )
    return url


def _path(text: str | None, folder: Path) -> Path | None:
    return None if text is None else (folder / Path(text).expanduser()).absolute()


def _check_tls(table: str, url: str, doors: TCPSettings) -> None:
    tls = url.startswith("tls+")
    if tls and (doors.tls_certificate is None or doors.tls_key is None):
        raise BadSettings(f"{table}.tcp: {url} needs {table}.tls_certificate and {table}.tls_key")
    if not (tls or doors.insecure or _is_loopback(url)):
        raise BadSettings(
            f"{table}.tcp: {url} is open to other hosts and needs TLS: write tls+tcp://… with "
            f"{table}.tls_certificate and {table}.tls_key. `insecure = true` allows it without, and warns"
        )


def _check_distinct(files: Mapping[str, Path]) -> None:
    """The higher of two roles with one token would be everybody's, and nobody would notice."""
    known: dict[str, str] = {}
    for field, path in files.items():
        other = known.setdefault(read_token(path, field), field)
        if other != field:
            raise BadSettings(
                f"{field}: {path} holds the same token as {other}: who may do less could do all that the other may"
            )


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
