"""The JSON Schema that editors use says what the reader does."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema_rs import Draft202012Validator, meta

from questd.documents import InvalidDocument, document_schema, load, load_file
from questd.documents.fields import QUEST_LATER, STEP_LATER
from questd.documents.schema import SCHEMA_PATH

from .test_loading import CASE, WHOLE

ROOT = Path(__file__).parents[2]
STEP: dict[str, Any] = {"key": "a", "agent": "b"}
GOOD: dict[str, Any] = {"name": "x", "steps": [STEP]}


def is_valid(document: Any) -> bool:
    return Draft202012Validator(document_schema()).is_valid(document)


def loads(document: Any) -> bool:
    try:
        load(json.dumps(document), name_hint="x.json")
    except InvalidDocument:
        return False
    return True


def test_the_file_that_ships_is_what_the_reader_does() -> None:
    assert json.loads(SCHEMA_PATH.read_text("utf-8")) == document_schema()


def test_it_is_json_schema() -> None:
    meta.validate(document_schema())


def test_an_editor_needs_nothing_from_the_network() -> None:
    """One that cannot fetch what a ``$ref`` names checks nothing at all."""
    text = SCHEMA_PATH.read_text("utf-8")
    assert re.findall(r'"\$ref": "(?!#/\$defs/)', text) == []


def test_the_case_document_and_one_with_everything_pass() -> None:
    for text in (Path(CASE).read_text("utf-8"), WHOLE):
        Draft202012Validator(document_schema()).validate(yaml.safe_load(text))


DOCUMENTS = sorted(
    path
    for folder in ("examples", "tests/cases")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in {".yaml", ".yml"}
)
PAGES = [
    (page.name, block)
    for page in [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"]
    for block in re.findall(
        r"^```yaml\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_document_of_the_examples_and_cases_passes(path: Path) -> None:
    Draft202012Validator(document_schema()).validate(yaml.safe_load(path.read_text("utf-8")))
    assert load_file(path).steps


@pytest.mark.parametrize("number", range(len(PAGES)), ids=[name for name, _ in PAGES])
def test_every_document_of_the_pages_passes(number: int) -> None:
    text = PAGES[number][1]
    Draft202012Validator(document_schema()).validate(yaml.safe_load(text))
    assert load(text).steps


@pytest.mark.parametrize("name", QUEST_LATER.split())
def test_a_quest_offers_nothing_that_is_refused(name: str) -> None:
    assert not is_valid({**GOOD, name: []})


@pytest.mark.parametrize("name", STEP_LATER.split())
def test_a_step_offers_nothing_that_is_refused(name: str) -> None:
    assert not is_valid({**GOOD, "steps": [{**STEP, name: 1}]})


@pytest.mark.parametrize(
    "change",
    [
        {"name": 5},
        {"name": ""},
        {"version": 1.5},
        {"version": None},
        {"priority": 0},
        {"priority": 11},
        {"labels": {"a": 1}},
        {"labels": {"a": []}},
        {"total_timeout": 30},
        {"total_timeout": "30s"},
        {"total_timeout": "1h30m"},
        {"limits": {"parallel": 0}},
        {"limits": {"steps": 10}},
        {"limits": {"stepz": 10}},
        {"defaults": {"retry": {"attempts": 0}}},
        {"defaults": {"retry": {"jitter": 1.5}}},
        {"defaults": {"timeout": "5m"}},
        {"inputs": {"i": {"type": "string", "default": "x"}}},
        {"inputs": {"i": {"type": "strin"}}},
        {"inputs": {"i": {"secret": True}}},
        {"inputs": {"i": {"type": "string", "secret": "yes"}}},
        {"inputs": {"i": {"type": ["string", "null"], "minLength": 1, "default": None}}},
        {"inputs": {"i": {"type": "string", "minLength": "1"}}},
        {"inputs": {"i": {"type": []}}},
        {"inputs": {"i": {"items": {"type": "strin"}}}},
        {"inputs": {"i": {"items": True, "anyOf": []}}},
        {"inputs": {"i": {"properties": {"a": {"required": "a"}}}}},
        {
            "inputs": {
                "i": {"type": "object", "properties": {"a": {"enum": [1]}}, "required": ["a"]}
            }
        },
        {"inputs": {"i": {"multipleOf": 0}}},
        {"inputs": {"a b": {}}},
        {"inputs": {"i": 5}},
        {"inputs": []},
        {"output": None},
        {"output": [1, {"a": "b"}]},
        {"steps": []},
        {"steps": {}},
    ],
)
def test_schema_and_reader_agree_on_a_quest(change: dict[str, Any]) -> None:
    document = {**GOOD, **change}
    assert is_valid(document) == loads(document)


@pytest.mark.parametrize(
    "change",
    [
        {"key": "1a"},
        {"key": "a-b"},
        {"agent": None},
        {"agent": ""},
        {"capability": "x"},
        {"capability": ["x", "y"]},
        {"capability": []},
        {"capability": [1]},
        {"with": []},
        {"with": {"a": [1]}},
        {"dependencies": "a"},
        {"dependencies": []},
        {"dependencies": ["b", "b"]},
        {"needs": []},
        {"needs": [], "dependencies": []},
        {"parallel": "no"},
        {"timeout": "250ms"},
        {"retry": {}},
        {"retry": {"attempts": 1001}},
        {"retry": {"backoff": 0.5}},
        {"retry": {"no_retry_on": ["x"]}},
        {"retry": {"no_retry_on": "x"}},
        {"on_error": "continue"},
        {"on_error": "stpo"},
        {"idempotent": False},
        {"priority": 10},
        {"priority": 10.5},
        {"colour": "red"},
    ],
)
def test_schema_and_reader_agree_on_a_step(change: dict[str, Any]) -> None:
    document = {**GOOD, "steps": [{**STEP, **change}]}
    assert is_valid(document) == loads(document)


def test_somebody_must_be_asked() -> None:
    assert not is_valid({"name": "x", "steps": [{"key": "a"}]})
    assert is_valid({"name": "x", "steps": [{"key": "a", "capability": "c"}]})
