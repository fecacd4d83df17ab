"""The tests behind ``is``: name, how many arguments, and a function (meter, value, arguments) -> bool.

``defined`` and ``undefined`` are forms of the language and not here: they alone may look at what is not there.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from questd.runtime.errors import BadExpression
from questd.runtime.expressions.bounds import Meter
from questd.runtime.expressions.kinds import is_number, need_integer, need_text
from questd.runtime.expressions.operations import (
    COMPARISONS,
)


class ValueTest(NamedTuple):
    """A test and how many arguments it takes."""

    function: Callable[..., bool]
    arguments: int = 0


def _kind(*types: type) -> ValueTest:
    def of_kind(_meter: Meter, value: Any) -> bool:
        return isinstance(value, types)

    return ValueTest(of_kind)


def _same(wanted: Any) -> ValueTest:
    def same(_meter: Meter, value: Any) -> bool:
        return value is wanted

    return ValueTest(same)


def _number(_meter: Meter, value: Any) -> bool:
    return is_number(value)


def _parity(wanted: int) -> ValueTest:
    def of_parity(_meter: Meter, value: Any) -> bool:
        return need_integer(value, "odd or even") % 2 == wanted

    return ValueTest(of_parity)


def _divisible(_meter: Meter, value: Any, divisor: Any) -> bool:
    if need_integer(divisor, "divisibleby") == 0:
        raise BadExpression("nothing is divisible by 0")
    return need_integer(value, "divisibleby") % int(divisor) == 0


def _starts(meter: Meter, value: Any, start: Any) -> bool:
    meter.charge(8)
    return need_text(value, "startingwith").startswith(need_text(start, "startingwith"))


def _ends(meter: Meter, value: Any, end: Any) -> bool:
    meter.charge(8)
    return need_text(value, "endingwith").endswith(need_text(end, "endingwith"))


def _cased(name: str, method: Callable[[str], bool]) -> ValueTest:
    def cased(meter: Meter, value: Any) -> bool:
        text = need_text(value, name)
        meter.charge(len(text))
        return method(text)

    return ValueTest(cased)


def _containing(meter: Meter, value: Any, wanted: Any) -> bool:
    return COMPARISONS["in"](meter, wanted, value)


def _integer(_meter: Meter, value: Any) -> bool:
    return is_number(value) and isinstance(value, int)


TESTS: Final[dict[str, ValueTest]] = {
    "boolean": _kind(bool),
    "containing": ValueTest(_containing, 1),
    "divisibleby": ValueTest(_divisible, 1),
    "endingwith": ValueTest(_ends, 1),
    "eq": ValueTest(COMPARISONS["=="], 1),
    "equalto": ValueTest(COMPARISONS["=="], 1),
    "even": _parity(0),
    "false": _same(False),
    "float": _kind(float),
    "ge": ValueTest(COMPARISONS[">="], 1),
    "gt": ValueTest(COMPARISONS[">"], 1),
    "in": ValueTest(COMPARISONS["in"], 1),
    "integer": ValueTest(_integer),
    "iterable": _kind(str, list, tuple, dict),
    "le": ValueTest(COMPARISONS["<="], 1),
    "lower": _cased("lower", str.islower),
    "lt": ValueTest(COMPARISONS["<"], 1),
    "mapping": _kind(dict),
    "ne": ValueTest(COMPARISONS["!="], 1),
    "none": _same(None),
    "number": ValueTest(_number),
    "odd": _parity(1),
    "sequence": _kind(list, tuple),
    "startingwith": ValueTest(_starts, 1),
    "string": _kind(str),
    "true": _same(True),
    "upper": _cased("upper", str.isupper),
}
