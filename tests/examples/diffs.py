"""Diffs for tests, made as git makes them."""

from difflib import unified_diff
from pathlib import Path

from examples.code_review.review.diff import read_diff
from examples.code_review.review.model import Finding, Report, Review
from examples.code_review.review.quality import check_changes
from examples.code_review.review.security import audit_changes
from examples.code_review.review.verdict import decide

EXAMPLE = Path(__file__).parents[2] / "examples" / "code_review"
CHANGE = (EXAMPLE / "change.diff").read_text("utf-8")


def new_file(path: str, text: str) -> str:
    lines = text.removesuffix("\n").split("\n")
    body = "".join(f"+{line}\n" for line in lines)
    head = f"diff --git a/{path} b/{path}\nnew file mode 100644\nindex 0000000..1111111\n"
    return f"{head}--- /dev/null\n+++ b/{path}\n@@ -0,0 +1,{len(lines)} @@\n{body}"


def changed_file(path: str, before: str, after: str) -> str:
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    body = "".join(unified_diff(old, new, f"a/{path}", f"b/{path}"))
    return f"diff --git a/{path} b/{path}\nindex 1111111..2222222 100644\n{body}"


def audit(diff: str) -> Report:
    return audit_changes(read_diff(diff))


def check(diff: str) -> Report:
    return check_changes(read_diff(diff))


def review(diff: str) -> Review:
    return decide([audit(diff), check(diff)])


def places(report: Report) -> set[tuple[str, int, str]]:
    return {(one.path, one.line, one.rule) for one in report.findings}


def at(report: Report, path: str, line: int) -> list[Finding]:
    return [one for one in report.findings if (one.path, one.line) == (path, line)]
