"""What is wrong with a definition: where, what, and what to do about it.

A problem is a value, never an exception, so that all of them can be told at once. It knows the
place in the definition in the words of the document, and nothing of text, lines and columns: those
are the door's.
"""

import difflib
import re
from bisect import bisect
from collections.abc import Collection, Iterable

from msgspec import Struct

At = tuple[str | int, ...]
"""A place in a document: ("steps", 2, "retry", "attempts")."""

PROBLEMS_MAX = 1_000
HINTED_MAX = 50
_COMPARED_MAX = 200
_PARTS_SHOWN = 12
_NAME_MAX = 128
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def path_of(at: At) -> str:
    """``steps[2].retry.attempts``; a name that is no identifier is quoted: ``labels["a b"]``."""
    parts: list[str] = []
    for part in at[:_PARTS_SHOWN]:
        if isinstance(part, int):
            parts.append(f"[{part}]")
        elif _PLAIN_NAME.fullmatch(part):
            parts.append(f".{part}" if parts else part)
        else:
            parts.append(f"[{shorten(part)}]")
    if len(at) > _PARTS_SHOWN:
        parts.append("…")
    return "".join(parts)


class Problem(Struct, frozen=True):
    """One fault. ``hint`` says what to do, and is empty where the message does."""

    at: At
    message: str
    hint: str = ""

    @property
    def path(self) -> str:
        """The place as text; empty for the document as a whole."""
        return path_of(self.at)

    def __str__(self) -> str:
        place = f"{self.path}: " if self.at else ""
        return f"{place}{self.message}" + (f" ({self.hint})" if self.hint else "")


class Problems:
    """Collects problems up to ``PROBLEMS_MAX``, and says how many were left out.

    ``settled``: places already refused. Nothing is said twice about them or what lies below them.
    """

    def __init__(self, settled: Iterable[At] = ()) -> None:
        self._settled = set(settled)
        self._touched = {at[:length] for at in self._settled for length in range(1, len(at) + 1)}
        self._found: list[Problem] = []
        self._left_out = 0

    def add(self, at: At, message: str, hint: str = "") -> None:
        """One more."""
        if self._settled and self.is_settled(at):
            return
        if len(self._found) < PROBLEMS_MAX:
            self._found.append(Problem(at, message, hint))
        else:
            self._left_out += 1

    def is_settled(self, at: At) -> bool:
        """Whether this place, or one that holds it, was refused before."""
        return any(at[:length] in self._settled for length in range(1, len(at) + 1))

    def is_touched(self, at: At) -> bool:
        """Whether this place, one that holds it, or one inside it was refused before."""
        return at in self._touched or self.is_settled(at)

    def nearest(self, name: str, names: Collection[str]) -> str:
        """A "did you mean" hint, or nothing. Looking costs, so only the first problems get one."""
        if len(self._found) >= HINTED_MAX:
            return ""
        found = nearest_name(name, names)
        return f"did you mean {shorten(found)}?" if found else ""

    def found(self) -> list[Problem]:
        """All of them, in the order in which they were found."""
        if not self._left_out:
            return list(self._found)
        return [*self._found, Problem((), f"{self._left_out} more problems are not listed")]


def nearest_name(name: str, names: Iterable[str]) -> str | None:
    """The valid name that looks most like this one, if any does.

    Of many, only those that begin most alike are compared.
    """
    # Sorted, since a set would answer differently from one process to the next.
    candidates = sorted(names)
    if len(candidates) > _COMPARED_MAX:
        near = bisect(candidates, name)
        candidates = candidates[max(0, near - _COMPARED_MAX // 2) : near + _COMPARED_MAX // 2]
    close = difflib.get_close_matches(name[:_NAME_MAX], candidates, n=1, cutoff=0.6)
    return close[0] if close else None


def shorten(value: object, limit: int = 80) -> str:
    """A value as it may stand in a message: quoted if it is text, cut, on one line."""
    text = value if isinstance(value, str) else repr(value)
    text = text if len(text) <= limit else text[: limit - 1] + "…"
    if not isinstance(value, str):
        return text
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return f'"{shown}"'
