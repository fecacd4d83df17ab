"""The daemon as one thing that starts, serves and stops.

Order of the start: the directory's lock, the journal, the actors, the sockets, the address file, the historian, the agents. The
stop goes the other way round, and is crash-only at heart: once nobody new is let in and running attempts had their
grace, the dispatcher simply stops. What a crash leaves behind is exactly what a stop leaves behind.
"""

import gc
import os
import random
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from msgspec import Struct

from questd.actors.control.actor import DaemonFacts
from questd.actors.house import VERSION, House, Limits
from questd.actors.quest.plans import PlanCache
from questd.daemon.address import AddressFile, socket_folder
from questd.daemon.composition import World, compose
from questd.daemon.doors import open_control, open_exchange
from questd.daemon.gatekeeper import Gatekeeper
from questd.daemon.ids import quest_ids
from questd.daemon.retention import Retention
from questd.messages.remote import Role
from questd.runtime.actor import Ref
from questd.runtime.clock import SystemClock, ThreadTimers
from questd.runtime.descriptors import keep_reserve, raise_limit, share
from questd.runtime.dispatch import PooledDispatcher
from questd.runtime.errors import JournalError
from questd.runtime.files import DiskFiles
from questd.runtime.journal.lock import DirectoryLock
from questd.runtime.journal.service import StoreJournal
from questd.runtime.journal.sqlite import SqliteStore
from questd.runtime.keyring import HostKeyring
from questd.runtime.nng import Door, TLSSettings
from questd.runtime.processes import EndProcess, ProcessKeeper, ProcessSpec
from questd.runtime.shelf import SHELF_NAME, FileShelf
from questd.runtime.worker import ThreadWorker
from questd.settings import AgentSettings

SWITCH_INTERVAL_S = 0.0005
READY_WITHIN_S = 60.0
GC_THRESHOLDS = (50_000, 20, 50)
EXIT_DONE = 0
EXIT_JOURNAL = 74
EXIT_ESCALATED = 70


class Listener(Struct, frozen=True):
    """A TCP address for agents. Without ``token`` only where the owner has said ``insecure``."""

    url: str
    token: str | None
    tls: TLSSettings | None = None


class ControlListener(Struct, frozen=True):
    """A TCP address for clients. ``tokens``: what makes whom of a client; never none."""

    url: str
    tokens: dict[Role, str]
    tls: TLSSettings | None = None


class DaemonPlan(Struct, frozen=True):
    """What one daemon is to be. ``drain_s``: how long running attempts may take to end when it stops."""

    data: Path
    limits: Limits = Limits()
    listeners: tuple[Listener, ...] = ()
    control: tuple[ControlListener, ...] = ()
    agents: tuple[AgentSettings, ...] = ()
    history: bool = True
    history_memory: str | None = None
    history_threads: int | None = None
    drain_s: float = 10.0
    keep_days: int = 90
    keep_quests: int = 1_000_000
    secrets: dict[str, str] = {}


class Daemon:
    """One daemon on one data directory. ``note(event, **fields)`` writes the log. Starting or stopping twice is fine."""

    def __init__(self, plan: DaemonPlan, note: Callable[..., None]) -> None:
        self._plan = plan
        self._note = note
        self._clock = SystemClock()
        self._boot = secrets.token_hex(16)
        self._ready = threading.Event()
        self._over = threading.Event()
        self._exit_code = EXIT_DONE
        self._doors: list[Door] = []
        self._keepers: dict[str, Ref] = {}
        self._agents: dict[str, AgentSettings] = {}
        self._state = "new"
        self.addresses: dict[str, str] = {}

    # -- start -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Come up. Whatever fails is undone and raised: JournalLocked, JournalForeign, BadSettings, MachineError."""
        if self._state != "new":
            return
        self._state = "started"
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        data = self._plan.data
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = DirectoryLock(data, clock_us=self._clock.now_us)
        self._lock.acquire()
        try:
            self._start_locked()
        except BaseException:
            self.stop()
            raise

    def _start_locked(self) -> None:
        clock = self._clock
        self._store = SqliteStore(
            self._plan.data,
            clock_us=clock.now_us,
            new_id=lambda: secrets.token_hex(16),
            lock=self._lock,
        )
        self._store.count_deaths()
        self._dispatcher = PooledDispatcher()
        self._journal = StoreJournal(
            self._store, self._dispatcher.schedule_late, alarm=self._on_alarm
        )
        self._timers = ThreadTimers(clock)
        self._compiler = ThreadWorker("compiler")
        self._lookout = ThreadWorker("files")
        self._house = self._compose()
        self._open_doors(self._house)
        self._journal.start()
        self._compiler.start()
        self._lookout.start()
        self._timers.start()
        self._dispatcher.start()
        for door in self._doors:
            door.start()
        calm_the_collector()
        if not self._ready.wait(READY_WITHIN_S):
            raise JournalError(f"the open quests could not be read within {READY_WITHIN_S:.0f} s")
        self._address_file = AddressFile(self._plan.data)
        self._address_file.write(self._boot, VERSION, clock.now_us(), self.addresses)
        self._retention = Retention(
            self._plan.keep_days, self._plan.keep_quests, self.addresses.get("history")
        )
        self._start_processes()

    def _compose(self) -> House:
        chance = random.SystemRandom()
        world = World(
            boot=self._boot,
            dispatcher=self._dispatcher,
            clock=self._clock,
            timers=self._timers,
            journal=self._journal,
            worker=self._compiler,
            lookout=self._lookout,
            files=DiskFiles(),
            random=chance,
            new_quest_id=quest_ids(chance),
            shelf=FileShelf(self._plan.data / SHELF_NAME),
            note=self._note,
            escalated=self._on_escalated,
            keyring=HostKeyring(self._plan.secrets),
        )
        facts = DaemonFacts(
            data=str(self._plan.data),
            pid=os.getpid(),
            started_us=self._clock.now_us(),
            addresses=self.addresses,
            gauges=self._gauges,
            stop=self.request_stop,
            ready=self._on_ready,
        )
        return compose(world, self._plan.limits, facts, PlanCache())

    def _open_doors(self, house: House) -> None:
        folder = socket_folder(self._plan.data)
        self._folder = folder
        descriptors = raise_limit()
        keep_reserve(descriptors)
        room = share(descriptors, 2 + len(self._plan.listeners) + len(self._plan.control))
        connections = min(room, self._plan.limits.connections)
        control = open_control(house, connections=connections)
        self._doors.append(control)
        self.addresses["control"] = control.listen(f"ipc://{folder}/c")
        exchange = open_exchange(house, token=None, name="exchange", connections=connections)
        self._doors.append(exchange)
        self.addresses["exchange"] = exchange.listen(f"ipc://{folder}/e")
        self._open_doors_to_others(house, connections)
        if self._plan.history:
            self.addresses["history"] = f"ipc://{folder}/h"

    def _open_doors_to_others(self, house: House, connections: int) -> None:
        for number, listener in enumerate(self._plan.listeners):
            door = open_exchange(
                house,
                token=listener.token,
                name=f"exchange-tcp-{number}",
                connections=connections,
                certified=listener.tls is not None and listener.tls.authority is not None,
            )
            self._doors.append(door)
            bound = door.listen(listener.url, tls=listener.tls)
            self.addresses[f"exchange_tcp_{number}"] = bound
        for number, remote in enumerate(self._plan.control):
            name = f"control-tcp-{number}"
            keeper = Gatekeeper(remote.tokens, name, self._note)
            door = open_control(house, name=name, connections=connections, gatekeeper=keeper)
            self._doors.append(door)
            bound = door.listen(remote.url, tls=remote.tls)
            self.addresses[f"control_tcp_{number}"] = bound

    def _start_processes(self) -> None:
        if self._plan.history:
            self._keep(self._historian_spec())
        self.keep_agents(self._plan.agents)

    def keep_agents(self, agents: Iterable[AgentSettings]) -> tuple[list[str], list[str]]:
        """These agents run from now on: starts those that are new or changed, ends the others. Returns both, by name."""
        wanted = {agent.name: agent for agent in agents}
        ended = [name for name, agent in self._agents.items() if wanted.get(name) != agent]
        for name in ended:
            for spec in self._agent_specs(self._agents.pop(name)):
                self._keepers.pop(spec.name).tell(EndProcess(lambda: None))
        started = [name for name in wanted if name not in self._agents]
        for name in started:
            self._agents[name] = wanted[name]
            for spec in self._agent_specs(wanted[name]):
                self._keep(spec)
        return started, ended

    def _agent_specs(self, agent: AgentSettings) -> list[ProcessSpec]:
        return agent_specs(agent, self.addresses["exchange"], self._boot, self._plan)

    def _keep(self, spec: ProcessSpec) -> None:
        keeper = ProcessKeeper(spec, clock=self._clock, timers=self._timers, note=self._note)
        self._keepers[spec.name] = keeper.launch(self._dispatcher)

    def _historian_spec(self) -> ProcessSpec:
        plan = self._plan
        command = [
            sys.executable,
            "-m",
            "questd.analytics.historian",
            *("--journal", str(plan.data)),
            *("--database", str(plan.data / "history.duckdb")),
            *("--listen", self.addresses["history"]),
        ]
        if plan.history_memory is not None:
            command += ["--memory", plan.history_memory]
        if plan.history_threads is not None:
            command += ["--threads", str(plan.history_threads)]
        return ProcessSpec(
            "historian",
            tuple(command),
            dict(os.environ),
            pipe_stdin=True,
            most_restarts=10,
            log=plan.data / "logs" / "historian.log",
        )

    # -- while it serves -----------------------------------------------------------------------------

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Wait until it should stop; the exit code, or None when the time is over first. Trims the journal meanwhile."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while not self._over.is_set():
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return None
            self._over.wait(min(1.0, left or 1.0))
            if self._state == "started" and not self._over.is_set():
                self._retention.tick(self._journal, self._clock)
        return self._exit_code

    def request_stop(self) -> None:
        """From a signal or a client: it is time."""
        self._over.set()

    def _on_ready(self, quests: int, folded: int) -> None:
        self._note("daemon.ready", open_quests=quests, in_the_middle=folded)
        self._ready.set()

    def _on_alarm(self, error: JournalError) -> None:
        """The journal can take no more: stop acknowledging, say why, exit."""
        self._note("journal.broke", error=str(error))
        self._exit_code = EXIT_JOURNAL
        self._over.set()

    def _on_escalated(self, error: BaseException) -> None:
        self._note("daemon.escalated", error=repr(error))
        self._exit_code = EXIT_ESCALATED
        self._over.set()

    def _gauges(self) -> dict[str, int]:
        return {
            "ready_mailboxes": self._dispatcher.depth,
            "journal_queue": self._journal.queued,
            "journal_questions": self._journal.questions,
        }

    # -- stop ------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Drain, then end. Running attempts have a grace; what still runs then is re-attached by the next daemon."""
        if self._state != "started":
            self._state = "stopped"
            return
        self._state = "stopped"
        if hasattr(self, "_address_file"):
            self._address_file.remove()
        self._end_processes()
        if hasattr(self, "_retention"):
            self._retention.close()
        for door in self._doors:
            door.stop()
        for name in ("_compiler", "_lookout", "_dispatcher", "_timers", "_journal"):
            part = getattr(self, name, None)
            if part is not None:
                part.stop()
        if hasattr(self, "_store"):
            if self._exit_code == EXIT_DONE:
                self._store.forgive_deaths()
            self._store.close()
        if hasattr(self, "_folder"):
            remove_sockets(self._folder)
        self._lock.release()

    def _end_processes(self) -> None:
        """Agents drain (their SIGTERM does that): their running attempts end and are heard of before the sockets close."""
        gone = threading.Semaphore(0)
        keepers = self._keepers.values()
        living = [keeper for keeper in keepers if keeper.tell(EndProcess(gone.release))]
        deadline = time.monotonic() + self._plan.drain_s
        for _ in living:
            gone.acquire(timeout=max(0.0, deadline - time.monotonic()))
        self._keepers = {}


def calm_the_collector() -> None:
    """What is loaded by now stays: never look at it again. Actors end without cycles, so look at the rest rarely."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def agent_specs(
    agent: AgentSettings, exchange: str, boot: str, plan: DaemonPlan
) -> list[ProcessSpec]:
    """One process a replica; each carries the daemon's boot id, so that orphans know when they are one."""
    env = {**os.environ, **agent.env, "QUESTD_CONNECT": exchange, "QUESTD_BOOT": boot}
    env["PYTHONPATH"] = os.pathsep.join(
        part for part in (str(agent.folder), os.environ.get("PYTHONPATH", "")) if part
    )
    command = (sys.executable, "-m", "questd", "agent", "run", agent.python)
    return [
        ProcessSpec(
            f"{agent.name}-{number}" if agent.replicas > 1 else agent.name,
            (*command, "--connect", exchange),
            env,
            restart=agent.restart,
            directory=str(agent.folder),
            most_restarts=agent.most_restarts,
            within_s=agent.within_s,
            kill_after_s=plan.drain_s,
            log=plan.data / "logs" / f"{agent.name}.log",
        )
        for number in range(agent.replicas)
    ]


def remove_sockets(folder: Path) -> None:
    """The folder was ours alone."""
    for path in folder.iterdir():
        path.unlink(missing_ok=True)
    folder.rmdir()
