"""A document that is refused: every fault with its place in the text."""

from collections.abc import Iterable

from msgspec import Struct

from questd.actors.graph.problems import At, Problem, path_of
from questd.runtime.errors import CallerError

FAULTS_MAX = 1_000


class Fault(Struct, frozen=True):
    """One fault. ``path``: the place in the document (``steps[2].retry``), empty for all of it.

    ``line`` and ``column`` count from 1, and are 0 where there is no text (a built quest).
    """

    path: str
    line: int
    column: int
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.line}:{self.column}: " if self.line else ""
        path = f"{self.path}: " if self.path else ""
        return f"{place}{path}{self.message}" + (f" ({self.hint})" if self.hint else "")


class InvalidDocument(CallerError):
    """A document that cannot be run.

    ``source``: its name, if it has one. ``faults``: all of them in the order of the text, what
    concerns all of it last; of more than ``FAULTS_MAX`` the rest is counted.
    """

    def __init__(self, faults: Iterable[Fault], *, source: str = "") -> None:
        ordered = sorted(faults, key=lambda fault: (not fault.path, fault.line, fault.column))
        if (left_out := len(ordered) - FAULTS_MAX) > 0:
            ordered[FAULTS_MAX:] = [Fault("", 0, 0, f"{left_out} more faults are not listed")]
        self.source = source
        self.faults = tuple(ordered)
        super().__init__("\n".join(self._line(fault) for fault in ordered))

    def _line(self, fault: Fault) -> str:
        if not self.source:
            return str(fault)
        return f"{self.source}:{fault}" if fault.line else f"{self.source}: {fault}"


def faults_of(problems: Iterable[Problem]) -> list[Fault]:
    """Problems of a definition that has no text."""
    return [Fault(p.path, 0, 0, p.message, p.hint) for p in problems]


def fault(at: At, place: tuple[int, int], message: str, hint: str = "") -> Fault:
    """One fault at a place of the text: (line, column)."""
    return Fault(path_of(at), *place, message, hint)
