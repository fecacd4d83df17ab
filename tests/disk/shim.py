"""The faulty disk for a process: compiles faulty.c once, and says how to preload it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec import Struct

SOURCE = Path(__file__).with_name("faulty.c")


class Fault(Struct, frozen=True):
    """The ``nth`` call (and ``times`` - 1 after it; 0: all) on files that end with ``path`` fails with ``how``."""

    call: str
    path: str
    nth: int
    times: int
    how: str

    def __str__(self) -> str:
        return f"{self.call}:{self.path}:{self.nth}:{self.times}:{self.how}"


class Shim(Struct, frozen=True):
    """Where it was compiled to."""

    library: Path

    def env(
        self,
        *faults: Fault,
        log: Path,
        who: str | None = None,
        durable: Path | None = None,
        eager: str | None = None,
    ) -> dict[str, str]:
        """What the process must have in its environment; the words are explained in faulty.c."""
        env = {"LD_PRELOAD": str(self.library), "FAULT_LOG": str(log)}
        if faults:
            env["FAULT_PLAN"] = ",".join(map(str, faults))
        if who is not None:
            env["FAULT_WHO"] = who
        if durable is not None:
            env["FAULT_DURABLE"] = str(durable)
        if eager is not None:
            env["FAULT_EAGER"] = eager
        return env


def compile_shim(folder: Path) -> Shim:
    """Skips, and says so, where there is no C compiler or no LD_PRELOAD."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("NOT RUN: faults of single calls need Linux and a C compiler (cc or gcc)")
    library = folder / "faulty.so"
    command = [
        compiler,
        "-O1",
        "-shared",
        "-fPIC",
        "-o",
        str(library),
        str(SOURCE),
        "-ldl",
        "-lpthread",
    ]
    subprocess.run(command, check=True)
    return Shim(library)
