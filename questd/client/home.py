"""Where a client turns to: the daemon of a data directory or of an address, else the directory's journal and history.

Invariant: nothing is looked for before it is needed; what was found is used until it is lost.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from questd.client.address import DaemonAddress, answers, find_daemon, is_far, need_daemon
from questd.client.credentials import Credentials
from questd.client.history import Ask, local_history, remote_history
from questd.client.link import DaemonLink, JournalLink, Link
from questd.messages.control import DaemonInfo, Ping
from questd.runtime.errors import Refused, Unreachable
from questd.settings import Settings, load_settings


class Home:
    """``connect``: the control address of a daemon, in place of a data directory's. Any thread may use its links.

    ``credentials`` are shown to a daemon of another host (``remote``), whose files and other sockets cannot be reached.
    """

    def __init__(
        self,
        *,
        data: Path | None = None,
        config: Path | None = None,
        connect: str | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        self.connect = connect
        self.remote = connect is not None and is_far(connect)
        self._credentials = credentials or Credentials()
        self._load: Callable[[], Settings] = lambda: load_settings(data=data, config=config)
        self._settings: Settings | None = None
        self._links: list[Link] = []
        self._daemon: DaemonLink | None = None
        self._reader: Link | None = None

    @property
    def settings(self) -> Settings:
        """Read when first asked for. BadSettings."""
        if self._settings is None:
            self._settings = self._load()
        return self._settings

    def address(self) -> DaemonAddress | None:
        """The daemon that answers, if one does."""
        if self.connect is None:
            return find_daemon(self.settings.data)
        info = self.daemon().ask(Ping(), DaemonInfo)
        exchange = tuple(url for name, url in info.addresses.items() if name.startswith("exchange"))
        history = info.addresses.get("history")
        return DaemonAddress(info.pid, info.boot, self.connect, exchange, history, info.version)

    def daemon(self) -> DaemonLink:
        """The link to the daemon; asking over it is Unreachable when there is none."""
        if self._daemon is None:
            self._daemon = DaemonLink(self._control_url, credentials=self._credentials)
            self._links.append(self._daemon)
        return self._daemon

    def use(self, find: Callable[[], str]) -> DaemonLink:
        """From now on the daemon is where ``find`` says."""
        self._daemon = self._reader = DaemonLink(find)
        self._links.append(self._daemon)
        return self._daemon

    def reader(self) -> Link:
        """Who can be asked for what has happened: the daemon if one answers, else its journal."""
        if self._reader is None:
            if self.connect is not None or find_daemon(self.settings.data) is not None:
                self._reader = self.daemon()
            else:
                self._reader = JournalLink(self.settings.data)
                self._links.append(self._reader)
        return self._reader

    @contextmanager
    def history(self) -> Generator[Ask, None, None]:
        """Who can be asked for the history. Refused from another host."""
        self.need_here("the history is asked")
        address = self.address()
        if address is None:
            with local_history(self.settings.data, self.settings.history.memory) as ask:
                yield ask
        elif address.history is None:
            raise Refused(
                "this daemon keeps no history (history.enabled = false)", kind="not_allowed"
            )
        else:
            with remote_history(address.history) as ask:
                yield ask

    def need_here(self, what: str) -> None:
        """Refused when the daemon may be on another machine. ``what`` is done only on its own: "the history is asked"."""
        if self.remote:
            raise Refused(
                f"{what} on the daemon's own machine, and not over {self.connect}",
                kind="not_allowed",
            )

    def close(self) -> None:
        """Hang up everywhere."""
        links, self._links = self._links, []
        self._daemon = self._reader = None
        for link in links:
            link.close()

    def _control_url(self) -> str:
        if self.connect is None:
            return need_daemon(self.settings.data).control
        if not answers(self.connect):
            raise Unreachable(
                f"nobody answers at {self.connect}: is it the control address of a daemon?"
            )
        return self.connect
