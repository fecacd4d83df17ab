"""What a client shows at the control door of another host: a token, and what TLS needs. Each is a file, or what the environment names.

Invariant: a token is read from a file that only its owner may read, and goes to TCP addresses only. Sockets are not loaded here.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from questd.client.address import is_far
from questd.runtime.errors import BadSettings
from questd.settings import read_token

if TYPE_CHECKING:
    from questd.runtime.nng import TLSSettings

TOKEN_FILE: Final = "QUESTD_TOKEN_FILE"  # noqa: S105 - the name of a variable
TLS_AUTHORITY: Final = "QUESTD_TLS_AUTHORITY"
TLS_SERVER_NAME: Final = "QUESTD_TLS_SERVER_NAME"
TLS_CERTIFICATE: Final = "QUESTD_TLS_CERTIFICATE"
TLS_KEY: Final = "QUESTD_TLS_KEY"

FilePath = str | os.PathLike[str]


class Credentials(Struct, frozen=True, kw_only=True):
    """``tls_authority``: who signed the daemon's certificate (PEM); ``tls_server_name``: the name in it, if not the address's host.

    ``tls_certificate`` and ``tls_key`` where the daemon asks its clients for one. What is None is looked for in the environment.
    """

    token_file: FilePath | None = None
    tls_authority: FilePath | None = None
    tls_server_name: str | None = None
    tls_certificate: FilePath | None = None
    tls_key: FilePath | None = None

    def token(self, url: str) -> str | None:
        """What to show at this address; None on this machine, where nobody asks. BadSettings when there is none."""
        if not is_far(url):
            return None
        file = _given(self.token_file, TOKEN_FILE)
        if file is None:
            raise BadSettings(
                f"{url} needs a token: name the file that holds it (mode 0600) in ${TOKEN_FILE}"
            )
        return read_token(file, f"${TOKEN_FILE}" if self.token_file is None else "token_file")

    def tls(self, url: str) -> "TLSSettings | None":
        """What a dialer needs; None without TLS. BadSettings when there is no authority to trust."""
        if not url.startswith("tls+"):
            return None
        from questd.runtime.nng import TLSSettings  # noqa: PLC0415 - loads the sockets

        authority = _given(self.tls_authority, TLS_AUTHORITY)
        if authority is None:
            raise BadSettings(
                f"{url} needs the certificate (PEM) of who signed the daemon's: name its file in ${TLS_AUTHORITY}"
            )
        return TLSSettings(
            certificate=_given(self.tls_certificate, TLS_CERTIFICATE),
            key=_given(self.tls_key, TLS_KEY),
            authority=authority,
            server_name=self.tls_server_name or os.environ.get(TLS_SERVER_NAME) or None,
        )


def _given(path: FilePath | None, variable: str) -> Path | None:
    found = path or os.environ.get(variable)
    return Path(found) if found else None


def untrusted(waited_s: float) -> str:
    """What to say where somebody listens and no TLS connection comes about."""
    return (
        f"no TLS connection within {waited_s:g} s: was the daemon's certificate signed by ${TLS_AUTHORITY}, for that host "
        f"(or ${TLS_SERVER_NAME})? If it asks for ours, it is in ${TLS_CERTIFICATE} and ${TLS_KEY}"
    )
