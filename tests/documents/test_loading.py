"""From text to definition, by every way there is."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from questd.documents import InvalidDocument, load, load_file, to_json, to_yaml
from questd.messages.definition import (
    Fallback,
    InputDefinition,
    QuestDefinition,
    QuestLimits,
    Repeat,
    RetryPolicy,
    StepDefinition,
    decode_definition,
    encode_definition,
)

CASE = Path(__file__).parent.parent / "cases" / "code-review-workflow.yaml"

WHOLE = """
name: whole
description: all there is
version: 1.10
project: payments
labels: {team: core, tier: 1}
priority: 7
deadline: 2h
total_timeout: 6h
limits: {parallel: 8, steps: 100, rounds: 20}
defaults: {timeout: 10m, retry: {attempts: 4, delay: 2s, backoff: 3, max_delay: 1m, jitter: 0}}
inputs:
  git_diff: {type: string}
  repo: {type: string, default: "."}
  gone: {default: null}
steps:
  - key: parse
    agent: backend
    prompt: "Parse {{ git_diff }}"
    parallel: false
  - key: audit
    capability: [security, fast]
    tool: audit
    with: {diff: "{{ git_diff }}", depth: 2, deep: [{x: null}, no, 1.0]}
    needs: [parse]
    timeout: 2m
    heartbeat_timeout: 30s
    total_timeout: 1h
    retry: {attempts: 5, no_retry_on: [validation, odd]}
    on_error: continue_with_input
    idempotent: false
    priority: 9
  - {key: last, capability: any, dependencies: [audit], when: "audit.result", allow_skipped: true,
     fallback: [{agent: spare}, {capability: [x, y], tool: run, timeout: 2m}],
     repeat: {until: "result.ok", back_to: audit, max_rounds: 5, feedback: {n: "{{ result }}"}, on_exhausted: continue}}
  - {key: each, agent: any, needs: [audit], for_each: "audit.result", max_parallel: 4, partial: continue}
  - {key: more, agent: any, plan: {max_steps: 20}}
output: {all: "{{ audit.result }}", n: 1}
"""


def test_the_case_document_loads_as_it_is() -> None:
    definition = load_file(CASE)
    assert definition.name == "code-review-workflow"
    assert definition.version == "1.0.0"
    assert [step.key for step in definition.steps] == [
        "parse-changes",
        "security-audit",
        "quality-check",
        "aggregate-results",
    ]
    assert [step.parallel for step in definition.steps] == [False, True, True, False]
    assert definition.steps[3].dependencies == ("security-audit", "quality-check")


def test_every_field_arrives() -> None:
    assert load(WHOLE) == QuestDefinition(
        name="whole",
        description="all there is",
        version="1.10",
        project="payments",
        labels={"team": "core", "tier": "1"},
        priority=7,
        deadline="2h",
        total_timeout_ms=21_600_000,
        limits=QuestLimits(8, 100, 20),
        default_timeout_ms=600_000,
        default_retry=RetryPolicy(4, 2_000, 3.0, 60_000, 0.0),
        inputs={
            "git_diff": InputDefinition({"type": "string"}),
            "repo": InputDefinition({"type": "string"}, required=False, default="."),
            "gone": InputDefinition({}, required=False, default=None),
        },
        steps=(
            StepDefinition("parse", agent="backend", prompt="Parse {{ git_diff }}", parallel=False),
            StepDefinition(
                "audit",
                capabilities=("security", "fast"),
                tool="audit",
                arguments={"diff": "{{ git_diff }}", "depth": 2, "deep": [{"x": None}, "no", 1.0]},
                dependencies=("parse",),
                timeout_ms=120_000,
                heartbeat_timeout_ms=30_000,
                total_timeout_ms=3_600_000,
                retry=RetryPolicy(5, 2_000, 3.0, 60_000, 0.0, ("validation", "odd")),
                on_error="continue_with_input",
                idempotent=False,
                priority=9,
            ),
            StepDefinition(
                "last",
                capabilities=("any",),
                dependencies=("audit",),
                when="audit.result",
                allow_skipped=True,
                fallback=(Fallback("spare"), Fallback(None, ("x", "y"), "run", 120_000)),
                repeat=Repeat("result.ok", "audit", 5, {"n": "{{ result }}"}, "continue"),
            ),
            StepDefinition(
                "each",
                agent="any",
                dependencies=("audit",),
                for_each="audit.result",
                max_parallel=4,
                partial="continue",
            ),
            StepDefinition("more", agent="any", plan_steps=20),
        ),
        output={"all": "{{ audit.result }}", "n": 1},
    )


def test_a_definition_survives_its_canonical_bytes() -> None:
    definition = load(WHOLE)
    assert decode_definition(encode_definition(definition)) == definition


def test_what_is_not_said_has_the_documented_default() -> None:
    definition = load("name: x\nsteps: [{key: a, agent: b}]")
    assert definition == QuestDefinition(name="x", steps=(StepDefinition(key="a", agent="b"),))
    retry = load("name: x\nsteps: [{key: a, agent: b, retry: {}}]").steps[0].retry
    assert retry == RetryPolicy(3, 1_000, 2.0, 300_000, 0.1, ("validation", "auth"))


@pytest.mark.parametrize(
    ("written", "version"),
    [
        ("1.0", "1.0"),
        ("1.10", "1.10"),
        ("1.0.0", "1.0.0"),
        ("2", "2"),
        ("'1.0'", "1.0"),
        ("2026-01-01", "2026-01-01"),
        ("1e3", "1e3"),
    ],
)
def test_a_version_is_kept_as_written(written: str, version: str) -> None:
    assert load(f"name: x\nversion: {written}\nsteps: [{{key: a, agent: b}}]").version == version


def test_a_version_is_kept_as_written_in_json_too() -> None:
    text = '{"name": "x", "version": 1.0, "steps": [{"key": "a", "agent": "b"}]}'
    assert load(text).version == "1.0"


def test_yaml_is_read_by_the_core_schema_of_1_2() -> None:
    written = """
    words: [no, on, yes, off, y, n, "true", 2026-01-01, 12:30:00, 1_000, 0b1, =, <<, +x, .x, ., -]
    numbers: [0o17, 0x1F, 017, +1, -2, .5, 1., 1e3, -1.5E-2]
    constants: [~, null, NULL, true, True, FALSE]
    empty:
    tagged: [!!str 5, !!int "5", !!float 1, !!null "", !!bool "true", ! 7, !!seq [1], !!map {a: 1}]
    <<: not merged
    """
    values = load(f"name: x\nsteps:\n- key: a\n  agent: b\n  with:{written}").steps[0].arguments
    assert values == {
        "words": [
            "no",
            "on",
            "yes",
            "off",
            "y",
            "n",
            "true",
            "2026-01-01",
            "12:30:00",
            "1_000",
            "0b1",
            "=",
            "<<",
            "+x",
            ".x",
            ".",
            "-",
        ],
        "numbers": [15, 31, 17, 1, -2, 0.5, 1.0, 1000.0, -0.015],
        "constants": [None, None, None, True, True, False],
        "empty": None,
        "tagged": ["5", 5, 1.0, None, True, "7", [1], {"a": 1}],
        "<<": "not merged",
    }
    assert values is not None
    assert isinstance(values["tagged"][2], float)


def test_an_alias_is_the_same_again() -> None:
    text = """
name: x
steps:
  - {key: a, agent: b, with: &args {n: [1, 2]}}
  - {key: c, agent: b, with: *args, dependencies: &needs [a]}
  - {key: d, agent: b, dependencies: *needs, prompt: &p hello}
  - {key: e, agent: b, prompt: *p}
"""
    steps = load(text).steps
    assert steps[1].arguments == steps[0].arguments == {"n": [1, 2]}
    assert steps[2].dependencies == ("a",)
    assert steps[3].prompt == "hello"


def test_the_format_is_known_by_extension_or_content(tmp_path: Path) -> None:
    definition = load(WHOLE)
    as_json = to_json(definition)
    for name, text in [
        ("a.json", as_json),
        ("a.yaml", as_json),
        ("a.yml", WHOLE),
        ("a.quest", as_json),
        ("b", WHOLE),
        ("c", "\ufeff" + as_json),
        ("d.yaml", "\ufeff" + WHOLE),
    ]:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        assert load_file(path) == definition, name
    assert load(as_json.encode()) == load(as_json) == definition
    assert load("{name: x, steps: [{key: a, agent: b}]}").name == "x"
    with pytest.raises(InvalidDocument, match="not JSON"):
        load(WHOLE, name_hint="a.json")


def test_json_means_what_the_standard_library_reads() -> None:
    value = {
        "t": 'tab\t "q" \\ / é 😀 \u2028',
        "n": [0, -1, 1.5, 1e10, -0.0, 2**64 - 1],
        "c": [True, None],
    }
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent="\t")):
        document = f'{{"name": "x", "steps": [{{"key": "a", "agent": "b", "with": {text}}}]}}'
        assert load(document, name_hint="x.json").steps[0].arguments == value


def test_a_step_inherits_the_retries_it_does_not_change() -> None:
    text = """
name: x
defaults: {retry: {attempts: 9, delay: 5s}}
steps:
  - {key: a, agent: b}
  - {key: c, agent: b, retry: {attempts: 2}}
"""
    first, second = load(text).steps
    assert first.retry is None
    assert second.retry == RetryPolicy(attempts=2, delay_ms=5_000)


def ten_steps() -> str:
    step = """
  - key: step-{0}
    agent: backend
    prompt: "Look at {{{{ step-{1}.result.files[0] }}}} and {{{{ diff }}}} once more"
    with: {{depth: "{{{{ step-{1}.result.n + 1 }}}}"}}
    dependencies: [step-{1}]
    timeout: 5m"""
    first = "name: ten\nsteps:\n  - {key: step-0, agent: backend}"
    return first + "".join(step.format(n, n - 1) for n in range(1, 10))


def test_ten_steps_are_read_in_under_ten_milliseconds() -> None:
    text = ten_steps()

    def read() -> float:
        began = time.perf_counter()
        load(text)
        return time.perf_counter() - began

    read()
    assert min(read() for _ in range(10)) < 0.010


def test_ten_thousand_steps_are_read_and_written_again() -> None:
    step = '- {{key: s{0}, agent: a, prompt: "go on with {{{{ s{1}.result }}}}", dependencies: [s{1}]}}\n'
    text = "name: x\nsteps:\n- {key: s0, agent: a}\n"
    text += "".join(step.format(n, n - 1) for n in range(1, 10_000))
    began = time.perf_counter()
    definition = load(text)
    # About a second on a free machine; the bound leaves room for one that is not.
    assert time.perf_counter() - began < 8
    assert len(definition.steps) == 10_000
    assert load(to_json(definition)) == definition
    assert load(to_yaml(definition)) == definition


def test_documents_need_neither_daemon_nor_journal_nor_validator() -> None:
    program = f"""
import sys
from questd.documents import load_file
load_file({str(CASE)!r})
heavy = set(sys.modules) & {{"duckdb", "pykka", "pynng", "sqlite3", "jsonschema_rs"}}
assert not heavy, heavy
assert "questd.runtime.journal" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
