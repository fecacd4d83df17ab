"""``Agent``: the face that tool authors see.

Invariant: importing it loads neither the history, the actor library nor the journal; sockets are loaded when the
agent runs.
"""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar, overload

from questd.agent import place
from questd.agent.tools import Tool
from questd.runtime.errors import BadSettings

Function = TypeVar("Function", bound=Callable[..., Any])
Label = str | int | float | bool

CONNECT_VARIABLE: Final = "QUESTD_CONNECT"
TOKEN_FILE_VARIABLE: Final = "QUESTD_TOKEN_FILE"  # noqa: S105 - the name of a variable
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


class Agent:
    """A named program that offers tools. ``capacity``: how many run at once; ``prefetch``: how many more wait here (default 2 × capacity)."""

    def __init__(
        self,
        name: str,
        *,
        capabilities: Iterable[str] = (),
        labels: Mapping[str, Label] | None = None,
        capacity: int = 1,
        prefetch: int | None = None,
    ) -> None:
        if not name:
            raise BadSettings("an agent needs a name")
        if capacity < 1 or (prefetch is not None and prefetch < 0):
            raise BadSettings(f"agent {name!r}: capacity is at least 1, prefetch at least 0")
        self.name = name
        self.capabilities = _words(capabilities, f"agent {name!r}")
        self.labels = dict(labels or {})
        self.capacity = capacity
        self.prefetch = 2 * capacity if prefetch is None else prefetch
        self.tools: dict[str, Tool] = {}

    @overload
    def tool(self, function: Function, /) -> Function: ...

    @overload
    def tool(
        self,
        /,
        *,
        name: str | None = None,
        capabilities: Iterable[str] = (),
        timeout: str | float | None = None,
        idempotent: bool = True,
        isolate: bool = False,
        description: str | None = None,
    ) -> Callable[[Function], Function]: ...

    def tool(
        self,
        function: Function | None = None,
        /,
        *,
        name: str | None = None,
        capabilities: Iterable[str] = (),
        timeout: str | float | None = None,
        idempotent: bool = True,
        isolate: bool = False,
        description: str | None = None,
    ) -> Function | Callable[[Function], Function]:
        """Offer a function; it stays what it was. ``timeout``: one attempt's, as "2m" or seconds."""

        def offer(function: Function) -> Function:
            self._add(
                Tool(
                    function,
                    name=name,
                    capabilities=_words(capabilities, f"tool {name or function.__name__!r}"),
                    timeout_ms=_milliseconds(timeout),
                    idempotent=idempotent,
                    isolate=isolate,
                    description=description,
                )
            )
            return function

        return offer if function is None else offer(function)

    def run(
        self,
        connect: str | None = None,
        *,
        token_file: str | os.PathLike[str] | None = None,
        tls_authority: str | os.PathLike[str] | None = None,
        tls_certificate: str | os.PathLike[str] | None = None,
        tls_key: str | os.PathLike[str] | None = None,
        tls_server_name: str | None = None,
    ) -> None:
        """Work until drained (SIGTERM, SIGINT, or the daemon asks). SystemExit with a code when it ends otherwise.

        ``connect`` defaults to ``$QUESTD_CONNECT``, ``token_file`` to ``$QUESTD_TOKEN_FILE``. Exit codes: 69 the daemon
        is gone, 75 every slot is stuck, 77 the daemon refused this agent.
        """
        if place.isolated:
            raise RuntimeError(
                'guard agent.run() by `if __name__ == "__main__":` to use isolated tools'
            )
        url = connect or os.environ.get(CONNECT_VARIABLE)
        if not url:
            raise BadSettings(
                f"agent {self.name!r}: where is the daemon? Give connect=, or set ${CONNECT_VARIABLE}"
            )
        from questd.agent.start import start  # noqa: PLC0415 - importing Agent must not load the sockets
        from questd.runtime.nng import TLSSettings  # noqa: PLC0415

        tls = None
        if url.startswith("tls+"):
            tls = TLSSettings(
                _path(tls_certificate), _path(tls_key), _path(tls_authority), tls_server_name
            )
        start(self, url, tls, _read_token(_path(token_file or os.environ.get(TOKEN_FILE_VARIABLE))))

    def _add(self, tool: Tool) -> None:
        if tool.name in self.tools:
            raise BadSettings(f"agent {self.name!r} has two tools named {tool.name!r}")
        if tool.isolate and "<" in tool.function.__qualname__:
            raise TypeError(
                f"isolated tool {tool.name!r} must stand at the top level of its module"
            )
        self.tools[tool.name] = tool


def _words(words: Iterable[str], whose: str) -> tuple[str, ...]:
    kept = (words,) if isinstance(words, str) else tuple(words)
    if not all(kept):
        raise BadSettings(f"{whose}: a capability is a word, not {kept!r}")
    return kept


def _milliseconds(timeout: str | float | None) -> int | None:
    if timeout is None:
        return None
    if isinstance(timeout, str):
        found = _DURATION.fullmatch(timeout.strip())
        if found is None:
            raise BadSettings(f"timeout {timeout!r}: write 250ms, 30s, 5m, 2h or 7d")
        milliseconds = float(found[1]) * _UNIT_MS[found[2]]
    else:
        milliseconds = float(timeout) * 1000
    if not 1 <= milliseconds < 2**53:
        raise BadSettings(f"timeout {timeout!r}: it must be at least 1ms")
    return round(milliseconds)


def _path(path: str | os.PathLike[str] | None) -> Path | None:
    return None if path is None else Path(path)


def _read_token(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(f"token file {path}: {error}") from None
    if not token:
        raise BadSettings(f"token file {path} is empty")
    return token
