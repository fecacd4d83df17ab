"""What the four agents say to each other: a change, the findings about it, and the review.

Data only. Line numbers are those of the file after the change and start at 1; 0 means the file as a whole.
"""

from typing import Literal

from msgspec import Struct, field

Status = Literal["added", "modified", "deleted", "renamed"]
Severity = Literal["high", "medium", "low"]
Confidence = Literal["high", "medium", "low"]
Check = Literal["security", "quality"]
Verdict = Literal["approve", "comment", "request_changes"]

SEVERITIES: tuple[Severity, ...] = ("high", "medium", "low")


class UnreadableError(ValueError):
    """The input holds no diff, or no report, that can be read; the message says where and what to do."""


class Hunk(Struct, frozen=True):
    """One block of a changed file as it reads after the change.

    ``source`` holds the lines ``start``, ``start + 1``, …, context included; ``added`` the [first, last] ranges
    of those that the change brought in.
    """

    start: int
    source: str
    added: list[tuple[int, int]] = []

    def lines(self) -> list[tuple[int, str]]:
        """(line number, text) of each line."""
        return list(enumerate(self.source.split("\n"), self.start))

    def added_lines(self) -> set[int]:
        """The numbers of the lines that the change brought in."""
        return {line for first, last in self.added for line in range(first, last + 1)}


class ChangedFile(Struct, frozen=True):
    """A file of the change. ``complete``: the hunks are the whole file; ``cut``: lines were left out."""

    path: str
    status: Status
    language: str
    added: int = 0
    removed: int = 0
    old_path: str | None = None
    mode: str | None = None
    binary: bool = False
    complete: bool = False
    cut: bool = False
    hunks: list[Hunk] = []

    def added_lines(self) -> set[int]:
        """The numbers of all lines that the change brought in and that are here."""
        return {line for hunk in self.hunks for line in hunk.added_lines()}


class Scope(Struct, frozen=True):
    """How much was changed."""

    files: int = 0
    added: int = 0
    removed: int = 0


class Changes(Struct, frozen=True):
    """A whole diff. ``notes`` say what of it was left out, and why."""

    files: list[ChangedFile]
    scope: Scope = Scope()
    notes: list[str] = []


class Finding(Struct, frozen=True):
    """One fault at one place. ``excerpt`` is the line with its secrets masked; ``cwe`` the weakness's number."""

    path: str
    line: int
    severity: Severity
    confidence: Confidence
    rule: str
    message: str
    excerpt: str = ""
    cwe: int | None = None


class Report(Struct, frozen=True):
    """The findings of one check.

    ``omitted``: how many it left off; ``notes``: what it could not look at; ``failed``: which of its checkers gave
    no answer, and why, so that silence is not taken for praise.
    """

    check: Check
    scope: Scope
    findings: list[Finding]
    omitted: int = 0
    notes: list[str] = []
    metrics: dict[str, int] = field(default_factory=dict[str, int])
    failed: list[str] = []


class FileReview(Struct, frozen=True):
    """The findings about one file, worst first."""

    path: str
    findings: list[Finding]


class Review(Struct, frozen=True):
    """The outcome: a verdict with its reasons, a score from 0 to 100, and ``review``, the same as Markdown."""

    verdict: Verdict
    score: int
    reasons: list[str]
    scope: Scope
    counts: dict[str, int]
    files: list[FileReview]
    notes: list[str]
    review: str = ""
