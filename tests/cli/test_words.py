"""Words of the command line: inputs, options, help, completion. No daemon."""

import argparse
import json
import os
import subprocess
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from questd.cli import codes
from questd.cli.completion import bash, commands, fish, zsh
from questd.cli.inputs import FileReader, input_values
from questd.cli.main import main
from questd.cli.marks import length
from questd.cli.output import one_line, visible
from questd.cli.parser import GROUPS, LATER, Noun, build, parse
from questd.client.client import Client
from questd.client.errors import InvalidInput
from questd.documents import document_schema
from questd.messages.definition import InputDefinition

DECLARED = {
    "text": InputDefinition({"type": "string"}),
    "count": InputDefinition({"type": "integer"}),
    "many": InputDefinition({"type": "array"}),
    "either": InputDefinition({"type": ["string", "null"]}),
    "free": InputDefinition({}),
}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("text=12", "12"),
        ("text=", ""),
        ('text={"a": 1}', '{"a": 1}'),
        ("text=a=b", "a=b"),
        ("text=@@home", "@home"),
        ("count=12", 12),
        ("many=[1, 2]", [1, 2]),
        ("either=null", None),
        ("either=word", "word"),
        ("free=12", 12),
        ("free=1.0", 1.0),
        ("free=twelve", "twelve"),
        ("free=@@x", "@x"),
        ("other=true", True),
        ("other={", "{"),
    ],
)
def test_the_declared_type_decides_what_a_text_means(given: str, expected: object) -> None:
    (value,) = input_values([given], DECLARED).values()
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("given", "content", "expected"),
    [
        ("text=@file", "[1]\n", "[1]\n"),
        ("free=@file", "[1]", "[1]"),
        ("count=@file", "12", "12"),
        ("many=@file", "[1]\n", [1]),
        ("other=@-", "[1]", "[1]"),
    ],
)
def test_a_file_is_verbatim_unless_an_object_or_array_is_declared(
    given: str, content: str, expected: object
) -> None:
    (value,) = input_values([given], DECLARED, lambda _: content).values()
    assert value == expected


def test_every_input_that_cannot_be_read_is_named_at_once(tmp_path: Path) -> None:
    latin = tmp_path / "latin"
    latin.write_bytes(b"caf\xe9")
    given = ["count=x", "text", "many=@" + str(tmp_path / "none"), f"free=@{latin}", "other=@"]
    with pytest.raises(InvalidInput) as raised:
        input_values([*given, "text=1", "text=2"], DECLARED)
    faults = raised.value.faults
    assert faults[0].startswith("-i count: 'x' is no JSON, but integer is declared")
    assert faults[1] == "-i text: write KEY=VALUE, or KEY=@FILE"
    assert "cannot be read: No such file" in faults[2]
    assert faults[3].endswith("is not UTF-8 (byte 0xe9 at 3)")
    assert "@ needs the name of a file" in faults[4]
    assert faults[5] == "-i text: is given twice"


def test_standard_input_can_be_taken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(b"text")))
    reader = FileReader()
    assert reader("-") == "text"
    with pytest.raises(InvalidInput, match=r"only one thing can be @-"):
        reader("-")


def test_global_options_stand_before_or_after_the_verb() -> None:
    before = parse(["--json", "--data", "d", "list", "--limit", "3"])
    after = parse(["list", "--limit", "3", "--data", "d", "--json"])
    assert vars(before) == vars(after)
    assert before.json
    assert parse(["--json", "agent", "list"]).json
    assert parse(["agent", "--json"]).place == "questd.cli.agents:list_agents"


@pytest.mark.parametrize("word", LATER)
def test_a_verb_of_later_is_refused_by_name(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main([word, "x"])
    assert raised.value.code == 2
    assert f"`quest {word}` is not yet supported" in capsys.readouterr().err


def test_a_wrong_word_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(["lst"])
    assert raised.value.code == 2
    assert "there is no command 'lst': did you mean 'list'?" in capsys.readouterr().err


def test_every_command_that_asks_has_a_method_of_the_same_name() -> None:
    without = {"init", "serve", "doctor", "completion", "agent_run"}
    names: set[str] = set()
    for member in (one for members in GROUPS.values() for one in members):
        if isinstance(member, Noun):
            names |= {f"{member.name}_{verb.name}" for verb in member.verbs}
        else:
            names.add(member.name)
    assert {name for name in names - without if not callable(getattr(Client, name, None))} == set()


def test_every_command_is_completed_in_every_shell() -> None:
    found = list(commands(build(), ""))
    for script in (bash(found), zsh(found), fish(found)):
        for member in (one for members in GROUPS.values() for one in members):
            assert member.name in script
        assert "waiting-longer-than" in script
        assert "token-file" in script


def test_the_bash_script_completes(tmp_path: Path) -> None:
    script = tmp_path / "quest.bash"
    script.write_text(bash(list(commands(build(), ""))))
    asked = f"""
        source {script}
        t() {{ COMP_WORDS=("$@"); COMP_CWORD=$(($#-1)); COMPREPLY=(); _quest; echo "${{COMPREPLY[@]}}"; }}
        t quest wat; t quest agent dr; t quest agent run --tok; t quest completion z
    """
    done = subprocess.run(
        ["bash", "-c", asked], check=False, capture_output=True, text=True, cwd=tmp_path
    )
    assert done.stdout.split() == ["watch", "drain", "--token-file", "zsh"]


def test_help_into_a_pipe_has_no_colours() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "questd", "--help"], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0
    assert "\x1b" not in done.stdout


def test_help_loads_nothing_that_a_command_needs() -> None:
    code = (
        "import sys, questd.cli.parser as p; p.build().format_help();"
        "print([m for m in ('msgspec', 'rich', 'pynng', 'duckdb', 'yaml', 'pykka') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_an_agent_loads_neither_history_nor_daemon() -> None:
    code = (
        "import sys; from questd import Agent;"
        "print([m for m in ('duckdb', 'pykka', 'sqlite3', 'questd.client.client') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_every_name_of_the_package_is_there() -> None:
    import questd

    assert [name for name in questd.__all__ if not hasattr(questd, name)] == []


def test_a_strangers_text_cannot_move_the_cursor() -> None:
    assert visible("a\x1b[2Jb\x07\x9b1m\r") == "a\\x1b[2Jb\\x07\\x9b1m\\x0d"
    assert one_line("a\n  b\x1b") == "a b\\x1b"


@pytest.mark.parametrize(
    ("milliseconds", "expected"),
    [(0, "0 ms"), (999.7, "1.0 s"), (59_970, "1 min 0 s"), (3_725_000, "1 h 2 min"), (90_000_000, "1 d 1 h")],
)  # fmt: skip
def test_spans_are_told_in_two_units(milliseconds: float, expected: str) -> None:
    assert length(milliseconds) == expected


def test_a_reader_that_has_seen_enough_ends_a_command_quietly() -> None:
    command = f"{sys.executable} -m questd --help | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], check=False, capture_output=True, text=True, env=dict(os.environ)
    )
    assert done.stderr == ""


def test_options_are_plain(tmp_path: Path) -> None:
    assert isinstance(parse(["init", str(tmp_path)]), argparse.Namespace)


def test_the_schema_for_editors_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "--schema"]) == codes.DONE
    assert json.loads(capsys.readouterr().out) == document_schema()
    assert main(["validate"]) == codes.USAGE
    assert "quest validate FILE, or quest validate --schema" in capsys.readouterr().err
