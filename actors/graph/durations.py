"""Durations and due times as a document writes them: ``250ms 30s 5m 2h 7d``, or RFC 3339.

Pure: "now" comes in. Inside, durations are whole milliseconds and moments whole microseconds since
the epoch, UTC.
"""

import re
from datetime import UTC, datetime

DURATION_MAX_MS = 3_650 * 86_400_000
DURATION_PATTERN = r"[0-9]{1,15}(ms|s|m|h|d)"

_DURATION = re.compile(r"([0-9]{1,15})(ms|s|m|h|d)")
_MOMENT = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", flags=re.ASCII
)
_UNIT_MS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}


def parse_duration(text: str) -> int:
    """Milliseconds. ValueError says how a duration is written, or that this one is too long."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError("is not a duration: write a whole number and ms, s, m, h or d, as in 30s")
    length = int(match[1]) * _UNIT_MS[match[2]]
    if length > DURATION_MAX_MS:
        raise ValueError(f"is longer than {DURATION_MAX_MS // _UNIT_MS['d']}d")
    return length


def format_duration(length_ms: int) -> str:
    """The shortest way to write it: 90_000 is ``90s``, 120_000 is ``2m``, 0 is ``0s``."""
    if length_ms == 0:
        return "0s"
    unit = next(unit for unit, size in _UNIT_MS.items() if length_ms % size == 0)
    return f"{length_ms // _UNIT_MS[unit]}{unit}"


def parse_deadline(text: str, now_us: int) -> int:
    """The moment a quest is due, in microseconds: ``now_us`` plus a duration, or a moment of its own.

    ValueError if it is neither.
    """
    if _DURATION.fullmatch(text):
        return now_us + parse_duration(text) * 1_000
    if not _MOMENT.fullmatch(text):
        raise ValueError("is neither a duration (2h) nor a moment (2030-01-31T12:00:00Z)")
    moment = datetime.fromisoformat(text.upper()).astimezone(UTC)
    whole = int(moment.replace(microsecond=0).timestamp())
    return whole * 1_000_000 + moment.microsecond
