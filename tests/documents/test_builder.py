"""Quests built in Python are the quests that documents say."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from questd.builder import Fallback, Quest, Repeat, Retry
from questd.documents import InvalidDocument, load, to_json
from questd.messages.definition import (
    Awaited,
    InputDefinition,
    QuestDefinition,
    QuestLimits,
    RetryPolicy,
    StepDefinition,
)
from questd.messages.definition import Repeat as RepeatDefinition
from questd.references import Reference

REVIEW_YAML = """
name: review
version: 1.0.0
labels: {team: core}
limits: {parallel: 2}
defaults: {timeout: 10m, retry: {delay: 2s}}
inputs:
  git_diff: {type: string}
  depth: {type: integer, default: 3}
steps:
  - key: parse
    agent: backend
    prompt: Parse {{ git_diff }}
    parallel: false
  - key: audit
    capability: security
    with: {files: "{{ parse.result.files }}", depth: "{{ depth }}", odd: '{{ parse.result["a b"][0] }}'}
    needs: [parse]
    retry: {attempts: 5}
    timeout: 2m
  - key: sum-up
    agent: product
    prompt: "{{ parse.result }} {{ audit.status }}"
    dependencies: [audit, parse]
output: {all: "{{ sum-up.result }}"}
"""


def review() -> Quest:
    q = Quest(
        "review",
        version="1.0.0",
        labels={"team": "core"},
        parallel=2,
        timeout="10m",
        retry=Retry(delay="2s"),
    )
    diff = q.input("git_diff", str)
    depth = q.input("depth", int, default=3)
    parse = q.step("parse", agent="backend", prompt=f"Parse {diff}", parallel=False)
    audit = q.step(
        "audit",
        capability="security",
        args={"files": parse.result["files"], "depth": depth, "odd": parse.result["a b"][0]},
        retry=Retry(attempts=5),
        timeout="2m",
    )
    last = q.step(
        "sum-up",
        agent="product",
        prompt=f"{parse.result} {audit.status}",
        dependencies=[audit],
    )
    q.output = {"all": last.result}
    return q


def test_all_three_forms_give_the_same_definition() -> None:
    built = review().definition()
    assert built == load(REVIEW_YAML)
    assert built == load(to_json(built), name_hint="review.json")
    assert built == load(review().to_yaml()) == load(review().to_json())


def test_references_add_dependencies_in_document_order() -> None:
    q = Quest("q")
    a, b, c = (q.step(key, agent="x") for key in "abc")
    q.step("d", agent="x", prompt=f"{c.result} {a.result}", args={"deep": [{"b": b.result}]})
    q.step("e", agent="x", prompt=f"{a.result} {b.result}", dependencies=[b, "c"])
    steps = q.definition().steps
    assert steps[3].dependencies == ("a", "b", "c")
    assert steps[4].dependencies == ("b", "c", "a")


def test_a_reference_prints_as_the_expression_it_is() -> None:
    q = Quest("q")
    step = q.step("a-b", agent="x")
    assert str(step.result) == "{{ a-b.result }}"
    assert f"{step.result['files'][0].name}" == "{{ a-b.result.files[0].name }}"
    assert str(step.result['a "b"']) == '{{ a-b.result["a \\"b\\""] }}'
    assert [
        str(r)
        for r in (step.status, step.error, step.attempts, step.agent, step.tool, step.rounds[0])
    ] == [
        "{{ a-b.status }}",
        "{{ a-b.error }}",
        "{{ a-b.attempts }}",
        "{{ a-b.agent }}",
        "{{ a-b.tool }}",
        "{{ a-b.rounds[0] }}",
    ]
    assert "a-b" in repr(step)
    assert "a-b" in repr(step.result)


def test_a_reference_has_no_value_before_the_quest_runs() -> None:
    reference: Any = Quest("q").step("a", agent="x").result
    uses: list[Callable[[Any], object]] = [
        bool,
        list,
        len,
        lambda r: "x" in r,
        lambda r: f"{r:>10}",
        lambda r: r + 1,
    ]
    for use in uses:
        with pytest.raises((TypeError, ValueError)):
            use(reference)
    with pytest.raises(AttributeError):
        _ = reference._private


def test_all_faults_are_told_at_once() -> None:
    q = Quest("q", priority=11)
    q.input("used", str)
    q.step("a", prompt="{{ nope }}")
    q.step("a", agent="x", dependencies=["ghost"])
    q.step("c", agent="x", args={"x": object()})
    with pytest.raises(InvalidDocument) as caught:
        q.check()
    assert [fault.path for fault in caught.value.faults] == ["steps[2].with.x"]
    good = Quest("q", priority=11)
    good.input("used", str)
    good.step("a", prompt="{{ nope }}")
    good.step("a", agent="x", dependencies=["ghost"])
    with pytest.raises(InvalidDocument) as caught:
        good.check()
    assert sorted(fault.path for fault in caught.value.faults) == [
        "priority",
        "steps[0].agent",
        "steps[0].prompt",
        "steps[1].dependencies[0]",
        "steps[1].key",
    ]


def test_bad_durations_are_refused_where_they_are_written() -> None:
    q = Quest("q")
    bad: Any = 30
    for length in ("1.5h", bad):
        with pytest.raises(ValueError, match="timeout"):
            q.step("a", agent="x", timeout=length)
    with pytest.raises(ValueError, match="delay"):
        Quest("q", retry=Retry(delay="soon"))


def test_a_step_itself_is_no_argument() -> None:
    q = Quest("q")
    a = q.step("a", agent="x")
    with pytest.raises(TypeError, match=r"write a\.result"):
        q.step("b", agent="x", args={"x": [a]})


def test_inputs_take_types_and_schemas() -> None:
    class Point(msgspec.Struct):
        x: int

    q = Quest("q")
    q.input("any")
    q.input("texts", list[str])
    q.input("own", {"type": "integer", "minimum": 1})
    q.input("point", Point)
    q.input("maybe", int | None, default=None)
    q.step("a", agent="x")
    q.input("token", str, secret=True, default="env:TOKEN")
    inputs = q.definition().inputs
    assert inputs is not None
    assert inputs["token"] == InputDefinition({"type": "string"}, False, "env:TOKEN", secret=True)
    assert inputs["any"] == InputDefinition()
    assert inputs["texts"].schema == {"type": "array", "items": {"type": "string"}}
    assert inputs["own"].schema["minimum"] == 1
    assert inputs["point"].required
    assert not inputs["maybe"].required
    with pytest.raises(ValueError, match="declared already"):
        q.input("own", int)


def test_every_field_arrives() -> None:
    q = Quest(
        "q",
        version="2",
        description="d",
        project="p",
        priority=6,
        deadline="2h",
        total_timeout="6h",
        steps=9,
        retry=Retry(attempts=4, delay="2s", backoff=3, max_delay="1m", jitter=0, no_retry_on=["x"]),
    )
    q.step(
        "a",
        agent="x",
        capability=["c", "d"],
        tool="t",
        args={"n": (1, 2)},
        timeout="1m",
        heartbeat_timeout="30s",
        total_timeout="1h",
        on_error="continue",
        idempotent=False,
        priority=9,
    )
    assert q.definition() == QuestDefinition(
        name="q",
        version="2",
        description="d",
        project="p",
        priority=6,
        deadline="2h",
        total_timeout_ms=21_600_000,
        limits=QuestLimits(steps=9),
        default_retry=RetryPolicy(4, 2_000, 3.0, 60_000, 0.0, ("x",)),
        steps=(
            StepDefinition(
                "a",
                agent="x",
                capabilities=("c", "d"),
                tool="t",
                arguments={"n": [1, 2]},
                timeout_ms=60_000,
                heartbeat_timeout_ms=30_000,
                total_timeout_ms=3_600_000,
                on_error="continue",
                idempotent=False,
                priority=9,
            ),
        ),
    )


def test_changing_what_was_given_later_changes_nothing() -> None:
    arguments = {"x": [1]}
    q = Quest("q")
    q.step("a", agent="x", args=arguments)
    arguments["x"].append(2)
    assert q.definition().steps[0].arguments == {"x": [1]}


def test_a_prompt_may_be_a_reference_and_nothing_else_but_text() -> None:
    q = Quest("q")
    a = q.step("a", agent="x")
    q.step("b", agent="x", prompt=a.result)
    assert q.definition().steps[1].prompt == "{{ a.result }}"
    bad: Any = 5
    with pytest.raises(TypeError, match="prompt"):
        q.step("c", agent="x", prompt=bad)


def test_the_builder_needs_neither_daemon_nor_journal() -> None:
    program = """
import sys
from questd.builder import Quest
q = Quest("q")
q.input("x", str)
q.step("a", agent="b", prompt="{{ x }}")
q.to_yaml()
heavy = set(sys.modules) & {"duckdb", "pykka", "pynng", "sqlite3", "jsonschema_rs"}
assert not heavy, heavy
assert not any(name.startswith("questd.runtime.journal") for name in sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_references_do_not_pretend_to_be_containers() -> None:
    assert not hasattr(Reference("x"), "__len__")


def test_a_loop_goes_back_to_a_step_and_names_what_it_needs() -> None:
    q = Quest("rounds", rounds=7)
    code = q.step("code", agent="b")
    q.step("look", agent="b", args={"code": code.result})
    again = Repeat(until="result.ok", back_to=code, max_rounds=4, feedback={"n": "{{ result.n }}"})
    q.step("review", agent="b", dependencies=["look"], repeat=again)
    q.step("self", agent="b", repeat=Repeat(until="result", on_exhausted="continue"))
    assert q.definition() == load(q.to_yaml())
    assert q.definition().steps[2].repeat == RepeatDefinition(
        "result.ok", "code", 4, {"n": "{{ result.n }}"}
    )
    assert q.definition().limits.rounds == 7


def test_fallbacks_are_given_in_order() -> None:
    q = Quest("others")
    others = (Fallback(agent="lite", timeout="2m"), Fallback(capability=["x", "y"], tool="run"))
    q.step("a", agent="b", fallback=others)
    text = "{key: a, agent: b, fallback: [{agent: lite, timeout: 2m}, {capability: [x, y], tool: run}]}"
    assert q.definition() == load(f"name: others\nsteps: [{text}]")
    q.step("c", agent="b", fallback=(Fallback(tool="run"),))
    with pytest.raises(InvalidDocument, match=r"steps\[1\].fallback\[0\].agent: nobody is asked"):
        q.definition()


def test_items_are_those_of_another_steps_result() -> None:
    q = Quest("lists")
    first = q.step("a", agent="b")
    q.step("c", agent="b", for_each=first.result["files"], max_parallel=2, partial="continue")
    text = 'needs: [a], for_each: "a.result.files", max_parallel: 2, partial: continue'
    steps = f"steps: [{{key: a, agent: b}}, {{key: c, agent: b, {text}}}]"
    assert q.definition().steps[1].dependencies == ("a",)
    assert load(f"name: lists\n{steps}").steps[1].max_parallel == 2


def test_a_step_may_plan_so_many_steps() -> None:
    q = Quest("plans")
    q.step("a", agent="b", plan=20)
    assert q.definition() == load("name: plans\nsteps: [{key: a, agent: b, plan: {max_steps: 20}}]")


def test_a_step_may_be_a_whole_other_quest() -> None:
    q = Quest("family")
    text = q.input("text", str)
    child = q.use("child", "leaf@1.0", inputs={"text": text}, timeout="2m", retry=Retry(attempts=2))
    q.use("last", "leaf", dependencies=[child], when=child.result["ok"], on_error="continue")
    first, last = q.definition().steps
    assert (first.use, first.arguments, first.timeout_ms) == (
        "leaf@1.0",
        {"text": "{{ text }}"},
        120_000,
    )
    assert first.retry is not None
    assert (first.retry.attempts, last.use, last.dependencies) == (2, "leaf", ("child",))
    assert (last.when, last.on_error) == ("{{ child.result.ok }}", "continue")
    assert load(q.to_yaml()) == q.definition()


def test_waits_and_sleeps_are_steps_of_their_own() -> None:
    q = Quest("paid")
    q.wait_for("order", "ordered")
    q.wait_for("paid", "payment", timeout="2d", default=None, dependencies=["order"])
    q.sleep("cool", "30s", when="{{ paid.result }}")
    text = """
name: paid
steps:
- {key: order, wait_for: ordered}
- {key: paid, wait_for: payment, timeout: 2d, default: null, dependencies: [order]}
- {key: cool, sleep: 30s, dependencies: [paid], when: "{{ paid.result }}"}
"""
    assert q.definition() == load(text)
    assert q.definition().steps[0].wait_for == Awaited("ordered")
    with pytest.raises(TypeError, match="no argument defualt"):
        q.wait_for("x", "y", defualt=1)
