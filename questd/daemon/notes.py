"""The daemon's log: one line an event, ``noun.verb_past key=value …``; JSON lines when asked."""

import json
import logging
import sys
from collections.abc import Callable
from typing import Any, TextIO

from questd.runtime.clock import Clock
from questd.views.times import rfc3339

VALUE_MAX = 500


def note_writer(
    clock: Clock, *, as_json: bool = False, quiet: bool = False, to: TextIO | None = None
) -> Callable[..., None]:
    """A function that writes events to standard error (or ``to``). It never raises: a log must not harm a quest."""

    def note(event: str, /, **fields: Any) -> None:
        if quiet:
            return
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
    return json.dumps(text, ensure_ascii=False) if any(c in text for c in ' "\n=') else text
