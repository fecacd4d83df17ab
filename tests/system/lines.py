"""Files that another process writes while a test reads: whole lines only.

Who reads while a line is being written, or after its writer was killed, may find half of it, which says nothing yet.
"""

import json
from pathlib import Path
from typing import Any


def whole_lines(path: Path) -> list[bytes]:
    """None, if the file is not there yet."""
    written = path.read_bytes() if path.exists() else b""
    return [line for line in written.splitlines(keepends=True) if line.endswith(b"\n")]


def objects_in(path: Path) -> list[dict[str, Any]]:
    """The lines that are objects of JSON, in order: a ledger's entries, the notes of a log."""
    return [json.loads(line) for line in whole_lines(path) if line.startswith(b"{")]
