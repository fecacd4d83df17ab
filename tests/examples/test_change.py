"""The change that ships with the example: its faults are found where they are, nothing is made up elsewhere."""

import subprocess
from pathlib import Path

import pytest

from examples.code_review.review.diff import read_diff
from examples.code_review.review.model import Changes, Report, Review
from examples.code_review.review.quality import check_changes
from examples.code_review.review.security import audit_changes
from examples.code_review.review.verdict import decide

from .diffs import CHANGE, EXAMPLE, changed_file, places, review

SECURITY = {
    ("kiosk/app.py", "debug=True", "bandit B201"),
    ("kiosk/app.py", "0.0.0.0", "bandit B104"),
    ("kiosk/orders.py", "where customer = '{customer}'", "bandit B608"),
    ("kiosk/payments.py", "SIGNING_SECRET =", "secret"),
    ("kiosk/payments.py", "verify=False", "bandit B501"),
    ("kiosk/payments.py", "/charges", "bandit B113"),
    ("kiosk/payments.py", "shell=True", "bandit B602"),
    ("kiosk/sessions.py", "random.getrandbits", "bandit B311"),
    ("kiosk/sessions.py", "hashlib.md5", "bandit B324"),
    ("kiosk/settings.py", "pickle.load(", "bandit B301"),
    ("kiosk/settings.py", "yaml.load(", "bandit B506"),
    ("scripts/export_orders.sh", "chmod 777", "world-writable"),
}
QUALITY = {
    ("kiosk/app.py", "except Exception:", "ruff BLE001"),
    ("kiosk/orders.py", "known: list[str] = []", "ruff B006"),
    ("kiosk/payments.py", "import Decimal", "ruff F401"),
    ("kiosk/payments.py", "stamp =", "ruff F841"),
    ("kiosk/payments.py", "def explain", "radon"),
    ("kiosk/payments.py", "# TODO", "todo"),
    ("kiosk/sessions.py", "except:", "ruff E722"),
}


@pytest.fixture(scope="module")
def changes() -> Changes:
    return read_diff(CHANGE)


@pytest.fixture(scope="module")
def security(changes: Changes) -> Report:
    return audit_changes(changes)


@pytest.fixture(scope="module")
def quality(changes: Changes) -> Report:
    return check_changes(changes)


@pytest.fixture(scope="module")
def decided(security: Report, quality: Report) -> Review:
    return decide([security, quality])


def line_with(changes: Changes, path: str, text: str) -> int:
    [file] = [file for file in changes.files if file.path == path]
    [number] = [number for hunk in file.hunks for number, line in hunk.lines() if text in line]
    return number


def test_each_planted_weakness_is_found_at_its_line(changes: Changes, security: Report) -> None:
    found = places(security)
    for path, text, rule in SECURITY:
        line = line_with(changes, path, text)
        near = {(path, line - back, rule) for back in range(2)}  # a call starts the line before
        assert near & found, f"{rule} for {text!r} at {path}:{line}"


def test_each_planted_fault_of_quality_is_found_at_its_line(
    changes: Changes, quality: Report
) -> None:
    expected = {(path, line_with(changes, path, text), rule) for path, text, rule in QUALITY}
    assert expected <= places(quality)


def test_only_added_lines_are_blamed(changes: Changes, security: Report, quality: Report) -> None:
    added = {(file.path, line) for file in changes.files for line in file.added_lines()}
    for finding in [*security.findings, *quality.findings]:
        assert finding.line == 0 or (finding.path, finding.line) in added


def test_good_code_is_left_in_peace(decided: Review) -> None:
    blamed = {file.path for file in decided.files}
    assert blamed.isdisjoint(
        {
            "kiosk/amounts.py",
            "kiosk/legacy_export.py",
            "tests/test_amounts.py",
            "config/service.yaml",
        }
    )


def test_the_verdict_is_to_request_changes(decided: Review) -> None:
    assert decided.verdict == "request_changes"
    assert decided.score < 50
    assert decided.scope.files == 11
    assert decided.counts["high"] >= 6


def test_the_secret_is_nowhere_in_what_comes_out(
    security: Report, quality: Report, decided: Review
) -> None:
    secret = CHANGE.split('SIGNING_SECRET = "')[1].split('"')[0]
    assert len(secret) > 20
    assert secret not in repr((security, quality, decided))


def test_the_page_fits_a_terminal(decided: Review) -> None:
    lines = decided.review.splitlines()
    assert lines[0] == "# Review: changes requested"
    assert max(map(len, lines)) <= 80
    assert "kiosk/payments.py" in decided.review
    assert "- HIGH line 16: hard-coded secret" in decided.review


def test_the_change_applies_to_the_files_that_it_names(tmp_path: Path) -> None:
    done = subprocess.run(
        ["git", "apply", "--stat", "--summary", str(EXAMPLE / "change.diff")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "rename kiosk/{money.py => amounts.py}" in done.stdout
    assert "delete mode 100644 kiosk/legacy_export.py" in done.stdout


def test_another_diff_gets_another_review(decided: Review) -> None:
    other = review(changed_file("shop/a.py", "x = 1\n", "x = eval(input())\n"))
    assert other.review != decided.review
    assert {file.path for file in other.files} == {"shop/a.py"}


def test_the_case_document_is_shipped_as_it_is() -> None:
    case = Path(__file__).parents[1] / "cases" / "code-review-workflow.yaml"
    copy = EXAMPLE / "code-review-workflow.yaml"
    assert copy.read_bytes() == case.read_bytes()
