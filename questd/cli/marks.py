"""How states, times and lengths look to people."""

import time
from datetime import UTC, datetime
from typing import Any, Final

from questd.views.shapes import UsageView

MARKS: Final[dict[str, tuple[str, str]]] = {
    "pending": ("·", "dim"),
    "ready": ("○", "cyan"),
    "blocked": ("◌", "yellow"),
    "running": ("●", "cyan"),
    "waiting": ("?", "bold yellow"),
    "paused": ("‖", "yellow"),
    "retrying": ("↻", "yellow"),
    "compensating": ("↺", "yellow"),
    "completed": ("✓", "green"),
    "failed": ("✗", "bold red"),
    "cancelled": ("⊘", "dim"),
    "skipped": ("–", "dim"),
}
"""A sign and rich's style for each status."""


def status_text(status: str) -> Any:
    """The sign and the word, coloured."""
    from rich.text import Text  # noqa: PLC0415

    mark, style = MARKS.get(status, ("?", ""))
    return Text(f"{mark} {status}", style=style)


def length(milliseconds: float | None) -> str:
    """A span: 850 ms, 3.2 s, 4 min 10 s, 2 h 5 min, 3 d 4 h."""
    if milliseconds is None:
        return ""
    if round(milliseconds) < 1_000:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1_000
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3_600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86_400:
        return f"{whole // 3_600} h {whole % 3_600 // 60} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3_600} h"


def moment(stamp: str | None) -> datetime | None:
    """A time of a view as a datetime."""
    return None if stamp is None else datetime.fromisoformat(stamp)


def clock(stamp: str | None) -> str:
    """A time of a view in the reader's zone: the time of day, and the day unless it is today."""
    when = moment(stamp)
    if when is None:
        return ""
    here = when.astimezone()
    today = here.date() == datetime.now().astimezone().date()
    return f"{here:%H:%M:%S}" if today else f"{here:%Y-%m-%d %H:%M}"


def between(start: str | None, end: str | None) -> float | None:
    """Milliseconds from a view's time to another, or to now."""
    begun = moment(start)
    if begun is None:
        return None
    over = moment(end) or datetime.fromtimestamp(time.time(), UTC)
    return (over - begun).total_seconds() * 1_000


def usage_text(used: UsageView) -> str:
    """Against the budget: tokens 12,300 of 500,000, cost 0.25 of 5."""
    said: list[str] = []
    for name, amount, most in (
        ("tokens", used.tokens, used.tokens_limit),
        ("cost", used.cost, used.cost_limit),
    ):
        of = "" if most is None else f" of {_number(most)}"
        if amount or of:
            said.append(f"{name} {_number(amount)}{of}")
    return ", ".join(said)


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.12g}"


def waiting_text(what: str, name: str) -> str:
    """What a task waits for, in words."""
    match what:
        case "agent":
            return f"waits for agent {name}" if not name.startswith("any ") else f"waits for {name}"
        case "retry":
            return f"{name} follows"
        case "exclusive":
            return "waits until it can run alone"
        case "limit" if name in ("limits.tokens", "limits.cost"):
            return f"waits for more budget ({name})"
        case "limit":
            return f"waits for a place ({name})"
        case "timer":
            return "sleeps"
        case "breakpoint":
            return f"asks: {name}"
        case _:
            return f"waits for {what} {name}"
