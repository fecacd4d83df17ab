"""What may run, and every reason why not."""

import math
import subprocess
import sys
from typing import Any

import pytest

from questd.actors.graph import Problem, check
from questd.actors.graph.checks import DEFINITION_MAX_BYTES, STEPS_MAX
from questd.messages.definition import (
    InputDefinition,
    QuestDefinition,
    QuestLimits,
    RetryPolicy,
    StepDefinition,
)


def step(key: str, *dependencies: str, **fields: Any) -> StepDefinition:
    asked: dict[str, Any] = {"agent": "a", **fields}
    return StepDefinition(key=key, dependencies=dependencies, **asked)


def quest(*steps: StepDefinition, **fields: Any) -> QuestDefinition:
    return QuestDefinition(name="q", steps=steps, **fields)


def only(problems: list[Problem]) -> tuple[str, str, str]:
    (problem,) = problems
    return problem.path, problem.message, problem.hint


def paths(definition: QuestDefinition) -> list[str]:
    return [problem.path for problem in check(definition)]


def test_a_good_quest_has_no_problem() -> None:
    good = quest(
        step("a", prompt="{{ inputs.x }} {{ x }} {{ round }} {{ feedback }}"),
        step("b-c", "a", arguments={"deep": [{"v": "{{ a.result.files[0] }}"}]}),
        step("d", "b-c", prompt="{{ a.result }} and {{ b-c.result }} and {{ steps['a'].status }}"),
        inputs={"x": InputDefinition({"type": "string"})},
        output={"all": "{{ a.result }}"},
    )
    assert check(good) == []


def test_two_steps_cannot_share_a_key() -> None:
    assert only(check(quest(step("a"), step("b"), step("a")))) == (
        "steps[2].key",
        '"a" is the key of steps[0] already',
        "",
    )


@pytest.mark.parametrize(
    "key", ["1a", "-a", "a b", "ä", "a.b", "a" * 129, "inputs", "result", "not", "None"]
)
def test_a_key_must_be_a_name_and_free(key: str) -> None:
    assert paths(quest(step(key))) == ["steps[0].key"]


def test_a_key_cannot_be_an_input_too() -> None:
    assert paths(quest(step("x"), inputs={"x": InputDefinition()})) == ["steps[0].key"]


def test_an_unknown_dependency_names_the_nearest_key() -> None:
    path, message, hint = only(check(quest(step("parse-changes"), step("b", "parse-chnages"))))
    assert path == "steps[1].dependencies[0]"
    assert message == 'no step has the key "parse-chnages"'
    assert hint == 'did you mean "parse-changes"?'


def test_self_dependency_and_repetition_are_told() -> None:
    assert paths(quest(step("a"), step("b", "b", "a", "a"))) == [
        "steps[1].dependencies[0]",
        "steps[1].dependencies[2]",
    ]


def test_a_cycle_is_told_once_and_named() -> None:
    definition = quest(step("a", "b"), step("b", "c"), step("c", "a", prompt="{{ a.result }}"))
    path, message, _ = only(check(definition))
    assert path == "steps[0].dependencies"
    assert message.endswith("a → b → c → a")


def test_a_step_may_only_name_its_ancestors() -> None:
    definition = quest(
        step("a"),
        step(
            "b", prompt="{{ a.result }}", arguments={"x": [1, "{{ a.result }}", "{{ b.result }}"]}
        ),
        step("c", "b", prompt="{{ b.result }}"),
        step("d", arguments={"y": "{{ e.result }}"}),
        step("e", "d"),
    )
    told = {problem.path: problem for problem in check(definition)}
    assert list(told) == [
        "steps[1].prompt",
        "steps[1].with.x[1]",
        "steps[1].with.x[2]",
        "steps[3].with.y",
    ]
    assert told["steps[1].prompt"].hint == "add a to dependencies"
    assert told["steps[1].with.x[2]"].message == 'the step "b" names itself'
    assert told["steps[3].with.y"].message == 'names "e", which runs only after this step'


def test_an_unknown_dependency_is_not_told_again_by_what_names_it() -> None:
    definition = quest(step("a"), step("b", "aa", prompt="{{ a.result }}"))
    assert paths(definition) == ["steps[1].dependencies[0]"]


def test_output_may_name_any_step_and_nothing_else() -> None:
    assert check(quest(step("a"), step("b"), output="{{ b.result }}")) == []
    assert paths(quest(step("a"), output={"x": ["{{ c.result }}"]})) == ["output.x[0]"]


def test_every_bad_expression_is_told_with_its_place() -> None:
    definition = quest(
        step(
            "a", prompt="{{ 1 + }}", arguments={"x": "{{ nope.result }}", "y": ["fine", "{{ ( }}"]}
        ),
    )
    assert paths(definition) == ["steps[0].prompt", "steps[0].with.x", "steps[0].with.y[1]"]


def test_undeclared_names_are_inputs_only_where_none_are_declared() -> None:
    assert check(quest(step("a", prompt="{{ diff }}"))) == []
    declared = quest(step("a", prompt="{{ diff }}"), inputs={"dif": InputDefinition()})
    path, _, hint = only(check(declared))
    assert path == "steps[0].prompt"
    assert "dif" in hint


def test_somebody_must_be_asked() -> None:
    assert paths(quest(step("a", agent=None))) == ["steps[0].agent"]
    assert check(quest(step("a", agent=None, capabilities=("x",)))) == []


def test_a_prompt_cannot_be_given_twice() -> None:
    assert paths(quest(step("a", prompt="x", arguments={"prompt": "y"}))) == [
        "steps[0].with.prompt"
    ]


@pytest.mark.parametrize(
    ("retry", "field"),
    [
        (RetryPolicy(attempts=0), "attempts"),
        (RetryPolicy(attempts=1_001), "attempts"),
        (RetryPolicy(backoff=0.5), "backoff"),
        (RetryPolicy(backoff=math.nan), "backoff"),
        (RetryPolicy(jitter=1.5), "jitter"),
        (RetryPolicy(delay_ms=600_000), "delay"),
        (RetryPolicy(delay_ms=-1), "delay"),
        (RetryPolicy(max_delay_ms=-1), "max_delay"),
        (RetryPolicy(no_retry_on=("",)), "no_retry_on"),
    ],
)
def test_retries_have_bounds(retry: RetryPolicy, field: str) -> None:
    assert paths(quest(step("a", retry=retry))) == [f"steps[0].retry.{field}"]
    assert paths(quest(step("a"), default_retry=retry)) == [f"defaults.retry.{field}"]


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"priority": 0}, "priority"),
        ({"priority": 11}, "priority"),
        ({"total_timeout_ms": 0}, "total_timeout"),
        ({"deadline": "soon"}, "deadline"),
        ({"limits": QuestLimits(steps=0)}, "limits.steps"),
        ({"limits": QuestLimits(steps=STEPS_MAX + 1)}, "limits.steps"),
        ({"limits": QuestLimits(parallel=0)}, "limits.parallel"),
        ({"limits": QuestLimits(tokens=0)}, "limits.tokens"),
        ({"limits": QuestLimits(cost=0.0)}, "limits.cost"),
        ({"limits": QuestLimits(cost=-1.0)}, "limits.cost"),
        ({"limits": QuestLimits(cost=math.nan)}, "limits.cost"),
        ({"limits": QuestLimits(cost=math.inf)}, "limits.cost"),
        ({"labels": {"a=b": "x"}}, 'labels["a=b"]'),
        ({"labels": {f"l{n}": "x" for n in range(65)}}, "labels"),
        ({"project": " "}, "project"),
        ({"version": "1\n2"}, "version"),
        ({"inputs": {"a b": InputDefinition()}}, 'inputs["a b"]'),
        ({"inputs": {"item": InputDefinition()}}, "inputs.item"),
    ],
)
def test_fields_of_the_quest_have_bounds(fields: dict[str, Any], path: str) -> None:
    found = paths(quest(step("a"), **fields))
    assert path in found


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"priority": 11}, "priority"),
        ({"timeout_ms": 0}, "timeout"),
        ({"heartbeat_timeout_ms": -1}, "heartbeat_timeout"),
        ({"total_timeout_ms": 10**15}, "total_timeout"),
        ({"agent": "{{ x }}"}, "agent"),
        ({"tool": ""}, "tool"),
        ({"capabilities": ("ok", "x" * 201)}, "capability"),
    ],
)
def test_fields_of_a_step_have_bounds(fields: dict[str, Any], path: str) -> None:
    assert paths(quest(step("a", **fields))) == [f"steps[0].{path}"]


def test_a_quest_has_steps_and_not_more_than_its_limit() -> None:
    assert paths(quest()) == ["steps"]
    assert paths(quest(step("a"), step("b"), limits=QuestLimits(steps=1))) == ["steps"]


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, 2**64, -(2**63) - 1, b"x", object(), {1: 2}, {"a\0": 1}, "\ud800"]
)
def test_what_is_no_plain_data_is_refused_wherever_it_stands(value: Any) -> None:
    definition = quest(
        step("a", arguments={"x": [value]}),
        inputs={"i": InputDefinition(required=False, default=value)},
        output=[value],
    )
    assert sorted(paths(definition)) == ["inputs.i.default", "output[0]", "steps[0].with.x[0]"]


def test_bottomless_values_are_refused_without_recursion() -> None:
    deep: Any = "x"
    for _ in range(100_000):
        deep = [deep]
    (problem,) = check(quest(step("a", arguments={"x": deep})))
    assert "nested deeper" in problem.message
    while deep != "x":  # Python's own way to free it is a recursion.
        deep = deep.pop()


def test_a_definition_that_no_frame_could_carry_is_refused() -> None:
    (problem,) = check(
        quest(step("a", prompt="x" * 1_000_000), step("b"), description="x" * DEFINITION_MAX_BYTES)
    )
    assert problem.path == ""
    assert "bytes" in problem.message


def test_what_was_refused_already_is_not_told_again() -> None:
    definition = quest(step("a", agent=None, priority=99), step("b", prompt="{{ a.result }}"))
    settled = [("steps", 0, "agent"), ("steps", 1, "dependencies", 0)]
    assert [p.path for p in check(definition, settled=settled)] == ["steps[0].priority"]


def test_ten_thousand_problems_are_bounded_and_counted() -> None:
    steps = [step(f"s-{n}", f"t-{n}", prompt="{{ nobody.result }}") for n in range(3_000)]
    problems = check(quest(*steps))
    assert len(problems) == 1_001
    assert problems[-1].message == "5000 more problems are not listed"


def test_ten_thousand_steps_that_all_name_the_first_one_are_checked() -> None:
    steps = [
        step("s0"),
        *(step(f"s{n}", f"s{n - 1}", prompt="{{ s0.result }}") for n in range(1, 10_000)),
    ]
    assert check(quest(*steps)) == []


def test_checking_plain_inputs_does_not_import_its_validator() -> None:
    program = """
import sys
from questd.actors.graph import check
from questd.messages.definition import *
inputs = {"x": InputDefinition({"type": "string", "description": "d"}, required=False, default="d")}
assert check(QuestDefinition("q", (StepDefinition("a", agent="a"),), inputs=inputs)) == []
loaded = set(sys.modules)
assert not loaded & {"jsonschema_rs", "yaml", "pykka", "duckdb", "pynng", "sqlite3"}, loaded
"""
    subprocess.run([sys.executable, "-c", program], check=True)
