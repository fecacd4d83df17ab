"""Nothing a document says aborts, hangs or fills the process: every case runs in a process of its own limits."""

import subprocess
import sys
from pathlib import Path

import pytest

from questd.runtime.errors import BadExpression
from questd.runtime.expressions import Names, compile_expression, compile_text, compile_value
from questd.runtime.expressions.bounds import (
    DEPTH_MAX,
    EXPRESSION_MAX_CHARACTERS,
    EXPRESSIONS_MAX,
    NODES_MAX,
    RANGE_MAX,
    SOURCE_MAX_CHARACTERS,
    TEXT_MAX_BYTES,
    VALUE_DEPTH_MAX,
    VALUE_MAX_BYTES,
)
from tests.expressions.attack import CASES, SOURCES

NAMES = Names(frozenset(), frozenset({"n", "big"}))


def test_every_attack_is_refused_or_harmless_within_limits_of_memory_and_time() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(Path(__file__).with_name("attack.py"))],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    lines = done.stdout.splitlines()
    assert done.returncode == 0, (lines[-1:], done.stderr[-2000:])
    assert len(lines) == len(SOURCES) + len(CASES)


def test_attacks_are_refused_in_a_thread_of_small_stack_too() -> None:
    program = (
        "import threading\n"
        "from tests.expressions import attack\n"
        "threading.stack_size(1024 * 1024)\n"
        "names = [name for name in attack.SOURCES if name.startswith(('many', 'deep', 'a deep'))]\n"
        "thread = threading.Thread(target=lambda: [attack._run(name) for name in names])\n"
        "thread.start(); thread.join(); print('alive')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout == "alive\n", done.stderr[-2000:]


def rendered(source: str, **inputs: object) -> object:
    return compile_expression(source, NAMES).render(steps={}, inputs=inputs)


def refuses(message: str) -> "pytest.RaisesExc[BadExpression]":
    return pytest.raises(BadExpression, match=message)


def test_the_longest_expression_compiles_and_one_character_more_does_not() -> None:
    literal = '"' + "a" * (EXPRESSION_MAX_CHARACTERS - 2) + '"'
    assert rendered(literal) == literal[1:-1]
    with refuses("longer than"):
        compile_expression(literal[:-1] + 'a"', NAMES)


def test_the_deepest_expression_compiles_and_renders() -> None:
    deepest = "[" * (DEPTH_MAX - 2) + "n" + "]" * (DEPTH_MAX - 2)
    assert str(rendered(deepest, n=7)) == deepest.replace("n", "7")
    with refuses("nests deeper"):
        compile_expression("[" * (DEPTH_MAX + 1) + "n" + "]" * (DEPTH_MAX + 1), NAMES)


@pytest.mark.parametrize("joint", [" and ", " or ", "+", "~"])
def test_the_longest_chain_renders(joint: str) -> None:
    names = NODES_MAX // 2
    assert rendered(joint.join(["n"] * names), n=1) is not None
    with refuses("more than"):
        compile_expression(joint.join(["n"] * NODES_MAX), NAMES)


def test_nested_defaults_of_the_greatest_depth_render() -> None:
    count = DEPTH_MAX - 2
    source = "n.x|default(" * count + "n" + ")" * count
    assert rendered(source, n=1) == 1


def test_a_text_of_the_greatest_size_renders_and_one_byte_more_does_not() -> None:
    template = compile_text("é{{ big }}", NAMES)
    assert len(template.render(steps={}, inputs={"big": "x" * (TEXT_MAX_BYTES - 2)}).encode()) == (
        TEXT_MAX_BYTES
    )
    with refuses("the text is larger"):
        template.render(steps={}, inputs={"big": "x" * (TEXT_MAX_BYTES - 1)})
    with refuses("more than"):
        compile_text("x" * (SOURCE_MAX_CHARACTERS + 1), NAMES)


def test_a_lone_reference_may_be_of_any_size_and_several_together_as_a_payload() -> None:
    big = "x" * (VALUE_MAX_BYTES + 1)
    assert compile_value(["{{ big }}"], NAMES).render(steps={}, inputs={"big": big})[0] is big
    two = compile_value({"a": "{{ big }}", "b": "{{ big }}"}, NAMES)
    half = "x" * (VALUE_MAX_BYTES // 2)
    assert two.render(steps={}, inputs={"big": half}) == {"a": half, "b": half}
    with refuses("the value is larger"):
        two.render(steps={}, inputs={"big": half + "xx"})


def test_expressions_of_a_text_and_levels_of_a_value_are_counted() -> None:
    compile_text("{{ n }}" * EXPRESSIONS_MAX, NAMES)
    with refuses("expressions"):
        compile_text("{{ n }}" * (EXPRESSIONS_MAX + 1), NAMES)
    with refuses("expressions"):
        compile_value(["{{ n }}"] * (EXPRESSIONS_MAX + 1), NAMES)
    value: object = "{{ n }}"
    for _ in range(VALUE_DEPTH_MAX):
        value = [value]
    compile_value(value, NAMES)
    with refuses("nests deeper"):
        compile_value([value], NAMES)


def test_a_range_has_an_end() -> None:
    assert rendered(f"range({RANGE_MAX})|length") == RANGE_MAX
    with refuses("range gives at most"):
        rendered(f"range({RANGE_MAX + 1})")
