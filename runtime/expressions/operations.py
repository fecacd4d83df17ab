"""The operators that touch data, bounded: ``+ * ~ == < in [a:b]``, literals of lists and objects, ``range``.

Each takes the rendering's ``Meter`` and plain JSON values, charges before it works, and fails with ``BadExpression``; none
changes what it was given. Stricter than MiniJinja where that guesses: unlike kinds have no order, and only numbers multiply.
"""

import math
import operator
from collections.abc import Callable
from typing import Any, Final

from questd.runtime.errors import BadExpression
from questd.runtime.expressions.bounds import INTEGER_MAX, RANGE_MAX, Meter, to_json
from questd.runtime.expressions.kinds import (
    is_list,
    is_number,
    is_object,
    kind_of,
    need_integer,
    need_number,
    need_text,
)
from questd.runtime.expressions.names import Missing, member


def need_list(meter: Meter, value: Any, who: str) -> list[Any]:
    """The elements of a list, or the characters of a text; charged."""
    if not is_list(value) and not isinstance(value, str):
        raise BadExpression(f"{who} needs a list, not {kind_of(value)}")
    meter.charge(meter.weight(value))
    return list(value)


def text_of(meter: Meter, value: Any) -> str:
    """A text as it stands, anything else as compact JSON; charged."""
    if isinstance(value, str):
        meter.charge(len(value))
        return value
    meter.charge(meter.weight(value))
    return to_json(value).decode()


def in_range(value: Any) -> Any:
    """The number, unless JSON cannot say it. BadExpression."""
    too_large = isinstance(value, int) and abs(value) > INTEGER_MAX
    if too_large or (isinstance(value, float) and not math.isfinite(value)):
        raise BadExpression("a number is out of range")
    return value


def is_truthy(_meter: Meter, value: Any) -> bool:
    """Neither null, false, 0 nor empty."""
    return bool(value)


def add(meter: Meter, *values: Any) -> Any:
    """Numbers are added, texts and lists are joined."""
    total = values[0]
    for value in values[1:]:
        total = _add(meter, total, value)
    return total


def _add(meter: Meter, left: Any, right: Any) -> Any:
    if is_number(left) and is_number(right):
        return in_range(left + right)
    if isinstance(left, str) and isinstance(right, str):
        meter.built(len(left) + len(right))
        return left + right
    if is_list(left) and is_list(right):
        meter.built(meter.weight(left) + meter.weight(right))
        return [*left, *right]
    hint = "`~` joins anything as text" if isinstance(left, str) or isinstance(right, str) else ""
    raise BadExpression(f"cannot add {kind_of(left)} and {kind_of(right)}", hint=hint)


def concatenate(meter: Meter, *values: Any) -> str:
    """``~``: all as text."""
    texts = [text_of(meter, value) for value in values]
    meter.built(sum(map(len, texts)))
    return "".join(texts)


def multiply(_meter: Meter, left: Any, right: Any) -> Any:
    """Numbers only: a repeated text or list could be of any size."""
    try:
        return in_range(need_number(left, "`*`") * need_number(right, "`*`"))
    except OverflowError:
        raise BadExpression("a number is out of range") from None


def equals(meter: Meter, left: Any, right: Any) -> bool:
    """Equal as JSON: 1 and 1.0 are, 1 and "1" are not."""
    if (is_list(left) and is_list(right)) or (is_object(left) and is_object(right)):
        meter.charge(meter.weight(left) + meter.weight(right))
    return bool(left == right)


def differs(meter: Meter, left: Any, right: Any) -> bool:
    """Not ``equals``."""
    return not equals(meter, left, right)


def _ordering(compare: Callable[[Any, Any], bool]) -> Callable[..., bool]:
    def ordered(_meter: Meter, left: Any, right: Any) -> bool:
        both_texts = isinstance(left, str) and isinstance(right, str)
        if both_texts or (is_number(left) and is_number(right)):
            return compare(left, right)
        raise BadExpression(f"cannot order {kind_of(left)} and {kind_of(right)}")

    return ordered


def contains(meter: Meter, wanted: Any, container: Any) -> bool:
    """``wanted in container``: a part of a text, an element of a list, a key of an object."""
    if is_object(container):
        return isinstance(wanted, str) and wanted in container
    if isinstance(container, str):
        meter.charge(len(container))
        return need_text(wanted, "`in` a text") in container
    if is_list(container):
        meter.charge(meter.weight(container))
        return wanted in container
    raise BadExpression(f"`in` needs a list, a text or an object, not {kind_of(container)}")


def lacks(meter: Meter, wanted: Any, container: Any) -> bool:
    """Not ``contains``."""
    return not contains(meter, wanted, container)


def element(_meter: Meter, subject: Any, part: Any) -> Any:
    """``subject[part]``. Missing when nothing is there."""
    try:
        return member(subject, part)
    except KeyError:
        raise Missing(f"{kind_of(subject)} has no such part") from None


def cut(meter: Meter, subject: Any, *bounds: Any) -> Any:
    """``subject[start:stop:step]`` of a text or list."""
    if not is_list(subject) and not isinstance(subject, str):
        raise BadExpression(f"only a text or a list can be cut, not {kind_of(subject)}")
    numbers = [None if bound is None else need_integer(bound, "`[:]`") for bound in bounds]
    if numbers[2] == 0:
        raise BadExpression("`[::0]` never ends")
    meter.charge(meter.weight(subject))
    return subject[slice(*numbers)]


def make_list(meter: Meter, *elements: Any) -> list[Any]:
    """A list literal. Naming one large value often makes a large list: charged as if copied."""
    meter.charge(sum(map(meter.weight, elements)))
    return list(elements)


def make_object(meter: Meter, *keys_and_values: Any) -> dict[str, Any]:
    """An object literal: key, value, key, value … Charged as a list is."""
    meter.charge(sum(map(meter.weight, keys_and_values)))
    return dict(zip(keys_and_values[::2], keys_and_values[1::2], strict=True))


def count_range(meter: Meter, *bounds: Any) -> list[int]:
    """``range(stop)``, ``range(start, stop)``, ``range(start, stop, step)``, at most RANGE_MAX numbers."""
    numbers = [need_integer(in_range(bound), "range") for bound in bounds if bound is not None]
    if len(numbers) == 3 and numbers[2] == 0:
        raise BadExpression("a range with step 0 never ends")
    wanted = range(*numbers)
    if len(wanted) > RANGE_MAX:
        raise BadExpression(f"range gives at most {RANGE_MAX} numbers")
    meter.charge(8 * len(wanted))
    return list(wanted)


COMPARISONS: Final[dict[str, Callable[..., bool]]] = {
    "==": equals,
    "!=": differs,
    "<": _ordering(operator.lt),
    "<=": _ordering(operator.le),
    ">": _ordering(operator.gt),
    ">=": _ordering(operator.ge),
    "in": contains,
    "not in": lacks,
}
