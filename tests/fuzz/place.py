"""What all targets share: a finding, and a folder that goes with the process."""

import atexit
import tempfile
from pathlib import Path
from typing import Any


class Fault(AssertionError):
    """What is under test did what it must not."""


def folder() -> Path:
    """A folder of this process alone."""
    made = tempfile.TemporaryDirectory(prefix="questd-fuzz-")
    atexit.register(made.cleanup)
    return Path(made.name)


class QuietJournal:
    """Nothing goes wrong at the journal."""

    def committing(self) -> str:
        return ""

    def committed(self, items: Any, outcomes: Any) -> None:
        pass

    def died(self, why: str) -> None:
        raise Fault(why)
