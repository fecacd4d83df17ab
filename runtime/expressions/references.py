"""Reading a name and the fixed path behind it from tokens: ``parse-changes.result.files[0]``, ``inputs.repo``, ``steps["KEY"]``."""

from typing import Literal

from questd.messages.definition import RESERVED_NAMES
from questd.runtime.errors import BadExpression
from questd.runtime.expressions.cursor import Cursor
from questd.runtime.expressions.names import (
    Kind,
    Names,
    Part,
    Reference,
    check_name,
    check_scoped,
    check_step_attribute,
)
from questd.runtime.expressions.tokens import Token

_SHOWN_MAX = 160


def read_reference(cursor: Cursor, names: Names) -> Reference:
    """The reference at the cursor, which stands on a name. BadExpression when it names nothing."""
    root = cursor.next
    kind, name, parts = cursor.located(root.start, lambda: _read_path(cursor, names))
    text = cursor.source[root.start : min(cursor.before.end, root.start + _SHOWN_MAX)]
    return Reference(kind, name, parts, text, root.start)


def _read_path(cursor: Cursor, names: Names) -> tuple[Kind, str, tuple[Part, ...]]:
    kind, name = _read_root(cursor, names)
    parts = tuple(_read_parts(cursor))
    if kind == "steps":
        check_step_attribute(parts[0] if parts else None)
    return kind, name, parts


def _read_root(cursor: Cursor, names: Names) -> tuple[Kind, str]:
    root = cursor.skip()
    word = str(root.value)
    if word == "steps":
        return "steps", _read_scoped(cursor, names, "steps")
    if word == "inputs":
        return "inputs", _read_scoped(cursor, names, "inputs")
    bare = not cursor.is_next(".", "[")
    if word not in names.steps:
        _refuse_almost_a_key(names, root)
    return check_name(names, word, root.word, bare=bare), word


def _read_scoped(cursor: Cursor, names: Names, kind: Literal["steps", "inputs"]) -> str:
    word = _read_part(cursor)
    if not isinstance(word, str):
        example = 'steps["KEY"]' if kind == "steps" else "inputs.NAME"
        raise BadExpression(f"`{kind}` alone is no value", hint=f"write {example}")
    check_scoped(names, kind, word)
    return word


def _refuse_almost_a_key(names: Names, root: Token) -> None:
    """``parse-chnges`` would otherwise be a subtraction of two inputs that nobody declared."""
    word, rest = str(root.value), root.word[len(str(root.value)) :].lstrip("-")
    undeclared = names.inputs is None and word not in names.extras
    if not undeclared or not rest or word in RESERVED_NAMES:
        return
    near = names.nearest(root.word, ("steps",))
    if near or not rest[0].isdigit():
        hint = f"{near} To subtract, put spaces around -".lstrip()
        raise BadExpression(f"`{root.word}` is no step", hint=hint)


def _read_parts(cursor: Cursor) -> list[Part]:
    parts: list[Part] = []
    while (part := _read_part(cursor)) is not None:
        parts.append(part)
    return parts


def _read_part(cursor: Cursor) -> Part | None:
    """``.name``, ``.0``, ``["name"]``, ``[0]`` or ``[-1]``; None, and nothing read, when something else follows."""
    if cursor.is_next("."):
        return read_attribute(cursor)
    if not cursor.is_next("["):
        return None
    negative = cursor.after(1).kind == "operator" and cursor.after(1).value == "-"
    literal, closing = cursor.after(1 + negative), cursor.after(2 + negative)
    is_part = literal.kind == "number" or (literal.kind == "text" and not negative)
    if closing.kind != "operator" or closing.value != "]" or not is_part:
        return None
    if isinstance(literal.value, float):
        return None
    cursor.skip(3 + negative)
    return -literal.value if isinstance(literal.value, int) and negative else literal.value


def read_attribute(cursor: Cursor) -> Part:
    """``.name`` or ``.0`` at the cursor."""
    cursor.expect(".")
    token = cursor.next
    if token.kind not in ("name", "number") or isinstance(token.value, float):
        raise cursor.unexpected("a name is missing behind the dot")
    cursor.skip()
    return token.value
