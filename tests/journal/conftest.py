from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from questd.runtime.journal.memory import MemoryStore
from questd.runtime.journal.sqlite import SqliteStore


class WallClock:
    """Wall time that moves when it is told to."""

    def __init__(self) -> None:
        self.now_us = 1_700_000_000_000_000

    def __call__(self) -> int:
        return self.now_us


@pytest.fixture
def clock() -> WallClock:
    return WallClock()


@pytest.fixture
def open_store(tmp_path: Path, clock: WallClock) -> Iterator[Callable[[], SqliteStore]]:
    """Opens the journal of this test's directory, without upkeep; closes what is open in the end."""
    opened: list[SqliteStore] = []

    def open_it() -> SqliteStore:
        opened.append(
            SqliteStore(tmp_path / "data", clock_us=clock, new_id=lambda: "j_1", upkeep_s=None)
        )
        return opened[-1]

    yield open_it
    for store in opened:
        store.close()


@pytest.fixture(params=["memory", "sqlite"])
def store(
    request: pytest.FixtureRequest, clock: WallClock, open_store: Callable[[], SqliteStore]
) -> MemoryStore | SqliteStore:
    if request.param == "memory":
        return MemoryStore(journal_id="j_1", clock_us=clock)
    return open_store()
