import subprocess
from pathlib import Path

import msgspec
import pytest

from examples.code_review.review.diff import language_of, read_diff
from examples.code_review.review.model import UnreadableError

from .diffs import CHANGE, changed_file, new_file


def git(folder: Path, *arguments: str) -> str:
    config = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "core.autocrlf=false"]
    done = subprocess.run(
        ["git", *config, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    return tmp_path


def committed(repository: Path) -> None:
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "before")


def staged(repository: Path) -> str:
    git(repository, "add", "-A")
    return git(repository, "diff", "--cached", "-M")


def test_the_shipped_change_is_read_file_by_file() -> None:
    changes = read_diff(CHANGE)
    status = {file.path: file.status for file in changes.files}
    assert status["kiosk/payments.py"] == "added"
    assert status["kiosk/orders.py"] == "modified"
    assert status["kiosk/legacy_export.py"] == "deleted"
    assert status["kiosk/amounts.py"] == "renamed"
    assert changes.scope.files == len(changes.files) == 11
    assert changes.scope.added == sum(file.added for file in changes.files) > 200
    renamed = next(file for file in changes.files if file.status == "renamed")
    assert renamed.old_path == "kiosk/money.py"


def test_lines_carry_their_numbers_after_the_change() -> None:
    before = "".join(f"line {n}\n" for n in range(1, 41))
    after = before.replace("line 5\n", "").replace("line 30\n", "line 30\nnew 30\n")
    [file] = read_diff(changed_file("notes.txt", before, after)).files
    numbered = {number: text for hunk in file.hunks for number, text in hunk.lines()}
    assert all(after.splitlines()[number - 1] == text for number, text in numbered.items())
    assert file.added_lines() == {30}
    assert (file.added, file.removed, file.complete) == (1, 1, False)


def test_a_new_file_is_complete_and_a_deleted_one_has_no_lines() -> None:
    files = {file.path: file for file in read_diff(CHANGE).files}
    assert files["kiosk/settings.py"].complete
    assert files["kiosk/legacy_export.py"].hunks == []
    assert files["kiosk/legacy_export.py"].removed == 18


def test_what_git_prints_for_odd_files_is_understood(repository: Path) -> None:
    (repository / "run.sh").write_text("#!/bin/sh\n")
    (repository / "logo.bin").write_bytes(bytes(range(256)))
    (repository / "plain name.py").write_text("a = 1\n")
    committed(repository)
    (repository / "run.sh").chmod(0o755)
    (repository / "logo.bin").write_bytes(bytes(range(255, -1, -1)))
    (repository / "plain name.py").write_text("a = 2")
    (repository / "café.py").write_text("b = 1\n")
    (repository / "empty.py").write_text("")
    changes = read_diff(staged(repository))
    files = {file.path: file for file in changes.files}
    assert files["run.sh"].mode == "100755"
    assert files["run.sh"].hunks == []
    assert files["logo.bin"].binary
    assert any("logo.bin" in note for note in changes.notes)
    assert files["plain name.py"].hunks[0].source == "a = 2"
    assert files["café.py"].language == "python"
    assert files["empty.py"].status == "added"


def test_windows_line_ends_are_no_part_of_a_line() -> None:
    diff = new_file("a.py", "x = 1\ny = 2\n").replace("\n", "\r\n")
    [file] = read_diff(diff).files
    assert file.hunks[0].source == "x = 1\ny = 2"
    content_only = (
        new_file("a.py", "x = 1\ny = 2\n").replace("1\n", "1\r\n").replace("2\n", "2\r\n")
    )
    assert (
        read_diff(new_file("a.py", "x = 1\r\ny = 2\r\n")).files[0].hunks[0].source == "x = 1\ny = 2"
    )
    assert "\r" not in read_diff(content_only.replace(",2\r\n", ",2\n")).files[0].hunks[0].source


def test_a_plain_diff_without_git_headers_is_read() -> None:
    diff = "--- old/a.py\t2024-01-01\n+++ new/a.py\t2024-01-02\n@@ -1 +1,2 @@\n a = 1\n+b = 2\n"
    [file] = read_diff(diff).files
    assert file.path == "new/a.py"
    assert file.added_lines() == {2}


def test_stripped_empty_lines_at_the_end_are_forgiven() -> None:
    diff = changed_file("a.py", "a = 1\n\n\n\n", "a = 2\n\n\n\n")
    assert read_diff(diff.rstrip()).files[0].added == 1


@pytest.mark.parametrize("text", ["", "  \n\n", "hello", "{}", "\x00\x00"])
def test_a_text_without_a_diff_is_refused_with_advice(text: str) -> None:
    with pytest.raises(UnreadableError, match="git diff"):
        read_diff(text)


def test_a_broken_diff_is_refused_with_the_reason() -> None:
    with pytest.raises(UnreadableError, match="broken"):
        read_diff(new_file("a.py", "x = 1\n").replace("+1,1", "+1,9"))
    with pytest.raises(UnreadableError, match="broken"):
        read_diff("@@ -1,1 +1,1 @@\n-a\n+b\n")


def test_a_huge_diff_gives_a_bounded_result_that_says_what_was_cut() -> None:
    line = "value = compute(first, second, third)\n"
    diff = "".join(new_file(f"src/part_{n}.py", line * 500) for n in range(120))
    assert len(diff) > 2_000_000
    changes = read_diff(diff)
    assert len(msgspec.json.encode(changes)) < 700_000
    assert changes.scope.added == 60_000
    assert any("too long" in note for note in changes.notes)
    cut = [file for file in changes.files if file.cut]
    assert cut
    assert not any(file.complete for file in cut)


@pytest.mark.parametrize(
    ("path", "language"),
    [("a/b.PY", "python"), ("Dockerfile", "docker"), ("x/.env", "env"), ("LICENSE", "other")],
)
def test_the_language_is_told_by_the_name(path: str, language: str) -> None:
    assert language_of(path) == language
