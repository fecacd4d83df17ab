"""A text is cut into what stands as it is and its ``{{ }}``.

``{{-`` and ``-}}`` take the white space beside them away, as in Jinja. Statements and comments are refused, not passed
through: whoever writes ``{%`` expects it to do something.
"""

import re
from typing import Final, NamedTuple

from questd.runtime.errors import BadExpression
from questd.runtime.expressions.bounds import EXPRESSIONS_MAX
from questd.runtime.expressions.tokens import IsKnown, Token, scan

_OPENING: Final = re.compile(r"\{[{%#]")
_REFUSED: Final = {"{%": "statements", "{#": "comments"}


class Segment(NamedTuple):
    """``literal`` as it stands, then the expression of ``tokens``, from ``start`` (None: the text ends here)."""

    literal: str
    tokens: list[Token] | None
    start: int


def read_segments(text: str, is_known: IsKnown) -> list[Segment]:
    """The segments of a text, the last one without an expression. BadExpression with its offset."""
    segments: list[Segment] = []
    at = 0
    trims = False
    while opening := _OPENING.search(text, at):
        start = opening.end()
        _check(text, opening, len(segments))
        trims_before = text.startswith("-", start)
        literal = text[at : opening.start()]
        literal = literal.lstrip() if trims else literal
        read = scan(text, start + trims_before, is_known, enclosed=True)
        literal = literal.rstrip() if trims_before else literal
        segments.append(Segment(literal, read.tokens, opening.start()))
        at, trims = read.stop, read.trims_after
    rest = text[at:]
    segments.append(Segment(rest.lstrip() if trims else rest, None, len(text)))
    return segments


def _check(text: str, opening: "re.Match[str]", count: int) -> None:
    if what := _REFUSED.get(opening[0]):
        hint = f'to mean the characters themselves, write {{{{ "{opening[0]}" }}}}'
        message = f"{what} ({opening[0]}) are not allowed"
        raise BadExpression(message, source=text, offset=opening.start(), hint=hint)
    if count >= EXPRESSIONS_MAX:
        message = f"a text holds more than {EXPRESSIONS_MAX} expressions"
        raise BadExpression(message, source=text, offset=opening.start())
