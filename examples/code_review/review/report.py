"""What both checks share: the excerpt of a line, what a test file is, and a report that is bounded."""

from collections.abc import Iterable
from pathlib import PurePosixPath

import msgspec

from .credentials import masked
from .model import SEVERITIES, ChangedFile, Changes, Check, Finding, Report
from .text import printable

MAX_FINDINGS = 200
MAX_EXCERPT_CHARACTERS = 120

Place = tuple[str, int]
"""A path and a line."""


def excerpt(file: ChangedFile, line: int) -> str:
    """The line as it reads after the change, its secrets masked, harmless to print."""
    for hunk in file.hunks:
        lines = hunk.source.split("\n")
        if hunk.start <= line < hunk.start + len(lines):
            text = masked(lines[line - hunk.start].strip(), file.language)
            return printable(text, MAX_EXCERPT_CHARACTERS)
    return ""


def is_test(path: str) -> bool:
    """Whether the file is a test by the usual names."""
    parts = PurePosixPath(path.lower())
    stem = parts.name.split(".")[0]
    named = stem.startswith("test_") or stem.endswith(("_test", "_spec")) or stem == "conftest"
    return (
        named
        or ".test." in parts.name
        or ".spec." in parts.name
        or not _TEST_FOLDERS.isdisjoint(parts.parts[:-1])
    )


_TEST_FOLDERS = frozenset({"tests", "test", "__tests__", "spec"})


def _rank(finding: Finding) -> tuple[object, ...]:
    place = (finding.path, finding.line, finding.rule, finding.message)
    return (SEVERITIES.index(finding.severity), *place)


def _with_excerpt(finding: Finding, files: dict[str, ChangedFile]) -> Finding:
    return msgspec.structs.replace(finding, excerpt=excerpt(files[finding.path], finding.line))


def make_report(
    check: Check,
    changes: Changes,
    findings: Iterable[Finding],
    failed: list[str],
    metrics: dict[str, int] | None = None,
) -> Report:
    """The findings worst first, then by place; of a flood only the first ``MAX_FINDINGS``."""
    ranked = sorted(dict.fromkeys(findings), key=_rank)
    omitted = max(0, len(ranked) - MAX_FINDINGS)
    files = {file.path: file for file in changes.files}
    shown = [_with_excerpt(finding, files) for finding in ranked[:MAX_FINDINGS]]
    return Report(check, changes.scope, shown, omitted, changes.notes, metrics or {}, failed)
