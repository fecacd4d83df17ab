"""What a measurement is given: where to work, how large to be, and how long it may take."""

import os
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.processes import Nursery, started


@dataclass
class Bench:
    """``repeats``: runs of a figure. ``small``: a tenth of the size, to try the benchmark itself; its figures are no figures."""

    nursery: Nursery
    folder: Path
    ends_s: float
    repeats: int = 3
    small: bool = False
    _beds: int = field(default=0, repr=False)

    def data(self) -> Path:
        """A directory that nobody has used."""
        self._beds += 1
        return self.folder / f"bed-{os.getpid()}-{self._beds}"

    def size(self, full: int) -> int:
        """How many."""
        return max(1, full // 10) if self.small else full

    def left_s(self, most: float) -> float:
        """How long something may take: no longer than the whole benchmark may."""
        return max(1.0, min(most, self.ends_s - time.monotonic()))


def sweep(folder: Path) -> None:
    """Remove the beds of benchmarks that were killed."""
    for path in folder.glob("bed-*"):
        pid = path.name.split("-")[1]
        if not (pid.isdigit() and started(int(pid))):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def load() -> float:
    """The machine's load average of the last minute."""
    return os.getloadavg()[0]
