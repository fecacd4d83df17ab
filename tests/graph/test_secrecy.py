"""Secret inputs: references stand for them, and a document may only pass them on."""

from typing import Any

import pytest

from questd.actors.graph import check, check_inputs, secrets_of
from questd.actors.graph.secrecy import REFERENCE_MAX, SECRETS_MAX, is_reference
from questd.messages.definition import InputDefinition, QuestDefinition, StepDefinition

TOKEN = InputDefinition({"type": "string"}, secret=True)
FIRST = StepDefinition("first", agent="a", prompt="hello")


def quest(*steps: StepDefinition, output: Any = None, **inputs: InputDefinition) -> QuestDefinition:
    return QuestDefinition("q", (FIRST, *steps), inputs=inputs or {"token": TOKEN}, output=output)


def step(**more: Any) -> StepDefinition:
    return StepDefinition("s", agent="a", dependencies=("first",), **more)


def told(definition: QuestDefinition) -> list[tuple[str, str]]:
    return [(problem.path, problem.message) for problem in check(definition)]


@pytest.mark.parametrize(
    "text",
    ["env:TOKEN", "env:_t1", "file:/run/secrets/token", "file:/a b", "secret:github.token-1"],
)
def test_a_reference_says_where_a_secret_is(text: str) -> None:
    assert is_reference(text)


@pytest.mark.parametrize(
    "value",
    [
        "hunter2", "", "env:", "env:1A", "env:A B", "ENV:A", "file:token", "file:/a\nb", "secret:",
        "secret:a/b", " env:A", "env:A ", "vault:x", None, 5, ["env:A"], f"file:/{'x' * REFERENCE_MAX}",
    ],
)  # fmt: skip
def test_what_is_no_reference_is_refused_without_being_repeated(value: Any) -> None:
    assert not is_reference(value)
    _, problems = check_inputs({"token": TOKEN}, (), {"token": value})
    (problem,) = problems
    assert problem.path == "inputs.token"
    assert problem.message == "is secret: it takes a reference to the value, not the value itself"
    assert problem.hint == "write env:NAME, file:/PATH or secret:NAME"
    assert "hunter2" not in str(problem)


def test_a_reference_has_so_many_characters_and_no_more() -> None:
    assert is_reference("file:/" + "x" * (REFERENCE_MAX - 6))
    assert not is_reference("file:/" + "x" * (REFERENCE_MAX - 5))


def test_a_missing_secret_is_asked_for_as_a_reference() -> None:
    _, problems = check_inputs({"token": TOKEN}, (), {})
    assert problems[0].hint == "give it a value: -i token=env:NAME, file:/PATH or secret:NAME"


def test_the_references_among_the_inputs_are_told_by_name() -> None:
    other = InputDefinition({}, required=False, default="env:B", secret=True)
    inputs = {"token": TOKEN, "plain": InputDefinition(), "other": other}
    complete, problems = check_inputs(inputs, (), {"token": "env:A", "plain": "env:C"})
    assert problems == []
    assert secrets_of(inputs, complete) == {"token": "env:A", "other": "env:B"}
    assert secrets_of(None, {"token": "env:A"}) == {}


def test_a_default_is_a_reference_too() -> None:
    literal = InputDefinition({}, required=False, default="hunter2", secret=True)
    ((path, message),) = told(quest(token=literal))
    assert path == "inputs.token.default"
    assert "hunter2" not in message
    assert told(quest(token=InputDefinition({}, False, "env:A", secret=True))) == []


@pytest.mark.parametrize("word", ["enum", "const", "pattern", "minLength", "examples"])
def test_a_schema_says_nothing_of_a_value_that_nobody_sees(word: str) -> None:
    schema = {"type": "string", "title": "t", "description": "d", word: ["x"]}
    assert told(quest(token=InputDefinition(schema, secret=True))) == [
        (f"inputs.token.{word}", "cannot be said of a secret: only its tool sees its value")
    ]


def test_a_secret_is_a_string() -> None:
    assert told(quest(token=InputDefinition({"type": "integer"}, secret=True))) == [
        ("inputs.token.type", "a secret is a string")
    ]


def test_so_many_inputs_are_secret_and_no_more() -> None:
    def many(count: int) -> QuestDefinition:
        return quest(**{f"t{n}": TOKEN for n in range(count)})

    assert told(many(SECRETS_MAX)) == []
    assert told(many(SECRETS_MAX + 1)) == [("inputs", "33 are secret; at most 32 may be")]


@pytest.mark.parametrize(
    "more",
    [
        {"prompt": "use {{ token }} and {{ inputs.token }}"},
        {"arguments": {"token": "{{ token }}", "deep": [{"x": "Bearer {{ inputs.token }}"}]}},
        {"arguments": {"both": "{{ first.result | upper }} {{ token }}"}},
    ],
)
def test_a_secret_is_passed_on_to_a_tool(more: dict[str, Any]) -> None:
    assert told(quest(step(**more))) == []


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({"prompt": "{{ token | upper }}"}, "steps[1].prompt"),
        ({"prompt": "{{ token[0] }}"}, "steps[1].prompt"),
        ({"prompt": "{{ 'a' if token else 'b' }}"}, "steps[1].prompt"),
        ({"arguments": {"a": 1, "b": ["{{ token ~ 'x' }}"]}}, "steps[1].with.b[0]"),
        ({"arguments": {"b": "{{ {'t': token} }}"}}, "steps[1].with.b"),
        ({"arguments": {"b": "{{ inputs.token | length }}"}}, "steps[1].with.b"),
    ],
)
def test_nothing_is_made_of_a_secret(more: dict[str, Any], path: str) -> None:
    message = "makes something of the secret token, which is only passed on"
    assert told(quest(step(**more))) == [(path, message)]


@pytest.mark.parametrize(
    "when", ["token", "inputs.token == 'x'", "first.result and token | length"]
)
def test_a_condition_cannot_name_a_secret(when: str) -> None:
    assert told(quest(step(prompt="x", when=when))) == [("steps[1].when", "names the secret token")]


def test_an_output_cannot_name_a_secret() -> None:
    definition = quest(step(prompt="x"), output={"a": ["{{ token }}"]})
    assert told(definition) == [("output", "names the secret token")]


def test_all_inputs_at_once_cannot_be_passed_on_with_a_secret_among_them() -> None:
    assert told(quest(step(arguments={"all": "{{ inputs }}"}))) != []
