"""Which inputs are worth keeping: the fewest, small ones first, that reach every line-to-line step of ours that any of them reaches."""

import hashlib
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from tests.fuzz.targets import CORPUS, Target, corpus

Step = tuple[str, int, int]


@contextmanager
def reached(steps: set[Step]) -> Generator[None]:
    """Note each step from one line to another in files of the house."""

    def trace(frame: FrameType, _event: str, _argument: Any) -> Any:
        name = frame.f_code.co_filename
        if "/tests/" in name or "/questd/" not in name:
            return None
        last = frame.f_lineno

        def line(frame: FrameType, _event: str, _argument: Any) -> Any:
            nonlocal last
            steps.add((name, last, frame.f_lineno))
            last = frame.f_lineno
            return line

        return line

    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(None)


def keep(of: Target, folder: Path) -> None:
    """Add to the corpus those of the folder's inputs that reach what the corpus does not."""
    known: set[Step] = set()
    for data in corpus(of).values():
        with reached(known):
            of.one(data)
    (CORPUS / of.NAME).mkdir(parents=True, exist_ok=True)
    for path in sorted(folder.glob("*"), key=lambda path: path.stat().st_size):
        steps: set[Step] = set()
        data = path.read_bytes()
        with reached(steps):
            of.one(data)
        if not steps <= known:
            known |= steps
            name = hashlib.sha256(data).hexdigest()[:12]
            (CORPUS / of.NAME / name).write_bytes(data)
