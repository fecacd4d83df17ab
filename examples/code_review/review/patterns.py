"""Dangerous lines that a pattern can see.

They serve the languages that have no checker here, and what of Python does not parse.
"""

import re

from msgspec import Struct

from .model import Severity


class Pattern(Struct, frozen=True):
    """``languages`` empty: any language."""

    rule: str
    languages: tuple[str, ...]
    expression: str
    severity: Severity
    cwe: int
    message: str


_SCRIPT = ("javascript", "typescript", "html")


PATTERNS = (
    Pattern("shell-true", ("python",), r"\bshell\s*=\s*True\b", "high", 78,
             "a shell runs this command: whatever is put into it can run too"),
    Pattern("python-eval", ("python",), r"(?<![\w.])(?:eval|exec)\(", "medium", 95, "text is run as code"),
    Pattern("python-pickle", ("python",), r"\b(?:pickle|marshal|dill)\.loads?\(", "medium", 502,
             "unpickling runs whatever the bytes say"),
    Pattern("yaml-load", ("python",), r"\byaml\.load\((?!.*(?:Safe|Base)Loader)", "medium", 20,
             "yaml.load builds any object; use yaml.safe_load"),
    Pattern("tls-unverified", (), r"\bverify\s*=\s*False\b|rejectUnauthorized['\"]?\s*:\s*false|"
             r"InsecureSkipVerify\s*:\s*true|curl\b[^|;]{0,200}\s(?:-k|--insecure)\s", "high", 295,
             "TLS certificates are not checked"),
    Pattern("weak-hash", ("python",), r"\bhashlib\.(?:md5|sha1)\(", "high", 327, "a broken hash"),
    Pattern("script-eval", _SCRIPT, r"(?<![\w.])eval\(|\bnew Function\(", "high", 95, "text is run as code"),
    Pattern("script-html", _SCRIPT, r"\.(?:inner|outer)HTML\s*\+?=|document\.write\(|dangerouslySetInnerHTML",
             "medium", 79, "text becomes HTML without escaping"),
    Pattern("script-exec", _SCRIPT, r"\b(?:child_process\.|\bcp\.)?exec(?:Sync)?\(\s*(?:`[^`]*\$\{|['\"][^'\"]*['\"]\s*\+)",
             "high", 78, "a shell command is put together from parts"),
    Pattern("sql-built", ("javascript", "typescript", "go", "java", "kotlin", "ruby", "php", "c#"),
             r"(?i)[\"'`](?:select\s.{1,200}\sfrom|insert\s+into|update\s.{1,200}\sset|delete\s+from)\s"
             r".{0,300}(?:\$\{|#\{|[\"']\s*[+.]\s*\$?\w)", "high", 89,
             "SQL is put together from parts: use parameters"),
    Pattern("pipe-to-shell", ("shell", "docker", "make", "yaml", "text"),
             r"\b(?:curl|wget)\b[^|]{1,300}\|\s*(?:sudo\s+)?(?:ba|z)?sh\b", "high", 494,
             "a download is run unseen"),
    Pattern("world-writable", ("shell", "docker", "make", "yaml"), r"\bchmod\s+(?:-R\s+)?(?:0?777|a\+rwx)\b", "medium",
             732, "everyone may write these files"),
    Pattern("docker-latest", ("docker",), r"(?i)^\s*FROM\s+\S+:latest\b", "low", 1104,
             "the base image changes under the build: pin a version"),
    Pattern("privileged", ("yaml",), r"^\s*privileged:\s*true\b|\bpull_request_target\b", "high", 250,
             "runs with rights that a stranger's input can use"),
    Pattern("debug-on", ("python", "yaml", "env", "ini", "toml"), r"(?i)^\s*(?:\w*_)?debug\s*[:=]\s*(?:true|1|on)\s*$",
             "medium", 489, "debug mode shows internals to strangers"),
)  # fmt: skip


def dangers(line: str, language: str) -> list[Pattern]:
    """The patterns that match this line of a file in this language."""
    return [
        p
        for p in PATTERNS
        if (not p.languages or language in p.languages) and re.search(p.expression, line)
    ]
