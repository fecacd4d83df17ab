import pytest

from examples.code_review.review.model import (
    Check,
    Confidence,
    Finding,
    Report,
    Scope,
    Severity,
    UnreadableError,
)
from examples.code_review.review.verdict import decide, score_of

from .diffs import new_file, review


def finding(severity: Severity, confidence: Confidence = "high", line: int = 1) -> Finding:
    return Finding("a.py", line, severity, confidence, "rule", "message", "excerpt")


def report(
    *findings: Finding, check: Check = "security", failed: list[str] | None = None
) -> Report:
    return Report(check, Scope(1, 2, 3), list(findings), failed=failed or [])


CLEAN = (report(), report(check="quality"))


def test_a_clean_change_is_approved() -> None:
    decided = decide(CLEAN)
    assert (decided.verdict, decided.score, decided.files) == ("approve", 100, [])
    assert decided.review.startswith("# Review: approved\n")


def test_a_clean_diff_is_approved_from_end_to_end() -> None:
    source = (
        '"""Sums."""\n\n\ndef add(a: int, b: int) -> int:\n    """The sum."""\n    return a + b\n'
    )
    test = "from sums import add\n\n\ndef test_one_and_one_is_two() -> None:\n    assert add(1, 1) == 2\n"
    decided = review(new_file("sums.py", source) + new_file("tests/test_sums.py", test))
    assert (decided.verdict, decided.score) == ("approve", 100)


@pytest.mark.parametrize(
    ("findings", "verdict"),
    [
        ([finding("high")], "request_changes"),
        ([finding("high", "medium")], "request_changes"),
        ([finding("high", "low")], "comment"),
        ([finding("medium")], "comment"),
        ([finding("medium", line=n) for n in range(3)], "request_changes"),
        ([finding("medium", "low", line=n) for n in range(3)], "comment"),
        ([finding("low", line=n) for n in range(5)], "approve"),
        ([finding("low", line=n) for n in range(6)], "comment"),
    ],
)
def test_the_rules_of_the_verdict(findings: list[Finding], verdict: str) -> None:
    assert decide([report(*findings), CLEAN[1]]).verdict == verdict


def test_medium_findings_of_quality_do_not_block_by_their_number() -> None:
    some = report(*[finding("medium", line=n) for n in range(4)], check="quality")
    assert decide([CLEAN[0], some]).verdict == "comment"
    many = report(*[finding("medium", line=n) for n in range(20)], check="quality")
    assert decide([CLEAN[0], many]).verdict == "request_changes"


def test_silence_is_not_praise() -> None:
    decided = decide([CLEAN[1]], ["security"])
    assert decided.verdict == "comment"
    assert "security check did not run" in decided.review
    failed = decide([report(failed=["bandit took too long"]), CLEAN[1]])
    assert failed.verdict == "comment"
    assert "bandit took too long" in failed.review


def test_a_worse_change_scores_less() -> None:
    assert score_of([]) == 100
    scores = [score_of([finding("high", line=n) for n in range(count)]) for count in range(6)]
    assert scores == sorted(set(scores), reverse=True)
    assert score_of([finding("high", "low")]) > score_of([finding("high")])
    assert 0 <= score_of([finding("high")] * 400) < 1


def test_the_worst_comes_first() -> None:
    worst = Finding("z.py", 9, "high", "high", "rule", "message")
    decided = decide([report(finding("low"), worst, finding("medium", line=7)), CLEAN[1]])
    assert [file.path for file in decided.files] == ["z.py", "a.py"]
    assert [one.severity for one in decided.files[1].findings] == ["medium", "low"]


def test_the_same_reports_give_the_same_review() -> None:
    reports = [report(finding("high"), finding("low", line=3)), CLEAN[1]]
    assert decide(reports) == decide(reports)


def test_nothing_at_all_is_refused() -> None:
    with pytest.raises(UnreadableError, match="no report"):
        decide([])
