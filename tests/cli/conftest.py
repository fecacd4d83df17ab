"""A place to work in."""

from pathlib import Path

import pytest

from tests.cli.processes import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)
