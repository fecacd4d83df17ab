"""Agents of the local questd.toml as children of this process, for a daemon that somebody else runs.

They dial the daemon, write to logs of their own, and are ended (they drain) with whoever started them. One that dies is started again
as its ``restart`` says, at most ``most_restarts`` times.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from questd.runtime.logs import is_full, open_log, put_aside
from questd.settings import AgentSettings

DRAIN_S: Final = 10.0
PAUSE_S: Final = 0.5
TAIL_BYTES: Final = 4_096


class _Child:
    """One process of an agent."""

    def __init__(self, agent: AgentSettings, exchange: str, log: Path) -> None:
        self.agent = agent
        self.log = log
        self.restarts = 0
        self._exchange = exchange
        self._since_s = 0.0
        self.start()

    def start(self) -> None:
        self._since_s = time.monotonic()
        command = [sys.executable, "-m", "questd", "agent", "run", self.agent.python]
        with open_log(self.log) as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own command
                [*command, "--connect", self._exchange],
                cwd=self.agent.folder,
                env=agent_environment(self.agent, os.environ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def tend(self) -> str | None:
        """Start it again if it should be; what to tell people when it is given up."""
        code = self.process.poll()
        if is_full(self.log):
            put_aside(self.log)
        if code is None or time.monotonic() - self._since_s < PAUSE_S:
            return None
        never = self.agent.restart == "temporary" or (
            self.agent.restart == "transient" and not code
        )
        if never or self.restarts >= self.agent.most_restarts:
            return (
                f"agent {self.agent.name} ended with code {code}: {tail(self.log)} (see {self.log})"
            )
        self.restarts += 1
        self.start()
        return None

    def ask_to_end(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)

    def end_by(self, deadline_s: float) -> None:
        try:
            self.process.wait(max(0.1, deadline_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class LocalAgents:
    """Starts, tends and ends them. One thread."""

    def __init__(self) -> None:
        self._children: list[_Child] = []

    def start(self, agents: Iterable[AgentSettings], exchange: str, data: Path) -> None:
        """``exchange``: the daemon's address for agents. Their logs go to ``data/logs``."""
        for agent in agents:
            log = data / "logs" / f"{agent.name}.log"
            log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._children += [_Child(agent, exchange, log) for _ in range(agent.replicas)]

    @property
    def names(self) -> tuple[str, ...]:
        """Those that were started here."""
        return tuple(dict.fromkeys(child.agent.name for child in self._children))

    def tend(self) -> list[str]:
        """Start again what died; sentences about what is given up, each once."""
        told: list[str] = []
        for child in tuple(self._children):
            sentence = child.tend()
            if sentence is not None:
                told.append(sentence)
                self._children.remove(child)
        return told

    def end(self) -> None:
        """Let them drain, then end them. Twice is fine."""
        children, self._children = self._children, []
        for child in children:
            child.ask_to_end()
        deadline_s = time.monotonic() + DRAIN_S
        for child in children:
            child.end_by(deadline_s)


def agent_environment(agent: AgentSettings, base: Mapping[str, str]) -> dict[str, str]:
    """Its own variables over ours; not the boot id of a daemon, which would make it that daemon's child."""
    env = {**base, **agent.env}
    env.pop("QUESTD_BOOT", None)
    paths = [str(agent.folder), base.get("PYTHONPATH", "")]
    env["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    return env


def tail(log: Path) -> str:
    """The last line that says anything."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL_BYTES))
            lines = file.read().decode(errors="replace").strip().splitlines()
    except OSError:
        return "it wrote nothing"
    return lines[-1].strip() if lines else "it wrote nothing"
