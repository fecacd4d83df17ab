"""Each test gets a place of its own; whatever it started is gone when it ends."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.place import Place


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    found = Place(tmp_path)
    try:
        yield found
    finally:
        found.close()
