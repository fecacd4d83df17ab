"""From characters to tokens.

A word with dashes is one token when it is, whole, a known name (the longest such); otherwise it ends before
the first dash and the dash subtracts. Offsets count in the text the expression stands in, so an error points there.
Knows nothing of grammar, beyond that a dot turns what follows into a plain attribute.
"""

import re
from collections.abc import Callable
from typing import Final, Literal, NamedTuple

from questd.runtime.errors import BadExpression
from questd.runtime.expressions.bounds import EXPRESSION_MAX_CHARACTERS, INTEGER_MAX

Kind = Literal["name", "number", "text", "operator", "end"]


class Token(NamedTuple):
    """``value``: the name, number, text or operator. ``word``: of a name, all that stands there, dashes included."""

    kind: Kind
    value: str | int | float
    start: int
    end: int
    word: str = ""


IsKnown = Callable[[str, str], bool]
"""(scope, word) -> is it a name? Scope is "" for a bare name, "steps" or "inputs" behind ``steps.``, ``inputs.``"""

_SPACE = re.compile(r"[ \t\r\n]*")
_WORD = re.compile(r"[^\W\d][\w-]{0,127}")
_PLAIN = re.compile(r"[^\W\d]\w*")
_INDEX = re.compile(r"\d+", re.ASCII)
_NUMBER = re.compile(r"\d+(?:_\d+)*(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_TEXT = re.compile(r"'[^'\\]*(?:\\.[^'\\]*)*'|\"[^\"\\]*(?:\\.[^\"\\]*)*\"", re.DOTALL)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)", re.DOTALL)
_OPERATOR = re.compile(r"\*\*|//|==|!=|<=|>=|[-+*/%~<>=|.,:()\[\]{}]")
_ESCAPES: Final = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "b": "\b",
    "f": "\f",
    "\\": "\\",
    "'": "'",
    '"': '"',
    "/": "/",
}
_OPENING: Final = ("(", "[", "{")
_CLOSING: Final = (")", "]", "}")
_INSTEAD: Final = {
    "&&": "write `and`",
    "||": "write `or`",
    "!": "write `not`",
    "?": "write `A if CONDITION else B`",
    "=": "compare with ==",
    "`": "write texts in quotes",
}


class Scan(NamedTuple):
    """The tokens of one expression, ``end`` last. ``stop``: the offset behind it (behind its ``}}`` if it is enclosed)."""

    tokens: list[Token]
    stop: int
    trims_after: bool


def scan(source: str, start: int, is_known: IsKnown, *, enclosed: bool) -> Scan:
    """Read one expression from ``start``; ``enclosed``: up to its ``}}`` (or ``-}}``), else up to the end of the source."""
    tokens: list[Token] = []
    depth = 0
    at = start
    while True:
        at = _after_space(source, at, start)
        closing = enclosed and depth == 0 and _closing(source, at)
        if closing or at >= len(source):
            break
        token = _token(source, at, tokens, is_known)
        depth += _turn(token.value) if token.kind == "operator" else 0
        if depth < 0:
            raise BadExpression(f"unexpected {token.value!r}", source=source, offset=at)
        tokens.append(token)
        at = token.end
    if enclosed and not closing:
        raise BadExpression(
            "`{{` is never closed", source=source, offset=max(0, start - 2), hint="add `}}`"
        )
    tokens.append(Token("end", "", at, at))
    return Scan(tokens, at + len(closing or ""), closing == "-}}")


def _after_space(source: str, at: int, start: int) -> int:
    matched = _SPACE.match(source, at)
    at = matched.end() if matched else at
    if at - start > EXPRESSION_MAX_CHARACTERS:
        message = f"an expression is longer than {EXPRESSION_MAX_CHARACTERS} characters"
        raise BadExpression(message, source=source, offset=start)
    return at


def _closing(source: str, at: int) -> str:
    for text in ("}}", "-}}"):
        if source.startswith(text, at):
            return text
    return ""


def _turn(operator: object) -> int:
    return (operator in _OPENING) - (operator in _CLOSING)


def _token(source: str, at: int, before: list[Token], is_known: IsKnown) -> Token:
    first = source[at]
    if first in "'\"":
        return _text(source, at)
    behind_dot = bool(before) and before[-1].value == "." and before[-1].kind == "operator"
    if first.isdigit():
        return _number(source, at, behind_dot=behind_dot)
    if word := _WORD.match(source, at):
        scope = _scope(before) if behind_dot else ""
        return _name(source, word, is_known, scope)
    if operator := _OPERATOR.match(source, at):
        return Token("operator", operator[0], at, operator.end())
    wrong = source[at : at + 2] if source[at : at + 2] in _INSTEAD else first
    raise BadExpression(
        f"unexpected {wrong!r}", source=source, offset=at, hint=_INSTEAD.get(wrong, "")
    )


def _scope(before: list[Token]) -> str | None:
    """Behind a dot: "steps" or "inputs" when that stands before it as a bare name, else None (an attribute)."""
    if len(before) < 2 or before[-2].kind != "name":
        return None
    bare = len(before) < 3 or before[-3].value != "." or before[-3].kind != "operator"
    root = before[-2].value
    return str(root) if bare and root in ("steps", "inputs") else None


def _name(source: str, word: "re.Match[str]", is_known: IsKnown, scope: str | None) -> Token:
    start, whole = word.start(), word[0]
    plain = _PLAIN.match(source, start)
    name = plain[0] if plain else whole
    if scope is not None and "-" in whole:
        ends = (end for end in range(len(whole), len(name), -1) if _ends_word(source, start + end))
        name = next((whole[:end] for end in ends if is_known(scope, whole[:end])), name)
    return Token("name", name, start, start + len(name), whole)


def _ends_word(source: str, at: int) -> bool:
    return at >= len(source) or not (source[at].isalnum() or source[at] == "_")


def _number(source: str, at: int, *, behind_dot: bool) -> Token:
    matched = (_INDEX if behind_dot else _NUMBER).match(source, at)
    end = matched.end() if matched else at
    joined = end < len(source) and (source[end].isalnum() or source[end] == "_")
    if matched is None or joined or len(matched[0]) > 40:
        raise BadExpression("not a number", source=source, offset=at)
    text = matched[0].replace("_", "")
    value = int(text) if text.isdigit() else float(text)
    if abs(value) > INTEGER_MAX and (isinstance(value, int) or value == float("inf")):
        raise BadExpression("the number is too large", source=source, offset=at)
    return Token("number", value, at, end)


def _text(source: str, at: int) -> Token:
    matched = _TEXT.match(source, at)
    if matched is None:
        raise BadExpression("a text is never closed", source=source, offset=at, hint="add a quote")

    def unescape(escape: "re.Match[str]") -> str:
        code = escape[1]
        if code[0] in "ux" and len(code) > 1:
            return chr(int(code[1:], 16))
        if code not in _ESCAPES:
            hint = "write \\\\ for a backslash"
            raise BadExpression("unknown escape", source=source, offset=at, hint=hint)
        return _ESCAPES[code]

    text = _ESCAPE.sub(unescape, matched[0][1:-1])
    try:  # two \u escapes may be halves of one character
        text = text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        message = "half of a surrogate pair"
        raise BadExpression(message, source=source, offset=at) from None
    return Token("text", text, at, matched.end())
