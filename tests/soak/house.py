"""The processes of a soak: a daemon with its historian, agents, and who starts them again when they were killed."""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from questd.client.link import DaemonLink
from questd.messages import control as ctl
from questd.messages.control import Request
from questd.messages.history import HistoryInfo, HistoryStatus
from questd.runtime.errors import QuestdError, Unreachable
from tests.system.place import Place, Process, command_of, until

PATIENCE_S = 120.0


def say(text: str) -> None:
    """One plain line of progress."""
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stdout.flush()


class House(Place):
    """A place whose parts may die at any time. One lock keeps who kills and who starts apart."""

    def __init__(self, folder: Path, **plan: Any) -> None:
        super().__init__(folder)
        self._plan = plan
        self.lock = threading.Lock()
        self.agents: dict[str, Process] = {}
        self.lives = 0

    def begin(self) -> None:
        """The daemon of this moment."""
        self.lives += 1
        self.start_daemon(**self._plan)

    def begin_again(self) -> None:
        """kill -9, and another one."""
        self.daemon.kill()
        self.daemon.wait()
        self.begin()

    def start_worker(self, slot: str, agent: str, capacity: int) -> None:
        """An agent process in that slot; a dead one before it is forgotten."""
        before = self.agents.get(slot)
        if before is not None:
            before.close()
            self._processes.remove(before)
        env = {"AGENT": agent, "CAPACITY": str(capacity), "LEDGER": str(self.ledger_file)}
        log = self.folder / f"{slot}.log"
        command = [sys.executable, "-m", "tests.soak.worker", self.addresses["exchange"]]
        self.agents[slot] = Process(command, log, env)
        self._processes.append(self.agents[slot])

    def historian(self) -> int | None:
        """Its process, if it lives."""
        for note in reversed(self.daemon.notes("process.started")):
            pid = int(note["pid"])
            return pid if "questd.analytics.historian" in command_of(pid) else None
        return None

    def link(self) -> DaemonLink:
        """A client as users have it."""
        return DaemonLink(lambda: self.addresses["control"], patience_s=PATIENCE_S)

    def await_history(self) -> None:
        """Until the history has read all that the journal holds."""

        def level() -> bool:
            with contextlib.suppress(Unreachable):
                info = self.history(HistoryStatus())
                return isinstance(info, HistoryInfo) and info.seq == info.journal_seq
            return False

        until("the history has caught up", level)

    def end_daemon(self) -> int:
        """In order; its exit code."""
        self.daemon.signal(signal.SIGTERM)
        return self.daemon.wait()


def insist(link: DaemonLink, request: Request, kind: Any) -> Any:
    """Ask until a daemon answers; what is asked may be asked twice."""
    end_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            return link.ask(request, kind)
        except QuestdError:
            if time.monotonic() > end_s:
                raise
            time.sleep(0.1)


def submit(link: DaemonLink, definition: bytes, key: str) -> str:
    """The quest's id, over any number of restarts."""
    answer: ctl.Submitted = insist(link, ctl.Submit(definition, key=key), ctl.Submitted)
    return answer.quest


def frozen(pid: int, while_doing: Callable[[], object]) -> None:
    """SIGSTOP, something, SIGCONT."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
        try:
            while_doing()
        finally:
            os.kill(pid, signal.SIGCONT)
