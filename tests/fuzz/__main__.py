"""Fuzz all targets, one after another: ``make fuzz MINUTES=n``; or run one input again.

    python -m tests.fuzz --minutes 10 [--target NAME] [--folder .fuzz]
    python -m tests.fuzz --target NAME --number N       a mutant of the bounded run
    python -m tests.fuzz --target NAME --input FILE     a finding
    python -m tests.fuzz --keep                         what gathered in the folder, as few as reach all that it reaches, into the corpus

Exit code 1 when anything was found.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from tests.fuzz import engine
from tests.fuzz.keeping import keep
from tests.fuzz.targets import NAMES, mutants, target, timed


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="tests.fuzz")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--target", choices=NAMES, action="append")
    parser.add_argument("--folder", type=Path, default=Path(".fuzz"))
    parser.add_argument("--number", type=int)
    parser.add_argument("--input", type=Path)
    parser.add_argument("--keep", action="store_true")
    given = parser.parse_args()
    names: list[str] = given.target or list(NAMES)
    if given.number is not None:
        ((_, data),) = mutants(target(names[0]), given.number, 1)
        timed(target(names[0]), data)
    elif given.input is not None:
        timed(target(names[0]), given.input.read_bytes())
    elif given.keep:
        for name in names:
            keep(target(name), given.folder / name)
    else:
        return _fuzz(names, given.minutes, given.folder)
    return 0


def _fuzz(names: list[str], minutes: float, folder: Path) -> int:
    seconds = max(1, int(minutes * 60 / len(names)))
    how = "guided by coverage" if engine.has_atheris() else "not guided: atheris is not installed"
    print(f"{seconds} s a target, {how}", flush=True)  # noqa: T201
    failed = [name for name in names if not _survives(name, seconds, folder)]
    said = f"findings in {folder}/findings: {', '.join(failed)}" if failed else "nothing was found"
    print(said)  # noqa: T201
    return 1 if failed else 0


def _survives(name: str, seconds: int, folder: Path) -> bool:
    command = [sys.executable, "-m", "tests.fuzz.engine", name, str(seconds), str(folder)]
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{name}.log"
    with log.open("wb") as out:
        code = subprocess.run(command, stdout=out, stderr=out, check=False).returncode
    lines = log.read_text(errors="replace").splitlines()
    shown = [line for line in lines if "DONE" in line or line.startswith(f"{name}: ")]
    print(f"{name}: {shown[-1] if shown else 'found something'}", flush=True)  # noqa: T201
    if code:
        print("\n".join(lines[-40:]), f"\nall of it: {log}", flush=True)  # noqa: T201
    return code == 0


sys.exit(main())
