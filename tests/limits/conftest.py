"""What several tests of limits stand on."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from questd.runtime.journal.sqlite import SqliteStore


@pytest.fixture
def empty_journal(tmp_path: Path) -> Iterator[SqliteStore]:
    """A journal on disk: some limits are SQLite's own."""
    with closing(SqliteStore(tmp_path, clock_us=lambda: 1, new_id=lambda: "j")) as store:
        yield store
