"""The settings of one data directory: one frozen struct, checked once, passed down, never global.

Invariant: a ``Settings`` that exists is valid. Seconds and counts; paths are absolute. Must not know of sockets or actors.
"""

import stat
from pathlib import Path
from typing import Literal

from msgspec import Struct

from questd.messages.remote import Role
from questd.runtime.errors import BadSettings

Restart = Literal["permanent", "transient", "temporary"]


class AgentSettings(Struct, frozen=True, kw_only=True):
    """An agent that the daemon starts and supervises. ``python``: ``module:attr``, imported from ``folder``.

    ``restart`` as in OTP; more than ``most_restarts`` in ``within_s`` seconds and it is given up.
    """

    name: str
    python: str
    folder: Path
    replicas: int = 1
    env: dict[str, str] = {}
    restart: Restart = "permanent"
    most_restarts: int = 3
    within_s: float = 5.0


class TCPSettings(Struct, frozen=True, kw_only=True):
    """TCP listeners: ``tcp://HOST:PORT`` or ``tls+tcp://HOST:PORT``; none by default.

    ``tls_authority``: who must have signed the certificates of those who dial; without it they need none.
    """

    tcp: tuple[str, ...] = ()
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_authority: Path | None = None
    insecure: bool = False


class ListenSettings(TCPSettings, frozen=True, kw_only=True):
    """For agents, who share one token."""

    token_file: Path | None = None


class ControlSettings(TCPSettings, frozen=True, kw_only=True):
    """For clients: whose token it is says what they may do."""

    viewer_token_file: Path | None = None
    operator_token_file: Path | None = None
    admin_token_file: Path | None = None

    @property
    def token_files(self) -> dict[Role, Path]:
        """Those that there are, by role."""
        files: dict[Role, Path | None] = {
            "viewer": self.viewer_token_file,
            "operator": self.operator_token_file,
            "admin": self.admin_token_file,
        }
        return {role: path for role, path in files.items() if path is not None}


class LimitSettings(Struct, frozen=True, kw_only=True):
    """Bounds of a daemon. ``parallel``: attempts that may run at once in the whole daemon (None: no bound of its own)."""

    parallel: int | None = None
    rest_after_s: float = 2.0
    rest_in_queue_s: float = 60.0
    awake_quests: int = 10_000
    awake_steps: int = 500_000
    hold_s: float = 5.0
    lease_s: float = 15.0
    closed_pipe_s: float = 2.0
    reattach_grace_s: float = 15.0
    submits_in_flight: int = 4_096
    requests_in_flight: int = 20_000
    connections: int = 4_096
    journal_queue: int = 20_000
    open_quests: int = 1_000_000


class RetentionSettings(Struct, frozen=True, kw_only=True):
    """How long ended quests stay in the journal: for ``days``, and the newest ``quests`` at most."""

    days: int = 90
    quests: int = 1_000_000


class HistorySettings(Struct, frozen=True, kw_only=True):
    """The historian's process. ``memory`` in DuckDB's words (``512MB``)."""

    enabled: bool = True
    memory: str | None = None
    threads: int | None = None


class Settings(Struct, frozen=True, kw_only=True):
    """Everything. ``data``: the data directory; ``file``: the questd.toml these come from, if any.

    ``drain_s``: how long running attempts may take to end when the daemon stops. ``secrets``: where each is that ``secret:NAME``
    stands for, ``env:NAME`` or ``file:/PATH``. ``warnings``: said at each start.
    """

    data: Path
    file: Path | None = None
    agents: tuple[AgentSettings, ...] = ()
    listen: ListenSettings = ListenSettings()
    control: ControlSettings = ControlSettings()
    limits: LimitSettings = LimitSettings()
    retention: RetentionSettings = RetentionSettings()
    history: HistorySettings = HistorySettings()
    drain_s: float = 10.0
    secrets: dict[str, str] = {}
    warnings: tuple[str, ...] = ()


def read_token(path: Path, field: str) -> str:
    """The token in a file that only its owner may read. BadSettings says what is wrong with it, and that ``field`` names it."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(f"{field}: {path} cannot be read: {error}") from None
    if mode & 0o077:
        raise BadSettings(
            f"{field}: {path} may be read by others (mode {mode:04o}): chmod 600 {path}"
        )
    if not token:
        raise BadSettings(
            f"{field}: {path} is empty: write a long random text into it, "
            'as from `python -c "import secrets; print(secrets.token_urlsafe(32))"`'
        )
    return token
