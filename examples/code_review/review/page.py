"""The review as Markdown that also reads well as plain text, in a terminal of 80 columns."""

import textwrap
from collections.abc import Iterator

from .model import SEVERITIES, FileReview, Finding, Review, Verdict
from .text import printable

WIDTH = 80
_TITLES: dict[Verdict, str] = {
    "approve": "approved",
    "comment": "approved with comments",
    "request_changes": "changes requested",
}


def page_of(review: Review) -> str:
    """The whole page, ending in a newline."""
    return "\n".join(_lines(review)) + "\n"


def _lines(review: Review) -> Iterator[str]:
    scope, counts = review.scope, review.counts
    files = "1 file" if scope.files == 1 else f"{scope.files} files"
    found = ", ".join(f"{counts[severity]} {severity}" for severity in SEVERITIES)
    yield f"# Review: {_TITLES[review.verdict]}"
    yield ""
    yield f"Score {review.score}/100 · {files}, +{scope.added} -{scope.removed} · {found}"
    yield ""
    for reason in review.reasons:
        yield from _item(reason)
    for file in review.files:
        yield from _file(file)
    if review.notes:
        yield from ("", "## Not looked at", "")
        for note in review.notes:
            yield from _item(note)


def _file(file: FileReview) -> Iterator[str]:
    yield from ("", f"## {printable(file.path, WIDTH - 4)}")
    for finding in file.findings:
        yield ""
        yield from _finding(finding)


def _finding(finding: Finding) -> Iterator[str]:
    place = f"line {finding.line}" if finding.line else "whole file"
    weakness = f", CWE-{finding.cwe}" if finding.cwe else ""
    yield from _item(
        f"{finding.severity.upper()} {place}: {finding.message} ({finding.rule}{weakness})"
    )
    if finding.excerpt:
        yield ""
        yield "      " + printable(finding.excerpt, WIDTH - 6)


def _item(text: str) -> Iterator[str]:
    yield from textwrap.wrap(
        printable(text, 600), WIDTH, initial_indent="- ", subsequent_indent="  "
    )
