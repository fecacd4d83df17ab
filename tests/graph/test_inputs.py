"""Inputs against their schemas."""

from time import process_time
from typing import Any

import pytest

from questd.actors.graph import check, check_inputs, compile_steps, required_inputs
from questd.messages.definition import InputDefinition, QuestDefinition, StepDefinition


def declared(**schemas: dict[str, Any]) -> dict[str, InputDefinition]:
    return {name: InputDefinition(schema) for name, schema in schemas.items()}


def with_inputs(inputs: dict[str, InputDefinition]) -> QuestDefinition:
    return QuestDefinition("q", (StepDefinition("a", agent="a"),), inputs=inputs)


def test_defaults_are_filled_in_and_all_faults_told() -> None:
    inputs = {
        "a": InputDefinition({"type": "string"}),
        "b": InputDefinition({"type": "integer"}, required=False, default=3),
        "c": InputDefinition({}, required=False, default=None),
        "diff": InputDefinition({"type": "array", "items": {"type": "integer"}}),
    }
    values, problems = check_inputs(inputs, (), {"a": 1, "dif": 2, "diff": [1, "x"]})
    assert [(p.path, p.message) for p in problems] == [
        ("inputs.dif", "this quest has no such input"),
        ("inputs.a", "1 is not of type string"),
        ("inputs.diff[1]", '"x" is not of type "integer"'),
    ]
    assert problems[0].hint == 'did you mean "diff"?'
    assert values["b"] == 3
    values, problems = check_inputs(inputs, (), {})
    assert [p.path for p in problems] == ["inputs.a", "inputs.diff"]


def test_without_a_declaration_the_named_inputs_are_required_and_of_any_type() -> None:
    steps = (
        StepDefinition("a", agent="a", prompt="{{ diff }} {{ inputs.repo }}"),
        StepDefinition(
            "b", agent="a", dependencies=("a",), arguments={"x": "{{ a.result }}{{ n }}"}
        ),
    )
    definition = QuestDefinition("q", steps, output="{{ last }}")
    assert check(definition) == []
    assert required_inputs(definition) == ("diff", "repo", "n", "last")
    assert compile_steps(definition).inputs == required_inputs(definition)
    given: dict[str, Any] = {"diff": 1, "repo": None, "n": [], "last": "x"}
    assert check_inputs(None, required_inputs(definition), given) == (given, [])
    _, problems = check_inputs(None, ("diff",), {"other": 1})
    assert [p.path for p in problems] == ["inputs.other", "inputs.diff"]


def test_declared_inputs_are_required_unless_they_have_a_default() -> None:
    inputs = {"a": InputDefinition(), "b": InputDefinition(required=False, default=1)}
    assert required_inputs(with_inputs(inputs)) == ("a",)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("string", "x", 1),
        ("integer", 3, True),
        ("integer", 3.0, 3.5),
        ("number", 1.5, "1.5"),
        ("boolean", False, 0),
        ("object", {}, []),
        ("array", [], {}),
        ("null", None, 0),
    ],
)
def test_plain_types_mean_what_json_schema_means(kind: str, good: Any, bad: Any) -> None:
    plain, full = {"type": kind}, {"type": kind, "$comment": "asks jsonschema_rs"}
    for schema in (plain, full):
        assert check_inputs(declared(x=schema), (), {"x": good})[1] == []
        assert len(check_inputs(declared(x=schema), (), {"x": bad})[1]) == 1


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "strin"},
        {"type": 5},
        {"properties": []},
        {"minimum": "1"},
        {"pattern": "("},
        {"$ref": "http://127.0.0.1:1/schema.json"},
        {"items": {"$ref": "file:///etc/passwd"}},
    ],
)
def test_a_schema_must_be_one_and_refer_to_itself_only(schema: dict[str, Any]) -> None:
    problems = check(with_inputs(declared(x=schema)))
    assert problems
    assert all(p.path.startswith("inputs.x") for p in problems)


def test_a_default_must_fit_its_schema() -> None:
    inputs = {"x": InputDefinition({"type": "integer", "minimum": 3}, required=False, default=1)}
    assert [p.path for p in check(with_inputs(inputs))] == ["inputs.x.default"]


@pytest.mark.parametrize("schema", [{"$ref": "#/$defs/none"}, {"$ref": "#nowhere"}])
def test_a_schema_that_cannot_be_applied_is_a_problem_and_no_crash(schema: dict[str, Any]) -> None:
    _, problems = check_inputs(declared(x=schema), (), {"x": 1})
    assert [p.path for p in problems] == ["inputs.x"]


@pytest.mark.parametrize(
    "pattern", ["^(a+)+$", "^(a|aa)+$", "(?=(a+)+$)(?=(a+)+b)(a|aa)+c", "^(?:a?){40}a{40}$"]
)
def test_a_pattern_built_to_hurt_is_given_up(pattern: str) -> None:
    began = process_time()
    _, problems = check_inputs(declared(x={"pattern": pattern}), (), {"x": "a" * 39 + "!"})
    assert [p.path for p in problems] == ["inputs.x"]
    assert process_time() - began < 10.0  # for ever, without the bound


def test_a_schema_that_refers_to_itself_ends() -> None:
    assert check_inputs(declared(x={"$ref": "#"}), (), {"x": 1})[1] == []
    tree = {"type": "object", "additionalProperties": {"$ref": "#"}}
    assert check_inputs(declared(x=tree), (), {"x": {"a": {"b": {}}}})[1] == []
    assert check_inputs(declared(x=tree), (), {"x": {"a": {"b": 1}}})[1] != []
