"""Which agents a quest waits for in vain, and why those of the local questd.toml are not there. Looks about once a second."""

import time
from typing import Final

from questd.actors.quest.state import Ready
from questd.cli.agents import missing_text
from questd.cli.output import Out
from questd.client.following import Following
from questd.client.home import Home
from questd.client.local_agents import tail
from questd.client.session import Session

EVERY_S: Final = 0.8
STARTING_S: Final = 4.0
"""How long an agent of questd.toml may take to connect before it is called missing."""


class Missing:
    """``look`` gives a sentence for each; ``out`` hears each of them once."""

    def __init__(self, home: Home, session: Session, out: Out) -> None:
        self._home = home
        self._session = session
        self._out = out
        self._next_s = time.monotonic() + EVERY_S
        self._since_s = time.monotonic()
        self._told: set[str] = set()
        self._sentences: list[str] = []

    def look(self, following: Following) -> list[str]:
        """What is missing for this quest at this moment."""
        now_s = time.monotonic()
        if now_s < self._next_s:
            return self._sentences
        self._next_s = now_s + EVERY_S
        for sentence in self._session.agents.tend():
            self._out.fault(sentence)
        self._sentences = self._look(following, now_s) if _waits_for_agents(following) else []
        return self._sentences

    def _look(self, following: Following, now_s: float) -> list[str]:
        asked = {
            (task.step.agent or "", task.step.capabilities)
            for task in following.fold.state.tasks
            if isinstance(task.state, Ready)
        }
        found: list[str] = []
        for agent, tags, tasks, since_us in following.missing().wanted:
            if (agent, tags) in asked:
                sentence = missing_text(agent, tags, tasks, since_us)
                found.append(f"{sentence}. {self._advice(agent, now_s)}")
                self._tell(f"{agent} {tags}", found[-1])
        return found

    def _advice(self, agent: str, now_s: float) -> str:
        """What to do about it, or that it is on its way."""
        settings = self._home.settings if self._home.connect is None else None
        local = {one.name for one in settings.agents} if settings else set[str]()
        if settings is None or agent not in local:
            return "Start it with `quest agent run MODULE:ATTRIBUTE`, or name it in questd.toml"
        if now_s - self._since_s < STARTING_S:
            return "It is starting"
        log = settings.data / "logs" / f"{agent}.log"
        return f"It was started and says: {tail(log)} (see {log})"

    def _tell(self, name: str, sentence: str) -> None:
        """On a stream that is not redrawn, once, and not while it may still be starting."""
        starting = sentence.endswith("It is starting")
        if not (self._out.live or starting or name in self._told):
            self._told.add(name)
            self._out.say(sentence)


def _waits_for_agents(following: Following) -> bool:
    return bool(following.fold.state.admitted)
