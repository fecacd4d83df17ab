"""A daemon whose process ends, as by kill -9, at a chosen point of a chosen commit. All else is the production daemon.

The points: ``before`` the commit; ``begun`` and ``half``, between the statements of its transaction; ``whole``, when only COMMIT is missing;
``during`` COMMIT, at a random moment of its writing and syncing; ``after`` it, when nobody has been told; ``later``, at a random moment of
the five milliseconds that follow, when some have been told.

What is on disk is written down in a file of its own, after each commit and before anybody is told.
"""

import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from msgspec import Struct

from questd.actors.house import Limits
from questd.daemon import service
from questd.daemon.service import Daemon, DaemonPlan
from questd.runtime.journal.sqlite import SqliteStore
from questd.runtime.journal.store import Append, Appended, Refusal

POINTS = ("before", "begun", "half", "whole", "during", "after", "later")
STATEMENT = {"begun": 1, "half": 2}
COMMIT_TAKES_S = 0.0006
LATER_S = 0.005
DURABLE = "durable"


class Death(Struct, frozen=True):
    """``commit`` counts from 1, from when it was said."""

    commit: int
    point: str


class Fate:
    """When this process ends."""

    def __init__(self) -> None:
        self._death: Death | None = None
        self._commits = 0
        self._now = threading.Event()
        self.delay_s = 0.0
        threading.Thread(target=self._wait, name="fate", daemon=True).start()

    def decide(self, death: Death | None) -> None:
        self._commits, self._death = 0, death

    def commit_begins(self) -> str:
        """The point of this commit at which it ends; empty when it is not this one."""
        self._commits += 1
        death = self._death
        return death.point if death is not None and death.commit == self._commits else ""

    def soon(self, within_s: float) -> None:
        """End at a random moment from now on, whatever this thread does."""
        self.delay_s = random.uniform(0.0, within_s)
        self._now.set()

    def _wait(self) -> None:
        self._now.wait()
        time.sleep(self.delay_s)
        end()


def end() -> NoReturn:
    """As kill -9 does."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


FATE: list[Fate] = []


class MortalStore(SqliteStore):
    """The journal, with a fate."""

    def __init__(self, directory: Path, **more: Any) -> None:
        super().__init__(directory, **more)
        self._durable_file = (directory.parent / DURABLE).open("ab", buffering=0)

    def commit(self, items: Sequence[Append]) -> list[Appended | Refusal]:
        (fate,) = FATE
        point = fate.commit_begins()
        if point == "before":
            end()
        if point in {"begun", "half", "whole", "during"}:
            self._watch_statements(fate, point)
        said = super().commit(items)
        self._write_down(said)
        if point == "after":
            end()
        if point == "later":
            fate.soon(LATER_S)
        return said

    def _watch_statements(self, fate: Fate, point: str) -> None:
        seen = 0

        def before_statement(text: str) -> None:
            nonlocal seen
            last = text == "commit"
            if point == "during" and last:
                fate.soon(COMMIT_TAKES_S)
            elif last or seen == STATEMENT.get(point):
                end()
            seen += text.startswith(("begin", "insert"))

        self._writer.set_trace_callback(before_statement)

    def _write_down(self, said: Sequence[Appended | Refusal]) -> None:
        lines = [f"{word.quest} {word.version}\n" for word in said if isinstance(word, Appended)]
        self._durable_file.write("".join(lines).encode())

    def close(self) -> None:
        super().close()
        self._durable_file.close()


def note(event: str, **fields: Any) -> None:
    sys.stderr.write(json.dumps({"event": event, **fields}, default=str) + "\n")
    sys.stderr.flush()


def death_of(given: Any) -> Death | None:
    return None if given is None else Death(*given)


def say(word: Any) -> None:
    os.write(1, json.dumps(word).encode() + b"\n")


def serve(plan: dict[str, Any]) -> None:
    """Run one daemon, in a process made for it; says its addresses, then obeys lines on standard input."""
    FATE.append(Fate())
    FATE[0].decide(death_of(plan["death"]))
    setattr(service, "SqliteStore", MortalStore)  # noqa: B010 - not a name that the module exports
    limits = Limits(**plan["limits"])
    daemon = Daemon(DaemonPlan(Path(plan["data"]), limits=limits, history=False), note)
    threading.Thread(target=obey, args=(daemon,), name="obey", daemon=True).start()
    daemon.start()
    say(daemon.addresses)
    daemon.wait()
    daemon.stop()


def obey(daemon: Daemon) -> None:
    """``[commit, point]``: die there, counted from now. ``null``: live. ``"stop"``: end in order. The end of the input: end at once."""
    for line in lines(0):
        word = json.loads(line)
        if word == "stop":
            daemon.request_stop()
            return
        FATE[0].decide(death_of(word))
        say("decided")
    os._exit(9)


def lines(descriptor: int) -> Any:
    """Unbuffered: what comes after belongs to whoever reads next."""
    text = b""
    while byte := os.read(descriptor, 1):
        if byte == b"\n":
            yield text
            text = b""
        else:
            text += byte
