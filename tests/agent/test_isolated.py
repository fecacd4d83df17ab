"""The child process of an isolated tool, without an agent around it."""

import threading
import time
from pathlib import Path

import msgspec
import pytest

from questd.agent import isolated
from questd.agent.context import Report
from questd.agent.tools import Refusal
from questd.messages.exchange import Invocation
from tests.agent.sample import agent


def child(how: str, path: Path) -> isolated.Child:
    arguments = msgspec.json.encode({"how": how, "path": str(path)})
    invocation = Invocation(1, "q", 1, "step", 1, "alone", arguments, "key")
    return isolated.Child(agent.tools["alone"], invocation)


def test_a_child_that_ignores_term_is_killed_with_its_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolated, "TERM_GRACE_S", 0.2)
    stubborn = child("stubborn", tmp_path / "pids")
    said = threading.Event()

    def end() -> None:
        assert said.wait(10)
        while not (tmp_path / "pids").exists():
            time.sleep(0.005)
        stubborn.end()

    thread = threading.Thread(target=end)
    thread.start()
    report = Report(said.set)
    with pytest.raises(Refusal, match="signal 9"):
        isolated.run_isolated(stubborn, report)
    thread.join()
    stubborn.end()
    stubborn.kill()


def test_children_leave_no_descriptors_behind(tmp_path: Path) -> None:
    isolated.run_isolated(child("pid", tmp_path), Report(lambda: None))
    before = len(list(Path("/dev/fd").iterdir()))
    for _ in range(3):
        isolated.run_isolated(child("pid", tmp_path), Report(lambda: None))
    assert len(list(Path("/dev/fd").iterdir())) == before
