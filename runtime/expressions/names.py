"""What an expression may name, and how a name becomes a value.

A name is a step key, an input, or a reserved word that is legal where the expression stands, in this order. A
``Reference`` is such a name with the attributes and fixed indices behind it; it is resolved here and never by
MiniJinja, which would turn 1.0 into 1, hand out Python's own methods (``result.keys``) and pass over what is missing.
Knows nothing of operators.
"""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from questd.messages.definition import RESERVED_NAMES
from questd.runtime.errors import BadExpression
from questd.runtime.expressions.kinds import is_list, is_mapping, is_object

STEP_ATTRIBUTES: Final = ("result", "status", "error", "attempts", "agent", "tool", "rounds")
KEYWORDS: Final = frozenset(
    {"and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "null"}
    | {"True", "False", "None"}
)
_LEGAL_WHERE: Final = {
    "item": "`item` is known in a step with for_each",
    "index": "`index` is known in a step with for_each",
    "round": "`round` is known in a step",
    "feedback": "`feedback` is known in a step",
    "result": "`result` is known in gates, breakpoints and `repeat`; elsewhere write KEY.result",
    "secrets": "declare an input with `secret: true`",
}

_COMPARED_MAX: Final = 200

Kind = Literal["steps", "inputs", "extras"]
Part = str | int


@dataclass(frozen=True)
class Names:
    """What an expression may name.

    ``steps``: all keys of the document. ``inputs``: the declared ones; None where none are declared: then every bare
    unknown name is a required input. ``extras``: the reserved names that are legal here.
    """

    steps: frozenset[str]
    inputs: frozenset[str] | None
    extras: frozenset[str] = frozenset()

    def is_known(self, scope: str, word: str) -> bool:
        """Is this, whole, a name? ``scope`` "steps" or "inputs": of that kind, "": of either."""
        is_step = scope != "inputs" and word in self.steps
        return is_step or (scope != "steps" and self.inputs is not None and word in self.inputs)

    def nearest(self, word: str, kinds: Iterable[Kind] = ("steps", "inputs", "extras")) -> str:
        """A hint that names the valid name most like ``word``, or nothing."""
        known: set[str] = set()
        for kind in kinds:
            known |= getattr(self, kind) or frozenset()
        return did_you_mean(word, known)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``did you mean `x`?``, or "" when nothing is like it."""
    like = [each for each in known if abs(len(each) - len(word)) <= 2 + len(word) // 3]
    if len(like) > _COMPARED_MAX:
        like = [each for each in like if each[:1] == word[:1] and each[-1:] == word[-1:]]
    near = difflib.get_close_matches(word[:128], sorted(like)[:_COMPARED_MAX], n=1)
    return f"did you mean `{near[0]}`?" if near else ""


class Values(NamedTuple):
    """What a rendering is given."""

    steps: Mapping[str, Mapping[str, Any]]
    inputs: Mapping[str, Any]
    extras: Mapping[str, Any]


class Missing(BadExpression):
    """Nothing is there at render time. The only fault that ``default`` and ``is defined`` forgive."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A name and the fixed path behind it. ``text``: how it is written, for errors."""

    kind: Kind
    name: str
    parts: tuple[Part, ...]
    text: str
    offset: int

    def value(self, values: Values) -> Any:
        """The value itself, unchanged. ``Missing`` when it is not there."""
        try:
            found: Any = getattr(values, self.kind)[self.name]
            for part in self.parts:
                found = member(found, part)
            if not self.parts and is_mapping(found) and not is_object(found):
                return dict(found)
        except KeyError:
            raise self._missing() from None
        return found

    def is_given(self, values: Values) -> bool:
        """True when something is there, even null."""
        try:
            self.value(values)
        except Missing:
            return False
        return True

    def _missing(self) -> Missing:
        message = f"there is no value at `{self.text}`"
        return Missing(message, offset=self.offset, hint="`default` can stand in for it")


def member(value: Any, part: Any) -> Any:
    """An attribute of an object, or an element of a list or text, and nothing else. KeyError when it is not there."""
    if is_mapping(value):
        return value[part]
    if type(part) is not int or not (is_list(value) or isinstance(value, str)):
        raise KeyError
    if not -len(value) <= part < len(value):
        raise KeyError
    return value[part]


def check_name(names: Names, word: str, written: str, *, bare: bool) -> Kind:
    """Which kind of name is this? ``bare``: nothing is behind it. BadExpression when it is none.

    ``written``: all that stands there, dashes included: perhaps a key that was meant.
    """
    if word in names.steps:
        return "steps"
    if names.inputs is not None and word in names.inputs:
        return "inputs"
    if word in names.extras:
        return "extras"
    if word in RESERVED_NAMES:
        raise BadExpression(f"`{word}` is not known here", hint=_LEGAL_WHERE.get(word, ""))
    if names.inputs is None and bare:
        return "inputs"
    what = "neither a step nor an input" if names.inputs is not None else "no step"
    shown = written if names.nearest(written) else word
    raise BadExpression(
        f"`{shown}` is {what}",
        hint=names.nearest(written) or names.nearest(word) or _declare(names),
    )


def _declare(names: Names) -> str:
    if names.inputs is None:
        return "an input that is not declared can only be named whole; write inputs.NAME"
    return "declare it under `inputs`"


def check_scoped(names: Names, kind: Literal["steps", "inputs"], word: str) -> None:
    """``inputs.X`` and ``steps["KEY"]``: BadExpression when there is no such thing."""
    known = getattr(names, kind)
    if known is not None and word not in known:
        what = "step" if kind == "steps" else "input"
        raise BadExpression(f"there is no {what} `{word}`", hint=names.nearest(word, (kind,)))


def check_step_attribute(part: Part | None) -> None:
    """What stands behind a step key must be one of a step's attributes."""
    if part is not None and part not in STEP_ATTRIBUTES:
        hint = did_you_mean(str(part), STEP_ATTRIBUTES) or f"it has {', '.join(STEP_ATTRIBUTES)}"
        raise BadExpression(f"a step has no `{part}`", hint=hint)
