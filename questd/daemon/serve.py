"""``quest serve``: a daemon in the foreground, and the embedded one that ``quest run`` brings along.

Signals: TERM and INT drain and end (a second one ends at once), HUP reads the settings again.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from types import FrameType
from typing import Any, Final

from questd.actors.house import VERSION, Limits
from questd.daemon.notes import note_writer
from questd.daemon.service import ControlListener, Daemon, DaemonPlan, Listener
from questd.messages.remote import Role
from questd.runtime.clock import SystemClock
from questd.runtime.errors import QuestdError, Unreachable
from questd.runtime.logs import open_log
from questd.runtime.nng import TLSSettings
from questd.settings import (
    ControlSettings,
    ListenSettings,
    Settings,
    TCPSettings,
    load_settings,
    read_token,
)

READY_WITHIN_S: Final = 90.0
EXIT_REFUSED: Final = 7


def plan_of(settings: Settings) -> DaemonPlan:
    """What the settings mean for a daemon. BadSettings when the token file cannot be used."""
    limits = settings.limits
    return DaemonPlan(
        data=settings.data,
        limits=Limits(
            parallel=limits.parallel,
            rest_after_s=limits.rest_after_s,
            rest_in_queue_s=limits.rest_in_queue_s,
            awake_quests=limits.awake_quests,
            awake_steps=limits.awake_steps,
            hold_s=limits.hold_s,
            lease_s=limits.lease_s,
            closed_pipe_s=limits.closed_pipe_s,
            reattach_grace_s=limits.reattach_grace_s,
            submits_in_flight=limits.submits_in_flight,
            requests_in_flight=limits.requests_in_flight,
            connections=limits.connections,
            journal_queue=limits.journal_queue,
            open_quests=limits.open_quests,
        ),
        listeners=listeners_of(settings.listen),
        control=control_listeners_of(settings.control),
        agents=settings.agents,
        history=settings.history.enabled,
        history_memory=settings.history.memory,
        history_threads=settings.history.threads,
        drain_s=settings.drain_s,
        keep_days=settings.retention.days,
        keep_quests=settings.retention.quests,
        secrets=settings.secrets,
    )


def listeners_of(listen: ListenSettings) -> tuple[Listener, ...]:
    """The TCP listeners for agents with their token and certificate."""
    file = listen.token_file
    token = None if file is None else read_token(file, "listen.token_file")
    return tuple(Listener(url, token, tls_of(url, listen)) for url in listen.tcp)


def control_listeners_of(control: ControlSettings) -> tuple[ControlListener, ...]:
    """The TCP listeners for clients with each role's token, and their certificate."""
    if not control.tcp:
        return ()
    tokens: dict[Role, str] = {
        role: read_token(file, f"control.{role}_token_file")
        for role, file in control.token_files.items()
    }
    return tuple(ControlListener(url, tokens, tls_of(url, control)) for url in control.tcp)


def tls_of(url: str, doors: TCPSettings) -> TLSSettings | None:
    """The certificate of a listener, and the authority that must have signed those of who dials it."""
    if not url.startswith("tls+"):
        return None
    assert doors.tls_certificate is not None
    assert doors.tls_key is not None
    return TLSSettings(
        certificate=doors.tls_certificate,
        key=doors.tls_key,
        authority=doors.tls_authority,
    )


def serve(settings: Settings, *, quiet: bool = False, as_json: bool = False) -> int:
    """Run a daemon until it is told to end; the exit code. Errors at the start are told on standard error."""
    note = note_writer(SystemClock(), quiet=quiet, as_json=as_json)
    for warning in settings.warnings:
        note("settings.warned", warning=warning)
    try:
        daemon = Daemon(plan_of(settings), note)
        daemon.start()
    except QuestdError as error:
        sys.stderr.write(f"quest serve: {error}\n")
        return EXIT_REFUSED
    with signals(daemon, settings, note):
        print(ready_line(settings, daemon), flush=True)  # noqa: T201 - the readiness line
        tell_systemd("READY=1")
        code = daemon.wait()
        tell_systemd("STOPPING=1")
        note("daemon.draining", grace_s=settings.drain_s)
        daemon.stop()
        note("daemon.stopped")
    return code or 0


def ready_line(settings: Settings, daemon: Daemon) -> str:
    """One line for people and scripts: it can be asked now."""
    doors = {"clients": "control_tcp", "agents": "exchange_tcp"}
    remote = ""
    for who, door in doors.items():
        urls = [url for name, url in daemon.addresses.items() if name.startswith(door)]
        remote += f", {who} may dial {', '.join(urls)}" if urls else ""
    return f"questd {VERSION} ready: data {settings.data}, pid {os.getpid()}{remote}"


@contextlib.contextmanager
def signals(daemon: Daemon, settings: Settings, note: Callable[..., None]) -> Generator[None]:
    """While it serves: TERM and INT stop it, HUP reads the settings again."""
    told = threading.Event()

    def end(number: int, _: FrameType | None) -> None:
        if told.is_set():
            os._exit(128 + number)
        told.set()
        daemon.request_stop()

    def reload(_: int, __: FrameType | None) -> None:
        threading.Thread(target=reload_agents, args=(daemon, settings, note), daemon=True).start()

    before = {
        number: signal.signal(number, handler)
        for number, handler in (
            (signal.SIGTERM, end),
            (signal.SIGINT, end),
            (signal.SIGHUP, reload),
        )
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def reload_agents(daemon: Daemon, settings: Settings, note: Callable[..., None]) -> None:
    """What can change while it runs are the agents: new ones start, those that are gone are drained."""
    try:
        fresh = load_settings(data=settings.data, config=settings.file)
    except QuestdError as error:
        note("settings.refused", error=str(error))
        return
    started, ended = daemon.keep_agents(fresh.agents)
    note("settings.reloaded", started=",".join(started), ended=",".join(ended))


def tell_systemd(state: str) -> None:
    """The notify protocol of systemd: one datagram to the socket it names; nothing without it."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
        to.sendto(state.encode(), address)


@contextlib.contextmanager
def embedded(settings: Settings) -> Generator[dict[str, Any]]:
    """A daemon of one's own on this data directory, as a child process: gives the content of its address file.

    It drains when the block ends. Unreachable when it does not come up; its log is in ``logs/daemon.log``.
    """
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    log_path = settings.data / "logs" / "daemon.log"
    command = [sys.executable, "-m", "questd", "serve", "--data", str(settings.data)]
    if settings.file is not None:
        command += ["--config", str(settings.file)]
    with open_log(log_path) as log:
        child = subprocess.Popen(  # noqa: S603 - our own command
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    try:
        await_ready(child, log_path)
        yield json.loads((settings.data / "daemon.json").read_text())
    finally:
        end_child(child, settings.drain_s)


def await_ready(child: "subprocess.Popen[bytes]", log_path: Path) -> None:
    """Wait for the readiness line."""
    assert child.stdout is not None
    timer = threading.Timer(READY_WITHIN_S, child.kill)
    timer.daemon = True
    timer.start()
    line = child.stdout.readline()
    timer.cancel()
    if not line:
        child.wait()
        last = log_path.read_text(errors="replace").strip().splitlines()[-1:]
        raise Unreachable(f"the daemon did not start: {''.join(last)} (see {log_path})")


def end_child(child: "subprocess.Popen[bytes]", drain_s: float) -> None:
    """Let it drain; then end it."""
    if child.poll() is None:
        child.terminate()
    try:
        child.wait(drain_s + 10.0)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    if child.stdout is not None:
        child.stdout.close()
