"""Which agents a quest waits for in vain, and why those of the local questd.toml are not there. Looks about once a second."""

import time
from pathlib import Path
from typing import Final

from questd.actors.quest.task import Ready, Task
from questd.cli.agents import missing_text
from questd.cli.output import Out, one_line
from questd.client.following import Following
from questd.client.home import Home
from questd.client.local_agents import tail
from questd.client.session import Session
from questd.views.quests import Wanted

EVERY_S: Final = 0.8
STARTING_S: Final = 4.0
"""How long an agent of questd.toml may take to connect before somebody is told."""
START_ONE: Final = "start it (quest agent run …) or name it in questd.toml"


class Missing:
    """``look`` gives a sentence for each that is missing; where nothing is redrawn, ``out`` hears each once."""

    def __init__(self, home: Home, session: Session, out: Out) -> None:
        self._home = home
        self._session = session
        self._out = out
        self._begun_s = time.monotonic()
        self._next_s = self._begun_s + EVERY_S
        self._told: set[Wanted] = set()
        self._sentences: list[str] = []

    def look(self, following: Following) -> list[str]:
        """What is missing for this quest at this moment."""
        now_s = time.monotonic()
        if now_s >= self._next_s:
            self._next_s = now_s + EVERY_S
            for sentence in self._session.agents.tend():
                self._out.fault(sentence)
            self._sentences = list(self._look(following).values())
        return self._sentences

    def _look(self, following: Following) -> dict[Wanted, str]:
        found: dict[Wanted, str] = {}
        for wanted, since_us in _waiting(following).items():
            advice = self._advice(wanted[0])
            if advice is not None:
                tasks = sum(1 for task in following.fold.state.tasks if _asks(task) == wanted)
                found[wanted] = f"{missing_text(*wanted, tasks, since_us)}; {advice}"
        if not self._out.live:
            for wanted in found.keys() - self._told:
                self._out.say(found[wanted])
            self._told |= found.keys()
        return found

    def _advice(self, agent: str) -> str | None:
        """What to do about it; None while it may still be starting."""
        settings = self._home.settings if self._home.connect is None else None
        if settings is None or agent not in {one.name for one in settings.agents}:
            return START_ONE
        if time.monotonic() - self._begun_s < STARTING_S:
            return None
        log = settings.data / "logs" / f"{agent}.log"
        return f"{near(log)} ends with: {one_line(tail(log))}"


def near(path: Path) -> str:
    """The path as one would type it here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _waiting(following: Following) -> dict[Wanted, int]:
    """What tasks of this quest ask for that nobody connected offers, and since when."""
    state = following.fold.state
    missing = following.missing()
    waiting: dict[Wanted, int] = {}
    for index in state.admitted:
        task = state.tasks[index]
        wanted = _asks(task)
        if wanted in missing and isinstance(task.state, Ready):
            waiting[wanted] = min(task.state.since_us, waiting.get(wanted, task.state.since_us))
    return waiting


def _asks(task: Task) -> Wanted:
    return task.asked.agent or "", task.asked.capabilities
