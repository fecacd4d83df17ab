"""What a tool may know of its attempt, and say while it runs.

Invariant: what a tool says is bounded and coalesced here (the last progress; log lines by count and bytes), so a
chatty tool costs neither the agent nor the daemon memory. Callable from any thread.
"""

import math
import os
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from questd.messages.events import LogLine
from questd.messages.exchange import Invocation

LOG_LINES_MAX = 1_000
LOG_BYTES_MAX = 256 * 1024
LOG_LINE_MAX_BYTES = 8 * 1024
PROGRESS_TEXT_MAX = 1_000

Notify = Callable[[], None]


class Report:
    """What one attempt has said and nobody has fetched yet. ``notify`` is called once until the next fetch."""

    def __init__(self, notify: Notify) -> None:
        self._notify = notify
        self._dirty = False
        self._progress: tuple[float | None, str] | None = None
        self._lines: deque[LogLine] = deque()
        self._count = 0
        self._bytes = 0
        self._dropped = 0
        self.heartbeat_at_s: float | None = None
        self.tokens = 0
        self.cost = 0.0
        self.model: str | None = None
        self.confidence: float | None = None
        self.cancelled = False

    def used(self) -> tuple[int, float, str | None]:
        """Tokens, cost and model, as far as the tool has said."""
        return self.tokens, self.cost, self.model

    def beat(self) -> None:
        """Note that the tool said it lives."""
        self.heartbeat_at_s = time.monotonic()

    def set_progress(self, fraction: float | None, text: str) -> None:
        """Replace what was said before."""
        self._progress = (fraction, text)
        self._wake()

    def add_line(self, line: LogLine) -> None:
        """Keep a line, or count it as dropped once the attempt has said too much."""
        size = len(line.text.encode("utf-8", "replace")) + len(line.fields)
        if self._count >= LOG_LINES_MAX or self._bytes + size > LOG_BYTES_MAX:
            self._dropped += 1
            return
        self._count += 1
        self._bytes += size
        self._lines.append(line)
        self._wake()

    def fetch(self, *, final: bool) -> tuple[tuple[float | None, str] | None, tuple[LogLine, ...]]:
        """Take the news; the ``final`` one tells how many lines were dropped."""
        self._dirty = False
        progress, self._progress = self._progress, None
        lines = [self._lines.popleft() for _ in range(len(self._lines))]
        if final and self._dropped:
            lines.append(LogLine(_now_us(), f"… {self._dropped} lines dropped"))
        return progress, tuple(lines)

    def _wake(self) -> None:
        if not self._dirty:
            self._dirty = True
            self._notify()


class Context:
    """Handed to a tool that asks for it by a parameter of this type."""

    def __init__(self, invocation: Invocation, report: Report) -> None:
        self._invocation = invocation
        self._report = report

    @property
    def attempt(self) -> int:
        """1 for the first try of this task."""
        return self._invocation.attempt

    @property
    def round(self) -> int:
        """How many times a loop has entered this step."""
        return self._invocation.round

    @property
    def task(self) -> str:
        """The task's id within its quest."""
        return self._invocation.task

    @property
    def quest(self) -> str:
        """The quest's id."""
        return self._invocation.quest

    @property
    def idempotency_key(self) -> str:
        """The same over all retries, restarts and fallbacks of this task: give it to what must happen once."""
        return self._invocation.idempotency_key

    @property
    def deadline(self) -> datetime | None:
        """When the result is no longer of use, in UTC."""
        at_us = self._invocation.deadline_us
        return None if at_us is None else datetime.fromtimestamp(at_us / 1e6, UTC)

    @property
    def cancelled(self) -> bool:
        """Whether the attempt was asked to end, or its time is over. A tool that sees it should return or raise."""
        return self._report.cancelled

    def progress(self, fraction: float | None = None, text: str = "") -> None:
        """Say how far the work is: 0..1 (None: unknown), and a text. Only the latest is kept."""
        if fraction is not None:
            fraction = _unit(fraction, "progress")
        self._report.set_progress(fraction, str(text)[:PROGRESS_TEXT_MAX])

    def log(self, text: str, **fields: object) -> None:
        """Write a line into the quest's history. At most LOG_LINES_MAX lines and LOG_BYTES_MAX bytes an attempt."""
        self._report.add_line(LogLine(_now_us(), _line_text(text), _line_fields(fields)))

    def heartbeat(self) -> None:
        """Say "still alive": needed by steps with a ``heartbeat_timeout``, and only by them."""
        self._report.beat()

    def usage(self, tokens: int = 0, cost: float = 0.0, model: str | None = None) -> None:
        """Add what a model has used; kept with the result, or the failure. Counts against the quest's ``limits``."""
        if tokens < 0 or not cost >= 0 or math.isinf(cost):
            raise ValueError(f"usage(tokens={tokens}, cost={cost}): both are amounts, 0 or more")
        self._report.tokens += int(tokens)
        self._report.cost += float(cost)
        self._report.model = self._report.model if model is None else str(model)

    def confidence(self, value: float) -> None:
        """Say how sure the result is, 0..1."""
        self._report.confidence = _unit(value, "confidence")

    def attach(self, path: str | os.PathLike[str]) -> None:
        """Keep a file with the result. Not yet supported."""
        raise NotImplementedError(
            f"attach({str(Path(path))!r}): attachments are not yet supported;"
            " return the content, or a path or URL that others can read"
        )


def _now_us() -> int:
    return time.time_ns() // 1000


def _unit(value: float, what: str) -> float:
    number = float(value)
    if not 0.0 <= number <= 1.0:
        raise ValueError(f"{what}({value!r}): a number from 0 to 1 is wanted")
    return number


def _line_text(text: object) -> str:
    line = str(text).encode("utf-8", "replace")
    return line[:LOG_LINE_MAX_BYTES].decode("utf-8", "ignore")


def _line_fields(fields: dict[str, Any]) -> bytes:
    if not fields:
        return b"{}"
    try:
        encoded = msgspec.json.encode(fields, enc_hook=repr)
    except (TypeError, ValueError, OverflowError, RecursionError):
        encoded = msgspec.json.encode(
            {name: _line_text(repr(value)) for name, value in fields.items()}
        )
    if len(encoded) > LOG_LINE_MAX_BYTES:
        return msgspec.json.encode({"dropped": f"fields of {len(encoded)} bytes"})
    return encoded
