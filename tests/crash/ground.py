"""A data directory on which daemons are born and die in quick succession, while their agents live on.

One client at a time: it submits by key, reads until the end over any number of deaths, and keeps what it was shown.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Any

from questd.messages import control as ctl
from questd.messages import events as ev
from questd.messages.control import Reply, Request, decode_reply, encode_control
from questd.messages.definition import QuestDefinition, encode_definition
from questd.messages.events import Record
from questd.messages.exchange import FRAME_MAX_BYTES
from questd.messages.heads import TERMINAL, Head
from questd.runtime.errors import Unreachable
from questd.runtime.nng import Caller
from tests.crash.mortal import DURABLE, Death
from tests.system.lines import whole_lines
from tests.system.place import ROOT, Place, until

DEADLINE_S = 60.0
POLL_S = 0.02
ASK_S = 5.0
READ_WAIT_MS = 40


class Hatchery:
    """The process that makes processes. Words come by a queue, so that waiting for one has a deadline."""

    def __init__(self, log: Path, env: dict[str, str]) -> None:
        with log.open("ab") as errors:
            self._popen = subprocess.Popen(
                [sys.executable, "-m", "tests.crash.hatchery"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=ROOT,
                env={**os.environ, **env},
                start_new_session=True,
            )
        self._log = log
        self.said: SimpleQueue[Any] = SimpleQueue()
        self._reader = Thread(target=self._read, name="hatchery", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._popen.stdout is not None
        for line in self._popen.stdout:
            self.said.put(json.loads(line))

    def tell(self, word: Any) -> None:
        assert self._popen.stdin is not None
        self._popen.stdin.write(json.dumps(word).encode() + b"\n")
        self._popen.stdin.flush()

    def hear(self) -> Any:
        """The next word; AssertionError with the log when none comes."""
        try:
            return self.said.get(timeout=DEADLINE_S)
        except Empty:
            raise AssertionError(f"silence:\n{self._log.read_text()[-3000:]}") from None

    def close(self) -> None:
        """Its children go with it."""
        assert self._popen.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._popen.stdin.close()
        self._popen.wait(DEADLINE_S)
        self._reader.join()
        assert self._popen.stdout is not None
        self._popen.stdout.close()


class Reading:
    """What a client has been shown of one quest."""

    def __init__(self, quest: str) -> None:
        self.quest = quest
        self.records: list[Record] = []
        self.head: Head | None = None

    def add(self, head: Head, records: tuple[Record, ...]) -> None:
        self.head = head
        self.records += [record for record in records if record.n > len(self.records)]

    @property
    def kinds(self) -> list[str]:
        return [record.kind for record in self.records]

    @property
    def events(self) -> list[ev.Event]:
        return [ev.decode_event(record.body) for record in self.records]

    @property
    def over(self) -> bool:
        head = self.head
        return head is not None and head.status in TERMINAL and len(self.records) == head.version

    def sum(self) -> tuple[str, Counter[str], dict[str, Any]]:
        """All that a death may not change: how it ended, what happened how often to which task, and every result."""
        happened: Counter[str] = Counter()
        results: dict[str, Any] = {}
        for event in self.events:
            kind, task = type(event).__name__, getattr(event, "task", "")
            happened[f"{kind} {task}"] += 1
            match event:
                case ev.AttemptCompleted(task, _, result):
                    results[task] = result
                case ev.QuestCompleted(output, failed):
                    results[""] = (output, failed)
                case _:
                    pass
        return self.head.status if self.head else "", happened, results


class Ground(Place):
    """Where the crash points are."""

    def __init__(self, folder: Path, limits: dict[str, float]) -> None:
        super().__init__(folder)
        self._limits = {"hold_s": 1.0, "lease_s": 10.0, "reattach_grace_s": 10.0, **limits}
        env = {"XDG_RUNTIME_DIR": self._sockets, "LEDGER": str(self.ledger_file)}
        self._nest = Hatchery(folder / "daemon.log", env)
        self._agents = Hatchery(folder / "agents.log", env)
        self._payer = 0
        self._then: Death | None = None
        self._decided = Event()
        self._closing = Event()
        self._undertaker = Thread(target=self._watch, name="undertaker", daemon=True)
        self.births = 0
        self.faults: list[str] = []

    # -- the daemon ------------------------------------------------------------------------------

    def hatch(self) -> None:
        """The first daemon. From now on each that dies is followed by another one."""
        self._bear(None)
        self._undertaker.start()

    def _bear(self, death: Death | None) -> None:
        """A new daemon, asked or dead by its fate when this returns."""
        fate = None if death is None else [death.commit, death.point]
        plan = {"data": str(self.data), "limits": self._limits, "death": fate}
        self._nest.tell({"daemon": plan})
        while (word := self._nest.hear()) == "decided":
            self._decided.set()
        self.births += 1
        if "ended" in word:
            self._bury(word)
            return
        before, self.addresses = self._control, word
        self._control = Caller(self.addresses["control"], frame_max=FRAME_MAX_BYTES)
        if before is not None:
            before.close()

    def _bury(self, word: dict[str, int]) -> None:
        self.faults += [] if word["ended"] == signal.SIGKILL else [f"a daemon ended: {word}"]
        then, self._then = self._then, None
        self._bear(then)

    def _watch(self) -> None:
        """Words of the nest: a daemon has died, or has understood when it is to."""
        while not self._closing.is_set():
            with contextlib.suppress(Empty):
                word = self._nest.said.get(timeout=POLL_S)
                if word == "decided":
                    self._decided.set()
                else:
                    self._bury(word)

    def decide(self, death: Death | None, then: Death | None = None) -> None:
        """When this one dies, counted from now, and when the one after it does."""
        self._decided.clear()
        end_s = time.monotonic() + DEADLINE_S
        births = -1
        while not self._decided.wait(POLL_S):
            assert time.monotonic() < end_s, "no daemon obeys"
            if births != self.births:  # one that is dying may not have heard it
                births, self._then = self.births, then
                self._nest.tell(None if death is None else [death.commit, death.point])

    def close(self) -> None:
        self._closing.set()
        self._undertaker.join(DEADLINE_S)
        if self._control is not None:
            self._control.close()
        self._nest.close()
        self._agents.close()
        super().close()

    # -- agents ----------------------------------------------------------------------------------

    def start_worker(self) -> None:
        self._start_agent("worker")

    def start_payer(self) -> None:
        self._payer = self._start_agent("payer")

    @property
    def has_payer(self) -> bool:
        return bool(self._payer)

    def kill_payer(self) -> None:
        if self._payer:
            os.kill(self._payer, signal.SIGKILL)
            self._payer = 0

    def _start_agent(self, name: str) -> int:
        self._agents.tell({"agent": self.addresses["exchange"], "env": {"AGENT": name}})
        pid: int = self._agents.hear()["pid"]
        return pid

    def called(self, quest: str, task: str) -> bool:
        return any(call["quest"] == quest and call["task"] == task for call in self.calls()[-20:])

    # -- the client ------------------------------------------------------------------------------

    def asked(self, request: Request) -> Reply | None:
        """The answer, if there is a daemon that gives one."""
        control = self._control
        assert control is not None
        with contextlib.suppress(Unreachable):
            return decode_reply(control.request(encode_control(request), ASK_S))
        return None

    def ask(self, request: Request) -> Reply:
        """As always, but over the change from one daemon to the next."""
        answers: list[Reply] = []

        def answered() -> bool:
            answers.extend(reply for reply in [self.asked(request)] if reply is not None)
            return bool(answers)

        until("a daemon answers", answered)
        return answers[0]

    def insist(self, request: Request) -> None:
        """Say it; whether it was heard is seen in the journal, and then it is said again."""
        reply = self.asked(request)
        told = reply is None or isinstance(reply, ctl.Done)
        assert told or (isinstance(reply, ctl.Error) and reply.kind == "refused"), reply

    def play(
        self,
        key: str,
        definition: QuestDefinition,
        react: Callable[["Ground", Reading], None],
    ) -> Reading:
        """From the submit to the end, over any number of deaths."""
        submit = ctl.Submit(encode_definition(definition), key=key)
        end_s = time.monotonic() + DEADLINE_S
        reading: Reading | None = None
        while reading is None or not reading.over:
            assert time.monotonic() < end_s, f"{key}: {reading.kinds if reading else 'nothing'}"
            if reading is None:
                reading = self._submitted(submit)
                continue
            read = ctl.ReadQuest(reading.quest, len(reading.records), wait_ms=READ_WAIT_MS)
            reply = self.asked(read)
            assert reply is None or isinstance(reply, ctl.QuestRecords), reply
            if reply is not None:
                reading.add(reply.head, reply.records)
                if not reading.over:
                    react(self, reading)
        return reading

    def _submitted(self, submit: ctl.Submit) -> Reading | None:
        reply = self.asked(submit)
        assert reply is None or isinstance(reply, ctl.Submitted), reply
        return None if reply is None else Reading(reply.quest)

    # -- what must hold --------------------------------------------------------------------------

    def commits(self) -> int:
        """How many there have been (each writes its lines at once; one quest at a time has one line a commit)."""
        return len(whole_lines(self.folder / DURABLE))

    def durable(self) -> dict[str, int]:
        """How far each quest was on disk, by the daemons' own word."""
        stands: dict[str, int] = {}
        for line in whole_lines(self.folder / DURABLE):
            quest, version = line.decode().split()
            stands[quest] = max(stands.get(quest, 0), int(version))
        return stands
