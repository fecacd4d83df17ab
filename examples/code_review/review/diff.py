"""A unified diff becomes ``Changes``: what each file looks like afterwards, as far as the diff shows it.

The result is bounded whatever comes in, and says what was left out. Paths are only ever shown, never opened.
"""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from unidiff.errors import UnidiffParseError
from unidiff.patch import Hunk as PatchHunk
from unidiff.patch import PatchedFile, PatchSet

from .model import ChangedFile, Changes, Hunk, Scope, Status, UnreadableError
from .text import printable, valid

MAX_DIFF_CHARACTERS = 16 * 1024 * 1024
MAX_SOURCE_CHARACTERS = 400_000
MAX_LINE_CHARACTERS = 1_000
MAX_FILES = 1_000
MAX_NOTES = 20

_NOWHERE = "/dev/null"
_LANGUAGES = {
    ".py": "python", ".pyi": "python", ".js": "javascript", ".mjs": "javascript", ".jsx": "javascript",
    ".ts": "typescript", ".tsx": "typescript", ".go": "go", ".rs": "rust", ".java": "java", ".kt": "kotlin",
    ".rb": "ruby", ".php": "php", ".c": "c", ".h": "c", ".cc": "c++", ".cpp": "c++", ".cs": "c#", ".sh": "shell",
    ".bash": "shell", ".sql": "sql", ".html": "html", ".css": "css", ".yaml": "yaml", ".yml": "yaml",
    ".json": "json", ".toml": "toml", ".ini": "ini", ".cfg": "ini", ".env": "env", ".md": "text", ".rst": "text",
    ".txt": "text", ".tf": "terraform", ".lock": "lock",
}  # fmt: skip
_NAMES = {
    "dockerfile": "docker",
    "makefile": "make",
    ".env": "env",
    "package-lock.json": "lock",
    "go.sum": "lock",
}
_ESCAPED = re.compile(r'\\(?:([0-7]{3})|([abtnvfr"\\]))')
_CONTROL = dict(zip("abtnvfr", "\a\b\t\n\v\f\r", strict=True))


def read_diff(diff: str) -> Changes:
    """The changes that a unified diff (git or plain) makes.

    Raises ``UnreadableError`` for a text that is empty, holds no diff, or is a broken one.
    """
    if not diff.strip():
        raise UnreadableError(
            "the diff is empty: pass the text of `git diff`, for example `-i git_diff=@change.diff`"
        )
    if len(diff) > MAX_DIFF_CHARACTERS:
        raise UnreadableError(
            f"the diff has {len(diff):,} characters, more than {MAX_DIFF_CHARACTERS:,}: split it"
        )
    patches = _patches(valid(diff))
    if not patches:
        start = printable(diff.strip(), 60)
        raise UnreadableError(
            f"no diff found in the text that starts with {start!r}: pass the output of `git diff`"
        )
    return _bounded(patches)


def language_of(path: str) -> str:
    """The language by the file's name; ``other`` when it tells nothing."""
    name = PurePosixPath(path).name.lower()
    suffix = PurePosixPath(name).suffix
    return _NAMES.get(name) or _LANGUAGES.get(suffix, "other")


def _patches(diff: str) -> list[PatchedFile]:
    """Parse; a diff whose last empty context lines were stripped on its way here is still taken."""
    complaint = ""
    for missing in range(5):
        try:
            return list(PatchSet.from_string(diff + "\n" * missing))
        except UnidiffParseError as error:
            complaint = str(error)
        if "shorter" not in complaint:
            break
    raise UnreadableError(
        f"the diff is broken: {printable(complaint.strip(), 160)}; pass the output of `git diff` as it is"
    )


def _bounded(patches: list[PatchedFile]) -> Changes:
    room = MAX_SOURCE_CHARACTERS
    files: list[ChangedFile] = []
    notes: list[str] = []
    for patch in patches[:MAX_FILES]:
        file = _changed_file(patch, room)
        room -= sum(len(hunk.source) for hunk in file.hunks)
        files.append(file)
        notes += _notes(file)
    if len(patches) > MAX_FILES:
        notes.insert(0, f"{len(patches) - MAX_FILES} of {len(patches)} files were left out")
    if len(notes) > MAX_NOTES:
        notes = [*notes[:MAX_NOTES], f"and {len(notes) - MAX_NOTES} more such notes"]
    scope = Scope(len(patches), sum(p.added for p in patches), sum(p.removed for p in patches))
    return Changes(files, scope, notes)


def _notes(file: ChangedFile) -> Iterator[str]:
    if file.binary:
        yield f"{file.path}: binary, not looked at"
    elif file.cut:
        yield f"{file.path}: too long, only a part was looked at"


def _changed_file(patch: PatchedFile, room: int) -> ChangedFile:
    old, new = _path(patch.source_file), _path(patch.target_file)
    status = _status(patch, old, new)
    path = old if new == _NOWHERE else new
    hunks = [] if status == "deleted" else [_hunk(hunk) for hunk in patch]
    kept, cut = _within(hunks, room)
    return ChangedFile(
        path=path,
        status=status,
        language=language_of(path),
        added=patch.added,
        removed=patch.removed,
        old_path=old if status == "renamed" else None,
        mode=_mode(patch),
        binary=patch.is_binary_file,
        complete=status == "added" and not cut,
        cut=cut,
        hunks=kept,
    )


def _status(patch: PatchedFile, old: str, new: str) -> Status:
    if patch.is_added_file:
        return "added"
    if patch.is_removed_file:
        return "deleted"
    return "modified" if old == new else "renamed"


def _mode(patch: PatchedFile) -> str | None:
    """The new mode, when the change sets one (older parsers keep it only in the header lines)."""
    header: list[str] = list(patch.patch_info or ())
    for line in header:
        if line.startswith(("new mode ", "new file mode ")):
            return line.split()[-1][:6]
    return None


def _path(name: str) -> str:
    """The path as the repository knows it: git's quotes, escapes and ``a/``, ``b/`` taken off, made printable."""
    if len(name) > 1 and name.startswith('"') and name.endswith('"'):
        name = _unquoted(name[1:-1])
    if name != _NOWHERE and re.match(r"[abciow12]/", name):
        name = name[2:]
    return printable(name, 240)


def _unquoted(name: str) -> str:
    """Git writes bytes outside ASCII as octal escapes, one for each byte of the UTF-8 form."""

    def character(match: re.Match[str]) -> str:
        octal, letter = match.groups()
        return chr(int(octal, 8) & 0xFF) if octal else _CONTROL.get(letter, letter)

    plain = _ESCAPED.sub(character, name)
    try:
        return plain.encode("latin-1").decode("utf-8", "replace")
    except UnicodeEncodeError:
        return plain


def _hunk(patch: PatchHunk) -> Hunk:
    lines: list[str] = []
    added: list[tuple[int, int]] = []
    for line in patch:
        if not (line.is_added or line.is_context):
            continue
        number = patch.target_start + len(lines)
        lines.append(line.value.rstrip("\n"))
        if line.is_added:
            first = added.pop()[0] if added and added[-1][1] == number - 1 else number
            added.append((first, number))
    return Hunk(patch.target_start, "\n".join(lines), added)


def _within(hunks: list[Hunk], room: int) -> tuple[list[Hunk], bool]:
    """The hunks that fit into ``room`` characters, over-long lines shortened; and whether anything was lost."""
    kept: list[Hunk] = []
    cut = False
    for hunk in hunks:
        lines = hunk.source.split("\n")
        short = [line[:MAX_LINE_CHARACTERS] for line in lines]
        cut = cut or short != lines
        fitting = _fitting(short, room)
        cut = cut or fitting < len(short)
        if fitting:
            kept.append(_shortened(hunk, short[:fitting]))
            room -= len(kept[-1].source)
    return kept, cut


def _fitting(lines: list[str], room: int) -> int:
    """How many of the first lines fit."""
    for count, line in enumerate(lines):
        room -= len(line) + 1
        if room < 0:
            return count
    return len(lines)


def _shortened(hunk: Hunk, lines: list[str]) -> Hunk:
    last = hunk.start + len(lines) - 1
    added = [(first, min(end, last)) for first, end in hunk.added if first <= last]
    return Hunk(hunk.start, "\n".join(lines), added)
