"""questd.toml into ``Settings``: every fault names its field, and the nearest valid one.

Invariant: what comes out was checked as a whole. Knows the file's words; the model knows the values.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from questd.runtime.errors import BadSettings
from questd.settings.finding import FILE_NAME, data_directory, find_file
from questd.settings.listening import (
    Control,
    Listen,
    control_settings,
    listen_settings,
    warnings_of,
)
from questd.settings.model import (
    AgentSettings,
    HistorySettings,
    LimitSettings,
    Restart,
    RetentionSettings,
    Settings,
)

REPLICAS_MAX: Final = 1_000
AGENTS_MAX: Final = 1_000
CONNECTIONS_LEAST: Final = 16
RETENTION_MAX_DAYS: Final = 36_500
COUNT_MAX: Final = 10**12
SECONDS_MAX: Final = 10**9
HOLD_MIN_S: Final = 0.05
"""What an agent believes at least: a shorter one only makes it ask more often."""
HOLD_MAX_S: Final = 300.0

Duration = str | int | float
Table = TypeVar("Table", bound=Struct)


class _Agent(Struct, frozen=True, forbid_unknown_fields=True):
    python: str
    replicas: int = 1
    env: dict[str, str] = {}
    restart: Restart = "permanent"
    restarts: int = 3
    within: Duration = 5


class _Limits(Struct, frozen=True, forbid_unknown_fields=True):
    parallel: int | None = None
    rest_after: Duration = 2
    rest_in_queue: Duration = 60
    awake_quests: int = 10_000
    awake_steps: int = 500_000
    hold: Duration = 5
    lease: Duration = 15
    closed_pipe: Duration = 2
    reattach_grace: Duration = 15
    submits_in_flight: int = 4_096
    requests_in_flight: int = 20_000
    connections: int = 4_096
    journal_queue: int = 20_000
    open_quests: int = 1_000_000


class _Retention(Struct, frozen=True, forbid_unknown_fields=True):
    days: int = 90
    quests: int = 1_000_000


class _History(Struct, frozen=True, forbid_unknown_fields=True):
    enabled: bool = True
    memory: str | None = None
    threads: int | None = None


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    data: str | None = None
    drain: Duration = 10
    agents: dict[str, Any] = {}
    listen: Listen = Listen()
    control: Control = Control()
    limits: _Limits = _Limits()
    retention: _Retention = _Retention()
    history: _History = _History()
    secrets: dict[str, str] = {}


_TABLES: Final[dict[str, type[Struct]]] = {
    "": _File,
    "agents": _Agent,
    "listen": Listen,
    "control": Control,
    "limits": _Limits,
    "retention": _Retention,
    "history": _History,
}
_PLACE: Final = re.compile(r"(.*) - at `\$\.?(.*)`", re.DOTALL)
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.*)`")
_MEMORY: Final = re.compile(r"[0-9]+(\.[0-9]+)? ?([KMGT]i?B)")
_SECRET_PLACE: Final = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:/[^\x00-\x1f\x7f]+")
_AGENT_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}")


def load_settings(
    *, data: Path | None = None, config: Path | None = None, start: Path | None = None
) -> Settings:
    """Settings for a command started in ``start`` (default: here). ``data``: --data; ``config``: --config.

    BadSettings names the file, the field and what to write instead.
    """
    if config is not None and not config.is_file():
        hint = f"; write {config / FILE_NAME}" if config.is_dir() else ""
        raise BadSettings(f"--config {config}: there is no such file{hint}")
    file = find_file((start or Path.cwd()).absolute()) if config is None else config.absolute()
    if file is None:
        return Settings(data=data_directory(data, None, None))
    try:
        return _settings(_read(file), file, data)
    except BadSettings as error:
        raise BadSettings(f"{file}: {error}") from None


def _read(file: Path) -> _File:
    import tomllib  # noqa: PLC0415 - only where there is a file

    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(f"cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise BadSettings(f"is not TOML: {error}") from None
    return _convert(content, _File, "")


def _convert(value: object, kind: type[Table], at: str) -> Table:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise BadSettings(_explain(str(error), at)) from None


def _explain(message: str, at: str) -> str:
    """What msgspec found, in the words of the file; it names no keys of mappings, so agents come one by one."""
    placed = _PLACE.fullmatch(message)
    what, below = (placed[1], placed[2]) if placed else (message, "")
    path = ".".join(part for part in (at, below) if part)
    unknown = _UNKNOWN.fullmatch(what)
    if unknown is None:
        return f"{path or 'the file'}: {what[:1].lower()}{what[1:]}"
    known = _TABLES[path.partition(".")[0]].__struct_encode_fields__
    where = f"[{path}]" if path else "the file"
    return f"{where} has no setting {unknown[1]!r}: {_instead(unknown[1], known)}"


def _instead(name: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - only for a fault

    names = tuple(known)
    near = get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"it has {', '.join(names)}"


def _settings(found: _File, file: Path, data: Path | None) -> Settings:
    listen = listen_settings(found.listen, file.parent)
    control = control_settings(found.control, listen, file.parent)
    if len(found.agents) > AGENTS_MAX:
        raise BadSettings(f"agents: {len(found.agents)} are named; {AGENTS_MAX} are allowed")
    return Settings(
        data=data_directory(data, file, found.data),
        file=file,
        agents=tuple(_agent(name, agent, file.parent) for name, agent in found.agents.items()),
        listen=listen,
        control=control,
        limits=_limits(found.limits),
        retention=RetentionSettings(
            days=_least("retention.days", found.retention.days, 1, RETENTION_MAX_DAYS),
            quests=_least("retention.quests", found.retention.quests, 0),
        ),
        history=_history(found.history),
        drain_s=_seconds("drain", found.drain),
        secrets=_secrets(found.secrets),
        warnings=warnings_of(listen, control),
    )


def _secrets(written: dict[str, str]) -> dict[str, str]:
    """Where they are. What is no reference may be a secret itself, and is not repeated."""
    for name, reference in written.items():
        if not _AGENT_NAME.fullmatch(name):
            raise BadSettings(f"secrets.{name}: a name is letters, digits, _ . and -")
        if not _SECRET_PLACE.fullmatch(reference):
            raise BadSettings(
                f"secrets.{name}: is not env:NAME or file:/PATH: secrets stand nowhere here"
            )
    return written


def _agent(name: str, written: object, folder: Path) -> AgentSettings:
    field = f"agents.{name}"
    if not _AGENT_NAME.fullmatch(name):
        raise BadSettings(f"{field}: a name is letters, digits, _ . and -, as in [agents.reviewer]")
    agent = _convert(written, _Agent, field)
    module, separator, attribute = agent.python.partition(":")
    if not (module and separator and attribute):
        raise BadSettings(
            f"{field}.python: {agent.python!r} is not module:attribute, as in {name}:agent"
        )
    return AgentSettings(
        name=name,
        python=agent.python,
        folder=folder,
        replicas=_least(f"{field}.replicas", agent.replicas, 1, REPLICAS_MAX),
        env=agent.env,
        restart=agent.restart,
        most_restarts=_least(f"{field}.restarts", agent.restarts, 0),
        within_s=_seconds(f"{field}.within", agent.within),
    )


def _limits(limits: _Limits) -> LimitSettings:
    field = "limits"
    parallel = limits.parallel
    hold_s, lease_s = _hold_and_lease(limits)
    return LimitSettings(
        parallel=None if parallel is None else _least(f"{field}.parallel", parallel, 1),
        rest_after_s=_seconds(f"{field}.rest_after", limits.rest_after),
        rest_in_queue_s=_seconds(f"{field}.rest_in_queue", limits.rest_in_queue),
        awake_quests=_least(f"{field}.awake_quests", limits.awake_quests, 0),
        awake_steps=_least(f"{field}.awake_steps", limits.awake_steps, 1),
        hold_s=hold_s,
        lease_s=lease_s,
        closed_pipe_s=_seconds(f"{field}.closed_pipe", limits.closed_pipe),
        reattach_grace_s=_seconds(f"{field}.reattach_grace", limits.reattach_grace),
        submits_in_flight=_least(f"{field}.submits_in_flight", limits.submits_in_flight, 1),
        requests_in_flight=_least(f"{field}.requests_in_flight", limits.requests_in_flight, 1),
        connections=_least(f"{field}.connections", limits.connections, CONNECTIONS_LEAST),
        journal_queue=_least(f"{field}.journal_queue", limits.journal_queue, 1),
        open_quests=_least(f"{field}.open_quests", limits.open_quests, 1),
    )


def _hold_and_lease(limits: _Limits) -> tuple[float, float]:
    """An idle agent is heard of once a hold: a shorter lease would take every one of them for lost."""
    hold_s = _seconds("limits.hold", limits.hold)
    lease_s = _seconds("limits.lease", limits.lease)
    if not HOLD_MIN_S <= hold_s <= HOLD_MAX_S:
        raise BadSettings(
            f"limits.hold: {limits.hold!r} is not between {HOLD_MIN_S:g} and {HOLD_MAX_S:g} seconds"
        )
    if lease_s <= 2 * hold_s:
        raise BadSettings(
            f"limits.lease: {limits.lease!r} is not longer than 2 × limits.hold, which is {hold_s:g} s"
        )
    return hold_s, lease_s


def _history(history: _History) -> HistorySettings:
    if history.memory is not None and not _MEMORY.fullmatch(history.memory):
        raise BadSettings(
            f"history.memory: {history.memory!r} is no amount: write 512MB, 2GB, 1.5GiB"
        )
    threads = history.threads
    return HistorySettings(
        enabled=history.enabled,
        memory=history.memory,
        threads=None if threads is None else _least("history.threads", threads, 1, 1_024),
    )


def _least(field: str, value: int, least: int, most: int = COUNT_MAX) -> int:
    if not least <= value <= most:
        raise BadSettings(f"{field}: {value} is not between {least} and {most}")
    return value


def _seconds(field: str, value: Duration) -> float:
    """A number of seconds, or a duration as a document writes it."""
    if isinstance(value, str):
        from questd.actors.graph.durations import parse_duration  # noqa: PLC0415 - takes 60 ms

        try:
            return parse_duration(value) / 1_000
        except ValueError as error:
            raise BadSettings(f"{field}: {value!r} {error}") from None
    if not 0 <= value <= SECONDS_MAX:
        raise BadSettings(f"{field}: {value} is not between 0 and {SECONDS_MAX} seconds")
    return float(value)
