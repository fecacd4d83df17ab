"""The daemon's log: one line an event, ``noun.verb_past key=value …``; JSON lines when asked.

Invariants: what strangers say of themselves is shown escaped, and nobody fills the disk with lines: of each kind of event some are
written at once, then one a second, and the next line says how many were left out.
"""

import json
import logging
import sys
import threading
from collections.abc import Callable
from typing import Any, TextIO

from questd.runtime.clock import Clock
from questd.views.times import rfc3339

VALUE_MAX = 500
LINES_AT_ONCE_MAX = 200
LINE_EVERY_S = 1.0


def note_writer(
    clock: Clock, *, as_json: bool = False, quiet: bool = False, to: TextIO | None = None
) -> Callable[..., None]:
    """A function that writes events to standard error (or ``to``). It never raises: a log must not harm a quest."""
    pace = _Pace()

    def note(event: str, /, **fields: Any) -> None:
        if quiet or not pace.admits(event, clock.monotonic_s()):
            return
        left_out = pace.left_out(event)
        if left_out:
            fields["left_out"] = left_out
        stream = sys.stderr if to is None else to
        stamp = rfc3339(clock.now_us())
        try:
            if as_json:
                line = json.dumps({"at": stamp, "event": event, **fields}, default=str)
            else:
                pairs = " ".join(f"{key}={_shown(value)}" for key, value in fields.items())
                line = f"{stamp} {event} {pairs}".rstrip()
            stream.write(line + "\n")
            stream.flush()
        except (OSError, ValueError):
            logging.getLogger("questd").debug("log.unwritable")

    return note


def _shown(value: Any) -> str:
    text = str(value)
    if len(text) > VALUE_MAX:
        text = text[:VALUE_MAX] + "…"
    if not text.isprintable():
        return json.dumps(text)
    return json.dumps(text, ensure_ascii=False) if any(c in text for c in ' "=') else text


class _Pace:
    """How many lines of each kind of event may be written. Kinds are words of our own: there are few."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._full_again_s: dict[str, float] = {}
        self._left_out: dict[str, int] = {}

    def admits(self, event: str, now_s: float) -> bool:
        """May one more be written?"""
        with self._lock:
            full_again_s = max(self._full_again_s.get(event, 0.0), now_s)
            if full_again_s - now_s > (LINES_AT_ONCE_MAX - 1) * LINE_EVERY_S:
                self._left_out[event] = self._left_out.get(event, 0) + 1
                return False
            self._full_again_s[event] = full_again_s + LINE_EVERY_S
            return True

    def left_out(self, event: str) -> int:
        """How many were not, since one was."""
        with self._lock:
            return self._left_out.pop(event, 0)
