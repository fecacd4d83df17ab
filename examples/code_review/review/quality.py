"""The quality check: ruff and radon on Python, signs of unfinished work everywhere, and whether tests came along."""

import ast
import re
from collections.abc import Iterator
from typing import Any, cast

from msgspec import Struct
from radon import complexity
from radon.visitors import Function

from .fragments import Program, program_of, tree_of
from .model import ChangedFile, Changes, Finding, Report, Severity
from .programs import CheckerError, place_of, run_checker
from .report import is_test, make_report

COMPLEX, VERY_COMPLEX = 10, 25
"""Cyclomatic complexity above which a function is a medium, and a high, finding."""
LONG_FUNCTION_LINES = 60
LARGE_CHANGE_LINES = 800

_RULES = "F,E7,E9,A001,A002,B,BLE,C4,DTZ,ERA,PLE,PLW,PLR0913,RET503,SIM,T10,T20,TRY002"
_RUFF = [
    "check",
    "--isolated",
    "--no-cache",
    "--output-format",
    "json",
    "--target-version",
    "py313",
    "--select",
    _RULES,
]
# what only the sight of the whole file can tell: names, uses, what encloses a statement
_BROKEN = "invalid-syntax"
_NEEDS_WHOLE = re.compile(
    r"F(4|7|8)|PLE(0101|0116|0117|0118|1142)|B018|PLW0127|ERA|RET|SIM|PLE0704"
)
_SEVERITIES: tuple[tuple[str, Severity], ...] = (
    ("F82", "high"), ("F63", "high"), ("F7", "high"), ("E9", "high"), ("PLE", "high"), ("T10", "medium"),
    ("B006", "medium"), ("B008", "medium"), ("B012", "high"), ("B023", "medium"), ("BLE", "medium"),
    ("E722", "medium"), ("F811", "medium"), ("PLW06", "medium"), ("B904", "low"),
)  # fmt: skip
_SOURCE = frozenset(
    {
        "python",
        "javascript",
        "typescript",
        "go",
        "rust",
        "java",
        "kotlin",
        "ruby",
        "php",
        "c",
        "c++",
        "c#",
    }
)
_UNFINISHED: tuple[tuple[re.Pattern[str], Severity, str, str], ...] = (
    (re.compile(r"^(?:<{7} |>{7} |={7}$)"), "high", "conflict", "a merge conflict was left in"),
    (
        re.compile(r"(?:#|//|/\*|<!--|--|;)\s*(?:TODO|FIXME|XXX|HACK)\b"),
        "low",
        "todo",
        "unfinished: do it, or open an issue",
    ),
    (
        re.compile(r"^\s*(?:console\.(?:log|debug)\(|debugger\b|var_dump\(|dd\()"),
        "low",
        "debug",
        "left over from debugging",
    ),
)


class _Function(Struct, frozen=True):
    file: ChangedFile
    name: str
    line: int
    length: int
    complexity: int


def check_changes(changes: Changes) -> Report:
    """What the change does to quality. Nothing of it is run: whether tests pass is for the build to say."""
    failed: list[str] = []
    python = [file for file in changes.files if file.language == "python" and file.hunks]
    programs = [program_of(file) for file in python]
    findings: list[Finding] = []
    try:
        findings += _ruff(python, programs)
    except CheckerError as error:
        failed.append(str(error))
    functions = [
        one
        for file, program in zip(python, programs, strict=True)
        for one in _changed(file, program)
    ]
    for function in functions:
        findings += _heavy(function)
    for file in changes.files:
        findings += _unfinished(file)
    findings += [*_untested(changes), *_large(changes)]
    return make_report("quality", changes, findings, failed, _metrics(changes, functions))


def _ruff(files: list[ChangedFile], programs: list[Program]) -> Iterator[Finding]:
    if not programs:
        return
    added = [file.added_lines() for file in files]
    for result in run_checker("ruff", _RUFF, programs):
        place = place_of(result["filename"])
        row = result["location"]["row"]
        line = programs[place].line_of(row)
        if line in added[place] and _counts(result["code"], files[place], programs[place]):
            yield _ruff_finding(result, files[place], line)


def _counts(code: str | None, file: ChangedFile, program: Program) -> bool:
    """Whether ruff can know this from what it saw. It has no code for text that does not parse."""
    if code is None or code == _BROKEN:
        return program.whole
    if code.startswith("T20") and is_test(file.path):
        return False
    return program.whole or not _NEEDS_WHOLE.match(code)


def _ruff_finding(result: dict[str, Any], file: ChangedFile, line: int) -> Finding:
    """One finding; of the many complaints about a line that does not parse the set of findings keeps one."""
    code = result["code"]
    if code is None or code == _BROKEN:
        return Finding(file.path, line, "high", "high", f"ruff {_BROKEN}", "this does not parse")
    message = " ".join(result["message"].split())[:300]
    return Finding(file.path, line, _severity(code), "high", f"ruff {code}", message)


def _severity(code: str) -> Severity:
    for prefix, severity in _SEVERITIES:
        if code.startswith(prefix):
            return severity
    return "low"


def _changed(file: ChangedFile, program: Program) -> Iterator[_Function]:
    """The functions that the change touches, as far as they can be seen."""
    tree = tree_of(program.text)
    if tree is None:
        return
    added = file.added_lines()
    for block in _blocks(tree):
        rows = range(block.lineno, block.endline + 1)
        line = program.line_of(block.lineno)
        if line and any(program.line_of(row) in added for row in rows):
            yield _Function(file, block.name, line, len(rows), block.complexity)


def _blocks(tree: ast.Module) -> list[Any]:
    """Radon's functions and methods; none when the code nests too deep for it."""
    try:
        blocks = cast("list[Any]", complexity.cc_visit_ast(tree))
    except RecursionError:
        return []
    return [block for block in blocks if isinstance(block, Function)]


def _heavy(function: _Function) -> Iterator[Finding]:
    file, line = function.file, function.line
    if function.complexity > COMPLEX:
        severity: Severity = "high" if function.complexity > VERY_COMPLEX else "medium"
        message = f"{function.name} has a cyclomatic complexity of {function.complexity}; over {COMPLEX} is hard to test"
        yield Finding(file.path, line, severity, "high", "radon", message)
    if function.length > LONG_FUNCTION_LINES:
        message = f"{function.name} is {function.length} lines long; over {LONG_FUNCTION_LINES} is hard to read"
        yield Finding(file.path, line, "low", "high", "long-function", message)


def _unfinished(file: ChangedFile) -> Iterator[Finding]:
    for hunk in file.hunks:
        added = hunk.added_lines()
        for number, text in hunk.lines():
            if number not in added:
                continue
            for pattern, severity, rule, message in _UNFINISHED:
                if pattern.search(text):
                    yield Finding(file.path, number, severity, "high", rule, message)


def _untested(changes: Changes) -> Iterator[Finding]:
    """Source that grew while no test changed; tests that were taken away and not made up for."""
    tests = [file for file in changes.files if is_test(file.path)]
    shrunk = sum(file.added for file in tests) < sum(file.removed for file in tests)
    source = [
        file
        for file in changes.files
        if file.language in _SOURCE and file.added and not is_test(file.path)
    ]
    for file in tests:
        if shrunk and file.status == "deleted":
            yield Finding(
                file.path,
                0,
                "medium",
                "high",
                "tests-deleted",
                f"{file.removed} lines of tests were deleted",
            )
    if source and not any(file.added for file in tests):
        first = max(source, key=lambda file: file.added)
        message = f"{len(source)} source files changed and no test did"
        yield Finding(first.path, 0, "low", "medium", "untested", message)


def _large(changes: Changes) -> Iterator[Finding]:
    if changes.scope.added > LARGE_CHANGE_LINES and changes.files:
        largest = max(changes.files, key=lambda file: file.added)
        message = f"the change adds {changes.scope.added} lines; nobody reviews over {LARGE_CHANGE_LINES} well: split it"
        yield Finding(largest.path, 0, "low", "high", "large-change", message)


def _metrics(changes: Changes, functions: list[_Function]) -> dict[str, int]:
    return {
        "functions": len(functions),
        "max_complexity": max((function.complexity for function in functions), default=0),
        "test_files": sum(is_test(file.path) for file in changes.files),
    }
