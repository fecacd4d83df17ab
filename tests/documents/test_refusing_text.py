"""Texts that are no document, or no plain data: each is refused as such, and no text does worse than that."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from questd.documents import DOCUMENT_MAX_BYTES, InvalidDocument, load, load_file
from tests.documents.test_refusing import BAD, GOOD, faults, only


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("# nothing\n", "is empty"),
        ("--- \n...\n", "is empty"),
        ("null", "is empty"),
        ("42", "must be a mapping"),
        ("- a", "must be a mapping"),
        ("just words", "must be a mapping"),
        ("a: [1\nb: 2", "is not YAML"),
        ("\tname: x", "is not YAML"),
        ("a: b: c", "is not YAML"),
        ("a: 'open", "is not YAML"),
        ("%YAML 9.9\n---\na: 1", "is not YAML"),
        (GOOD + "---\n" + GOOD, "one document"),
        (GOOD + "output: *ghost\n", "has no anchor"),
        (GOOD + "output: &o [*o]\n", "contains itself"),
        (GOOD + "output: " + "[" * 200 + "]" * 200, "nested deeper"),
        (GOOD + "output:\n" + "- " * 200 + "x", "nested deeper"),
        (GOOD + "output: " + "[" * 100_000, "nested deeper"),
        (b"name: \xff", "not UTF-8"),
        ("name: x".encode("utf-16"), "not UTF-8"),
        ("name: \udc80", "surrogate"),
        (b"name: x\0", r"U\+0000"),
        ("name: x\x1b[2J", r"U\+001B"),
        ("x" * (DOCUMENT_MAX_BYTES + 1), "larger than"),
        ('{"a": 1,}', "must be a mapping|missing"),
    ],
)
def test_a_text_that_is_no_document_is_refused(text: bytes | str, says: str) -> None:
    with pytest.raises(InvalidDocument, match=says):
        load(text)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[",
        "}",
        '{"a"}',
        '{"a": }',
        '{"a": 1,}',
        '{"a": 1 "b": 2}',
        '{"a": [1,]}',
        '{"a": 01}',
        '{"a": 1.}',
        '{"a": .5}',
        '{"a": +1}',
        '{"a": NaN}',
        '{"a": -Infinity}',
        '{"a": True}',
        "{'a': 1}",
        '{"a": "\n"}',
        '{"a": "\\x"}',
        '{"a": "open',
        '{"a": 1} x',
        '{"a": 1} {}',
        '{"a": 1]',
        "// c\n{}",
        "{a: 1}",
        "\x00",
    ],
)
def test_what_is_no_json_is_refused_in_a_json_file(text: str) -> None:
    fault = only(text, "x.json")
    assert fault.line == (2 if text.startswith('{"a": "\\n') else 1)


def test_what_was_found_before_the_text_broke_is_told_too() -> None:
    found = faults("name: x\nname: y\nsteps: [\n")
    assert [fault.message.split(":")[0] for fault in found] == [
        'the key "name" stands here twice',
        "is not YAML",
    ]


def test_deep_json_is_no_recursion() -> None:
    assert "nested deeper" in only('{"a":' * 100_000, "x.json").message


def test_laughing_aliases_are_counted_expanded() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert "aliases expanded" in only("\n".join(lines)).message
    long = f"a: &a {'x' * 100_000}\nb: [{', '.join(['*a'] * 1_000)}]"
    assert "characters, aliases expanded" in only(long).message
    deep = "a0: &a0 " + "[" * 90 + "]" * 90 + "\na1: " + "[" * 90 + "*a0" + "]" * 90
    assert "nested deeper" in only(deep).message


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object:os.system",
        "!!python/name:os.system",
        "!mine",
        "!!binary",
        "!!set",
        "!!timestamp",
    ],
)
@pytest.mark.parametrize("value", ["x", "[x]", "{x: y}"])
def test_tags_make_no_objects(tag: str, value: str) -> None:
    fault = only(f"{GOOD}output: {tag} {value}\n")
    assert (fault.path, fault.line, fault.column) == ("output", 5, 9)
    assert "is not allowed" in fault.message


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (".nan", "JSON can say"),
        ("-.inf", "JSON can say"),
        ("1e999", "JSON can say"),
        ("18446744073709551616", "64 bits"),
        ("9" * 5_000, "64 bits"),
        ("0x" + "f" * 300, "64 bits"),
        (r'"\0"', "NUL"),
        ("!!int x", "is not int"),
        ("{1: 2}", "must be text"),
        ("{~: 2}", "must be text"),
        ("{true: 2}", "must be text"),
        ("{[a]: 2}", "must be text"),
        ("{? {a: b} : 2}", "must be text"),
        ("{a: 1, a: 2}", "twice"),
        (r'{"\0": 1}', "NUL"),
    ],
)
def test_values_that_are_no_plain_data_are_refused(value: str, says: str) -> None:
    fault = only(f"{GOOD}output: {value}\n")
    assert says in fault.message
    assert fault.path.startswith("output")


def test_files_that_cannot_be_read_are_refused_by_name(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path, Path("a\0b")):
        with pytest.raises(InvalidDocument, match="cannot be read"):
            load_file(path)
    huge = tmp_path / "huge.yaml"
    with huge.open("wb") as file:
        file.truncate(DOCUMENT_MAX_BYTES * 100)
    with pytest.raises(InvalidDocument, match="larger than"):
        load_file(huge)


def is_refused_or_loaded(text: bytes | str, name_hint: str | None) -> None:
    refused: InvalidDocument | None = None
    try:
        load(text, name_hint=name_hint)
    except InvalidDocument as error:
        refused = error
    assert refused is None or (refused.faults and str(refused))


HINTS = st.sampled_from([None, "x.yaml", "x.json"])
FRAGMENTS = st.sampled_from(
    [
        "name:",
        "steps:",
        "-",
        "key",
        "agent",
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        "?",
        "&",
        "*",
        "!",
        "|",
        ">",
        "'",
        '"',
        "#",
        "%",
        "@",
        "`",
        "&a",
        "*a",
        "!!str",
        "!x",
        "<<:",
        "1.0",
        ".nan",
        "0x",
        "~",
        "\n",
        "\n",
        "",
        "\t",
        "---",
        "...",
        "{{",
        "}}",
        "{{a.result}}",
        "inputs:",
        "dependencies:",
        "with:",
        "retry:",
        "secret:",
        "true",
        "default:",
        "null",
        "$ref",
        "\ufeff",
        "\u2028",
        "\\u",
    ]
)


@given(st.binary(max_size=300), HINTS)
def test_random_bytes_are_refused_and_nothing_else(data: bytes, name_hint: str | None) -> None:
    is_refused_or_loaded(data, name_hint)


@given(st.lists(FRAGMENTS, max_size=40), HINTS)
def test_random_syntax_is_refused_and_nothing_else(parts: list[str], name_hint: str | None) -> None:
    is_refused_or_loaded(" ".join(parts), name_hint)


@given(st.data())
def test_a_document_with_a_hole_is_refused_and_nothing_else(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(BAD)))
    end = data.draw(st.integers(start, len(BAD)))
    is_refused_or_loaded(BAD[:start] + data.draw(st.text(max_size=5)) + BAD[end:], None)
