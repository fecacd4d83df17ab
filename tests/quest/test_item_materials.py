"""Lists as the expressions give them, results put together, and what a step with items looks like from outside."""

import json

import pytest

from questd.actors.graph import compile_steps
from questd.actors.quest import commands as cmd
from questd.actors.quest.facts import facts_of, material_of
from questd.actors.quest.items import ITEMS_MAX
from questd.actors.quest.materials import (
    idempotency_key,
    order_for,
    rendering_for,
)
from questd.actors.quest.owed import GatherItems, ListItems, RenderInput
from questd.actors.rendering import given_to
from questd.messages.definition import StepDefinition
from questd.messages.payload import PAYLOAD_MAX_BYTES, BlobRef
from tests.quest.making import ONCE, Life, failure, quest, step


def listed(expression: str) -> cmd.Command:
    life = quest(step("a", for_each=expression))
    rendering = rendering_for(life.state, compile_steps(life.plan.definition), ListItems("a"))
    return rendering.finish({})[0]


@pytest.mark.parametrize(
    ("expression", "items"),
    [
        ("[]", ()),
        ("[1, 'x', null]", (b"1", b'"x"', b"null")),
        ("range(3)", (b"0", b"1", b"2")),
        ("[[1], {'a': 2}]", (b"[1]", b'{"a":2}')),
    ],
)
def test_a_list_gives_its_items(expression: str, items: tuple[bytes, ...]) -> None:
    assert listed(expression) == cmd.ExpandTask("a", items)


@pytest.mark.parametrize(
    ("expression", "word"),
    [
        ("1", "a number"),
        ("'abc'", "text"),
        ("true", "true or false"),
        ("null", "null"),
        ("{'a': 1}", "an object"),
    ],
)
def test_what_is_no_list_is_a_failure_that_says_what_it_is(expression: str, word: str) -> None:
    command = listed(expression)
    assert isinstance(command, cmd.FailTask)
    assert command.failure.kind == "validation"
    assert command.failure.message == f"for_each must give a list, and gives {word}"


def test_a_list_has_so_many_items_and_no_more() -> None:
    for count in (ITEMS_MAX, ITEMS_MAX + 1):
        life = quest(step("a"), step("b", "a", for_each="a.result"))
        life.run("a", result=json.dumps([0] * count).encode())
        rendering = rendering_for(life.state, compile_steps(life.plan.definition), ListItems("b"))
        command = rendering.finish({})[0]
        if count == ITEMS_MAX:
            assert isinstance(command, cmd.ExpandTask)
            assert len(command.items) == ITEMS_MAX
        else:
            assert isinstance(command, cmd.FailTask)
            assert command.failure.kind == "too_large"
            assert command.failure.message == "10001 items; 10000 are allowed"


def test_a_large_item_is_kept_by_its_digest() -> None:
    life = quest(step("a"), step("b", "a", for_each="a.result"))
    life.run("a", result=json.dumps(["x" * 5_000, 1]).encode())
    rendering = rendering_for(life.state, compile_steps(life.plan.definition), ListItems("b"))
    command, blobs = rendering.finish({})
    assert isinstance(command, cmd.ExpandTask)
    assert [type(item) for item in command.items] == [BlobRef, bytes]
    assert len(blobs) == 1


def gathered(life: Life, texts: dict[str, bytes] | None = None) -> cmd.Command:
    compiled = compile_steps(life.plan.definition)
    return rendering_for(life.state, compiled, GatherItems("a")).finish(texts or {})[0]


def test_results_are_in_the_order_of_the_items_and_those_that_failed_are_null() -> None:
    life = quest(step("a", for_each="[1]", partial="continue", retry=ONCE))
    life.expand("a", b"1", b"2", b"3")
    life.run("a[2]", result=b'"third"')
    life.fail(life.start("a[1]"))
    life.run("a[0]", result=b'"first"')
    assert gathered(life) == cmd.GatherTask("a", b'["first",null,"third"]')


def test_results_of_more_bytes_than_a_payload_fail_the_step_unread() -> None:
    life = quest(step("a", for_each="[1]"))
    life.expand("a", b"1", b"2")
    half = PAYLOAD_MAX_BYTES // 2
    for number in range(2):
        life.complete(life.start(f"a[{number}]"), BlobRef(str(number), half))
    rendering = rendering_for(life.state, compile_steps(life.plan.definition), GatherItems("a"))
    assert rendering.payloads == ()
    command, _ = rendering.finish({})
    assert isinstance(command, cmd.FailTask)
    assert command.failure.kind == "too_large"


def test_what_a_failed_step_was_given_is_its_list() -> None:
    life = quest(step("a", for_each="[1]", on_error="continue_with_input", retry=ONCE))
    life.expand("a", b"1", b'"x"')
    life.fail(life.start("a[0]"))
    rendering = rendering_for(life.state, compile_steps(life.plan.definition), RenderInput("a"))
    assert rendering.finish({})[0] == cmd.ContinueTask("a", b'[1,"x"]')


def test_expressions_see_the_list_the_attempts_of_all_items_and_the_errors_of_those_that_failed() -> (
    None
):
    seen = [f"{{{{ a.{name} }}}}" for name in ("result", "status", "attempts", "error")]
    after = step("b", "a", arguments={"seen": seen})
    life = quest(step("a", for_each="[1]", partial="continue", retry=ONCE), after)
    life.expand("a", b"1", b"2")
    life.run("a[0]", result=b"5")
    life.fail(life.start("a[1]"), failure("odd", "it was odd"))
    life.gather("a", b"[5,null]")
    compiled = compile_steps(life.plan.definition).steps["b"]
    given = given_to(compiled, material_of(life.state, ["a"]), {})
    assert json.loads(given) == [
        [5, None],
        "completed",
        2,
        {
            "kind": "odd",
            "message": "1 of 2 items failed; the first: it was odd",
            "items": [{"index": 1, "kind": "odd", "message": "it was odd"}],
        },
    ]
    assert facts_of(life.state, life.state.at("a[0]")).result == b"5"


def test_each_item_has_its_own_arguments_and_key() -> None:
    each: StepDefinition = step(
        "a", for_each="[1]", arguments={"x": "{{ item }}", "n": "{{ index }}"}
    )
    life = quest(each)
    life.expand("a", b'"p"', b'"q"')
    life.start("a[1]")
    task = life.state.at("a[1]")
    assert task.last is not None
    compiled = compile_steps(life.plan.definition)
    order = order_for(life.state, compiled, task, task.last, None)
    assert (order.material.scope.item, order.material.scope.index) == (b'"q"', 1)
    keys = {idempotency_key("q_1", life.state.at(f"a[{n}]")) for n in range(2)}
    assert len(keys) == 2
    assert idempotency_key("q_1", life.state.at("a")) not in keys
