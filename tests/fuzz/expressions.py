"""Expressions under any text: a value that is JSON within its bounds, or ``BadExpression`` that shows no value.

The first byte says what is compiled: a text with ``{{ }}``, a bare expression, or a nested JSON value with texts in it.
"""

import json
from typing import Any, Final

import msgspec

from questd.messages.payload import PAYLOAD_MAX_BYTES
from questd.runtime.errors import BadExpression
from questd.runtime.expressions import (
    Names,
    Template,
    compile_expression,
    compile_text,
    compile_value,
)
from questd.runtime.expressions.bounds import TEXT_MAX_BYTES
from questd.simulation.chance import Chance
from tests.fuzz.mutation import changed_text
from tests.fuzz.place import Fault

NAME: Final = "expressions"
SECRET: Final = "hunter2-is-nobodys-business"
NAMES: Final = Names(
    frozenset({"a", "parse-changes", "b_1"}),
    frozenset({"n", "x", "text", "big", "many", "deep", "secret", "odd"}),
    frozenset({"round", "feedback", "item"}),
)


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"in": [value]}
    return value


INPUTS: Final[dict[str, Any]] = {
    "n": 7, "x": 2.5, "text": "Ünï\n{{ n }} <b>", "big": "ab\n" * 30_000, "many": list(range(5_000)), "deep": _nested(40), "secret": SECRET,
    "odd": {"": None, "keys": [2**64, -(2**63), 1e308, -0.0, 2**200], "items": {"a b": [True, None, "1", 1, 1.0]}, "x\0": "\u202e\U0001f9ea"},
}  # fmt: skip
STEPS: Final[dict[str, dict[str, Any]]] = {
    key: {"result": result, "status": "completed", "error": None, "attempts": 1, "agent": "w", "tool": None, "rounds": [{"result": result}]}
    for key, result in {"a": {"files": [{"name": "x.py", "n": 3}, {"name": "y", "n": 1.5}], "secret": SECRET}, "parse-changes": [3, "b", None], "b_1": ""}.items()
}  # fmt: skip
EXTRAS: Final[dict[str, Any]] = {"round": 1, "feedback": None, "item": {"k": [1, 2]}}


def change(data: bytes, chance: Chance, words: tuple[bytes, ...]) -> bytes:
    """A text like this one."""
    return data[:1] + changed_text(data[1:], chance, words)


def one(data: bytes) -> None:
    """Fault when an expression does anything else than promised."""
    try:
        template = _compile(data)
        if template is None:
            return
        value = template.render(steps=STEPS, inputs=INPUTS, extras=EXTRAS)
    except BadExpression as refused:
        _check_refusal(refused, data)
        return
    _check_value(value, data[:1])


def _compile(data: bytes) -> Template | None:
    source = data[1:].decode("utf-8", "surrogateescape")
    match data[:1]:
        case b"e":
            return compile_expression(source, NAMES)
        case b"v":
            try:
                value = json.loads(source)
            except (ValueError, RecursionError):
                return None
            return compile_value(value, NAMES)
        case _:
            return compile_text(source, NAMES)


def _check_refusal(refused: BadExpression, data: bytes) -> None:
    said = str(refused)
    if SECRET in said and SECRET.encode() not in data:
        raise Fault(f"the error shows a value: {said}")
    if not said or len(said) > 2_000:
        raise Fault(f"an error that is nothing to read: {said[:300]!r}")


def _check_value(value: Any, kind: bytes) -> None:
    if kind not in b"ev" and not isinstance(value, str):
        raise Fault(f"a text gave {type(value)}")
    if isinstance(value, str) and len(value) > TEXT_MAX_BYTES and value != INPUTS["big"]:
        raise Fault(f"a text of {len(value)} characters")
    try:
        size = len(msgspec.json.encode(value))
    except Exception as error:
        raise Fault(f"what it gave is no JSON: {error!r}") from error
    if size > 2 * PAYLOAD_MAX_BYTES:
        raise Fault(f"a value of {size} bytes")


SOURCES: Final = (
    b"eparse-changes.result[0] + n * 2 - a.result.files[1].n", b"e'x' in text and not (n >= 3 or x < 1.5) if many else none", b"ea.result.files | map(attribute='name') | join(', ')",
    b"emany | select('gt', 3) | reject('odd') | batch(3) | first | sum", b"edeep.in[0].in[0]['in'][-1]", b"eodd.items | dictsort | list", b"eodd.keys[4] + 1", b"eitem.k | map('string') | sort(reverse=true)",
    b"t{{- text | upper | replace('N', 'm') -}} of {{ big | lines | length }} {{ n // 2 ** 3 % 2 }}", b"t{{ text | truncate(3) }}{{ 'a' ~ n ~ x }}{{ round }} {{ feedback | default('none') }}",
    b'v{"a": ["{{ a.result }}", "{{ many }}", 1.0, null], "b c": "{{ odd.keys }} and {{ secret | length }}"}', b"erange(3, 30, 4) | sum / range(n) | length", b"etext[1] == 'n' and text is startingwith('\xc3\x9c') and n is divisibleby 7",
    b"ebig | split('\\n') | unique | tojson | indent(2)", b"enope.result | default([1, 'a', {'k': 2}], true) | last", b"t{{ [n, [x, (1, 2)], {'a': -n}] }}{% if %}{# #}{{ '}}' }}", b"e(((((1 - -1) * 3) ** 2) // 4) % 5) is ge 1",
    b"ea.status in ['completed'] and a.rounds[0].result.files | groupby('n')", b"emany | min + many | max | float | round(2) | abs | int | string | bool",
)  # fmt: skip


def seeds() -> dict[str, bytes]:
    """Expressions that go deep."""
    return {f"e{number:02d}": source for number, source in enumerate(SOURCES)}


WORDS: Final = (
    b"{{ ", b" }}", b"{%", b"{#", b"a.result", b"parse-changes.result", b"b_1.result", b"n", b"x", b"text", b"big", b"many", b"deep", b"secret", b"odd", b"item", b"round", b"feedback",
    b"inputs.n", b"steps['a']", b"inputs['odd']", b".files", b".result", b".error", b"[0]", b"[-1]", b"[1:2]", b"['keys']", b" + ", b" - ", b" * ", b" / ", b" // ", b" % ", b" ** ", b" ~ ",
    b" and ", b" or ", b"not ", b" in ", b" not in ", b" is ", b" is not ", b" == ", b" != ", b" <= ", b" if ", b" else ", b"none", b"true", b"()", b"[", b"]", b"(", b")", b"{'a': ", b"}",
    b"1e308", b"0.1", b"18446744073709551616", b"-0", b"'", b'"', b"\\u0041", b"\\x00", b"range(", b"1_000", b"0x1f", b", ", b"=",
    *(b"|" + name for name in (b"abs attr batch bool capitalize count d default dictsort first float indent int items join keys last length lines list lower map max min reject "
      b"rejectattr replace reverse round select selectattr sort split string sum title tojson trim truncate unique upper values").split()),
    *(b" is " + name for name in (b"boolean containing defined divisibleby endingwith eq equalto even false float ge gt in integer iterable le lower lt mapping ne none number odd "
      b"sequence startingwith string true undefined upper").split()),
    b"('n')", b"(attribute='n')", b"(2)", b"('', '')", b"(reverse=true)", b"('default', 5)",
)  # fmt: skip
