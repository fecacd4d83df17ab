"""One target in a process of its own, for a time: guided by coverage (atheris) where that is installed, else by our mutations alone.

    python -m tests.fuzz.engine NAME SECONDS FOLDER

Inputs worth keeping gather in FOLDER/NAME, findings in FOLDER/findings. Exit code 0: nothing was found.
"""

import hashlib
import importlib
import importlib.util
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

INPUT_MAX = 32_768
HOUSE = ("messages", "actors", "daemon")
GUIDES = {"exchange": HOUSE, "control": HOUSE, "sql": ("analytics",)}
"""Rooms whose coverage guides the engine (elsewhere all): what runs at every input alike would only make it slow."""
MEMORY_MAX_MB = 2_000
"""Of the whole process, as the historian is bounded too (analytics/memory.py): more is a finding."""
WALL_MAX_S = 300
"""An input that takes so long by the clock is taken for one that never ends."""


def has_atheris() -> bool:
    """There is no wheel of it for every Python and every machine."""
    return importlib.util.find_spec("atheris") is not None


def guided(name: str, seconds: int, folder: Path) -> None:
    """Does not return: libFuzzer ends the process."""
    atheris: Any = importlib.import_module("atheris")
    hook = {"include": ["questd"], "exclude": _unguided(name), "enable_loader_override": False}
    with atheris.instrument_imports(**hook):
        targets: Any = importlib.import_module("tests.fuzz.targets")
        chances: Any = importlib.import_module("questd.simulation.chance")
        target = targets.target(name)

    def one(data: bytes) -> None:
        targets.timed(target, data)

    def changed(data: bytes, max_size: int, seed: int) -> bytes:
        chance = chances.Chance(seed)
        if chance.maybe(0.4):
            return bytes(atheris.Mutate(data, max_size))
        return bytes(target.change(data, chance, target.WORDS)[:max_size])

    arguments = _arguments(target, targets.corpus(target), seconds, folder)
    atheris.Setup(arguments, one, custom_mutator=changed)
    atheris.Fuzz()


def _unguided(name: str) -> list[str]:
    """The modules that the engine shall not see."""
    rooms = GUIDES.get(name)
    if rooms is None:
        return []
    house = Path(__file__).parents[2] / "questd"
    files = [path.relative_to(house) for room in house.iterdir() for path in room.rglob("*.py")]
    modules = [".".join(("questd", *path.with_suffix("").parts)) for path in files]
    return [module for module in modules if module.split(".")[1] not in rooms]


def _arguments(target: Any, corpus: dict[str, bytes], seconds: int, folder: Path) -> list[str]:
    work, begun, findings = (
        folder / target.NAME,
        folder / "begun" / target.NAME,
        folder / "findings",
    )
    for each in (work, begun, findings):
        each.mkdir(parents=True, exist_ok=True)
    for label, data in corpus.items():
        (begun / label).write_bytes(data)
    words = folder / f"{target.NAME}.dict"
    lines = ["".join(f"\\x{byte:02x}" for byte in word) for word in target.WORDS if word]
    words.write_text("".join(f'"{line}"\n' for line in lines))
    return [
        sys.argv[0],
        str(work),
        str(begun),
        f"-max_total_time={seconds}",
        f"-dict={words}",
        f"-artifact_prefix={findings}/{target.NAME}-",
        f"-max_len={INPUT_MAX}",
        f"-rss_limit_mb={MEMORY_MAX_MB}",
        f"-timeout={WALL_MAX_S}",
        "-len_control=0",
        "-print_final_stats=1",
    ]


def blind(name: str, seconds: int, folder: Path) -> int:
    """Mutations of the corpus until the time is over, new ones at each run."""
    targets: Any = importlib.import_module("tests.fuzz.targets")
    target = targets.target(name)
    until_s = time.monotonic() + seconds
    first = time.time_ns()
    runs, failed = 0, 0
    for _, data in targets.mutants(target, first, sys.maxsize - first):
        failed += not _survives(partial(targets.timed, target), name, data, folder)
        runs += 1
        if time.monotonic() > until_s:
            break
    print(f"{name}: {runs} runs, {failed} of them failed")  # noqa: T201
    return 1 if failed else 0


def _survives(run: Callable[[bytes], None], name: str, data: bytes, folder: Path) -> bool:
    try:
        run(data)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
        findings = folder / "findings"
        findings.mkdir(parents=True, exist_ok=True)
        path = findings / f"{name}-{hashlib.sha256(data).hexdigest()[:12]}"
        path.write_bytes(data)
        print(f"{path}: {error!r}"[:2_000])  # noqa: T201
        return False
    return True


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_MAX_MB << 20, resource.RLIM_INFINITY))
    given = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    if has_atheris():
        guided(*given)
    sys.exit(blind(*given))
