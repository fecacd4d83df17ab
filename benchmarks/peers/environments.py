"""A virtual environment for each peer, with exactly the versions of its requirements file.

Invariant: an environment that is not finished, or was made of other pins or by another Python, is made anew.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.peers.measured import NotMeasured

REQUIREMENTS = Path(__file__).parent / "requirements"
MAKE_S = 600.0
TOLD_CHARACTERS = 200


def pins(name: str) -> Path:
    """The requirements file of a peer."""
    return REQUIREMENTS / f"{name}.txt"


def unpinned(text: str) -> list[str]:
    """Lines of a requirements file that do not name one version."""
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    return [line for line in lines if line and ("==" not in line or "*" in line)]


def seal(name: str) -> str:
    """What an environment was made of."""
    return hashlib.sha256(pins(name).read_bytes() + sys.version.encode()).hexdigest()


def environment(folder: Path, name: str) -> Path:
    """The interpreter of a peer's environment, made when it is not there. NotMeasured."""
    place = folder / name
    python, sealed = place / "bin" / "python", place / "sealed"
    if sealed.exists() and sealed.read_text(encoding="utf-8") == seal(name):
        return python
    shutil.rmtree(place, ignore_errors=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    print(f"making the environment of {name} in {place} …", file=sys.stderr, flush=True)
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    # All that is needed is pinned, so nothing is resolved: pip could only add what nobody chose.
    _run([sys.executable, "-m", "venv", str(place)], name)
    _run([*pip, "install", "--no-deps", "--requirement", str(pins(name))], name)
    _run([*pip, "check"], name)
    sealed.write_text(seal(name), encoding="utf-8")
    return python


def _run(command: list[str], name: str) -> None:
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=MAKE_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise NotMeasured(f"its environment was not made within {MAKE_S:.0f} s: {name}") from error
    if said.returncode:
        lines = (said.stderr or said.stdout).strip().splitlines() or ["no word why"]
        why = lines[-1][:TOLD_CHARACTERS]
        raise NotMeasured(f"its environment could not be made: {why}")
