"""Text that came from strangers, made harmless: bounded, valid Unicode, no control characters."""

import re

_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)


def valid(text: str) -> str:
    r"""The text with line ends as ``\n`` and with what UTF-8 cannot hold replaced.

    A lone carriage return becomes a space: a Python parser would count it as a line of its own.
    """
    text = text.replace("\r\n", "\n").replace("\r", " ").replace("\x00", "\ufffd")
    return text.encode("utf-8", "replace").decode()


def printable(text: str, limit: int = 200) -> str:
    """One bounded line for a terminal: escape codes and direction marks are shown, not obeyed."""
    line = text if len(text) <= limit else text[: limit - 1] + "…"
    line = line.replace("\n", " ").replace("\t", "    ")
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", line)
