"""The security check: bandit on Python, patterns on the rest, secrets everywhere; only on lines that are new."""

import re
from collections.abc import Iterator
from typing import Any

from .credentials import find_secrets, masked
from .fragments import program_of
from .model import ChangedFile, Changes, Finding, Report, Severity
from .patterns import dangers
from .programs import CheckerError, place_of, run_checker
from .report import Place, excerpt, is_test, make_report

_BANDIT = ["-f", "json", "-q", "--ignore-nosec"]
# imports and fixed commands are no faults by themselves; passwords our own rules name better
_SKIPPED = re.compile(r"B40[1-9]|B41[0-5]|B603|B607|B10[567]")
_IN_TESTS = {"B101", "B108", "B311", "B113"}
_ABOUT_SECRETS = re.compile(r"(?i)token|secret|passw|key|session|nonce|salt")
_LEVELS: dict[str, Severity] = {"HIGH": "high", "MEDIUM": "medium", "LOW": "low"}


def audit_changes(changes: Changes) -> Report:
    """What the change does to security. A line that asks checkers to look away (``# nosec``) is looked at too."""
    failed: list[str] = []
    findings: dict[Place, list[Finding]] = {}
    try:
        _collect(findings, _bandit(changes.files))
    except CheckerError as error:
        failed.append(str(error))
    seen = set(findings)
    for file in changes.files:
        _collect(findings, _secrets(file))
        _collect(
            findings, (danger for danger in _dangers(file) if (file.path, danger.line) not in seen)
        )
        _collect(findings, _odd_path(file))
    return make_report(
        "security", changes, [one for some in findings.values() for one in some], failed
    )


def _collect(findings: dict[Place, list[Finding]], more: Iterator[Finding]) -> None:
    for finding in more:
        findings.setdefault((finding.path, finding.line), []).append(finding)


def _bandit(files: list[ChangedFile]) -> Iterator[Finding]:
    """Bandit's findings that touch an added line, at the first added line that they touch."""
    python = [file for file in files if file.language == "python" and file.hunks]
    programs = [program_of(file) for file in python]
    if not programs:
        return
    added = [file.added_lines() for file in python]
    for result in run_checker("bandit", _BANDIT, programs)["results"]:
        place = place_of(result["filename"])
        rows = [result["line_number"], *result["line_range"]]
        numbers = (programs[place].line_of(row) for row in rows)
        line = next((number for number in numbers if number in added[place]), None)
        if line is not None and _counts(result["test_id"], python[place]):
            yield _bandit_finding(result, python[place], line)


def _counts(rule: str, file: ChangedFile) -> bool:
    return not (_SKIPPED.match(rule) or (rule in _IN_TESTS and is_test(file.path)))


def _bandit_finding(result: dict[str, Any], file: ChangedFile, line: int) -> Finding:
    """One finding, weighed by bandit but for two rules that take a reader's eyes.

    SQL put together from parts is grave in a review, and so is guessable randomness where secrets are made.
    """
    rule: str = result["test_id"]
    severity = _LEVELS.get(result["issue_severity"], "low")
    confidence = _LEVELS.get(result["issue_confidence"], "low")
    if rule == "B608" or (rule == "B311" and _ABOUT_SECRETS.search(excerpt(file, line))):
        severity, confidence = "high", "medium"
    message = _sentence(result["issue_text"], file.language)
    cwe = result.get("issue_cwe", {}).get("id")
    return Finding(file.path, line, severity, confidence, f"bandit {rule}", message, cwe=cwe)


def _sentence(text: str, language: str) -> str:
    return masked(" ".join(text.split()), language)[:300].rstrip(".")


def _secrets(file: ChangedFile) -> Iterator[Finding]:
    severity: Severity = "medium" if is_test(file.path) else "high"
    for number, text in _added(file):
        for secret in find_secrets(text, file.language):
            yield Finding(
                path=file.path,
                line=number,
                severity=severity if secret.confidence != "low" else "low",
                confidence=secret.confidence,
                rule="secret",
                message=f"{secret.kind}: move it out of the code and replace it, the history keeps it",
                cwe=798,
            )


def _dangers(file: ChangedFile) -> Iterator[Finding]:
    for number, text in _added(file):
        for danger in dangers(text, file.language):
            yield Finding(
                path=file.path,
                line=number,
                severity=danger.severity,
                confidence="medium",
                rule=danger.rule,
                message=danger.message,
                cwe=danger.cwe,
            )


def _odd_path(file: ChangedFile) -> Iterator[Finding]:
    if file.path.startswith("/") or ".." in file.path.split("/") or "\\x" in file.path:
        message = (
            "the path leads out of the repository or hides characters: do not apply this change"
        )
        yield Finding(file.path, 0, "high", "high", "odd-path", message, cwe=22)


def _added(file: ChangedFile) -> Iterator[tuple[int, str]]:
    for hunk in file.hunks:
        added = hunk.added_lines()
        yield from ((number, text) for number, text in hunk.lines() if number in added)
