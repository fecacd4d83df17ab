"""What expressions give: types, text, operators, filters and tests."""

import threading
from typing import Any

import pytest

from questd.runtime.errors import BadExpression
from questd.runtime.expressions import Names, compile_expression, compile_text, compile_value

NAMES = Names(frozenset({"s"}), frozenset({"v", "w"}), frozenset({"result"}))
VALUES: dict[str, Any] = {
    "v": {
        "one": 1.0,
        "half": 0.5,
        "text": "Text {{ w }}",
        "none": None,
        "yes": True,
        "list": [3, 1, 2],
        "empty": [],
        "files": [{"name": "b", "n": 1}, {"name": "A", "n": 2}, {"name": "b", "n": 3.5}],
        "umlaut": "äöü😀",
        "big": 2**63,
    },
    "w": 5,
}


def value_of(source: str) -> Any:
    return compile_expression(source, NAMES).render(steps={}, inputs=VALUES)


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{{ v.one }}", 1.0),
        ("{{v.none}}", None),
        ("{{- v.list -}}", [3, 1, 2]),
        ("{{ v.list }}\n", [3, 1, 2]),
        (" {{ v.list }}", " [3,1,2]"),
        ("{{ v.one }}{{ v.one }}", "1.01.0"),
        ("{{ v.text }}", "Text {{ w }}"),
        ("<{{ v.text }}>", "<Text {{ w }}>"),
        ("{{ v.none }} {{ v.yes }} {{ v.half }}", "null true 0.5"),
        ("x {{ v.files[0] }}", 'x {"name":"b","n":1}'),
        ("a  {{- w -}}  b", "a5b"),
        ("a  {{- w }}  b", "a5  b"),
        ('{{ "}}" }}', "}}"),
        ('{{ "{{" }} {{ "{%" }}', "{{ {%"),
        ('{{ {"a": {"b": w}} }}', {"a": {"b": 5}}),
        ("{{ {'a': {'b': w}}}}", {"a": {"b": 5}}),
        ("a } b }} c % } {", "a } b }} c % } {"),
        ("line\n", "line\n"),
        ("{{ 'x' if v.yes }}.", "x."),
        ("{{ 'x' if v.none }}.", "."),
        ("{{ 1.0 }}", 1.0),
        ("{{ v.big }}", 2**63),
        ({"a": ["{{ w }}", 1, None], "b": {}}, {"a": [5, 1, None], "b": {}}),
    ],
)
def test_templates_keep_types_alone_and_print_json_in_text(template: Any, value: Any) -> None:
    found = compile_value(template, NAMES).render(steps={}, inputs=VALUES)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("{{ w }}", "5"),
        ("{{ v.one }}", "1.0"),
        ("{{ v.list }}", "[3,1,2]"),
        ("{{ v.none }}", "null"),
    ],
)
def test_a_prompt_is_always_text(text: str, printed: str) -> None:
    assert compile_text(text, NAMES).render(steps={}, inputs=VALUES) == printed


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("w > 3 and not v.none", True),
        ("v.none or v.empty or 'last'", "last"),
        ("w + 1.5", 6.5),
        ("v.one + 1", 2.0),
        ("7 // 2 - 1 * 2 % 3", 1),
        ("2 ** 3 ** 2", 64),
        ("-2 ** 2", 4),
        ("10 / 4", 2.5),
        ("- v.list[0]", -3),
        ("-v.list[1]|abs", 1),
        ("1 + 2 ~ 3 ~ v.none ~ v.one", None),
        ("'a' ~ 1 ~ v.one ~ v.yes ~ v.list", "a11.0true[3,1,2]"),
        ("v.list + [4]", [3, 1, 2, 4]),
        ("'a' + 'b'", "ab"),
        ("[v.one, (1, 2)]", [1.0, [1, 2]]),
        ("2 in v.list", True),
        ("'x' not in v", True),
        ("'ext' in v.text", True),
        ("v.list == [3, 1.0, 2]", True),
        ("v.one != 1", False),
        ("'a' < 'b'", True),
        ("v.list[1:]", [1, 2]),
        ("v.umlaut[-1:]", "😀"),
        ("v.list[::-1]", [2, 1, 3]),
        ("v.umlaut[0]", "ä"),
        ("'y' if w == 5 else 'n'", "y"),
        ("1 if v.none else 2 if v.empty else 3", 3),
        ("v.one if v.yes else 0", 1.0),
        ("null", None),
        ("{'a': v.one}.a", 1.0),
        ("range(2, 8, 3)", [2, 5]),
    ],
)
def test_operators(source: str, value: Any) -> None:
    if value is None and source.startswith("1 + 2 ~"):
        with pytest.raises(BadExpression, match="`~` joins anything"):
            value_of(source)
        return
    found = value_of(source)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("v.nothing|default('d')", "d"),
        ("v.nothing.at.all|default(v.one)", 1.0),
        ("v.one|default(2)", 1.0),
        ("v.none|default('d')", None),
        ("v.none|default('d', true)", "d"),
        ("v.none|d('d', boolean=true)", "d"),
        ("v.nothing|default", ""),
        ("v[v.text]|default(3)", 3),
        ("v.empty|first|default(3)", 3),
        ("(v.nothing|default({'a': 1})).a", 1),
        ("v.list|first ~ v.list|last", "32"),
        ("v.list|sort", [1, 2, 3]),
        ("v.list|sort(reverse=true)", [3, 2, 1]),
        ("v.files|sort(attribute='name')|map(attribute='n')", [2, 1, 3.5]),
        ("v.files|map(attribute='name')|unique|join(',')", "b,A"),
        ("['a', 'A']|unique", ["a"]),
        ("['a', 'A']|unique(case_sensitive=true)", ["a", "A"]),
        ("v.files|map(attribute='x', default=0)|sum", 0),
        ("v.files|selectattr('n', 'gt', 1)|map(attribute='n')", [2, 3.5]),
        ("v.files|rejectattr('n', 'integer')|length", 1),
        ("v.list|select('odd')", [3, 1]),
        ("v.list|reject('odd')", [2]),
        ("[0, 1, '']|select", [1]),
        ("v.list|max - v.list|min", 2),
        ("v.list|sum", 6),
        ("v.files|sum(attribute='n')", 6.5),
        ("v.files|join('-', attribute='n')", "1-2-3.5"),
        ("v.list|batch(2)", [[3, 1], [2]]),
        ("v.list|reverse", [2, 1, 3]),
        ("'abc'|reverse", "cba"),
        ("' a '|trim ~ 'xax'|trim('x')", "aa"),
        ("'a,b'|split(',')|map('upper')", ["A", "B"]),
        ("'a b  c'|split", ["a", "b", "c"]),
        ("'a\\r\\nb\\n'|lines", ["a", "b"]),
        ("'a\nb'|indent(2)", "a\n  b"),
        ("'abcdef'|truncate(5)", "ab..."),
        ("'aaa'|replace('a', 'b', 2)", "bba"),
        ("'5'|int + '2.5'|float", 7.5),
        ("2.5|round ~ 3.5|round ~ 2.125|round(2)", "2.04.02.12"),
        ("3.9|int", 3),
        ("v.files[0]|items", [["name", "b"], ["n", 1]]),
        ("v.files[0]|keys", ["name", "n"]),
        ("v.files[0]|values", ["b", 1]),
        ("{'b': 1, 'A': 2}|dictsort", [["A", 2], ["b", 1]]),
        ("v.files[0]|list", ["name", "n"]),
        ("v.files[0]|tojson", '{"name":"b","n":1}'),
        ("v.text|tojson", '"Text {{ w }}"'),
        ("v.one|string", "1.0"),
        ("v.umlaut|length", 4),
        ("v|attr('one')", 1.0),
        ("'hello world'|title ~ 'ABC'|capitalize ~ 'a'|upper ~ 'A'|lower", "Hello WorldAbcAa"),
        ("v.empty|bool", False),
    ],
)
def test_filters(source: str, value: Any) -> None:
    found = value_of(source)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "source",
    [
        "v.one is defined",
        "v.x is not defined",
        "v.x.y is undefined",
        "v[w] is undefined",
        "v.none is none",
        "v.none is defined",
        "v.text is string",
        "v.one is number",
        "v.one is float",
        "v.one is not integer",
        "w is integer",
        "v.yes is not number",
        "v.yes is boolean",
        "v.yes is true",
        "v.empty is sequence",
        "v is mapping",
        "v.text is iterable",
        "w is odd",
        "w is not even",
        "w is divisibleby 5",
        "w is divisibleby(5) and true",
        "w is in [5]",
        "w is eq 5",
        "w is ge(5)",
        "v.text is startingwith 'Te'",
        "v.text is endingwith('}')",
        "v.text is containing 'w'",
        "'a' is lower",
        "'A' is upper",
        "not w is even",
    ],
)
def test_tests(source: str) -> None:
    assert value_of(source) is True


def test_rendering_changes_nothing_it_was_given() -> None:
    before = repr(VALUES)
    for source in ("v.list|sort", "v.list + [1]", "v.list|reverse", "v.files|map(attribute='n')"):
        value_of(source)
    assert repr(VALUES) == before


def test_only_what_is_reached_must_be_there() -> None:
    assert value_of("v.x.y if v.x is defined else 'none'") == "none"
    assert value_of("v.x is defined and v.x.y > 1") is False
    assert value_of("v.one|default(v.x.y)") == 1.0
    template = compile_expression("s.result if v.yes else result", NAMES)
    assert template.render(steps={"s": {"result": 2}}, inputs=VALUES) == 2


def test_a_template_renders_in_many_threads_at_once() -> None:
    template = compile_value("{{ w ~ '-' ~ (v.x|default(w)) ~ [w, w]|join('-') }}", NAMES)
    wrong: list[object] = []

    def work(mine: int) -> None:
        for _ in range(300):
            found = template.render(steps={}, inputs={"w": mine, "v": {}})
            if found != f"{mine}-{mine}{mine}-{mine}":
                wrong.append(found)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not wrong


def test_the_prose_lists_exactly_what_there_is() -> None:
    from questd.runtime import expressions
    from questd.runtime.expressions.calls import FILTER_NAMES, FUNCTION_NAMES, TEST_NAMES

    listed = (expressions.__doc__ or "").split("Filters:")[1]
    filters, rest = listed.split("Tests:")
    tests, rest = rest.split("Functions:")
    for prose, names in ((filters, FILTER_NAMES), (tests, TEST_NAMES)):
        assert prose.strip().rstrip(".").split() == list(names)
    assert rest.split(".")[0].split() == list(FUNCTION_NAMES)
