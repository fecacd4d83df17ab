"""One reference journal of each kind for the whole run; a WAL that is small, so that a thousand openings take seconds."""

import os
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from questd.runtime.journal import upkeep
from tests.disk.ground import Story, tell_story
from tests.disk.shim import Shim, compile_shim

MEMORY = Path("/dev/shm")
ALL = os.environ.get("QUESTD_DISK") == "all"
"""Every offset instead of a few hundred: `make disk`."""


def say(text: str) -> None:
    """For `make disk`, which shows what passing tests say."""
    sys.stdout.write(f"\n{text}\n")


@pytest.fixture(autouse=True)
def small_wal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "WAL_ROOM_BYTES", 64 * 1024)


@pytest.fixture(scope="session")
def stories(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Story]:
    known: dict[str, Story] = {}

    def story(left: str) -> Story:
        if left not in known:
            known[left] = tell_story(tmp_path_factory.mktemp("story") / left, left=left)
        return known[left]

    return story


@pytest.fixture
def chance() -> random.Random:
    """The same each time in the suite, a new one in `make disk`; its seed is shown when the test fails."""
    seed = random.SystemRandom().randrange(2**32) if ALL else 7
    sys.stdout.write(f"seed {seed}\n")
    return random.Random(seed)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A data directory to be. In memory where that can be: what is tried here is bytes, and each opening syncs."""
    if not os.access(MEMORY, os.W_OK):
        yield tmp_path / "data"
        return
    with tempfile.TemporaryDirectory(dir=MEMORY, prefix="questd-") as folder:
        yield Path(folder) / "data"


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Shim:
    return compile_shim(tmp_path_factory.mktemp("shim"))
