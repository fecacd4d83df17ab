"""The tables of docs/document.md: every key with its type, default, meaning and an example, from the tables that the reader uses.

Types come from the schema that ships, defaults from the definition, meanings from the fields, examples from the documents of docs/ and
examples/. So a key that the reader learns is in the page when the page is written anew, and one that it refuses is listed as refused.
"""

import re
import typing
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, Final, NamedTuple, cast

import msgspec
import yaml
from msgspec import Struct

from questd.actors.graph.durations import DURATION_PATTERN, format_duration
from questd.documents import fields as tables
from questd.documents.fields import QUEST_FIELDS, STEP_FIELDS, Field, Fields
from questd.documents.schema import document_schema
from questd.messages.definition import STEP_KEY_PATTERN, QuestDefinition, StepDefinition
from questd.runtime.expressions.calls import FILTER_NAMES, FUNCTION_NAMES, TEST_NAMES

ROOT: Final = Path(__file__).parents[2]
EXAMPLE_MAX: Final = 64
PATTERNS: Final = {f"^{DURATION_PATTERN}$": "duration", f"^{STEP_KEY_PATTERN}$": "step key"}
STAND_INS: Final = {
    "duration": "30s",
    "step key": "build",
    "text": "…",
    "expression": "build.result.ok",
}
LANGUAGE: Final[Mapping[str, str]] = {
    "quest": "name description version project labels priority deadline total_timeout limits concurrency rate defaults hooks decide inputs "
    "steps output",
    "step": "key agent capability tool prompt with dependencies needs parallel when for_each max_parallel partial timeout heartbeat_timeout "
    "total_timeout retry on_error fallback compensate repeat allow_skipped priority idempotent breakpoint gate use inputs wait_for default "
    "sleep ask plan route labels affinity",
}  # fmt: skip
"""All that the language is going to have; what the reader does not know of it is refused by name."""


class Table(NamedTuple):
    """A mapping of the document. ``path``: how it is reached, as in ``("step", "retry")``. ``kind``: what its defaults are those of."""

    path: tuple[str, ...]
    properties: Mapping[str, Any]
    required: frozenset[str]
    kind: type[Struct]

    @property
    def fields(self) -> Fields:
        """The reader's own table, which is the one with the same keys."""
        return next(one for one in _all_fields() if one.keys() == self.properties.keys())


@cache
def _all_fields() -> tuple[Fields, ...]:
    return tuple(value for name, value in vars(tables).items() if name.endswith("_FIELDS"))


def roots() -> dict[str, Table]:
    """The two that everything is below of."""
    schema = document_schema()
    step = schema["$defs"]["step"]
    return {
        "quest": Table(("quest",), schema["properties"], frozenset(schema["required"]), QuestDefinition),
        "step": Table(("step",), step["properties"], frozenset(step["required"]), StepDefinition),
    }  # fmt: skip


def below(table: Table) -> Iterator[Table]:
    """The mappings that stand in it, and in those."""
    for name, schema in table.properties.items():
        inner = schema.get("items", schema) if schema.get("type") == "array" else schema
        if "properties" in inner:
            attribute = table.fields[name].attribute
            kind = _struct_of(table.kind, attribute) or table.kind
            found = Table(
                (*table.path, name), inner["properties"], frozenset(inner.get("required", ())), kind
            )
            yield found
            yield from below(found)


def _struct_of(kind: type[Struct], attribute: str) -> type[Struct] | None:
    """The struct that an attribute holds, one or many of them."""
    hint = typing.get_type_hints(kind).get(attribute)
    waiting: list[Any] = [hint]
    while waiting:
        each = waiting.pop()
        if isinstance(each, type) and issubclass(each, Struct):
            return each
        if typing.get_origin(each) in {typing.Union, UnionType, tuple}:
            waiting += typing.get_args(each)
    return None


# -- one table -------------------------------------------------------------------------------------


def keys(argument: str, _: Mapping[str, str]) -> str:
    """The table of the quest or of a step, and those below it that were not shown yet."""
    both = roots()
    parts = [_shown(both[argument])]
    seen: set[frozenset[str]] = set()
    if argument == "step":
        seen.update(frozenset(one.properties) for one in below(both["quest"]))
    for table in below(both[argument]):
        title = f"#### `{'.'.join(table.path[1:])}`"
        same = frozenset(table.properties)
        parts.append(
            f"{title}\n\n{_shown(table)}" if same not in seen else f"{title}\n\n{_again(table)}"
        )
        seen.add(same)
    return "\n\n".join(parts)


def _again(table: Table) -> str:
    return f"As `defaults.{table.path[-1]}` of the quest."


def _shown(table: Table) -> str:
    lines = ["| key | type | default | meaning | example |", "| --- | --- | --- | --- | --- |"]
    for name, schema in table.properties.items():
        field = table.fields[name]
        cells = (
            f"`{name}`",
            words(schema),
            _default(table, name, field),
            field.description,
            _example(table, name, schema),
        )
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines)


def words(schema: Mapping[str, Any]) -> str:
    """A type as people say it."""
    if "enum" in schema:
        return " or ".join(f"`{word}`" for word in schema["enum"])
    if "anyOf" in schema and "type" not in schema:
        return " or ".join(words(each) for each in schema["anyOf"])
    match schema.get("type"):
        case "string":
            return PATTERNS.get(schema.get("pattern", ""), "text")
        case "integer" | "number" as kind:
            low, high = schema.get("minimum"), schema.get("maximum")
            noun = "whole number" if kind == "integer" else "number"
            if "exclusiveMinimum" in schema:
                return f"{noun} above {schema['exclusiveMinimum']:g}"
            if low is None or high is None:
                return noun
            return (
                f"{noun}, {low:g} to {high:,}"
                if kind == "integer"
                else f"{noun}, {low:g} to {high:,g}"
            )
        case "boolean":
            return "true or false"
        case "array" if "$ref" in schema.get("items", {}):
            return f"list of {schema['items']['$ref'].rpartition('/')[2]}s"
        case "array":
            return f"list of {_plural(schema.get('items', {}))}"
        case "object":
            return "mapping"
        case ["string", "boolean"]:
            return "expression"
        case ["string", "number"]:
            return "text or number"
        case _:
            return "any value"


def _plural(schema: Mapping[str, Any]) -> str:
    word = words(schema)
    return word if word == "any value" else f"{word}s"


def _default(table: Table, name: str, field: Field) -> str:
    if name in table.required:
        return "required"
    found = {each.name: each for each in msgspec.structs.fields(table.kind)}.get(field.attribute)
    value: Any = None if found is None else found.default
    if (
        value is None
        or value is msgspec.NODEFAULT
        or isinstance(value, Struct)
        or value in ("", ())
    ):
        return "–"
    if field.attribute.endswith("_ms") and isinstance(value, int):
        return f"`{format_duration(value)}`"
    return f"`{_flow(msgspec.to_builtins(value))}`"


# -- examples --------------------------------------------------------------------------------------


def _example(table: Table, name: str, schema: Mapping[str, Any]) -> str:
    found = _examples().get((frozenset(table.properties), name), ())
    fitting = [text for text in found if len(text) <= EXAMPLE_MAX]
    text = fitting[0] if fitting else f"{name}: {_stand_in(schema)}"
    return f"`{text}`"


def _stand_in(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return str(schema["enum"][-1])
    match schema.get("type"):
        case "integer" | "number":
            return f"{schema.get('minimum', 1):g}"
        case "boolean":
            return "true"
        case "array":
            return "[…]"
        case "object":
            return "{…}"
        case _:
            return STAND_INS.get(words(schema), "…")


@cache
def _examples() -> Mapping[tuple[frozenset[str], str], list[str]]:
    """By the keys of the mapping that it stands in, and its own."""
    found: dict[tuple[frozenset[str], str], list[str]] = {}
    both = roots()
    for document in _documents():
        _gather(document, both["quest"], found)
        for step in document.get("steps", ()):
            _gather(step, both["step"], found)
    return found


def _gather(value: Any, table: Table, found: dict[tuple[frozenset[str], str], list[str]]) -> None:
    names = frozenset(table.properties)
    inner = {one.path: one for one in below(table)}
    for each in cast("list[object]", value if isinstance(value, list) else [value]):
        mapping = cast("dict[str, Any]", each if isinstance(each, dict) else {})
        for name, content in mapping.items():
            found.setdefault((names, name), []).append(_flow({name: content})[1:-1])
            if (*table.path, name) in inner:
                _gather(content, inner[*table.path, name], found)


def _documents() -> Iterator[Any]:
    for page in ("document.md", "semantics.md"):
        path = ROOT / "docs" / page
        text = path.read_text(encoding="utf-8")
        for block in re.findall(r"^```yaml\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
            yield yaml.safe_load(block)
    for path in sorted((ROOT / "examples").rglob("*.yaml")):
        yield yaml.safe_load(path.read_text(encoding="utf-8"))


def _flow(value: Any) -> str:
    """On one line."""
    text = yaml.safe_dump(
        value, default_flow_style=True, width=10_000, allow_unicode=True, sort_keys=False
    )
    return text.strip().removesuffix("...").strip()


# -- lists -----------------------------------------------------------------------------------------


def later(argument: str, _: Mapping[str, str]) -> str:
    """What of the language is refused as not yet supported."""
    known: Iterable[str] = {
        "quest": QUEST_FIELDS,
        "step": STEP_FIELDS,
    }[argument]
    missing = [name for name in LANGUAGE[argument].split() if name not in known]
    return ", ".join(f"`{name}`" for name in missing) or "None."


def expression_names(argument: str, _: Mapping[str, str]) -> str:
    """Names of the filters, tests or functions."""
    names = {"filters": FILTER_NAMES, "tests": TEST_NAMES, "functions": FUNCTION_NAMES}[argument]
    return " ".join(f"`{name}`" for name in names)
