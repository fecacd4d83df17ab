"""Finding the diff, or the JSON, in a prompt: the prose around it is anyone's."""

import json
import re
from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec

from .diff import read_diff
from .model import Changes, Report, UnreadableError
from .text import printable

MAX_CANDIDATES = 200

_T = TypeVar("_T")
_START = re.compile(
    r"diff --git [^\n]+\n(?=index |old mode |new file |deleted file |similarity |dissimilarity |rename |copy |--- "
    r"|Binary |GIT )"
    r"|--- [^\n]*\n\+\+\+ [^\n]*\n@@ -"
)
_MISSING = re.compile(r"\b(security|quality)\b\W{0,4}null\b")
_decoder = json.JSONDecoder()


def find_diff(prompt: str) -> str:
    """The diff in the text, from its first header on; inside a JSON value too. ``UnreadableError`` if there is none."""
    text = prompt.replace("\r\n", "\n")
    if start := _START.search(text):
        return text[start.start() :]
    for value in _objects(text):
        for part in value.values():
            if isinstance(part, str) and (start := _START.search(part.replace("\r\n", "\n"))):
                return part.replace("\r\n", "\n")[start.start() :]
    shown = printable(prompt.strip(), 80)
    raise UnreadableError(f"no diff in the prompt {shown!r}: it must hold the output of `git diff`")


def find_changes(prompt: str) -> Changes:
    """The backend's result in the text, as JSON; a bare diff is read on the spot."""
    for value in _objects(prompt):
        if "files" in value:
            return _converted(value, Changes)
    try:
        return read_diff(find_diff(prompt))
    except UnreadableError as error:
        raise UnreadableError(
            f"neither parsed changes (JSON with `files`) nor a diff: {error}"
        ) from None


def find_reports(prompt: str) -> tuple[list[Report], list[str]]:
    """The reports in the text, and the names of the checks whose place holds ``null``: they did not run."""
    reports = [_converted(value, Report) for value in _objects(prompt) if "findings" in value]
    found = {str(report.check) for report in reports}
    missing = sorted({match[1] for match in _MISSING.finditer(_outside(prompt))} - found)
    if not reports and not missing:
        shown = printable(prompt.strip(), 80)
        raise UnreadableError(
            f"no report in the prompt {shown!r}: it must hold the JSON result of a check"
        )
    return reports, missing


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """Each outermost JSON object in the text, in order; what only looks like one is passed over."""
    return (value for value, _start, _end in _placed(text))


def _placed(text: str) -> Iterator[tuple[dict[str, Any], int, int]]:
    place = text.find("{")
    for _ in range(MAX_CANDIDATES):
        if place < 0:
            return
        try:
            value, end = _decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            end = place + 1
        else:
            yield value, place, end
        place = text.find("{", end)


def _outside(text: str) -> str:
    """The prose alone, without the objects: a finding may well quote the word null."""
    parts: list[str] = []
    done = 0
    for _value, start, end in _placed(text):
        parts.append(text[done:start])
        done = end
    return " ".join([*parts, text[done:]])


def _converted(value: object, into: type[_T]) -> _T:
    try:
        return msgspec.convert(value, into)
    except msgspec.ValidationError as error:
        raise UnreadableError(
            f"the JSON in the prompt is no {into.__name__.lower()}: {error}"
        ) from None
