"""What the documents say is what the code does."""

import importlib
import inspect
import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Struct

from questd.analytics.query import ask
from questd.documents import InvalidDocument, load
from questd.documents.fields import QUEST_FIELDS, STEP_FIELDS
from questd.messages.definition import QuestDefinition, StepDefinition
from questd.messages.exchange import decode_agent_frame, decode_daemon_frame
from tests.analytics.making import Writer, memory_store, random_journal
from tests.analytics.reading import build
from tests.docs.generated import (
    BLOCK,
    LIMITS_PAGE,
    PAGES,
    ROOT,
    blocks,
    limits_of,
    modules_without_a_block,
    regenerate,
)
from tests.docs.keys import LANGUAGE
from tests.limits.tested import PACE, SETTINGS_TESTED, TESTED

PROTOCOL = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
ANEW = "run `python -m tests.docs.generated`, then write what is still empty"


def code(page: str, language: str) -> list[str]:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_is_made_from_the_code_is_as_the_code_is(page: Path) -> None:
    assert page.read_text(encoding="utf-8") == regenerate(page), ANEW


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_meaning_is_left_empty(page: Path) -> None:
    blocks = "\n".join(body for _, _, body in BLOCK.findall(page.read_text(encoding="utf-8")))
    assert [line for line in blocks.splitlines() if line.endswith("|  |")] == [], ANEW


@pytest.mark.parametrize(
    "name", ["exchange", "control", "history", "events", "schedules", "remote"]
)
def test_every_message_is_in_the_protocol(name: str) -> None:
    module = importlib.import_module(f"questd.messages.{name}")
    described = blocks(ROOT / "docs" / "protocol.md", "message")
    structs = [
        found
        for found, value in vars(module).items()
        if inspect.isclass(value)
        and issubclass(value, Struct)
        and value.__module__ == module.__name__
    ]
    assert structs
    assert [each for each in structs if f"{name}.{each}" not in described] == []


def test_the_frames_of_the_worked_example_are_frames() -> None:
    hexes = re.findall(
        r"<!-- generated: frame \[\"(\w+)\".*?```text\n(.*?)```", PROTOCOL, re.DOTALL
    )
    assert [tag for tag, _ in hexes] == ["hello", "welcome", "exchange", "work", "exchange", "work"]
    for tag, text in hexes:
        data = bytes.fromhex(text)
        decode = decode_agent_frame if tag in {"hello", "exchange"} else decode_daemon_frame
        assert decode(data).__struct_config__.tag == tag


def test_every_bound_of_the_code_is_in_the_limits() -> None:
    assert modules_without_a_block() == [], ANEW


def test_the_settings_of_the_limits_are_those_of_the_file() -> None:
    from questd.settings.reading import _TABLES  # pyright: ignore[reportPrivateUsage]

    page = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")
    for table in ("limits", "retention"):
        for name in _TABLES[table].__struct_fields__:
            assert f"`{table}.{name}`" in page
            assert f"{table}.{name}" in SETTINGS_TESTED


def test_every_limit_has_a_test_at_its_edge() -> None:
    """One that is new needs a line in tests/limits/tested.py, and a test."""
    found = {
        (module, name)
        for module in blocks(LIMITS_PAGE, "limits")
        for name in limits_of(importlib.import_module(f"questd.{module}"))
    }
    tested = {(module, name) for module, names in TESTED.items() for name in names}
    without_edge = {(module, name) for module, names in PACE.items() for name in names}
    assert found - tested - without_edge == set()
    assert (tested | without_edge) - found == set()
    assert tested & without_edge == set()


def test_the_tests_of_the_limits_are_there() -> None:
    named = {test for tests in (*TESTED.values(), SETTINGS_TESTED) for test in tests.values()}
    missing: list[str] = []
    for path, _, name in (test.partition("::") for test in sorted(named)):
        source = (ROOT / "tests" / path).read_text(encoding="utf-8")
        if f"\ndef {name}(" not in source:
            missing.append(f"{path}::{name}")
    assert missing == []


def test_what_the_page_of_limits_quotes_is_what_tests_hear() -> None:
    """Words in “…” are those of an error, or of an answer: a test at the edge asks for them."""
    heard = "\n".join(
        path.read_text(encoding="utf-8")
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        if "docs" not in path.parts
    )
    quoted = re.findall(r"“(.+?)”", LIMITS_PAGE.read_text(encoding="utf-8"))
    assert len(quoted) > 60
    assert [words for words in quoted if words not in heard] == []


# -- examples --------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(len(code("agents.md", "python"))))
def test_the_examples_of_agents_run(number: int) -> None:
    text = code("agents.md", "python")[number]
    names: dict[str, Any] = {"__name__": f"example_{number}"}
    exec(compile(text, f"agents.md example {number}", "exec"), names)
    assert names["agent"].tools


def test_the_first_example_of_agents_does_what_it_says() -> None:
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(code("agents.md", "python")[0], "agents.md", "exec"), names)
    positional, named = names["agent"].tools["audit"].arguments(b'{"diff": "eval(1)", "depth": 2}')
    assert names["audit"](*positional, **named) == {"findings": 2}


def test_every_name_of_the_context_is_in_the_agents_page() -> None:
    from questd.agent import Context

    page = (ROOT / "docs" / "agents.md").read_text(encoding="utf-8")
    public = [name for name in vars(Context) if not name.startswith("_")]
    assert [name for name in public if f"`ctx.{name}" not in page] == []


def test_the_questions_of_the_history_page_are_answered(tmp_path: Path) -> None:
    store = memory_store()
    writer = Writer(store)
    writer.submit("q_mine", QuestDefinition("n", (StepDefinition("a", agent="x"),)))
    random_journal(1, store)
    database = build(store, tmp_path / "history.duckdb")
    questions = code("history.md", "sql")
    assert len(questions) >= 9
    try:
        for sql in questions:
            cursor = database.cursor()
            answer = ask(cursor, sql)
            cursor.close()
            assert msgspec.json.decode(answer.data) is not None
    finally:
        database.close()


@pytest.mark.parametrize("number", range(len(code("semantics.md", "yaml"))))
def test_the_documents_of_the_semantics_load(number: int) -> None:
    assert load(code("semantics.md", "yaml")[number]).steps


@pytest.mark.parametrize("argument", sorted(LANGUAGE))
def test_a_key_of_the_language_is_in_the_tables_or_refused_by_name(argument: str) -> None:
    """What the reader learns leaves the list of what is refused, and nothing is in neither."""
    known = {"quest": QUEST_FIELDS, "step": STEP_FIELDS}[argument]
    assert set(known) - set(LANGUAGE[argument].split()) == set()
    for name in set(LANGUAGE[argument].split()) - set(known):
        whole: dict[str, Any] = {"name": "x", "steps": [{"key": "a", "agent": "b"}]}
        place = {"quest": whole, "step": whole["steps"][0]}[argument]
        place[name] = 1
        with pytest.raises(InvalidDocument, match=f"{name} is not yet supported"):
            load(json.dumps(whole))


def test_an_example_of_every_kind_of_key_is_a_real_one() -> None:
    page = (ROOT / "docs" / "document.md").read_text(encoding="utf-8")
    assert "`fallback: [{agent: " in page
    assert page.count("| required |") >= 3


def test_every_link_of_the_documents_leads_somewhere() -> None:
    for page in [*PAGES, ROOT / "ARCHITECTURE.md", ROOT / "CHANGELOG.md"]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
