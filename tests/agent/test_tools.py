"""Signatures, schemas, arguments and results."""

import dataclasses
import json
import math
from typing import Any, Literal, cast

import msgspec
import pytest

from questd.agent import Context, ToolError
from questd.agent.tools import Refusal, Tool, encode_result, failure_of


class Finding(msgspec.Struct):
    path: str
    line: int = 0


@dataclasses.dataclass
class Report:
    findings: list[Finding]


class Foreign:
    """A type msgspec does not know."""


class Model:
    """Speaks as pydantic's models do."""

    def __init__(self, x: int) -> None:
        self.x = x

    @classmethod
    def model_validate(cls, value: Any) -> "Model":
        if "x" not in value:
            raise ValueError("x is missing")
        return cls(value["x"])

    @classmethod
    def model_json_schema(cls) -> dict[str, Any]:
        return {"type": "object", "required": ["x"]}

    def model_dump(self, *, mode: str) -> dict[str, Any]:
        return {"x": self.x, "mode": mode}


def review(
    finding: Finding,
    level: Literal["low", "high"] = "low",
    tags: list[str] = [],  # noqa: B006
    *,
    ctx: Context,
) -> Report:
    """Review it.

    At length.
    """
    raise AssertionError((finding, level, tags, ctx))


def refused(call: Any, *arguments: Any) -> Any:
    with pytest.raises(Refusal) as caught:
        call(*arguments)
    return caught.value.failure


def test_a_signature_becomes_parameters_and_schemas() -> None:
    spec = Tool(review).spec
    assert [(p.name, p.required) for p in spec.parameters] == [
        ("finding", True), ("level", False), ("tags", False),
    ]  # fmt: skip
    schema = json.loads(spec.input_schema)["$defs"]["review"]
    assert schema["required"] == ["finding"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["level"] == {"enum": ["high", "low"], "default": "low"}
    assert "Report" in json.loads(spec.output_schema)["$defs"]
    assert spec.description == "Review it."


def test_arguments_are_converted_and_defaults_filled() -> None:
    positional, named = Tool(review).arguments(b'{"finding": {"path": "a"}, "level": "high"}')
    assert positional == ()
    assert named == {"finding": Finding("a"), "level": "high", "tags": []}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (b"{}", "missing required field `finding`"),
        (b'{"finding": {"path": 1}}', "Expected `str`, got `int` - at `$.finding.path`"),
        (b'{"finding": {"path": "a"}, "depth": 1}', "unknown field `depth`"),
        (b'{"finding": {"path": "a"}, "level": "mid"}', "Invalid enum value 'mid'"),
        (b"[]", "Expected `object`, got `array`"),
        (b"{", "truncated"),
        (b'{"finding": {"path": "\xff"}}', "utf-8"),
    ],
)
def test_wrong_arguments_name_the_fault_and_the_parameters(arguments: bytes, says: str) -> None:
    failure = refused(Tool(review).arguments, arguments)
    assert (failure.kind, failure.retryable) == ("validation", False)
    assert says in failure.message
    assert "review takes finding: Finding, level: Literal" in failure.message


def test_positional_only_any_and_oddly_named_parameters_work() -> None:
    def odd(first: int, /, class_: str = "x", __post_init__: int = 3, **rest: Any) -> None:
        raise AssertionError((first, class_, __post_init__, rest))

    tool = Tool(odd)
    assert tool.spec.any_parameters
    positional, named = tool.arguments(b'{"first": 1, "__post_init__": 4, "more": [1]}')
    assert positional == (1,)
    assert named == {"class_": "x", "__post_init__": 4, "more": [1]}


def test_types_that_only_pydantic_knows_are_validated_by_themselves() -> None:
    def use(model: Model, thing: object = None) -> Model:
        raise AssertionError((model, thing))

    tool = Tool(use)
    assert tool.arguments(b'{"model": {"x": 1}}')[1]["model"].x == 1
    assert "x is missing" in refused(tool.arguments, b'{"model": {}}').message
    assert encode_result([Model(2)], "use") == b'[{"x":2,"mode":"json"}]'
    assert json.loads(tool.spec.output_schema)["required"] == ["x"]


def test_the_context_is_found_by_type_or_by_name_and_is_no_parameter() -> None:
    def by_name(ctx: Any) -> None: ...

    def by_type(c: Context | None = None) -> None: ...

    assert Tool(by_name).context_name == "ctx"
    assert Tool(by_type).context_name == "c"
    assert Tool(by_type).spec.parameters == ()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Report([Finding("a", 1)]), b'{"findings":[{"path":"a","line":1}]}'),
        (None, b"null"),
        ([None, {"a": None}], b'[null,{"a":null}]'),
        ({1: (1, 2)}, b'{"1":[1,2]}'),
        (2**70, b"1180591620717411303424"),
    ],
)
def test_plain_results_become_json(value: Any, text: bytes) -> None:
    assert encode_result(value, "t") == text


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (Foreign(), "Foreign"),
        ({"a": [Foreign]}, "type"),
        ([1, {"a": math.inf}], "inf"),
        (Report([Finding("a", cast("int", math.nan))]), "nan"),
        ("\ud800", "surrogates"),
        ({(1, 2): 3}, "tuple"),
    ],
)
def test_what_json_cannot_say_is_named(value: Any, says: str) -> None:
    failure = refused(encode_result, value, "t")
    assert (failure.kind, failure.retryable) == ("unserialisable", False)
    assert says in failure.message


def test_a_result_that_holds_itself_is_refused() -> None:
    loop: dict[str, Any] = {}
    loop["a"] = loop
    assert "RecursionError" in refused(encode_result, loop, "t").message


def test_a_result_that_is_too_large_names_its_size_and_the_limit() -> None:
    failure = refused(encode_result, "x" * 4_000_000, "t")
    assert failure.kind == "too_large"
    assert "4000002 bytes" in failure.message
    assert "3145728" in failure.message


def test_failures_say_type_message_and_place_and_are_bounded() -> None:
    class RudeError(Exception):
        def __str__(self) -> str:
            raise ValueError

    assert failure_of(ToolError("no", retry_after=2)).retry_after_ms == 2000
    assert failure_of(ToolError("no")).retryable is False
    assert "cannot be shown" in failure_of(RudeError()).message
    assert len(failure_of(RuntimeError("x" * 100_000)).message) < 5_000
    assert failure_of(KeyboardInterrupt()).kind == "exception"
