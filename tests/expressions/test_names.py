"""What an expression may name, and what it is told when it names something else."""

from typing import Any

import pytest

from questd.runtime.errors import BadExpression
from questd.runtime.expressions import Names, Template, compile_expression, compile_value

DECLARED = Names(
    frozenset({"a", "b", "a-b", "parse-changes", "_x-1"}),
    frozenset({"git_diff", "n", "with-dash"}),
    frozenset({"item", "round"}),
)
UNDECLARED = Names(frozenset({"a", "parse-changes"}), None, frozenset({"item"}))
STEPS: dict[str, dict[str, Any]] = {
    "a": {"result": 10, "rounds": [{"result": 1}]},
    "b": {"result": 4},
    "a-b": {"result": {"n": 7, "files": ["x", "y"], "result-x": 1}},
    "parse-changes": {"result": 1.0, "status": "completed"},
    "_x-1": {"result": "one"},
}
INPUTS = {"git_diff": "diff", "n": 3, "with-dash": 5}


def rendered(source: str, names: Names = DECLARED) -> object:
    extras = {"item": {"name": "i"}, "round": 2}
    return compile_expression(source, names).render(steps=STEPS, inputs=INPUTS, extras=extras)


def names_of(template: Template) -> tuple[tuple[str, ...], ...]:
    return template.steps, template.inputs, template.extras


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("a-b.result.n", 7),
        ("a.result-b.result", 6),
        ("a.result - b.result", 6),
        ("a.result -b.result", 6),
        ("a-b.result.n-a-b.result.n", 0),
        ("a-b.result.n -n", 4),
        ("n-1", 2),
        ("_x-1.result", "one"),
        ("with-dash - 1", 4),
        ("inputs.with-dash", 5),
        ('inputs["with-dash"]', 5),
        ("inputs.n", 3),
        ("steps.a-b.result.n", 7),
        ('steps["a-b"].result.n', 7),
        ("steps['a-b']['result']['n']", 7),
        ("a-b.result.files[0]", "x"),
        ("a-b.result.files[-1]", "y"),
        ("a-b.result.files.1", "y"),
        ('a-b.result["result-x"]', 1),
        ("a-b . result\n. n", 7),
        ("a.rounds[0].result", 1),
        ("item.name ~ round", "i2"),
        ("a-b.result.files[n - 3]", "x"),
        ("(a-b.result).files[1][0]", "y"),
    ],
)
def test_a_name_is_the_longest_whole_match(source: str, value: object) -> None:
    assert rendered(source) == value


def test_the_example_of_the_documents_needs_no_spaces() -> None:
    template = compile_value("Audit: {{parse-changes.result}}", UNDECLARED)
    assert template.steps == ("parse-changes",)
    assert template.render(steps=STEPS, inputs={}) == "Audit: 1.0"


def test_a_template_says_what_it_names() -> None:
    value = ["{{ a.result }}", {"x": "{{ n + item.x }} {{ b.result }} {{ n }}"}, "none"]
    template = compile_value(value, DECLARED)
    assert names_of(template) == (("a", "b"), ("n",), ("item",))
    assert not template.constant
    assert compile_value(["x", 1], DECLARED).constant
    assert compile_expression("1 + 1", DECLARED).constant


def test_without_declared_inputs_a_bare_unknown_name_is_one() -> None:
    assert names_of(compile_expression("git_diff", UNDECLARED)) == ((), ("git_diff",), ())
    assert names_of(compile_expression("inputs.repo.name", UNDECLARED)) == ((), ("repo",), ())
    assert names_of(compile_expression("größe|upper", UNDECLARED)) == ((), ("größe",), ())
    for source in ("git_diff.files", "git_diff[0]", 'git_diff["x"]', "git_diff[item]"):
        with pytest.raises(BadExpression, match="`git_diff` is no step"):
            compile_expression(source, UNDECLARED)


@pytest.mark.parametrize(
    ("source", "names", "message"),
    [
        (
            "parse-chnges.result",
            DECLARED,
            "`parse-chnges` is neither.*did you mean `parse-changes`",
        ),
        ("parse-chnges.result", UNDECLARED, "`parse-chnges` is no step.*did you mean `parse-ch"),
        ("parse-chnges", UNDECLARED, "did you mean `parse-changes`"),
        ("x-y", UNDECLARED, "put spaces around -"),
        ("git_dif", DECLARED, "did you mean `git_diff`"),
        ("zzzzz", DECLARED, "declare it under `inputs`"),
        ("inputs.git_dif", DECLARED, "there is no input `git_dif`.*did you mean `git_diff`"),
        ("steps.parse-change.result", DECLARED, "no step `parse"),
        ('steps["parse-change"]', DECLARED, "did you mean `parse-changes`"),
        ("a.resutl", DECLARED, "a step has no `resutl`.*did you mean `result`"),
        ("a[0]", DECLARED, "a step has no `0`"),
        ("steps", DECLARED, "`steps` alone"),
        ("inputs", DECLARED, "`inputs` alone"),
        ("steps[n]", DECLARED, "`steps` alone"),
        ("feedback", DECLARED, "`feedback` is not known here"),
        ("result", UNDECLARED, "`result` is not known here.*KEY.result"),
        ("item", Names(frozenset(), None), "for_each"),
        ("secrets.x", DECLARED, "secret: true"),
    ],
)
def test_what_is_no_name_is_refused_with_the_nearest(
    source: str, names: Names, message: str
) -> None:
    with pytest.raises(BadExpression, match=message):
        compile_expression(source, names)


def test_a_step_key_goes_before_an_input_and_an_input_before_a_reserved_name() -> None:
    names = Names(frozenset({"x"}), frozenset({"x", "item"}), frozenset({"item"}))
    assert names_of(compile_expression("x.result", names)) == (("x",), (), ())
    assert names_of(compile_expression("inputs.x", names)) == ((), ("x",), ())
    assert names_of(compile_expression("item", names)) == ((), ("item",), ())


@pytest.mark.parametrize(
    "source", ["a-b.result.zz", "a-b.result.files[2]", "b.result.x", "b.error", "a-b.result.keys"]
)
def test_what_is_missing_is_named_and_no_value_is_shown(source: str) -> None:
    with pytest.raises(BadExpression) as caught:
        rendered(source)
    assert f"`{source}`" in str(caught.value)
    assert "7" not in str(caught.value)
    assert caught.value.source == source
    assert caught.value.offset == 0


def test_an_error_points_into_the_text_and_into_the_value() -> None:
    with pytest.raises(BadExpression) as caught:
        compile_value({"files": ["ok", {"name": "abc {{ n +* 2 }}"}]}, DECLARED)
    assert caught.value.where == "files[1].name"
    assert caught.value.offset == 10
    assert str(caught.value).startswith("files[1].name: unexpected `*` (character 11 of ")


def test_ten_thousand_keys_do_not_slow_a_suggestion_down() -> None:
    names = Names(frozenset(f"step-{n}" for n in range(10_000)), None)
    with pytest.raises(BadExpression, match="did you mean `step-"):
        compile_expression("stpe-77.result", names)


def test_steps_and_inputs_may_be_read_lazily() -> None:
    from collections.abc import Mapping
    from types import MappingProxyType

    lazy: Mapping[str, Any] = MappingProxyType({"a": MappingProxyType({"result": 1.0})})
    for source, value in (("a.result", 1.0), ("a", {"result": 1.0}), ("a.result + 1", 2.0)):
        found = compile_expression(source, DECLARED).render(steps=lazy, inputs={})
        assert found == value
        assert type(found) is type(value)
