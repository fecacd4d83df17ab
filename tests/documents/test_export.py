"""Back to text: the same definition again, and the same text."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from questd.actors.graph import DURATION_MAX_MS, check
from questd.documents import load, load_file, to_json, to_yaml
from questd.messages.definition import (
    Fallback,
    InputDefinition,
    QuestDefinition,
    QuestLimits,
    Repeat,
    RetryPolicy,
    StepDefinition,
)

CASE = Path(__file__).parent.parent / "cases" / "code-review-workflow.yaml"

# Texts that readers of YAML disagree on, beside any others.
AWKWARD = st.sampled_from(
    ["no", "on", "y", "~", "null", "1.0", "1e5", "0o17", "0b1", "1_000", "12:30", "2026-01-01", "=", "<<", "+x", ".",
     "-", "- a", "# x", "a: b", " a", "a ", "a\n", "a\n\n", "\na", "a\n b\n", "a \nb", "\t", "a\tb\nc", "é😀\nx", "\u2028",
     "x\u2028y\nz", "\x85", "\ufeff", "'", '"', "%", "@", "`", "---", "...", "--- x\ny", "", "\r\n", "a\r\nb", "\\", "!x"]
)  # fmt: skip
CHARACTERS = st.characters(codec="utf-8", exclude_characters="\0{}%#")
TEXT = st.one_of(AWKWARD, st.text(CHARACTERS, max_size=30))
NAME = st.one_of(
    st.sampled_from(
        ["no", "1.0", "null", "a: b", "# x", "é😀", "- a", "[x]", "&a", "*a", "!t", "'", '"']
    ),
    st.text(
        st.characters(codec="utf-8", categories=("L", "N", "P", "S"), exclude_characters="{="),
        min_size=1,
        max_size=20,
    ),
)
SCALAR = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    TEXT,
)
VALUE = st.recursive(
    SCALAR,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
LENGTH = st.integers(1, DURATION_MAX_MS)
RETRY = st.builds(
    RetryPolicy,
    attempts=st.integers(1, 1_000),
    delay_ms=st.integers(0, 1_000),
    backoff=st.floats(1, 100),
    max_delay_ms=st.integers(1_000, DURATION_MAX_MS),
    jitter=st.floats(0, 1),
    no_retry_on=st.lists(NAME, max_size=3).map(tuple),
)
OPTIONAL_NAME = st.none() | NAME


NO_PLAN: dict[str, Any] = {"plan_steps": None}
NO_ITEMS: dict[str, Any] = {"for_each": None, "max_parallel": None, "partial": "fail"}
FALLBACK = st.builds(
    Fallback,
    agent=NAME,
    capabilities=st.lists(NAME, max_size=3).map(tuple),
    tool=st.none() | NAME,
    timeout_ms=st.none() | LENGTH,
)


@st.composite
def steps(draw: st.DrawFn) -> tuple[StepDefinition, ...]:
    keys = [f"key-{number}" for number in range(draw(st.integers(1, 5)))]
    return tuple(draw(step(key, keys[:number])) for number, key in enumerate(keys))


def step(key: str, before: list[str]) -> st.SearchStrategy[StepDefinition]:
    needed = st.lists(st.sampled_from(before), unique=True) if before else st.just([])
    arguments = st.dictionaries(TEXT, VALUE, max_size=3)
    return st.builds(
        StepDefinition,
        key=st.just(key),
        agent=NAME,
        capabilities=st.lists(NAME, max_size=3).map(tuple),
        tool=OPTIONAL_NAME,
        prompt=st.none() | TEXT,
        arguments=st.none() | arguments,
        dependencies=needed.map(tuple),
        parallel=st.booleans(),
        timeout_ms=st.none() | LENGTH,
        heartbeat_timeout_ms=st.none() | LENGTH,
        total_timeout_ms=st.none() | LENGTH,
        retry=st.none() | RETRY,
        on_error=st.sampled_from(["stop", "continue", "continue_with_input"]),
        idempotent=st.booleans(),
        priority=st.none() | st.integers(1, 10),
        when=st.none() | st.sampled_from(["true", "1 > 2", "not false"]),
        allow_skipped=st.booleans(),
        fallback=st.lists(FALLBACK, max_size=2).map(tuple),
        for_each=st.just("[1, 2]"),
        max_parallel=st.none() | st.just(1),
        partial=st.sampled_from(["fail", "continue"]),
        plan_steps=st.none() | st.integers(1, 10_000),
        repeat=st.none()
        | st.builds(
            Repeat,
            until=st.sampled_from(["result", "round > 2"]),
            back_to=st.sampled_from([None, key]),
            max_rounds=st.integers(1, 1_000),
            feedback=VALUE,
            on_exhausted=st.sampled_from(["stop", "continue"]),
        ),
    ).map(lambda step: replace(step, **(NO_PLAN if step.priority or step.repeat else NO_ITEMS)))


INPUT = st.one_of(
    st.builds(InputDefinition, schema=st.fixed_dictionaries({"description": TEXT})),
    st.builds(InputDefinition, required=st.just(value=False), default=VALUE),
    st.just(InputDefinition({"type": "string"}, secret=True)),
    st.just(InputDefinition({}, required=False, default="env:TOKEN", secret=True)),
)
DEFINITION = st.builds(
    QuestDefinition,
    name=NAME,
    steps=steps(),
    description=TEXT,
    version=NAME,
    project=NAME,
    labels=st.dictionaries(NAME, TEXT, max_size=3),
    priority=st.integers(1, 10),
    deadline=st.none() | st.sampled_from(["2h", "2030-01-31T12:00:00Z"]),
    total_timeout_ms=st.none() | LENGTH,
    limits=st.builds(
        QuestLimits, parallel=st.none() | st.integers(1, 9), steps=st.integers(5, 10_000)
    ),
    default_timeout_ms=st.none() | LENGTH,
    default_retry=st.none() | RETRY,
    inputs=st.none() | st.dictionaries(st.sampled_from(["no", "x_1", "y-2"]), INPUT),
    output=st.none() | VALUE,
)


@given(DEFINITION)
@settings(deadline=None)
def test_every_definition_survives_both_formats(definition: QuestDefinition) -> None:
    assert check(definition) == []
    for write, name in ((to_yaml, "x.yaml"), (to_json, "x.json")):
        text = write(definition)
        again = load(text, name_hint=name)
        assert again == definition
        assert write(again) == text


@pytest.mark.parametrize("loader", [yaml.CSafeLoader, yaml.SafeLoader])
def test_readers_of_yaml_1_1_understand_the_export(loader: Any) -> None:
    arguments = {"a": ["no", "1e5", "0o17", "1_000", "12:30", "~", "é"], "n": [1, 1.5, None, True]}
    definition = QuestDefinition("q", (StepDefinition("s", agent="a", arguments=arguments),))
    assert yaml.load(to_yaml(definition), Loader=loader)["steps"][0]["with"] == arguments


def test_the_export_reads_as_people_write() -> None:
    definition = load_file(CASE)
    text = to_yaml(definition)
    assert load(text) == definition == load(to_json(definition))
    assert text.splitlines()[4:10] == [
        "- key: parse-changes",
        "  agent: backend",
        "  prompt: 'Parse git diff and extract changed files: {{git_diff}}'",
        "  parallel: false",
        "- key: security-audit",
        "  agent: security",
    ]
    assert "dependencies: [security-audit, quality-check]" in text


def test_many_lines_are_written_as_a_block() -> None:
    prompt = "First line.\n\n  - indented\nLast: {{ x }}\n"
    definition = QuestDefinition("q", (StepDefinition("s", agent="a", prompt=prompt),))
    assert "prompt: |\n    First line.\n" in to_yaml(definition)
    assert load(to_yaml(definition)) == definition


def test_repeated_values_are_written_out() -> None:
    shared = ["x"]
    step = StepDefinition("s", agent="a", arguments={"a": shared, "b": shared})
    assert "&" not in to_yaml(QuestDefinition("q", (step,)))


def test_json_is_plain_utf_8() -> None:
    text = to_json(QuestDefinition("é", (StepDefinition("s", agent="a"),)))
    assert '"é"' in text
    assert json.loads(text)["steps"] == [{"key": "s", "agent": "a"}]
