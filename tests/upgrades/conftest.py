"""Places with golden agents; whatever a test started is gone when it ends."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.upgrades.past import Present


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Present]:
    found = Present(tmp_path)
    try:
        yield found
    finally:
        found.close()
