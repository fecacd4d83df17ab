"""Each test gets a place of its own; whatever it started is gone when it ends."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.network.ground import Ground


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    found = Ground(tmp_path)
    try:
        yield found
    finally:
        found.close()
