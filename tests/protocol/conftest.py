"""One daemon for the tests of this folder that leave it as it was."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.protocol.wire import Control, DaemonProcess, running

TOKEN = "a-secret-for-tests"


@pytest.fixture(scope="session")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    with running(Path(tmp_path_factory.mktemp("protocol")), TOKEN) as process:
        yield process


@pytest.fixture
def control(daemon: DaemonProcess) -> Iterator[Control]:
    with Control(daemon.addresses["control"]) as link:
        yield link
