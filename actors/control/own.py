"""What the control actor is told by what it started itself: by its timers, by the journal's reader, and by the house's worker."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct


class Then(Struct, frozen=True):
    """From the journal's reader or the house's worker: go on with this request."""

    job: int
    outcome: Any
    resume: Callable[[int, Any], None]


class WaitOver(Struct, frozen=True):
    """To itself: a watcher has waited long enough."""

    job: int
