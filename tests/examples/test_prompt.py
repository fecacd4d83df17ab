import msgspec
import pytest

from examples.code_review.review.diff import read_diff
from examples.code_review.review.model import Finding, Report, Scope, UnreadableError
from examples.code_review.review.prompt import find_changes, find_diff, find_reports

from .diffs import CHANGE, new_file

SMALL = new_file("a.py", "x = 1\n")
PLAIN = "--- a.py\n+++ a.py\n@@ -1 +1 @@\n-x\n+y\n"


def as_json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def report(check: str = "security") -> Report:
    finding = Finding("a.py", 1, "low", "low", "rule", 'says "quality=null" {')
    return msgspec.convert(
        {"check": check, "scope": {"files": 1}, "findings": [msgspec.to_builtins(finding)]}, Report
    )


@pytest.mark.parametrize(
    "prompt",
    [
        f"Parse git diff and extract changed files: {SMALL}",
        f"Run `diff --git a b` and look:\n```diff\n{SMALL}```\nThank you {{}}",
        f"See --- this --- and then\n{SMALL}",
        SMALL.replace("\n", "\r\n"),
        f"Parse: {as_json({'diff': SMALL})}",
    ],
)
def test_the_diff_is_found_in_the_prose(prompt: str) -> None:
    changes = read_diff(find_diff(prompt))
    assert [file.path for file in changes.files] == ["a.py"]
    assert changes.files[0].hunks[0].source == "x = 1"


def test_a_plain_diff_is_found_in_the_prose() -> None:
    assert find_diff(f"Please read this -- carefully: {PLAIN}") == PLAIN


def test_the_shipped_change_survives_the_way_through_both_prompts() -> None:
    changes = read_diff(find_diff(f"Parse git diff and extract changed files: {CHANGE}"))
    assert changes == read_diff(CHANGE)
    assert find_changes(f"Audit these changes for {{x}} {{: {as_json(changes)} now!") == changes


def test_a_bare_diff_serves_where_changes_are_asked_for() -> None:
    assert find_changes(f"Audit this: {SMALL}") == read_diff(SMALL)


def test_reports_are_found_with_whatever_stands_around_them() -> None:
    both = f"Aggregate: security={as_json(report())}, quality={as_json(report('quality'))}"
    reports, missing = find_reports(both)
    assert [one.check for one in reports] == ["security", "quality"]
    assert missing == []


def test_a_null_in_the_place_of_a_report_is_a_missing_check() -> None:
    reports, missing = find_reports(f"Aggregate: security={as_json(report())}, quality=null")
    assert len(reports) == 1
    assert missing == ["quality"]
    assert find_reports("security=null, quality=null") == ([], ["quality", "security"])


def test_a_prompt_without_what_is_needed_is_refused_by_name() -> None:
    with pytest.raises(UnreadableError, match="no diff"):
        find_diff("Parse this: nothing")
    with pytest.raises(UnreadableError, match="neither parsed changes"):
        find_changes("Audit: {}")
    with pytest.raises(UnreadableError, match="no report"):
        find_reports("Aggregate: security=, quality=")
    with pytest.raises(UnreadableError, match="changes"):
        find_changes('Audit: {"files": 3}')


@pytest.mark.parametrize(
    "prompt", ["{" * 100_000, '{"a":' * 50_000, "[" * 100_000, "diff --git " * 10_000]
)
def test_a_hostile_prompt_is_refused_in_time(prompt: str) -> None:
    with pytest.raises(UnreadableError):
        find_changes(prompt)


def test_scope_travels_with_the_reports() -> None:
    [found], _ = find_reports(as_json(report()))
    assert found.scope == Scope(files=1)
