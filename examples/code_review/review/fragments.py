"""Hunks of Python made into programs that parse, so that bandit, ruff and radon can read them.

A new file is its own program. Of a changed file the diff shows hunks, which may start inside a function and
end before its body: each is given the block heads it misses, and what still does not parse is left out, line by
line. Every line of the program knows its line in the file, so a finding is reported where it belongs.
"""

import ast
import re
import warnings
from collections.abc import Iterator

from msgspec import Struct

from .model import ChangedFile, Hunk

MAX_TRIES = 200
MAX_CHARACTERS = 300_000
"""How often one hunk is parsed anew, and how much text that may be, before the rest of it is given up."""

MAX_OPEN = 8
"""How many brackets may be open at the end of a hunk."""

_Line = tuple[int, str]
_CONTINUES = ("except", "finally", "elif ", "else:")
_BRACKETS = {"(": ")", "[": "]", "{": "}"}
_OPEN_BRACKET = re.compile(r"'([(\[{])' was never closed")
_OPENS = re.compile(r":\s*(#.*)?$")


class Program(Struct, frozen=True):
    """Python text and, for each of its lines, the line of the file (0 for a line that we put there).

    ``whole``: it is the file exactly, so that what is missing from it is really missing.
    """

    path: str
    text: str
    numbers: list[int]
    whole: bool

    def line_of(self, row: int) -> int:
        """The file's line at row 1, 2, … of the program; 0 when there is none."""
        return self.numbers[row - 1] if 0 < row <= len(self.numbers) else 0


def program_of(file: ChangedFile) -> Program:
    """The part of a Python file that can be parsed. A complete new file is kept even when it does not parse."""
    if file.complete:
        lines = [line for hunk in file.hunks for line in hunk.lines()]
    else:
        lines = [line for hunk in file.hunks for line in _repaired(hunk)]
    text = "\n".join(text for _number, text in lines) + "\n"
    return Program(file.path, text, [number for number, _text in lines], file.complete)


def tree_of(text: str) -> ast.Module | None:
    """The syntax tree, or None when the text does not parse (or nests so deep that Python gives up)."""
    tree = _parsed(text)
    return tree if isinstance(tree, ast.Module) else None


def _parsed(text: str) -> ast.Module | SyntaxError:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except SyntaxError as error:
        return error
    except (ValueError, RecursionError, MemoryError) as error:
        return SyntaxError(str(error))


def _repaired(hunk: Hunk) -> Iterator[_Line]:
    """The lines of the hunk that can be made to parse, with the block heads that make them.

    Where Python gives up, what stands before is kept, one line is dropped, and the rest starts anew.
    """
    rest = hunk.lines()
    for _ in range(max(3, min(MAX_TRIES, MAX_CHARACTERS // (len(hunk.source) + 1)))):
        if not rest:
            return
        framed = _framed(rest)
        whole, error = _closed(framed)
        if error is None:
            yield from whole
            return
        good = _before(rest, framed, error.lineno or 1)
        head, error = _closed(_framed(rest[:good]))
        yield from head
        rest = rest[good + 1 if error is None else 1 :]


def _closed(lines: list[_Line]) -> tuple[list[_Line], SyntaxError | None]:
    """The lines with what is open at their end closed: brackets, text, a ``try``; or the error that remains."""
    first = error = _fault(lines)
    for _ in range(MAX_OPEN):
        if error is None:
            return lines, None
        longer = [[*lines, (0, tail)] for tail in _closing(error, lines)]
        better = next((more for more in longer if _helps(more, error)), None)
        if better is None:
            break
        lines, error = better, _fault(better)
    return [], first


def _fault(lines: list[_Line]) -> SyntaxError | None:
    parsed = _parsed(_text(lines))
    return parsed if isinstance(parsed, SyntaxError) else None


def _closing(error: SyntaxError, lines: list[_Line]) -> list[str]:
    """What could close that which Python found open at the end; nothing when the fault is another."""
    if match := _OPEN_BRACKET.match(error.msg):
        bracket = _BRACKETS[match[1]]
        return [bracket, f"{bracket}: pass"]
    if "unterminated triple-quoted" in error.msg:
        return ['"""', "'''"]
    if error.msg.startswith("expected 'except'"):
        leads = [_lead(text) for _number, text in reversed(lines) if text.strip() == "try:"]
        return [lead + "finally: pass" for lead in dict.fromkeys(leads)][:MAX_OPEN]
    return []


def _helps(more: list[_Line], before: SyntaxError) -> bool:
    """Whether the closing left nothing open, or only something else that can be closed."""
    error = _fault(more)
    if error is None:
        return True
    moved = (error.lineno, error.offset) != (before.lineno, before.offset)
    return moved and bool(_closing(error, more))


def _before(rest: list[_Line], framed: list[_Line], error: int) -> int:
    """How many lines of ``rest`` stand before row ``error`` of its framed form."""
    number = next((number for number, _ in framed[error - 1 :] if number), rest[-1][0])
    return number - rest[0][0]


def _text(lines: list[_Line]) -> str:
    return "\n".join(text for _number, text in lines) + "\n"


def _framed(lines: list[_Line]) -> list[_Line]:
    """The lines below the block heads that they miss, and with a body for a block that the hunk cuts off."""
    code = [text for _number, text in lines if text.strip() and not text.lstrip().startswith("#")]
    if not code:
        return lines
    return [*((0, head) for head in _heads(code)), *lines, *((0, tail) for tail in _tail(code[-1]))]


def _heads(code: list[str]) -> list[str]:
    """The head of each block in which the hunk already starts.

    The levels are the ever smaller indents from the top: 8, then 4, then 0 means that two blocks were open.
    """
    levels: list[str] = []
    for text in code:
        if not levels or _indent(text) < _indent(levels[-1]):
            levels.append(text)
    heads = [_head(text) for text in reversed(levels[1:])]
    if _indent(levels[-1]):
        heads.insert(0, "if True:")
    if levels[0].lstrip().startswith(_CONTINUES):
        heads += [_head(levels[0]), _lead(levels[0]) + " pass"]
    return heads


def _head(dedented: str) -> str:
    """What must have stood before the block that ends at this line."""
    head = "try:" if dedented.lstrip().startswith(("except", "finally")) else "if True:"
    return _lead(dedented) + head


def _tail(last: str) -> list[str]:
    """What a hunk needs that ends with a decorator, or with the head of a block."""
    if last.lstrip().startswith("@"):
        return [_lead(last) + "def _(): pass"]
    return [_lead(last) + " pass"] if _OPENS.search(last) else []


def _lead(text: str) -> str:
    """The indent as it is written: mixing tabs and spaces would not parse."""
    return text[: len(text) - len(text.lstrip())]


def _indent(text: str) -> int:
    """The width of the indent; a tab reaches to the next multiple of eight, as Python counts."""
    expanded = text.expandtabs(8)
    return len(expanded) - len(expanded.lstrip())
