"""What expressions refuse, when they are compiled and when they are rendered, and how little they tell of values."""

import sys
from typing import Any

import pytest

from questd.runtime.errors import BadExpression
from questd.runtime.expressions import compile_expression, compile_text, compile_value
from tests.expressions.test_values import NAMES, VALUES


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "an expression is missing"),
        ("1 +", "not finished"),
        ("(1", r"`\)` is missing"),
        ("1 2", "unexpected `2`"),
        ("a b", "`a` is neither"),
        ("1 < 2 < 3", "cannot be chained"),
        ("w if v", "needs an `else`"),
        ("[1 if w]", "needs an `else`"),
        ("w.x()", "nothing is called"),
        ("dict(a=1)", "no function `dict`"),
        ("namespace()", "no function"),
        ("lipsum()", "no function"),
        ("debug()", "no function"),
        ("length(v)", r"write VALUE\|length"),
        ("v|nope", "no filter `nope`"),
        ("v|uper", "did you mean `upper`"),
        ("v|pprint", "no filter"),
        ("v|safe", "no filter"),
        ("v|random", "no filter"),
        ("v is nope", "no test `nope`"),
        ("w is divisibleby", "not finished"),
        ("v|select('nope')", "no test"),
        ("v|select('defined')", "always there"),
        ("v|map(v.text)", "needs a literal"),
        ("v|map('map', 'x')", "no filter `map`"),
        ("v|join(x=1)", "takes no argument `x`"),
        ("v|replace('a')", "needs the argument `new`"),
        ("v|join(',', d=1)", "takes no argument `d`"),
        ("v|join(d=1, d=2)", "given twice"),
        ("v|join(d=1, 2)", "cannot follow"),
        ("{a: 1}", "a text in quotes"),
        ("{'a' 1}", "`:` is missing"),
        ("'a' * 3", "does not repeat"),
        ("3 * [1]", "does not repeat"),
        ("'abc", "never closed"),
        (r"'\q'", "unknown escape"),
        (r"'\ud800'", "surrogate"),
        ("w && v", "write `and`"),
        ("w = 1", "unexpected `=`"),
        ("w ? 1 : 2", "if CONDITION else"),
        ("1e999", "too large"),
        ("99999999999999999999", "too large"),
        ("1x", "not a number"),
        ("'a'.b", "a literal has no parts"),
        ("if", "unexpected `if`"),
        ("w is", "a test's name is missing"),
        ("w|", "a filter's name is missing"),
        ("w.", "a name is missing"),
        ("v[]", "unexpected"),
        ("v[1", "is missing"),
        ("1 + not w", "unexpected `not`"),
        ("{{ w }} {{ w }}", "only one"),
        ("{{ w", "never closed"),
        ("{% if w %}", "unexpected `%`|text in quotes"),
        ("w }}", "unexpected '}'"),
        ("\ud800", "surrogate"),
        ("w\x00", "unexpected"),
        ("7 % 0", "cannot be calculated"),
        ("10 ** 30", "out of range"),
        ("1 if (-1) ** 0.5 else 2", "out of range"),
        ("1e308 / 1e-5 > 1", "out of range"),
        ("[]|first", "empty list"),
        ("1 < 'a'", "cannot order"),
    ],
)
def test_what_cannot_be_is_refused_when_it_is_compiled(source: str, message: str) -> None:
    with pytest.raises(BadExpression, match=message):
        compile_expression(source, NAMES)


@pytest.mark.parametrize(
    "text", ["{% if x %}", "a {# c #}", "{%- x", "{{ w", "x {{ 'a }}", "{{ }}"]
)
def test_statements_comments_and_open_braces_are_refused_in_text(text: str) -> None:
    with pytest.raises(BadExpression) as caught:
        compile_text(text, NAMES)
    assert caught.value.offset is not None


@pytest.mark.parametrize("value", [{1: "x"}, {"{{ w }}": 1}, [object()], {"a": {1, 2}}, b"x"])
def test_what_is_no_json_is_refused(value: Any) -> None:
    with pytest.raises(BadExpression):
        compile_value(value, NAMES)


@pytest.mark.parametrize(
    "source",
    [
        "v.text - 1",
        "v.text * 2",
        "v.big % 0",
        "v.big ** v.big",
        "v.text < 1",
        "v.text + 1",
        "v.text|int",
        "v.text|sum",
        "v.files|sort",
        "v.text[v.text]",
        "v.text in v.big",
        "v.text|batch(0)",
        "v.list|join(v.big)",
        "v[v.text]",
        "v[v.list]",
        "v|upper",
    ],
)
def test_an_error_at_render_time_shows_no_value(source: str) -> None:
    template = compile_expression(source, NAMES)
    with pytest.raises(BadExpression) as caught:
        template.render(steps={}, inputs=VALUES)
    message = str(caught.value)
    assert "Text" not in message
    assert str(2**63) not in message
    assert caught.value.source == source
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_caller_with_little_stack_left_gets_bad_expression() -> None:
    template = compile_expression("[[[[v.list|sort]]]]", NAMES)

    def deep(left: int) -> None:
        if left:
            deep(left - 1)
            return
        for work in (
            lambda: compile_expression("(" * 30 + "w" + ")" * 30, NAMES),
            lambda: template.render(steps={}, inputs=VALUES),
        ):
            try:
                work()
            except (BadExpression, RecursionError) as error:
                outcomes.add(type(error))

    outcomes: set[type] = set()
    depth = sys.getrecursionlimit() - 300
    for left in range(depth, depth + 180, 20):
        deep(left)
    assert outcomes == {BadExpression}
