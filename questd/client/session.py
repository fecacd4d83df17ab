"""A daemon to run quests with: the one that answers, else an embedded one; and the agents of the local questd.toml.

Invariant: what it started it ends, agents before the daemon. Agents that a daemon of its own should run are that daemon's business.
"""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Final, Self

from questd.client.address import find_daemon
from questd.client.home import Home
from questd.client.local_agents import LocalAgents
from questd.messages.control import Agents, ListAgents
from questd.runtime.errors import QuestdError, Unreachable

TAKE_OVER_S: Final = 5.0
"""How long a daemon that was there and went is waited for, before one is started in its place."""
EMBED_TRIES: Final = 3


class Session:
    """Enter it, run quests with ``home``'s daemon, leave it. ``tell``: hears sentences for people."""

    def __init__(self, home: Home, tell: Callable[[str], None] = lambda _: None) -> None:
        self.home = home
        self.agents = LocalAgents()
        self.embedded = False
        self._tell = tell
        self._stack = ExitStack()
        self._lock = threading.Lock()
        self._lost_s: float | None = None

    def __enter__(self) -> Self:
        try:
            self._begin()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _begin(self) -> None:
        if self.home.connect is not None:
            return
        if find_daemon(self.home.settings.data) is None:
            self._embed()
        self.home.use(self._find)
        self._stack.callback(self.agents.end)
        if not self.embedded:
            self._start_agents()

    def _start_agents(self) -> None:
        """Those of questd.toml that are not connected, as children of this process."""
        settings = self.home.settings
        address = self.home.address()
        if not settings.agents or address is None:
            return
        connected = {one.agent for one in self.home.daemon().ask(ListAgents(), Agents).instances}
        wanted = [agent for agent in settings.agents if agent.name not in connected]
        self.agents.start(wanted, address.exchange[0], settings.data)

    def _find(self) -> str:
        """Where the daemon is. One that is gone for good is replaced: the quests go on where they were."""
        found = find_daemon(self.home.settings.data)
        if found is not None:
            self._lost_s = None
            return found.control
        self._lost_s = self._lost_s or time.monotonic()
        if time.monotonic() - self._lost_s < TAKE_OVER_S:
            raise Unreachable("the daemon is gone; waiting for it to come back")
        with self._lock:
            self._tell("the daemon is gone: starting one in its place")
            self._lost_s = None
            return self._embed()

    def _embed(self) -> str:
        """Start a daemon, or find that somebody else just did."""
        for left in reversed(range(EMBED_TRIES)):
            try:
                return self._start_daemon()
            except QuestdError:
                other = find_daemon(self.home.settings.data)
                if other is not None:
                    return other.control
                if not left:
                    raise
                time.sleep(1.0)
        raise AssertionError("the last try returns or raises")

    def _start_daemon(self) -> str:
        from questd.daemon.serve import embedded  # noqa: PLC0415 - only where no daemon answers

        found = self._stack.enter_context(embedded(self.home.settings))
        self.embedded = True
        control = found["control"]
        assert isinstance(control, str)
        return control
