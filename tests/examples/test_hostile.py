"""Diffs by people who mean harm: they are read, remarked on, and do nothing."""

import time
from pathlib import Path

import msgspec
import pytest

from .diffs import CHANGE, new_file, review


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "a/../../b.py"])
def test_a_path_that_leads_outside_is_a_finding_and_nothing_is_written(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    decided = review(new_file(path, "x = 1\n"))
    assert "odd-path" in {one.rule for file in decided.files for one in file.findings}
    assert decided.verdict == "request_changes"
    assert list(tmp_path.rglob("*")) == []


def test_control_characters_never_reach_the_terminal() -> None:
    bad = "\x1b[2J\x1b]0;gotcha\x07\u202e"
    text = f"password = '{bad}aaaabbbbcccc'  # TODO {bad}\nx = eval('{bad}')\n"
    decided = review(new_file(f"a{bad}.js", text) + new_file("b.py", text))
    assert decided.files
    assert not any(mark in decided.review for mark in ("\x1b", "\x07", "\u202e"))
    assert not any(mark in repr(decided.files) for mark in ("\x1b", "\x07", "\u202e"))


def test_null_bytes_and_broken_unicode_do_no_harm() -> None:
    diff = new_file("a.py", "x = '\x00\ud800'\ny = eval(x)\n")
    decided = review(diff)
    assert msgspec.json.encode(decided)
    assert {one.line for file in decided.files for one in file.findings} >= {2}


def test_a_lone_carriage_return_moves_no_line() -> None:
    decided = review(new_file("a.py", "x = 1 \r # a\ry = 2\nz = eval(x)\n"))
    assert 2 in {one.line for file in decided.files for one in file.findings}


def test_a_line_of_a_million_characters_is_harmless() -> None:
    started = time.monotonic()
    decided = review(new_file("a.py", "x = '" + "password='" * 100_000 + "\ny = eval(x)\n"))
    assert "too long" in decided.review
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    "line", ["(" * 1500, "-" * 1900 + "1", "[[" * 900, "a" + ".b" * 900, "x if y else " * 150 + "z"]
)
def test_code_that_nests_without_end_is_harmless(line: str) -> None:
    assert review(new_file("a.py", f"{line}\n" * 20)).verdict


def test_a_flood_of_findings_is_cut_and_said_so() -> None:
    decided = review(new_file("a.py", "x = eval(y)\n" * 3000))
    assert len(decided.files[0].findings) <= 400
    assert "more security findings are not shown" in decided.review
    assert len(msgspec.json.encode(decided)) < 500_000


def test_a_long_run_of_prose_in_hunks_is_given_up_in_time() -> None:
    prose = "".join(f"this is line {n} of no code (\n" for n in range(4000))
    diff = (
        new_file("a.py", prose)
        .replace("--- /dev/null", "--- a/a.py")
        .replace("new file mode 100644\n", "")
    )
    started = time.monotonic()
    assert review(diff.replace("@@ -0,0", "@@ -9,0")).verdict
    assert time.monotonic() - started < 20


def test_the_diff_of_a_diff_is_one_file() -> None:
    decided = review(new_file("fixtures/change.diff", CHANGE))
    assert {file.path for file in decided.files} <= {"fixtures/change.diff"}
    assert decided.scope.files == 1


def test_a_config_file_in_the_change_does_not_steer_the_checkers() -> None:
    config = new_file(
        "pyproject.toml", '[tool.bandit]\nskips = ["B602"]\n[tool.ruff]\nexclude = ["*"]\n'
    )
    bad = new_file("a.py", "import os\nimport subprocess\nsubprocess.call(x, shell=True)\n")
    rules = {one.rule for file in review(config + bad).files for one in file.findings}
    assert {"bandit B602", "ruff F401"} <= rules
