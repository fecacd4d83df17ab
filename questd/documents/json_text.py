"""JSON text (RFC 8259) with the place of every value, which the standard library does not tell.

Strict: no comments, no trailing commas, no NaN. Iterative.
"""

import json
import re
from bisect import bisect_right
from typing import Any

from questd.actors.graph.problems import shorten
from questd.documents.faults import Fault
from questd.documents.tree import Place, TreeBuilder, Unreadable

_TOKEN = re.compile(
    r"[ \t\r\n]*(?:"
    r'(?P<text>"[^"\\\x00-\x1f]*(?:\\.[^"\\\x00-\x1f]*)*")'
    r"|(?P<number>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?(?![\w.]))"
    r"|(?P<word>\w+)|(?P<mark>[{}\[\],:])|(?P<end>\Z)|(?P<other>.))",
    re.DOTALL,
)
_WORDS = {"true": True, "false": False, "null": None}
_NEEDED = {
    "value": "a value",
    "first item": "a value or ]",
    "first key": 'a key in quotes or "}"',
    "key": "a key in quotes",
    "colon": '":"',
    "more": '"," or the end of what was opened',
    "end": "the end of the text",
}
_DIGITS_MAX = 400


def read_json(text: str, builder: TreeBuilder) -> None:
    """Tell the builder what stands in the text. Unreadable where it is no JSON."""
    _Reader(text, builder).read()


class _Reader:
    """``needed`` is what the grammar wants next; ``open`` the brackets not yet closed."""

    def __init__(self, text: str, builder: TreeBuilder) -> None:
        self._text = text
        self._builder = builder
        self._lines = [0, *(match.end() for match in re.finditer("\n", text))]
        self._open: list[str] = []
        self._needed = "value"

    def read(self) -> None:
        offset = 0
        while (match := _TOKEN.match(self._text, offset)) is not None:
            kind = match.lastgroup or ""
            start, offset = match.span(kind)
            if kind == "end":
                self._want("end", start, "the end of the text")
                return
            self._token(kind, match[kind], start)

    def _token(self, kind: str, token: str, start: int) -> None:
        if kind == "mark":
            self._mark(token, start)
        elif self._needed in ("first key", "key") and kind == "text":
            self._builder.scalar(self._string(token, start), token, self._place(start))
            self._needed = "colon"
        elif self._needed in ("value", "first item") and kind in ("text", "number", "word"):
            written = token
            value = self._value(kind, token, start)
            if kind == "text":
                written = value
            self._builder.scalar(value, written, self._place(start))
            self._after_value()
        else:
            self._fail(start, token)

    def _mark(self, mark: str, start: int) -> None:
        match mark, self._needed:
            case (("{" | "["), ("value" | "first item")):
                self._builder.open(self._place(start), mapping=mark == "{")
                self._open.append(mark)
                self._needed = "first key" if mark == "{" else "first item"
            case ("}", "first key") | ("]", "first item"):
                self._close()
            case (("}" | "]"), "more") if self._open[-1] == {"}": "{", "]": "["}[mark]:
                self._close()
            case ",", "more":
                self._needed = "key" if self._open[-1] == "{" else "value"
            case ":", "colon":
                self._needed = "value"
            case _:
                self._fail(start, mark)

    def _close(self) -> None:
        self._open.pop()
        self._builder.close()
        self._after_value()

    def _after_value(self) -> None:
        self._needed = "more" if self._open else "end"

    def _value(self, kind: str, token: str, start: int) -> Any:
        if kind == "text":
            return self._string(token, start)
        if kind == "word":
            if token not in _WORDS:
                self._fail(start, token)
            return _WORDS[token]
        if token.lstrip("-").isdigit():
            return int(token[:_DIGITS_MAX])
        return float(token)

    def _string(self, token: str, start: int) -> str:
        if "\\" not in token:
            return token[1:-1]
        try:
            return str(json.loads(token))
        except json.JSONDecodeError as error:
            raise Unreadable(self._fault(start, f"is not JSON: {error.msg}")) from error

    def _want(self, needed: str, start: int, found: str) -> None:
        if self._needed != needed:
            self._fail(start, found)

    def _fail(self, start: int, found: str) -> None:
        shown = found if found.startswith('"') else shorten(found, 20)
        message = f"is not JSON: {shown[:30]} where {_NEEDED[self._needed]} should be"
        raise Unreadable(self._fault(start, message))

    def _fault(self, start: int, message: str) -> Fault:
        return Fault("", *self._place(start), message)

    def _place(self, offset: int) -> Place:
        line = bisect_right(self._lines, offset)
        return line, offset - self._lines[line - 1] + 1
