"""What holds for any text, any JSON and any source; and that we bind operators as MiniJinja itself does."""

import math
from typing import Any

import minijinja
import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from questd.runtime.errors import BadExpression
from questd.runtime.expressions import Names, compile_expression, compile_text, compile_value
from questd.runtime.expressions.calls import FILTER_NAMES, TEST_NAMES

NAMES = Names(frozenset({"a", "a-b", "parse-changes"}), frozenset({"x", "y"}), frozenset({"item"}))
UNDECLARED = Names(NAMES.steps, None, NAMES.extras)

texts = st.text(st.characters(exclude_categories=["Cs"]))
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
paths = st.lists(
    st.sampled_from(["k", "with space", "ä", "0", "keys"]) | st.integers(0, 2), max_size=4
)


def same(left: Any, right: Any) -> bool:
    """Equal, and of the same types throughout."""
    return msgspec.json.encode(left) == msgspec.json.encode(right) and type(left) is type(right)


@settings(deadline=None)
@given(texts.filter(lambda text: "{" not in text))
def test_text_without_braces_stands_as_it_is(text: str) -> None:
    for compiled in (compile_text(text, NAMES), compile_value(text, NAMES)):
        assert compiled.constant
        assert compiled.render(steps={}, inputs={}) == text


@settings(deadline=None)
@given(json_values, paths)
def test_a_lone_path_keeps_type_and_value_of_any_json(leaf: Any, path: list[str | int]) -> None:
    value = leaf
    source = "x"
    for part in reversed(path):
        value = {part: value} if isinstance(part, str) else [None] * part + [value]
    for part in path:
        source += f"[{part}]" if isinstance(part, int) else f'["{part}"]'
    template = compile_value("{{" + source + "}}", NAMES)
    assert template.render(steps={}, inputs={"x": value}) is leaf
    literal = compile_value("{{ [" + source + "][0] }}", NAMES)
    assert same(literal.render(steps={}, inputs={"x": value}), leaf)


@settings(deadline=None)
@given(texts.filter(lambda text: "{" not in text), json_values)
def test_in_text_all_but_text_is_compact_json(before: str, value: Any) -> None:
    printed = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    template = compile_text(before + "{{ x }}!", NAMES)
    assert template.render(steps={}, inputs={"x": value}) == before + printed + "!"
    joined = compile_expression('"" ~ x ~ ""', NAMES)
    assert joined.render(steps={}, inputs={"x": value}) == printed


@settings(deadline=None)
@given(texts)
@example("{{ x }}")
@example("{% raw %}{{ inputs.y }}")
def test_a_value_is_never_rendered_again(value: str) -> None:
    inputs = {"x": value, "y": "secret"}
    for source in ("{{ x }}", "{{ x ~ '' }}", "{{ [x]|join }}"):
        assert compile_value(source, NAMES).render(steps={}, inputs=inputs) == value


@settings(deadline=None)
@given(json_values)
def test_a_literal_of_json_is_an_expression_that_gives_it(value: Any) -> None:
    def literal(each: Any) -> str:
        return msgspec.json.encode(each).decode()

    try:
        template = compile_expression(literal(value), NAMES)
    except BadExpression as error:
        assert "nests deeper" in str(error) or "more than" in str(error)  # noqa: PT017
        return
    assert template.constant
    found = template.render(steps={}, inputs={})
    assert found == value


words = st.sampled_from(
    """a a-b x y item zz inputs steps .result .k [0] [x] [:1] and or not in is if else true none
    range ( ) [ ] { } : , | ~ + - * / // % ** == < >= = 1 2.5 0 -1 "t" 'k' " \\ {{ }} {% {# é
    attribute= 1e5 0x1f ² {{- -}}""".split()  # noqa: SIM905
)
words |= st.sampled_from(["\n", "\x00", "\ud800", *FILTER_NAMES, *TEST_NAMES])
sources = st.lists(words | texts, max_size=14).flatmap(
    lambda parts: st.sampled_from([" ".join(parts), "".join(parts)])
)
some_values = st.fixed_dictionaries({"x": json_values, "y": json_values})


@settings(max_examples=600, deadline=None)
@given(sources, some_values)
def test_any_source_gives_json_or_bad_expression(source: str, inputs: dict[str, Any]) -> None:
    for names in (NAMES, UNDECLARED):
        for compiled in (compile_expression, compile_text, compile_value):
            try:
                template = compiled(source, names)
                value = template.render(
                    steps={"a": {"result": inputs["x"]}, "a-b": {}}, inputs=inputs
                )
                msgspec.json.encode(value)
            except BadExpression as error:
                str(error)


operands = st.sampled_from(["x", "y", "1", "0", "3", '"t"', "[x]", "x.k", "item", "y|length", "-x"])
filters = st.sampled_from([f"|{name}" for name in FILTER_NAMES]) | st.tuples(
    st.sampled_from(FILTER_NAMES), st.lists(operands, min_size=1, max_size=3)
).map(lambda call: f"|{call[0]}({', '.join(call[1])})")
tests = st.tuples(st.sampled_from(TEST_NAMES), st.lists(operands, max_size=1)).map(
    lambda call: f" is {call[0]} {' '.join(call[1])}"
)
operators = st.sampled_from(
    ["+", "-", "*", "/", "//", "%", "**", "~", "==", "<", "in", "and", "or"]
)
chains = st.lists(st.tuples(operands, filters | tests | st.just(""), operators), min_size=1).map(
    lambda links: "".join(f"{a}{b} {o} " for a, b, o in links) + "x"
)


@settings(max_examples=600, deadline=None)
@given(chains, some_values)
def test_any_wellformed_source_gives_json_or_bad_expression(
    source: str, inputs: dict[str, Any]
) -> None:
    try:
        template = compile_expression(source, NAMES)
        value = template.render(steps={}, inputs=inputs, extras={"item": inputs["y"]})
        msgspec.json.encode(value)
    except BadExpression as error:
        assert error.source == source  # noqa: PT017


_oracle = minijinja.Environment(debug=False, undefined_behavior="strict", pycompat=False)
numbers = st.sampled_from(["x", "y", "2", "3", "0.5", "7", "-x", "-2", "l|length", "-y|abs"])
arithmetic = st.lists(
    st.tuples(numbers, st.sampled_from(["+", "-", "*", "/", "//", "%", "**"])), max_size=5
).map(lambda links: "".join(f"{a} {o} " for a, o in links) + "x")
conditions = st.tuples(
    arithmetic, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), arithmetic
).map(" ".join) | st.sampled_from(
    [
        "x in l",
        "9 not in l",
        "(x is odd)",
        "(y is not even)",
        '"e" in t',
        "not x == y",
        "t|length == 4",
    ]
)
logic = st.lists(
    st.tuples(conditions, st.sampled_from(["and", "or", "and not", "or not", "if true else"])),
    max_size=4,
).map(lambda links: "".join(f"{a} {o} " for a, o in links) + "not x > y")


@settings(max_examples=500, deadline=None)
@given(arithmetic | logic, st.integers(1, 9), st.integers(1, 9))
def test_operators_bind_and_count_as_in_minijinja(source: str, x: int, y: int) -> None:
    values: dict[str, Any] = {"x": x, "y": y, "l": [1, 2, 3], "t": "text"}
    names = Names(frozenset(), frozenset(values))
    try:
        found = compile_expression(source, names).render(steps={}, inputs=values)
    except BadExpression:
        return
    expected = _oracle.eval_expr(source, **values)
    assert type(found) is type(expected) or (found == expected and not isinstance(found, bool))
    assert found == expected or math.isclose(found, expected)


@pytest.mark.parametrize(
    "source",
    [
        "t|upper ~ l|join('-')",
        "l|sort(reverse=true)|first",
        "t|title|replace('T', 'x')",
        "l|map('string')|list",
        "f|map(attribute='n')|list",
        "f|selectattr('n', 'gt', 1)|list",
        "f|rejectattr('n', 'gt', 1)|list",
        "l|select('odd')|list",
        "f|sort(attribute='k')|map(attribute='n')|list",
        "['b', 'A', 'a']|sort",
        "['b', 'A', 'a', 'B']|unique|list",
        "2.5|round",
        "-2.5|round",
        "3.14159|round(2)",
        "l|batch(2)|list",
        "t|indent(2)",
        "'a\nb\n\nc'|indent(2)",
        "'a\nb'|indent(2, true)",
        "'x y'|split",
        "'a,b,c'|split(',', 1)|list",
        "'a\nb\n'|lines",
        "'hELLO'|capitalize",
        "{'b': 1, 'A': 2}|dictsort",
        "f[0]|items",
        "l|sum + l|min + l|max",
        "l[1:] + l[:1]",
        "t[1:3]",
        "[]|first|default(3)",
        "none|default(1, true)",
        "'5'|int",
        "'2.5'|float",
        "l|last",
        "t|reverse",
        "l|reverse|list",
        "' x '|trim",
    ],
)
def test_filters_mean_what_they_mean_in_minijinja(source: str) -> None:
    values: dict[str, Any] = {
        "l": [3, 1, 2],
        "t": "text",
        "f": [{"n": 1, "k": "b"}, {"n": 2, "k": "a"}],
    }
    names = Names(frozenset(), frozenset(values))
    found = compile_expression(source, names).render(steps={}, inputs=values)
    expected = _oracle.eval_expr(source, **values)
    plain = msgspec.json.decode(msgspec.json.encode(expected))
    assert found == plain
