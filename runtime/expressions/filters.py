"""The filters behind ``|``: MiniJinja's names and meanings, bounded, on plain data.

A filter is a function (meter, value, arguments) with the names and defaults of its arguments. Left out on purpose: what prints
Python (``pprint``, ``format``), what is for HTML (``escape``, ``safe``, ``urlencode``), and ``random``.
"""

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from questd.runtime.errors import BadExpression
from questd.runtime.expressions.bounds import Meter, to_json
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
from questd.runtime.expressions.operations import in_range, is_truthy, need_list, text_of

_DIGITS_MAX: Final = 400
REQUIRED: Final = object()
"""In place of a default: the argument must be given."""


class Filter(NamedTuple):
    """``arguments``: (name, default) each, in order."""

    function: Callable[..., Any]
    arguments: tuple[tuple[str, Any], ...] = ()


def _cased(name: str, method: Callable[[str], str]) -> Filter:
    def cased(meter: Meter, value: Any) -> str:
        text = need_text(value, name)
        meter.built(len(text))
        return method(text)

    return Filter(cased)


def _trim(meter: Meter, value: Any, characters: Any) -> str:
    text = need_text(value, "trim")
    meter.charge(len(text))
    return text.strip(None if characters is None else need_text(characters, "trim"))


def _replace(meter: Meter, value: Any, old: Any, new: Any, count: Any) -> str:
    text, old, new = (need_text(part, "replace") for part in (value, old, new))
    limit = -1 if count is None else need_integer(count, "replace")
    meter.charge(len(text))
    found = text.count(old)
    found = found if limit < 0 else min(found, limit)
    meter.built(max(0, len(text) + found * (len(new) - len(old))))
    return text.replace(old, new, found)


def _split(meter: Meter, value: Any, separator: Any, maximum: Any) -> list[str]:
    text = need_text(value, "split")
    if separator == "":
        raise BadExpression("split needs a separator that is not empty")
    meter.built(len(text))
    by = None if separator is None else need_text(separator, "split")
    return text.split(by, -1 if maximum is None else need_integer(maximum, "split"))


def _lines(meter: Meter, value: Any) -> list[str]:
    text = need_text(value, "lines")
    meter.built(len(text))
    return re.split(r"\r?\n", text.removesuffix("\n"))


def _indent(meter: Meter, value: Any, width: Any, first: Any, blank: Any) -> str:
    lines = need_text(value, "indent").split("\n")
    pad = need_integer(width, "indent")
    if not 0 <= pad <= 1_000:
        raise BadExpression("indent takes a width from 0 to 1000")
    meter.built(sum(map(len, lines)) + len(lines) * (pad + 1))
    rest = [" " * pad + line if line or blank else line for line in lines[1:]]
    return "\n".join([" " * pad + lines[0] if first else lines[0], *rest])


def _truncate(meter: Meter, value: Any, length: Any, end: Any) -> str:
    text, mark = need_text(value, "truncate"), need_text(end, "truncate")
    limit = need_integer(length, "truncate")
    meter.built(min(len(text), max(0, limit)) + len(mark))
    return text if len(text) <= limit else text[: max(0, limit - len(mark))] + mark


def _join(meter: Meter, value: Any, separator: Any, attribute: Any) -> str:
    texts = [text_of(meter, each) for each in _attributes(meter, value, attribute, "join")]
    between = need_text(separator, "join")
    meter.built(sum(map(len, texts)) + len(between) * len(texts))
    return between.join(texts)


def _json(meter: Meter, value: Any) -> str:
    meter.built(meter.weight(value))
    return to_json(value).decode()


def _length(_meter: Meter, value: Any) -> int:
    if not (isinstance(value, str) or is_list(value) or is_object(value)):
        raise BadExpression(f"{kind_of(value)} has no length")
    return len(value)


def _end(name: str, index: int) -> Filter:
    def end(_meter: Meter, value: Any) -> Any:
        if not (isinstance(value, str) or is_list(value)):
            raise BadExpression(f"{name} needs a list, not {kind_of(value)}")
        if not value:
            raise Missing(f"{name} of an empty list", hint="`default` can stand in for it")
        return value[index]

    return Filter(end)


def follow(value: Any, path: Any) -> Any:
    """The value at an attribute path such as "file.name" or "files.0". Missing when nothing is there."""
    try:
        for part in need_text(path, "attribute").split("."):
            value = member(value, int(part) if part.isascii() and part.isdigit() else part)
    except (KeyError, ValueError):
        raise Missing(f"an element has no `{path[:80]}`") from None
    return value


def _attributes(meter: Meter, value: Any, attribute: Any, who: str) -> list[Any]:
    elements = need_list(meter, value, who)
    return elements if attribute is None else [follow(each, attribute) for each in elements]


def _ordered(
    meter: Meter, value: Any, who: str, attribute: Any, *, case: bool = True
) -> list[tuple[Any, Any]]:
    """(sort key, element) pairs, sorted; all keys must be numbers, or all texts."""
    elements = need_list(meter, value, who)
    keys = elements if attribute is None else [follow(each, attribute) for each in elements]
    if not (all(map(is_number, keys)) or all(isinstance(key, str) for key in keys)):
        raise BadExpression(f"{who} needs all numbers or all texts")
    meter.charge(3 * meter.weight(value))
    folded = keys if case else [key.lower() if isinstance(key, str) else key for key in keys]
    return sorted(zip(folded, elements, strict=True), key=lambda pair: pair[0])


def _sort(meter: Meter, value: Any, reverse: Any, case_sensitive: Any, attribute: Any) -> list[Any]:
    pairs = _ordered(meter, value, "sort", attribute, case=bool(case_sensitive))
    ordered = [element for _, element in pairs]
    return ordered[::-1] if reverse else ordered


def _extreme(name: str, index: int) -> Filter:
    def extreme(meter: Meter, value: Any, attribute: Any) -> Any:
        pairs = _ordered(meter, value, name, attribute)
        if not pairs:
            raise Missing(f"{name} of an empty list", hint="`default` can stand in for it")
        return pairs[index][1]

    return Filter(extreme, (("attribute", None),))


def _sum(meter: Meter, value: Any, attribute: Any) -> Any:
    numbers = [need_number(each, "sum") for each in _attributes(meter, value, attribute, "sum")]
    return in_range(sum(numbers))


def _unique(meter: Meter, value: Any, case_sensitive: Any, attribute: Any) -> list[Any]:
    kept: dict[bytes, Any] = {}
    for each in need_list(meter, value, "unique"):
        key = each if attribute is None else follow(each, attribute)
        meter.charge(meter.weight(key))
        folded = key.lower() if isinstance(key, str) and not case_sensitive else key
        kept.setdefault(to_json(folded), each)
    return list(kept.values())


def _reverse(meter: Meter, value: Any) -> Any:
    elements = need_list(meter, value, "reverse")[::-1]
    return "".join(elements) if isinstance(value, str) else elements


def _list(meter: Meter, value: Any) -> list[Any]:
    return list(value) if is_object(value) else need_list(meter, value, "list")


def _batch(meter: Meter, value: Any, size: Any) -> list[list[Any]]:
    count = need_integer(size, "batch")
    if count < 1:
        raise BadExpression("batch needs a size of at least 1")
    elements = need_list(meter, value, "batch")
    return [elements[at : at + count] for at in range(0, len(elements), count)]


def _object(meter: Meter, value: Any, who: str) -> dict[str, Any]:
    if not is_object(value):
        raise BadExpression(f"{who} needs an object, not {kind_of(value)}")
    meter.charge(meter.weight(value))
    return value


def _pairs(who: str, pick: Callable[[dict[str, Any]], list[Any]]) -> Filter:
    def listed(meter: Meter, value: Any) -> list[Any]:
        return pick(_object(meter, value, who))

    return Filter(listed)


def _keys(value: dict[str, Any]) -> list[Any]:
    return list(value)


def _values(value: dict[str, Any]) -> list[Any]:
    return list(value.values())


def _items(value: dict[str, Any]) -> list[Any]:
    return [list(pair) for pair in value.items()]


def _sorted_items(value: dict[str, Any]) -> list[Any]:
    return [[key, value[key]] for key in sorted(value, key=str.lower)]


def _attribute(_meter: Meter, value: Any, name: Any) -> Any:
    return follow(value, name)


def _integer(_meter: Meter, value: Any) -> int:
    try:
        short = value[:_DIGITS_MAX] if isinstance(value, str) else value
        return int(in_range(int(in_range(short))))
    except (TypeError, ValueError):
        raise BadExpression(f"int cannot read {kind_of(value)}") from None


def _float(_meter: Meter, value: Any) -> float:
    try:
        return float(in_range(float(value)))
    except (TypeError, ValueError, OverflowError):
        raise BadExpression(f"float cannot read {kind_of(value)}") from None


def _round(_meter: Meter, value: Any, precision: Any) -> Any:
    digits = need_integer(precision, "round")
    if not -20 <= digits <= 20:
        raise BadExpression("round takes from -20 to 20 digits")
    return round(need_number(in_range(value), "round"), digits)


def _absolute(_meter: Meter, value: Any) -> Any:
    return abs(need_number(value, "abs"))


_ATTRIBUTE = (("attribute", None),)

FILTERS: Final[dict[str, Filter]] = {
    "abs": Filter(_absolute),
    "attr": Filter(_attribute, (("name", REQUIRED),)),
    "batch": Filter(_batch, (("size", REQUIRED),)),
    "bool": Filter(is_truthy),
    "capitalize": _cased("capitalize", str.capitalize),
    "count": Filter(_length),
    "dictsort": _pairs("dictsort", _sorted_items),
    "first": _end("first", 0),
    "float": Filter(_float),
    "indent": Filter(_indent, (("width", 4), ("first", False), ("blank", False))),
    "int": Filter(_integer),
    "items": _pairs("items", _items),
    "join": Filter(_join, (("d", ""), ("attribute", None))),
    "keys": _pairs("keys", _keys),
    "last": _end("last", -1),
    "length": Filter(_length),
    "lines": Filter(_lines),
    "list": Filter(_list),
    "lower": _cased("lower", str.lower),
    "max": _extreme("max", -1),
    "min": _extreme("min", 0),
    "replace": Filter(_replace, (("old", REQUIRED), ("new", REQUIRED), ("count", None))),
    "reverse": Filter(_reverse),
    "round": Filter(_round, (("precision", 0),)),
    "sort": Filter(_sort, (("reverse", False), ("case_sensitive", False), *_ATTRIBUTE)),
    "split": Filter(_split, (("sep", None), ("maxsplit", None))),
    "string": Filter(text_of),
    "sum": Filter(_sum, _ATTRIBUTE),
    "title": _cased("title", str.title),
    "tojson": Filter(_json),
    "trim": Filter(_trim, (("chars", None),)),
    "truncate": Filter(_truncate, (("length", 255), ("end", "..."))),
    "unique": Filter(_unique, (("case_sensitive", False), *_ATTRIBUTE)),
    "upper": _cased("upper", str.upper),
    "values": _pairs("values", _values),
}
"""Beside these: ``default`` (``d``), a form of the language, and map, select, reject, selectattr, rejectattr (parse.py)."""
