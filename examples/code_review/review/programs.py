"""Running a checker (bandit, ruff) on Python text: in a process of its own, bounded in time, on files of our names.

A checker that is slow or dies on hostile input costs one report its findings, never the agent its life. The
files are called 0.py, 1.py, …: no name from a diff ever reaches the disk.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from .fragments import Program

TIMEOUT_S = 30.0


class CheckerError(Exception):
    """A checker gave no answer; the message says which and why."""


def run_checker(module: str, arguments: list[str], programs: list[Program]) -> Any:
    """The JSON that the checker prints about the programs, whose files are appended to its arguments.

    Its file names end in ``N.py``, N the place in ``programs``. Exit code 1 means "found something".
    """
    with tempfile.TemporaryDirectory(prefix="review-") as folder:
        for place, program in enumerate(programs):
            (Path(folder) / f"{place}.py").write_text(program.text, "utf-8")
        files = [f"{place}.py" for place in range(len(programs))]
        return _answer(module, [*_command(module), *arguments, *files], folder)


def place_of(name: str) -> int:
    """Which program a checker's file name means."""
    return int(Path(name).stem)


def _command(module: str) -> list[str]:
    """The checker installed beside this Python, whatever PATH says. ``-P``: the current folder is no import path."""
    return [sys.executable, "-P", "-m", module]


def _answer(name: str, command: list[str], folder: str) -> Any:
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter, our own arguments, no shell
            command, cwd=folder, capture_output=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise CheckerError(f"{name} took longer than {TIMEOUT_S:g} s") from None
    if done.returncode not in {0, 1}:
        raise CheckerError(f"{name} ended with {done.returncode}: {_last_line(done.stderr)}")
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise CheckerError(
            f"{name} gave no JSON: {_last_line(done.stderr or done.stdout)}"
        ) from None


def _last_line(output: bytes) -> str:
    lines = output.decode("utf-8", "replace").strip().splitlines()
    return (
        lines[-1][:200] if lines else "no output; is it installed? pip install 'questd[examples]'"
    )
