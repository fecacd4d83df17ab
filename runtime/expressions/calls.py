"""Filters, tests and functions by name, with their arguments: checked when the document is checked.

Arguments by name become arguments by place here, so whoever evaluates knows places only. The filters and tests that take another
one by name (``map``, ``select`` …) take it as a literal text: what runs is known before it runs.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from questd.runtime.errors import BadExpression
from questd.runtime.expressions.bounds import Meter
from questd.runtime.expressions.filters import FILTERS, REQUIRED, follow
from questd.runtime.expressions.names import Missing, did_you_mean
from questd.runtime.expressions.operations import count_range, is_truthy, need_list
from questd.runtime.expressions.syntax import Apply, Constant, Default, Defined, Native, Node
from questd.runtime.expressions.value_tests import TESTS

T = TypeVar("T")
_PER_ELEMENT: Final = 16
_FORMS: Final = ("default", "d", "map", "select", "reject", "selectattr", "rejectattr")
FILTER_NAMES: Final = tuple(sorted({*FILTERS, *_FORMS}))
TEST_NAMES: Final = tuple(sorted({*TESTS, "defined", "undefined"}))
FUNCTION_NAMES: Final = ("range",)


class Arguments(NamedTuple):
    """What stands in the brackets behind a name."""

    placed: Sequence[Node] = ()
    named: Mapping[str, Node] = {}


def function_node(arguments: Arguments, offset: int) -> Node:
    """``range(…)``, the only function."""
    bounds = _fitted("range", (("a", REQUIRED), ("b", None), ("step", None)), arguments)
    return Apply(count_range, bounds, offset)


def filter_node(name: str, subject: Node, arguments: Arguments, offset: int) -> Node:
    """``subject|name(arguments)``."""
    match name:
        case "default" | "d":
            return _default(subject, arguments, offset)
        case "map":
            operation, rest = _map(arguments)
        case "select" | "reject":
            operation, rest = _select(name, arguments)
        case "selectattr" | "rejectattr":
            operation, rest = _select_attribute(name, arguments)
        case _:
            chosen = known(name, FILTERS, FILTER_NAMES, "filter")
            operation, rest = chosen.function, _fitted(name, chosen.arguments, arguments)
    return Apply(operation, (subject, *rest), offset)


def test_arity(name: str) -> int:
    """How many arguments the test takes. BadExpression when there is no such test."""
    if name in ("defined", "undefined"):
        return 0
    return known(name, TESTS, TEST_NAMES, "test").arguments


def test_node(name: str, subject: Node, arguments: Arguments, offset: int) -> Node:
    """``subject is name(arguments)``."""
    operands = _tested(name, test_arity(name), arguments)
    match name:
        case "defined":
            return Defined(subject, offset)
        case "undefined":
            return Native("not", (Defined(subject, offset),), offset)
        case _:
            return Apply(TESTS[name].function, (subject, *operands), offset)


def known(name: str, table: Mapping[str, T], names: Sequence[str], what: str) -> T:
    """What the table has under a name. BadExpression with the nearest one, or all."""
    if name not in table:
        hint = did_you_mean(name, names) or f"there are {', '.join(names)}"
        raise BadExpression(f"there is no {what} `{name}`", hint=hint)
    return table[name]


def _fitted(
    name: str, expected: Sequence[tuple[str, Any]], arguments: Arguments
) -> tuple[Node, ...]:
    """Arguments by place, defaults filled in. BadExpression when they do not fit."""
    if len(arguments.placed) > len(expected):
        raise BadExpression(f"`{name}` takes at most {len(expected)} arguments")
    by_name = dict(arguments.named)
    later = {key for key, _ in expected[len(arguments.placed) :]}
    for given in by_name:
        if given not in later:
            hint = did_you_mean(given, later)
            raise BadExpression(f"`{name}` takes no argument `{given[:80]}` here", hint=hint)
    fitted = list(arguments.placed)
    for key, default in expected[len(arguments.placed) :]:
        if key not in by_name and default is REQUIRED:
            raise BadExpression(f"`{name}` needs the argument `{key}`")
        fitted.append(by_name.get(key, Constant(default)))
    return tuple(fitted)


def _literal(name: str, node: Node, kind: type) -> Any:
    if not isinstance(node, Constant) or not isinstance(node.constant, kind):
        raise BadExpression(f"`{name}` needs a literal here")
    return node.constant


def _default(subject: Node, arguments: Arguments, offset: int) -> Node:
    expected = (("default_value", ""), ("boolean", False))
    fallback, also_false = _fitted("default", expected, arguments)
    return Default(subject, fallback, _literal("default", also_false, bool), offset)


Operation = Callable[..., Any]


def _map(arguments: Arguments) -> tuple[Operation, tuple[Node, ...]]:
    if "attribute" in arguments.named and not arguments.placed:
        return _map_attribute(arguments)
    if not arguments.placed:
        raise BadExpression("`map` needs a filter's name or attribute=")
    name = _literal("map", arguments.placed[0], str)
    chosen = known(name, FILTERS, sorted(FILTERS), "filter")
    inner = Arguments(arguments.placed[1:], arguments.named)

    def mapped(meter: Meter, value: Any, *rest: Any) -> list[Any]:
        elements = need_list(meter, value, "map")
        meter.charge(_PER_ELEMENT * len(elements))
        return [chosen.function(meter, each, *rest) for each in elements]

    return mapped, _fitted(name, chosen.arguments, inner)


def _map_attribute(arguments: Arguments) -> tuple[Operation, tuple[Node, ...]]:
    expected = (("attribute", REQUIRED), ("default", REQUIRED))
    forgiving = "default" in arguments.named

    def mapped(meter: Meter, value: Any, attribute: Any, default: Any = None) -> list[Any]:
        elements = need_list(meter, value, "map")
        meter.charge(_PER_ELEMENT * len(elements))
        if forgiving:  # as often as there are elements, in the worst case
            meter.charge(meter.weight(default) * len(elements))
        return [_followed(each, attribute, default, forgiving=forgiving) for each in elements]

    return mapped, _fitted("map", expected if forgiving else expected[:1], arguments)


def _followed(value: Any, attribute: Any, default: Any, *, forgiving: bool) -> Any:
    try:
        return follow(value, attribute)
    except Missing:
        if forgiving:
            return default
        raise


def _test_of(name: str, placed: Sequence[Node]) -> tuple[Operation, tuple[Node, ...]]:
    """The test named by the first argument, with the rest as its own; truth where none is named."""
    if not placed:
        return is_truthy, ()
    test = _literal(name, placed[0], str)
    if test in ("defined", "undefined"):
        raise BadExpression(f"`{name}` cannot take `{test}`: elements are always there")
    chosen = known(test, TESTS, sorted(TESTS), "test")
    return chosen.function, _tested(test, chosen.arguments, Arguments(placed[1:]))


def _tested(name: str, arity: int, arguments: Arguments) -> tuple[Node, ...]:
    if arguments.named or len(arguments.placed) != arity:
        raise BadExpression(f"the test `{name}` takes {arity or 'no'} arguments")
    return tuple(arguments.placed)


def _select(name: str, arguments: Arguments) -> tuple[Operation, tuple[Node, ...]]:
    _refuse_named(name, arguments)
    passes, rest = _test_of(name, arguments.placed)
    wanted = name == "select"

    def selected(meter: Meter, value: Any, *rest: Any) -> list[Any]:
        elements = need_list(meter, value, name)
        meter.charge(_PER_ELEMENT * len(elements))
        return [each for each in elements if bool(passes(meter, each, *rest)) is wanted]

    return selected, rest


def _select_attribute(name: str, arguments: Arguments) -> tuple[Operation, tuple[Node, ...]]:
    _refuse_named(name, arguments)
    if not arguments.placed:
        raise BadExpression(f"`{name}` needs an attribute")
    passes, rest = _test_of(name, arguments.placed[1:])
    wanted = name == "selectattr"

    def selected(meter: Meter, value: Any, attribute: Any, *rest: Any) -> list[Any]:
        elements = need_list(meter, value, name)
        meter.charge(_PER_ELEMENT * len(elements))
        return [
            each
            for each in elements
            if bool(passes(meter, follow(each, attribute), *rest)) is wanted
        ]

    return selected, (arguments.placed[0], *rest)


def _refuse_named(name: str, arguments: Arguments) -> None:
    if arguments.named:
        raise BadExpression(f"`{name}` takes no named arguments")
