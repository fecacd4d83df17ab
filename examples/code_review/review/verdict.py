"""Many reports become one review. Pure: the same reports give the same review, to the letter.

The rules, in order:

1. a high finding that is at least fairly sure, or three medium security findings, or a score under 50: request changes;
2. a medium finding, an unsure high one, a check that did not run, or more than five low findings: comment;
3. else: approve.

The score starts at 100; each finding takes away a share of what is left, the smaller the less sure it is. So a bad
change still has a better and a worse half.
"""

import math
from collections.abc import Iterator, Sequence

import msgspec

from .model import (
    SEVERITIES,
    Confidence,
    FileReview,
    Finding,
    Report,
    Review,
    Scope,
    Severity,
    UnreadableError,
    Verdict,
)
from .page import page_of

SHARES: dict[Severity, float] = {"high": 0.15, "medium": 0.05, "low": 0.005}
SURENESS: dict[Confidence, float] = {"high": 1.0, "medium": 0.7, "low": 0.4}
PASSING_SCORE = 50
MEDIUM_SECURITY = 3
LOW_FINDINGS = 5


def decide(reports: Sequence[Report], missing: Sequence[str] = ()) -> Review:
    """The review of a change by its reports; ``missing`` names the checks that gave none."""
    if not reports and not missing:
        raise UnreadableError("there is no report to decide about: pass the results of the checks")
    findings = [finding for report in reports for finding in report.findings]
    points = score_of(findings)
    blocking = list(_blocking(reports, points))
    absent = [*(f"the {check} check did not run" for check in missing), *_failed(reports)]
    remarks = [*absent, *_remarks(findings)]
    verdict: Verdict = "request_changes" if blocking else "comment" if remarks else "approve"
    review = Review(
        verdict=verdict,
        score=points,
        reasons=[*blocking, *remarks] or ["nothing was found that speaks against it"],
        scope=reports[0].scope if reports else Scope(),
        counts={severity: _count(findings, severity) for severity in SEVERITIES},
        files=_by_file(findings),
        notes=list(_notes(reports)),
    )
    return msgspec.structs.replace(review, review=page_of(review))


def score_of(findings: Sequence[Finding]) -> int:
    """From 100, nothing to say, down to 0."""
    kept = (1 - SHARES[one.severity] * SURENESS[one.confidence] for one in findings)
    return math.floor(100 * math.prod(kept))


def _blocking(reports: Sequence[Report], points: int) -> Iterator[str]:
    findings = [finding for report in reports for finding in report.findings]
    high = [
        finding
        for finding in findings
        if finding.severity == "high" and finding.confidence != "low"
    ]
    if high:
        yield f"{_times(len(high), 'serious finding')} must be dealt with first"
    security = [
        finding for report in reports if report.check == "security" for finding in report.findings
    ]
    medium = sum(
        finding.severity == "medium" and finding.confidence != "low" for finding in security
    )
    if medium >= MEDIUM_SECURITY:
        yield f"{medium} medium security findings add up"
    if points < PASSING_SCORE:
        yield f"the score is {points}, under {PASSING_SCORE}"


def _failed(reports: Sequence[Report]) -> Iterator[str]:
    for report in reports:
        yield from (
            f"a part of the {report.check} check did not run: {why}" for why in report.failed
        )


def _remarks(findings: Sequence[Finding]) -> Iterator[str]:
    if medium := _count(findings, "medium"):
        yield f"{_times(medium, 'medium finding')} to look at"
    unsure = sum(finding.severity == "high" and finding.confidence == "low" for finding in findings)
    if unsure:
        yield f"{_times(unsure, 'serious finding')} may be a false alarm"
    if (low := _count(findings, "low")) > LOW_FINDINGS:
        yield f"{low} small findings"


def _notes(reports: Sequence[Report]) -> Iterator[str]:
    yield from dict.fromkeys(note for report in reports for note in report.notes)
    for report in reports:
        if report.omitted:
            yield f"{report.omitted} more {report.check} findings are not shown"


def _by_file(findings: Sequence[Finding]) -> list[FileReview]:
    """Files with the worst first; in a file the worst finding first, then by line."""
    files: dict[str, list[Finding]] = {}
    for finding in sorted(
        findings, key=lambda one: (SEVERITIES.index(one.severity), one.line, one.rule)
    ):
        files.setdefault(finding.path, []).append(finding)
    ranked = sorted(
        files.items(), key=lambda item: (*(-_count(item[1], s) for s in SEVERITIES), item[0])
    )
    return [FileReview(path, found) for path, found in ranked]


def _count(findings: Sequence[Finding], severity: Severity) -> int:
    return sum(finding.severity == severity for finding in findings)


def _times(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
