"""A daemon whose control door other hosts may reach, and clients there: with tokens, certificates, and nothing of its directory."""

import os
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from questd.client import Client
from questd.messages.control import Reply, Request, decode_reply, encode_control
from questd.messages.exchange import FRAME_MAX_BYTES
from questd.messages.remote import Role
from questd.runtime.nng import Caller
from tests.cli.processes import PATIENCE_S, QUEST, Place

ROLES: tuple[Role, ...] = ("viewer", "operator", "admin")
SETTINGS = """
[control]
{control}
[agents.writer]
python = "writer:agent"
"""


class Far:
    """``plain`` and ``tls`` are the daemon's addresses; ``folder`` is the other host's."""

    def __init__(self, place: Place, ready: str) -> None:
        self.place = place
        self.folder = place.folder / "far"
        self.folder.mkdir()
        urls = ready.partition("clients may dial ")[2].strip().split(", ")
        self.plain = next((url for url in urls if url.startswith("tcp://")), "")
        self.tls = next((url for url in urls if url.startswith("tls+")), "")

    def token_file(self, role: Role) -> Path:
        return self.place.folder / f"{role}.token"

    def token(self, role: Role) -> str:
        return self.token_file(role).read_text().strip()

    def client(self, role: Role) -> Client:
        """As a Python program there would make it, without TLS."""
        return Client(connect=self.plain, token_file=self.token_file(role))

    def caller(self) -> Caller:
        """One that speaks the protocol by hand."""
        return Caller(self.plain, frame_max=FRAME_MAX_BYTES)

    def log(self) -> str:
        return (self.place.folder / "daemon.log").read_text()

    def variables(self, role: Role | None) -> dict[str, str]:
        """What somebody in that role has set."""
        mine = {
            "QUESTD_TLS_AUTHORITY": str(self.place.folder / "ours.pem"),
            "QUESTD_TLS_SERVER_NAME": "localhost",
            "QUESTD_TLS_CERTIFICATE": str(self.place.folder / "somebody.pem"),
            "QUESTD_TLS_KEY": str(self.place.folder / "somebody.key"),
        }
        return mine if role is None else {**mine, "QUESTD_TOKEN_FILE": str(self.token_file(role))}

    def quest(
        self, role: Role | None, *words: str, **env: str
    ) -> "subprocess.CompletedProcess[str]":
        """The command line, over TLS."""
        return subprocess.run(
            [*QUEST, "--connect", self.tls, *words],
            cwd=self.folder,
            env={**self.place.env, **self.variables(role), **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )


@contextmanager
def serving_others(place: Place, control: str) -> Generator[Far, None, None]:
    """While a daemon serves with these lines under ``[control]``; tokens of all roles lie in its folder."""
    for role in ROLES:
        write_token(place.folder / f"{role}.token", f"{role}-{os.urandom(16).hex()}")
    (place.folder / "questd.toml").write_text("drain = 1\n" + SETTINGS.format(control=control))
    with (place.folder / "daemon.log").open("w") as log:
        daemon = place.start("serve", stderr=log)
        try:
            assert daemon.stdout is not None
            ready = daemon.stdout.readline()
            assert "ready" in ready, (place.folder / "daemon.log").read_text()
            yield Far(place, ready)
        finally:
            daemon.terminate()
            daemon.communicate(timeout=PATIENCE_S)


def write_token(path: Path, token: str) -> None:
    path.touch(mode=0o600)
    path.write_text(f"{token}\n")


def asked(caller: Caller, request: Request | bytes) -> Reply:
    """One question, as it is."""
    body = request if isinstance(request, bytes) else encode_control(request)
    return decode_reply(caller.request(body, PATIENCE_S))
