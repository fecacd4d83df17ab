"""Nothing of the surroundings reaches a test."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from questd.runtime.journal.memory import MemoryStore


@pytest.fixture(autouse=True)
def no_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("QUESTD_DATA", "QUESTD_CONNECT", "QUESTD_BOOT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(journal_id="j", clock_us=lambda: 1)


@pytest.fixture
def sockets() -> Iterator[Path]:
    """A folder with a short name."""
    folder = Path(tempfile.mkdtemp(prefix="qt-"))
    yield folder
    shutil.rmtree(folder)
