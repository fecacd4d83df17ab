"""A definition made ready to run."""

import pytest

from questd.actors.graph import compile_steps
from questd.messages.definition import QuestDefinition, StepDefinition
from questd.runtime.errors import BadExpression


def definition() -> QuestDefinition:
    return QuestDefinition(
        "q",
        (
            StepDefinition("a", agent="x"),
            StepDefinition("b", agent="x", dependencies=("a",), prompt="{{ a.result }}"),
            StepDefinition(
                "c",
                agent="x",
                dependencies=("b", "a"),
                prompt="r{{ round }}",
                arguments={"n": "{{ a.result.n }}", "s": "{{ who }}"},
            ),
            StepDefinition("d", agent="x", dependencies=("c", "a"), arguments={}),
        ),
        output={"n": "{{ a.result.n }}"},
    )


def test_a_prompt_is_text_and_arguments_keep_their_type() -> None:
    steps = compile_steps(definition()).steps
    results = {"a": {"result": {"n": 1.0}}}
    extras = {"round": 1, "feedback": None}
    b = steps["b"].render(steps=results, inputs={}, extras=extras)
    assert b == {"prompt": '{"n":1.0}'}
    c = steps["c"].render(steps=results, inputs={"who": True}, extras=extras)
    assert c == {"n": 1.0, "s": True, "prompt": "r1"}
    assert steps["c"].steps == ("a",)
    assert steps["c"].inputs == ("who",)


def test_no_arguments_mean_the_implicit_input_and_empty_ones_do_not() -> None:
    steps = compile_steps(definition()).steps
    assert steps["a"].render(steps={}, inputs={}, extras={}) is None
    assert steps["d"].render(steps={}, inputs={}, extras={}) == {}


def test_dependencies_are_in_document_order() -> None:
    steps = compile_steps(definition()).steps
    assert steps["c"].dependencies == ("a", "b")


def test_the_output_is_compiled_and_absent_where_there_is_none() -> None:
    compiled = compile_steps(definition())
    assert compiled.output is not None
    assert compiled.output.render(steps={"a": {"result": {"n": 2}}}, inputs={}) == {"n": 2}
    assert compile_steps(QuestDefinition("q", (StepDefinition("a", agent="x"),))).output is None


def test_what_has_not_passed_the_checks_is_no_compiled_quest() -> None:
    with pytest.raises(BadExpression):
        compile_steps(QuestDefinition("q", (StepDefinition("a", agent="x", prompt="{{ ( }}"),)))
    twice = (StepDefinition("a", agent="x"), StepDefinition("a", agent="y"))
    with pytest.raises(ValueError, match="same key"):
        compile_steps(QuestDefinition("q", twice))
