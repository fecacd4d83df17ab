"""Finding secrets in a line of any language, and hiding them: a review must not spread what it warns of."""

import math
import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache

from msgspec import Struct

from .model import Confidence

_KNOWN = (
    ("private key", re.compile(r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----")),
    ("AWS access key", re.compile(r"\b((?:AKIA|ASIA)[0-9A-Z]{16})\b")),
    (
        "GitHub token",
        re.compile(r"\b(gh[pousr]_[A-Za-z0-9]{30,255}|github_pat_[A-Za-z0-9_]{30,255})"),
    ),
    ("Slack token", re.compile(r"\b(xox[abprs]-[A-Za-z0-9-]{10,255})")),
    ("Stripe key", re.compile(r"\b((?:sk|rk)_live_[A-Za-z0-9]{10,255})")),
    ("Google key", re.compile(r"\b(AIza[0-9A-Za-z_-]{35})")),
    ("JSON web token", re.compile(r"\b(eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,})")),
    (
        "password in a URL",
        re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@'\"]{1,100}:([^\s@/'\"{}$<>%]{3,200})@"),
    ),
)
_WORD = r"(?:passw(?:or)?d|passphrase|secret|token|api_?key|access_?key|private_?key|signing_?key|credential)"
_QUOTED = re.compile(
    rf"(?i){_WORD}[\w.-]{{0,40}}[\"']?\]?\s{{0,8}}(?:=>|:=|==|[:=])\s{{0,8}}(?:[rbuf]{{0,2}})([\"'`])(.{{4,400}}?)\1"
)
_BARE = re.compile(
    rf"(?i)^\s{{0,40}}(?:export\s+|- )?[\w.-]{{0,40}}{_WORD}[\w.-]{{0,40}}\s{{0,8}}[:=]\s{{0,8}}([^\s'\"#]{{6,400}})\s*$"
)
_LOOSE = re.compile(r"([\"'])([A-Za-z0-9+/_=-]{32,200})\1")
_PLACEHOLDER = re.compile(
    r"(?i)^(?:[<{$%\[(].*|.*[{(].*[)}].*|x+|\*+|\.+|-+|none|null|true|false|your[_-].*|change.?me|example.*|dummy.*"
    r"|test.*|todo.*|env(?:iron)?[.:].*|os\.environ.*|process\.env.*|vault:.*|.*\s.*\s.*)$"
)
_BARE_LANGUAGES = ("env", "yaml", "ini", "toml", "shell", "docker", "other")
_NO_SECRETS = ("lock", "text")


class Secret(Struct, frozen=True):
    """A secret in a line: what it is, where it stands (columns from 0), how sure that is."""

    kind: str
    start: int
    end: int
    confidence: Confidence


@lru_cache(maxsize=64)
def find_secrets(line: str, language: str) -> tuple[Secret, ...]:
    """The secrets in a line, none overlapping another."""
    found: list[Secret] = []
    for secret in (*_known(line), *_assigned(line, language), *_loose(line, language)):
        if all(secret.end <= other.start or secret.start >= other.end for other in found):
            found.append(secret)
    return tuple(found)


def masked(line: str, language: str) -> str:
    """The line with the secrets in it replaced by stars."""
    for secret in sorted(find_secrets(line, language), key=lambda secret: -secret.start):
        line = f"{line[: secret.start]}********{line[secret.end :]}"
    return line


def entropy(text: str) -> float:
    """Shannon's entropy in bits a character: words have about 3, random base64 has over 4.5."""
    counts = Counter(text).values()
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts)


def _known(line: str) -> Iterator[Secret]:
    for kind, pattern in _KNOWN:
        for match in pattern.finditer(line):
            start, end = match.span(match.lastindex or 0)
            if not match.lastindex or not _PLACEHOLDER.match(line[start:end]):
                yield Secret(kind, start, end, "high")


def _assigned(line: str, language: str) -> Iterator[Secret]:
    for match in _QUOTED.finditer(line):
        if not _PLACEHOLDER.match(match[2]):
            yield Secret("hard-coded secret", *match.span(2), _confidence(match[2]))
    bare = _BARE.match(line) if language in _BARE_LANGUAGES else None
    if bare and not _PLACEHOLDER.match(bare[1]):
        yield Secret("hard-coded secret", *bare.span(1), _confidence(bare[1]))


def _loose(line: str, language: str) -> Iterator[Secret]:
    """A long random text in quotes, whatever it is called; checksums are none."""
    if language in _NO_SECRETS or re.search(r"(?i)sha\d|integrity|digest|checksum|hash", line):
        return
    for match in _LOOSE.finditer(line):
        if entropy(match[2]) >= 4.3 and any(c.isdigit() for c in match[2]):
            yield Secret("random text that may be a key", *match.span(2), "low")


def _confidence(value: str) -> Confidence:
    return "high" if len(value) >= 12 and entropy(value) >= 3.3 else "medium"
