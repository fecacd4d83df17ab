"""What all targets share: a finding, and a folder that goes with the process."""

import atexit
import tempfile
from pathlib import Path


class Fault(AssertionError):
    """What is under test did what it must not."""


def folder() -> Path:
    """A folder of this process alone."""
    made = tempfile.TemporaryDirectory(prefix="questd-fuzz-")
    atexit.register(made.cleanup)
    return Path(made.name)
