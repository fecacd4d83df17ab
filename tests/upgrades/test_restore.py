"""A backup that is taken under load is served elsewhere: nothing that was acknowledged before is lost or done again."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from questd.messages import control as ctl
from questd.messages import events as ev
from questd.messages.definition import encode_definition
from questd.messages.history import Query, Rows
from questd.runtime.errors import Unreachable
from questd.runtime.journal.reader import SqliteReader
from questd.runtime.journal.verify import verify
from tests.protocol.wire import Control
from tests.system.place import until
from tests.system.rules import check_completions, check_numbers
from tests.upgrades.past import CHAIN, MIDWAY, Present, quest, step
from tests.upgrades.test_journals import completed_tasks

CLIENTS = 2
QUESTS_A_CLIENT = 200
BEFORE = 60
WORK = quest("work", *(step(f"s{n}", "say", *((f"s{n - 1}",) if n else ())) for n in range(4)))


class Load:
    """Clients that submit one quest after another; ``accepted`` holds what was acknowledged."""

    def __init__(self, place: Present) -> None:
        self.accepted: list[str] = []
        self._over = threading.Event()
        self._url = place.addresses["control"]
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def _run(self, client: int) -> None:
        with Control(self._url) as control:
            for n in range(QUESTS_A_CLIENT):
                if self._over.is_set():
                    return
                self.accepted.append(control.submit(encode_definition(WORK), key=f"{client}-{n}"))

    def end(self) -> None:
        """Nothing more; what was begun is answered."""
        self._over.set()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Present]:
    (tmp_path / "elsewhere").mkdir()
    found = Present(tmp_path / "elsewhere")
    try:
        yield found
    finally:
        found.close()


def backup(place: Present, target: Path, *words: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "questd", "backup", str(target), *words, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=place.folder)
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def test_a_backup_under_load_is_finished_on_another_directory(
    place: Present, elsewhere: Present
) -> None:
    place.start_daemon(history=True)
    agent = place.start_named("golden")
    midway = [place.submit(MIDWAY) for _ in range(4)]
    for each in midway:
        place.await_running(each)
    load = Load(place)
    until("there is a load", lambda: len(load.accepted) >= BEFORE)
    accepted = list(load.accepted)
    said = backup(place, elsewhere.data, "--data", str(place.data))
    load.end()
    place.daemon.kill()
    agent.kill()

    before = {*accepted, *midway}
    with SqliteReader(elsewhere.data) as reader:
        heads = list(reader.heads())
        done = completed_tasks(reader, [head.quest for head in heads])
        assert said["seq"] == reader.last_seq()
    assert verify(elsewhere.data) == []
    assert before <= {head.quest for head in heads}
    assert said["quests"] == len(heads)
    assert said["open_quests"] >= len(midway)
    assert {(each, "begin") for each in midway} <= done

    elsewhere.gate.touch()
    elsewhere.start_daemon(history=True, limits={"reattach_grace_s": 0.2})
    elsewhere.start_named("golden")
    ended = elsewhere.await_end([head.quest for head in heads])
    assert {head.status for head in ended.values()} == {"completed"}
    again = {(call["quest"], call["task"]) for call in elsewhere.calls()} & done
    assert not again, "completed before the backup, and called again"
    for each in (*midway, *accepted[:10]):
        records = elsewhere.records(each)
        check_numbers(records)
        check_completions([(record.n, ev.decode_event(record.body)) for record in records])
    assert completed_in_history(elsewhere) == len(heads)
    known = elsewhere.ask(ctl.Submit(encode_definition(WORK), key="0-0"))
    assert isinstance(known, ctl.Submitted)
    assert not known.created
    assert known.quest in before


def completed_in_history(place: Present) -> int:
    """The history of the copy is built anew from it."""

    def counted() -> int | None:
        try:
            found = place.history(Query("select count(*) from quests where status = 'completed'"))
        except Unreachable:
            return None
        return int(json.loads(found.data)[0][0]) if isinstance(found, Rows) else None

    return until("the historian answers", counted)


def test_a_daemon_that_is_named_by_its_address_is_copied(place: Present, tmp_path: Path) -> None:
    place.start_daemon()
    absent = place.submit(CHAIN, inputs=b'{"n":1}')
    said = backup(place, tmp_path / "copy.db", "--connect", place.addresses["control"])
    assert (said["quests"], said["open_quests"]) == (1, 1)
    assert place.head(absent).status != "failed"
