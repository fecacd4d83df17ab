"""A data directory with its daemon, its agents and its clients: everything a test of the whole system needs.

Every process that is started here is ended here, by its own id. Deadlines are generous: the machine may be slow.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from questd.messages import control as ctl
from questd.messages import events as ev
from questd.messages.control import Reply, Request, decode_reply, encode_control
from questd.messages.definition import QuestDefinition, StepDefinition, encode_definition
from questd.messages.exchange import FRAME_MAX_BYTES
from questd.messages.heads import TERMINAL, Head, ListFilter
from questd.messages.history import (
    HistoryReply,
    HistoryRequest,
    decode_history_reply,
    encode_history,
)
from questd.messages.payload import BlobRef, Payload
from questd.runtime.errors import Unreachable
from questd.runtime.nng import Caller
from tests.system.lines import objects_in

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 60.0
POLL_S = 0.05
HISTORY_FRAME_MAX = 64 * 1024 * 1024
LIMITS = {
    "hold_s": 1.0,
    "lease_s": 5.0,
    "closed_pipe_s": 1.0,
    "reattach_grace_s": 10.0,
    "rest_after_s": 0.5,
}


def until(what: str, check: Callable[[], T | None], deadline_s: float = DEADLINE_S) -> T:
    """Ask until the answer is true; the answer."""
    end = time.monotonic() + deadline_s
    while True:
        answer = check()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline_s:.0f} s: {what}")
        time.sleep(POLL_S)


class Process:
    """A child that says one line when it is ready (or none). Its standard error is kept in a file."""

    def __init__(self, command: list[str], log: Path, env: Mapping[str, str]) -> None:
        self.log = log
        with log.open("ab") as errors:
            self.popen = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=ROOT,
                env={**os.environ, **env},
                start_new_session=True,
            )
        self.pid = self.popen.pid

    def line(self) -> str:
        """What it says first; AssertionError with its log when it ends instead, or hangs."""
        assert self.popen.stdout is not None
        timer = threading.Timer(DEADLINE_S, self.kill)
        timer.start()
        line = self.popen.stdout.readline().decode()
        timer.cancel()
        assert line, f"{self.popen.args!r} ended:\n{self.said()[-3000:]}"
        return line

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def notes(self, event: str) -> list[dict[str, Any]]:
        """Events of that name in the log."""
        return [note for note in objects_in(self.log) if note["event"] == event]

    def signal(self, number: int) -> None:
        self.popen.send_signal(number)

    def kill(self) -> None:
        """As a power cut would."""
        self.signal(signal.SIGCONT)
        self.popen.kill()

    def wait(self, deadline_s: float = DEADLINE_S) -> int:
        return self.popen.wait(deadline_s)

    def close(self) -> None:
        if self.popen.poll() is None:
            self.kill()
        self.wait()
        for pipe in (self.popen.stdin, self.popen.stdout):
            assert pipe is not None
            pipe.close()


def command_of(pid: int) -> str:
    """The command line of a process; empty when it is gone."""
    ps = ["ps", "-o", "command=", "-p", str(pid)]
    said = subprocess.run(ps, capture_output=True, text=True, check=False).stdout
    return "" if "<defunct>" in said else said.strip()


def end_stranger(pid: int) -> None:
    """A child of a killed daemon; never another process that got its pid."""
    if "questd" in command_of(pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class Place:
    """One data directory. ``daemon`` is the process that runs on it now."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.ledger_file = folder / "ledger"
        self.gate = folder / "gate"
        self._sockets = tempfile.mkdtemp(prefix="qs-")
        self.addresses: dict[str, str] = {}
        self._processes: list[Process] = []
        self._callers: list[Caller] = []
        self._control: Caller | None = None

    # -- processes -------------------------------------------------------------------------------

    def launch_daemon(self, **plan: Any) -> Process:
        """Start one and do not wait for it."""
        plan = {**plan, "limits": {**LIMITS, **plan.get("limits", {})}}
        module = "tests.system.daemon_process"
        env = {"XDG_RUNTIME_DIR": self._sockets}
        return self._start(module, [str(self.data), json.dumps(plan)], "daemon", env)

    def start_daemon(self, **plan: Any) -> Process:
        """Start one; it can be asked when this returns."""
        self.daemon = self.launch_daemon(**plan)
        self.addresses = json.loads(self.daemon.line())
        if self._control is not None:
            self._control.close()
        self._control = self.caller(self.addresses["control"])
        return self.daemon

    @property
    def agent_env(self) -> dict[str, str]:
        """What the worker wants to know."""
        return {"GATE": str(self.gate), "LEDGER": str(self.ledger_file)}

    def kept(self, **more: Any) -> dict[str, Any]:
        """The worker as an agent that the daemon starts itself."""
        python = "tests.system.agents.worker:agent"
        return {"name": "worker", "python": python, "env": self.agent_env, **more}

    def start_agent(self, url: str | None = None, **env: str) -> Process:
        arguments = [url or self.addresses["exchange"]]
        env = {**self.agent_env, **env}
        return self._start("tests.system.agents.worker", arguments, "agent", env)

    def _start(
        self, module: str, arguments: list[str], kind: str, env: Mapping[str, str]
    ) -> Process:
        log = self.folder / f"{kind}-{len(self._processes)}.log"
        process = Process([sys.executable, "-m", module, *arguments], log, env)
        self._processes.append(process)
        return process

    def caller(self, url: str) -> Caller:
        caller = Caller(url, frame_max=FRAME_MAX_BYTES)
        self.keep(caller)
        return caller

    def keep(self, caller: Caller) -> None:
        """It is closed with the place."""
        self._callers.append(caller)

    def close(self) -> None:
        for caller in self._callers:
            caller.close()
        for process in reversed(self._processes):
            process.close()
            for note in process.notes("process.started"):
                end_stranger(note["pid"])
        shutil.rmtree(self._sockets, ignore_errors=True)

    # -- asking ----------------------------------------------------------------------------------

    def ask(self, request: Request) -> Reply:
        """One question to the daemon that runs now. Unreachable when it does not answer."""
        control = self._control
        assert control is not None
        return decode_reply(control.request(encode_control(request), DEADLINE_S))

    def history(self, request: HistoryRequest) -> HistoryReply:
        """One question to the historian that runs now, on a link of its own."""
        caller = Caller(self.addresses["history"], frame_max=HISTORY_FRAME_MAX)
        try:
            return decode_history_reply(caller.request(encode_history(request), 10.0))
        finally:
            caller.close()

    def submit(self, definition: QuestDefinition, **more: Any) -> str:
        reply = self.ask(ctl.Submit(encode_definition(definition), **more))
        assert isinstance(reply, ctl.Submitted), reply
        return reply.quest

    def submit_surely(self, definition: QuestDefinition, key: str, **more: Any) -> str:
        """By idempotency key, over daemons that die meanwhile."""
        request = ctl.Submit(encode_definition(definition), key=key, **more)

        def asked() -> str | None:
            try:
                reply = self.ask(request)
            except Unreachable:
                return None
            assert isinstance(reply, ctl.Submitted), reply
            return reply.quest

        return until(f"{key} is submitted", asked)

    def heads(self) -> dict[str, Head]:
        reply = self.ask(ctl.ListQuests(ListFilter(limit=1_000)))
        assert isinstance(reply, ctl.Heads), reply
        return {head.quest: head for head in reply.heads}

    def head(self, quest: str) -> Head:
        return self.heads()[quest]

    def records(self, quest: str) -> list[ev.Record]:
        records: list[ev.Record] = []
        while True:
            after = records[-1].n if records else 0
            reply = self.ask(ctl.ReadQuest(quest, after=after))
            assert isinstance(reply, ctl.QuestRecords), reply
            records += reply.records
            if not reply.more:
                return records

    def events(self, quest: str) -> list[ev.Event]:
        return [ev.decode_event(record.body) for record in self.records(quest)]

    def kinds(self, quest: str) -> list[str]:
        return [record.kind for record in self.records(quest)]

    def text(self, payload: Payload) -> bytes:
        if isinstance(payload, bytes):
            return payload
        assert isinstance(payload, BlobRef)
        reply = self.ask(ctl.ReadBlobs((payload.digest,)))
        assert isinstance(reply, ctl.Blobs), reply
        return reply.texts[payload.digest]

    def output(self, quest: str) -> bytes:
        """Of a completed quest, as JSON text."""
        ends = [e for e in self.events(quest) if isinstance(e, ev.QuestCompleted)]
        assert len(ends) == 1, self.events(quest)
        return self.text(ends[0].output)

    def await_end(self, quests: Iterable[str], deadline_s: float = DEADLINE_S) -> dict[str, Head]:
        """Their heads, when all have ended."""
        wanted = set(quests)
        missing: dict[str, Any] = {}

        def ended() -> dict[str, Head] | None:
            heads = {quest: head for quest, head in self.heads().items() if quest in wanted}
            missing.clear()
            missing.update({q: h.status for q, h in heads.items() if h.status not in TERMINAL})
            return heads if len(heads) == len(wanted) and not missing else None

        if not wanted:
            return {}
        try:
            return until("all quests end", ended, deadline_s)
        except AssertionError as error:
            shown = {quest: self.kinds(quest) for quest in list(missing)[:5]}
            raise AssertionError(f"{error}: {missing} {shown}") from None

    def await_kind(self, quest: str, kind: str, times: int = 1) -> list[str]:
        """Until an event of that kind is in the quest's journal so many times."""

        def there() -> list[str] | None:
            kinds = self.kinds(quest)
            return kinds if kinds.count(kind) >= times else None

        return until(f"{kind} in {quest}", there)

    # -- the ledger of the tools -------------------------------------------------------------------

    def calls(self) -> list[dict[str, Any]]:
        """What the tools wrote, in order."""
        return objects_in(self.ledger_file)

    def await_calls(self, count: int) -> list[dict[str, Any]]:
        """Until the tools have been called so many times."""

        def made() -> list[dict[str, Any]] | None:
            calls = self.calls()
            return calls if len(calls) >= count else None

        return until(f"{count} calls", made)


def step(key: str, tool: str = "work", **more: Any) -> StepDefinition:
    """A step of the worker; dependencies as given."""
    fields: dict[str, Any] = {"agent": "worker", "tool": tool, **more}
    return StepDefinition(key, **fields)


def chain(count: int, tool: str = "work", **arguments: Any) -> QuestDefinition:
    """Steps in a row."""
    steps = [
        step(
            f"s{n}",
            tool,
            arguments=arguments or {"value": n},
            dependencies=(f"s{n - 1}",) if n else (),
        )
        for n in range(count)
    ]
    return QuestDefinition("chain", tuple(steps))


def single(tool: str, **more: Any) -> QuestDefinition:
    """One step."""
    return QuestDefinition("single", (step("only", tool, **more),))
