"""``doctor``: looks at everything, and says of each fault what is wrong, where, and what to do.

Without ``--repair`` it changes nothing of the journal; a damaged history is set aside and built anew by whoever opens it.
"""

import argparse
import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from questd.cli.codes import DONE, FAILED
from questd.cli.opening import home_of
from questd.cli.output import Out
from questd.cli.version import VERSION
from questd.client.address import FILE_NAME, DaemonAddress, find_daemon
from questd.client.home import Home
from questd.messages.control import DaemonInfo, Ping
from questd.runtime.errors import MachineError, QuestdError

if TYPE_CHECKING:
    from questd.client.questions import History

DISK_LOW_BYTES = 1024 * 1024 * 1024
FINDINGS_SHOWN = 20
SET_ASIDE = {".damaged", ".foreign", ".newer", ".older"}
REPAIR = (
    "stop the daemon and restore a backup, or run `quest doctor --repair`: it keeps what is here, builds the journal "
    "anew from all that can be proven, and says what is lost"
)
JOURNAL_ADVICE = {
    "open": REPAIR,
    "foreign": "nothing is lost yet: see to which journal belongs here before anything else",
    "side_file": "bring back what belongs here, or run `quest doctor --repair` to go on without what is lost",
    "no_side_file": "nothing is lost: the next daemon, or `quest doctor --repair`, writes it anew",
    "page": f"some of what is stored cannot be read. {REPAIR}",
    "chain": f"this event and those of its quest after it cannot be trusted. {REPAIR}",
    "head": f"nothing is lost: the events tell what it must be. {REPAIR}",
    "orphan": f"nothing is lost: the events tell what it must be. {REPAIR}",
    "content": f"what refers to it cannot go on. {REPAIR}",
}


class Finding(Struct, frozen=True):
    """One thing that was looked at."""

    name: str
    status: Literal["ok", "warning", "broken"]
    message: str
    advice: str = ""


def doctor(options: argparse.Namespace, out: Out) -> int:
    """0 when nothing is broken (any more), else 1."""
    with_home = home_of(options)
    done = _repaired(with_home, out) if options.repair else {}
    findings: list[Finding] = []
    for look in _looks(with_home):
        found = list(_looked(look, with_home))
        findings += found
        if not out.as_json:
            for one in found:
                _tell(one, out)
        if any(one.name == "settings" and one.status == "broken" for one in found):
            break
    with_home.close()
    healthy = all(one.status != "broken" for one in findings)
    if out.as_json:
        out.document({"healthy": healthy, **done, "findings": findings})
    return DONE if healthy else FAILED


def _looks(home: Home) -> tuple[Callable[[Home], Iterator[Finding]], ...]:
    if home.remote:
        return _program, _elsewhere, _daemon, _agents
    return _program, _settings, _secrets, _directory, _daemon, _journal, _history, _agents


def _repaired(home: Home, out: Out) -> dict[str, object]:
    from questd.cli.mending import mend  # noqa: PLC0415

    return {"repair": mend(home, out)}


def _looked(look: Callable[[Home], Iterator[Finding]], home: Home) -> Iterator[Finding]:
    try:
        yield from look(home)
    except QuestdError as error:
        yield Finding(look.__name__.removeprefix("_"), "broken", str(error))


def _tell(one: Finding, out: Out) -> None:
    from rich.text import Text  # noqa: PLC0415

    marks = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "broken": ("✗", "bold red")}
    from questd.cli.output import visible  # noqa: PLC0415

    line = Text.assemble(marks[one.status], f" {one.name:<10} ", visible(one.message))
    out.console.print(line, soft_wrap=True)
    if one.advice:
        out.console.print(
            Text(f"             → {visible(one.advice)}", style="bold"), soft_wrap=True
        )


def _program(_: Home) -> Iterator[Finding]:
    python = f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
    yield Finding("program", "ok", f"questd {VERSION}, Python {python}")


def _settings(home: Home) -> Iterator[Finding]:
    settings = home.settings
    source = settings.file or "no questd.toml: defaults"
    names = ", ".join(agent.name for agent in settings.agents)
    yield Finding("settings", "ok", f"{source}{f' (agents: {names})' if names else ''}")
    for warning in settings.warnings:
        yield Finding("settings", "warning", warning, "a token and TLS keep strangers out")


def _secrets(home: Home) -> Iterator[Finding]:
    """Those of files: the environment that counts is the daemon's."""
    from questd.runtime.keyring import HostKeyring  # noqa: PLC0415

    named = home.settings.secrets
    keyring = HostKeyring()
    for name, reference in named.items():
        fault = keyring.fault(reference) if reference.startswith("file:") else None
        if fault is not None:
            advice = "steps that are given it fail until it is there"
            yield Finding("secrets", "warning", f"secret:{name}: {reference} {fault}", advice)
            return
    if named:
        yield Finding("secrets", "ok", ", ".join(named))


def _directory(home: Home) -> Iterator[Finding]:
    data = home.settings.data
    if not data.exists():
        yield Finding("data", "ok", f"{data} is not there yet; the first daemon makes it")
        return
    mode = stat.S_IMODE(data.stat().st_mode)
    if mode & 0o077:
        advice = f"chmod 700 {data}"
        yield Finding("data", "warning", f"{data} is open to others (mode {mode:04o})", advice)
    elif not os.access(data, os.W_OK):
        yield Finding("data", "broken", f"{data} cannot be written", "give yourself the right to")
    else:
        yield Finding("data", "ok", str(data))
    yield _disk(data)


def _disk(data: Path) -> Finding:
    free = shutil.disk_usage(data).free
    used = sum(path.stat().st_size for path in data.rglob("*") if path.is_file())
    said = f"{_size(used)} used, {_size(free)} free"
    if free < DISK_LOW_BYTES:
        advice = "a full disk stops the daemon: make room, or keep less ([retention])"
        return Finding("disk", "warning", said, advice)
    return Finding("disk", "ok", said)


def _size(count: float) -> str:
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def _elsewhere(_: Home) -> Iterator[Finding]:
    yield Finding(
        "data", "ok", "settings, journal and history are looked at on the daemon's own machine"
    )


def _daemon(home: Home) -> Iterator[Finding]:
    address = home.address() if home.connect else find_daemon(home.settings.data)
    if address is None:
        yield _no_daemon(home.settings.data)
        return
    info = home.daemon().ask(Ping(), DaemonInfo)
    said = f"questd {info.version}, process {info.pid}, {'ready' if info.ready else 'starting'}"
    yield Finding("daemon", "ok", said)
    if info.version != VERSION:
        yield Finding(
            "daemon", "warning", f"it is {info.version}, this is {VERSION}", "restart the daemon"
        )
    if not home.remote:
        yield from _sockets(address)


def _no_daemon(data: Path) -> Finding:
    left = (data / FILE_NAME).exists()
    what = "the last one ended without a goodbye" if left else "none runs"
    return Finding("daemon", "ok", f"{what}; quest run starts one, quest serve keeps one")


def _sockets(address: DaemonAddress) -> Iterator[Finding]:
    for url in (address.control, *address.exchange, address.history or ""):
        if not url.startswith("ipc://"):
            continue
        folder = Path(url.removeprefix("ipc://")).parent
        mode = stat.S_IMODE(folder.stat().st_mode)
        if mode & 0o077:
            yield Finding("sockets", "broken", f"{folder} is open to others", f"chmod 700 {folder}")
            return
    yield Finding("sockets", "ok", str(Path(address.control.removeprefix("ipc://")).parent))


def _journal(home: Home) -> Iterator[Finding]:
    from questd.runtime.journal.head_file import HEAD_NAME  # noqa: PLC0415
    from questd.runtime.journal.reader import DATABASE_NAME  # noqa: PLC0415
    from questd.runtime.journal.verify import verify  # noqa: PLC0415
    from questd.views.heads import head_told  # noqa: PLC0415

    data = home.settings.data
    if not (data / DATABASE_NAME).exists():
        if (data / HEAD_NAME).exists():
            message = f"{data / DATABASE_NAME} is gone; {HEAD_NAME} says that it was here"
            advice = f"restore a backup; to begin anew, delete {data / HEAD_NAME}"
            yield Finding("journal", "broken", message, advice)
        else:
            yield Finding("journal", "ok", "none yet")
        return
    found = verify(data, head_told)
    if not found:
        yield Finding("journal", "ok", "every page, chain, head and reference is whole")
    for one in found[:FINDINGS_SHOWN]:
        where = f" ({one.quest}{f', event {one.n}' if one.n else ''})" if one.quest else ""
        said, advice = f"{one.message}{where}", JOURNAL_ADVICE[one.what]
        harmless = one.what == "no_side_file"
        yield Finding("journal", "warning" if harmless else "broken", said, advice)
    if len(found) > FINDINGS_SHOWN:
        more = f"and {len(found) - FINDINGS_SHOWN} more of the kind"
        yield Finding("journal", "broken", more, REPAIR)


def _history(home: Home) -> Iterator[Finding]:
    from questd.client.questions import History  # noqa: PLC0415
    from questd.runtime.journal.reader import DATABASE_NAME  # noqa: PLC0415

    if not (home.settings.data / DATABASE_NAME).exists():
        return
    before = set(home.settings.data.glob("history.duckdb.*"))
    history = History(home=home)
    with suppress(MachineError):
        _read_all(history)  # what is damaged is built anew, at the latest for the next question
    found = history.sql("select count(*) from quests")
    for path in sorted(set(home.settings.data.glob("history.duckdb.*")) - before):
        if path.suffix in SET_ASIDE:
            message = "it could not be used, and was built anew from the journal"
            yield Finding("history", "warning", message, f"the old one is {path}: delete it")
    said = f"{found.rows[0][0]} quests"
    if found.lag:
        advice = "look into logs/historian.log"
        yield Finding("history", "warning", f"{said}; {found.lag} events behind", advice)
    else:
        yield Finding("history", "ok", f"{said}, level with the journal")


def _read_all(history: "History") -> None:
    """A damaged block is found when it is read: so every column of every row is."""
    from questd.analytics.tables import TABLES  # noqa: PLC0415

    for table in TABLES:
        history.sql(f"select max(hash(t)) from {table.name} t", timeout_ms=600_000)  # noqa: S608


def _agents(home: Home) -> Iterator[Finding]:
    from questd.messages.control import Agents, ListAgents  # noqa: PLC0415

    if home.connect is None and find_daemon(home.settings.data) is None:
        return
    instances = home.daemon().ask(ListAgents(), Agents).instances
    connected = {one.agent for one in instances}
    for agent in () if home.remote else home.settings.agents:
        if agent.name not in connected:
            log = home.settings.data / "logs" / f"{agent.name}.log"
            yield Finding("agents", "broken", f"{agent.name} is not connected", f"look into {log}")
    stuck = sum(one.stuck for one in instances)
    if stuck:
        yield Finding("agents", "warning", f"{stuck} slots are stuck", "quest agent list")
    yield Finding("agents", "ok", ", ".join(sorted(connected)) or "none is connected")
