"""What clients may have open at once. Whatever is too much is answered ``busy``, with the limit's name and what to do. Pure.

Counts only: what is open is the control actor's. How many quests are open is counted when the daemon starts, and anew when the
limit seems reached: quests end without telling, so between two counts there are at most as many as it says.
"""

from typing import Final

from questd.actors.house import Limits
from questd.messages.control import Error

COMPILING_MAX_BYTES: Final = 4 * 1024 * 1024
"""Definitions that wait to be checked: one of 10,000 steps keeps the worker busy for a second."""
RECOUNT_S: Final = 2.0


class Admission:
    """``jobs`` are the control actor's numbers of requests."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._submits: dict[int, int] = {}
        self._compiling = 0
        self._quests = 0
        self._counted_s: float | None = None

    def request(self, opened: int) -> Error | None:
        """Why not one more request, where so many are open with it."""
        limit = self._limits.requests_in_flight
        if opened <= limit:
            return None
        return busy("limits.requests_in_flight", f"{limit} requests are open", 200)

    def submit(self, job: int, journal_queue: int) -> Error | None:
        """Let a submit in, or say why not."""
        limits = self._limits
        if len(self._submits) >= limits.submits_in_flight:
            said = f"{limits.submits_in_flight} submits are not on disk yet"
            return busy("limits.submits_in_flight", said, 200)
        if journal_queue > limits.journal_queue:
            said = f"more than {limits.journal_queue} appends wait for the disk"
            return busy("limits.journal_queue", said, 500)
        self._submits[job] = 0
        return None

    def compile(self, job: int, size: int) -> Error | None:
        """Let a definition of that many bytes be checked, or say why not yet. One alone always may."""
        if self._compiling and self._compiling + size > COMPILING_MAX_BYTES:
            said = f"definitions of {self._compiling} bytes wait to be checked; {COMPILING_MAX_BYTES} are allowed"
            return Error("busy", f"{said}: try again", retry_after_ms=500)
        self._submits[job] = size
        self._compiling += size
        return None

    def compiled(self, job: int) -> None:
        """It has been checked."""
        size = self._submits.get(job, 0)
        if size:
            self._compiling -= size
            self._submits[job] = 0

    def done(self, job: int) -> None:
        """The request has been answered, whatever it was."""
        self.compiled(job)
        self._submits.pop(job, None)

    # -- open quests -----------------------------------------------------------------------------

    @property
    def full(self) -> bool:
        """Could there be no room for one more quest?"""
        return self._quests >= self._limits.open_quests

    def recount(self, now_s: float) -> bool:
        """Is it time to count them anew? Asking says that it is being done."""
        if self._counted_s is not None and now_s - self._counted_s < RECOUNT_S:
            return False
        self._counted_s = now_s
        return True

    def counted(self, quests: int) -> None:
        """So many quests are open."""
        self._quests = quests

    def began(self) -> None:
        """One more."""
        self._quests += 1

    def too_many(self) -> Error:
        """No room for one more quest."""
        limit = self._limits.open_quests
        return busy("limits.open_quests", f"{limit} quests are open", int(RECOUNT_S * 1_000))


def busy(name: str, said: str, retry_after_ms: int) -> Error:
    """Of a limit that questd.toml can change."""
    message = f"{name}: {said}: try again, or raise it in questd.toml"
    return Error("busy", message, retry_after_ms=retry_after_ms)
