"""The client against a real control door: shapes, errors, patience."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from questd.client import (
    Busy,
    Client,
    InternalFault,
    InvalidInput,
    NotFound,
    QuestFailed,
    Refused,
    Unreachable,
)
from questd.client.address import find_daemon
from questd.client.link import DaemonLink
from questd.messages import control as ctl
from questd.messages import events as ev
from questd.messages.control import Reply, Request
from questd.messages.payload import BlobRef
from questd.runtime.journal.memory import MemoryStore
from tests.client.serving import ASKING, BEGUN, DONE, FAILED, Counter, control_door, write


def nothing(_: Request) -> Reply | None:
    return None


@pytest.fixture
def client(sockets: Path, store: MemoryStore) -> Iterator[Client]:
    with control_door(sockets, store, nothing) as url, Client(connect=url) as one:
        yield one


def as_json(value: Any) -> Any:
    return json.loads(msgspec.json.encode(value))


def test_show_has_exactly_the_fields_of_the_interface(client: Client, store: MemoryStore) -> None:
    write(store, "q_00000000000000000a", DONE)
    shown = as_json(client.show("q_00000000000000000a"))
    assert list(shown) == [
        "id", "name", "version", "project", "labels", "status", "inputs", "output", "error",
        "created_at", "started_at", "finished_at", "waiting_for", "failed_steps", "steps",
    ]  # fmt: skip
    assert shown["status"] == "completed"
    assert shown["inputs"] == {"n": 1}
    assert shown["output"] == "the end"
    assert shown["created_at"] == "2023-11-14T22:13:20.000000Z"
    assert shown["finished_at"] == "2023-11-14T22:13:26.000000Z"
    assert shown["steps"]["first"] == {
        "status": "completed",
        "attempts": 1,
        "rounds": 1,
        "agent": "ann",
        "tool": "work",
        "started_at": "2023-11-14T22:13:21.000000Z",
        "finished_at": "2023-11-14T22:13:23.000000Z",
        "duration_ms": 2000.0,
        "result": {"ok": True},
        "error": None,
    }


def test_a_list_row_is_show_without_steps(client: Client, store: MemoryStore) -> None:
    for number, events in enumerate((DONE, FAILED, ASKING)):
        quest = f"q_0000000000000000{number}a"
        write(store, quest, events)
        shown = as_json(client.show(quest))
        row = next(one for one in as_json(client.list())["quests"] if one["id"] == quest)
        del shown["steps"]
        assert row == shown


def test_a_failed_quest_says_where_and_why(client: Client, store: MemoryStore) -> None:
    write(store, "q_00000000000000000a", FAILED)
    shown = as_json(client.show("q_0"))
    assert shown["error"] == {"kind": "exception", "message": "it broke", "task": "first"}
    assert shown["steps"]["first"]["error"] == shown["error"]
    assert shown["steps"]["second"]["status"] == "cancelled"
    with pytest.raises(QuestFailed, match=r"failed at first \(exception\): it broke") as raised:
        client.output("q_0")
    assert raised.value.kind == "exception"


def test_a_quest_that_asks_says_what_it_waits_for(client: Client, store: MemoryStore) -> None:
    write(store, "q_00000000000000000a", ASKING)
    shown = as_json(client.show("q_0"))
    assert shown["status"] == "waiting"
    assert shown["waiting_for"] == [
        {
            "task": "first",
            "what": "breakpoint",
            "name": "Again?",
            "since": "2023-11-14T22:13:23.000000Z",
            "until": None,
        }
    ]
    with pytest.raises(Refused, match="is waiting and has no output yet"):
        client.output("q_0")


def test_payloads_kept_elsewhere_are_asked_for(client: Client, store: MemoryStore) -> None:
    reference = BlobRef("d" * 64, 8)
    events = (*DONE[:-1], ev.QuestCompleted(reference))
    write(store, "q_00000000000000000a", events, (("d" * 64, b'"afar"  '),))
    assert client.output("q_0") == "afar"
    assert client.list().quests[0].output == "afar"
    assert client.list(payloads=False).quests[0].output is None


def test_a_payload_that_no_value_can_stand_for_stays_text(
    client: Client, store: MemoryStore
) -> None:
    write(store, "q_00000000000000000a", (*DONE[:-1], ev.QuestCompleted(b"1e999")))
    assert client.output("q_0") == "1e999"


def test_watch_gives_each_event_once_and_can_be_resumed(client: Client, store: MemoryStore) -> None:
    write(store, "q_00000000000000000a", DONE)
    events = list(client.watch("q_0"))
    assert [event.n for event in events] == list(range(1, 9))
    assert [event.kind for event in client.watch("q_0", after=6)] == [
        "attempt.completed",
        "quest.completed",
    ]
    assert events[-1].flat() == {
        "quest": "q_00000000000000000a",
        "n": 8,
        "at": "2023-11-14T22:13:26.000000Z",
        "kind": "quest.completed",
        "output": "the end",
        "failed_steps": (),
    }


def test_logs_are_what_tools_wrote(client: Client, store: MemoryStore) -> None:
    write(store, "q_00000000000000000a", DONE)
    (line,) = client.logs("q_0")
    assert (line.task, line.text, line.fields) == ("first", "hello", {"k": 1})
    assert list(client.logs("q_0", task="second")) == []


def test_the_output_of_a_step_can_be_asked_for(client: Client, store: MemoryStore) -> None:
    write(store, "q_00000000000000000a", DONE)
    assert client.output("q_0", step="first") == {"ok": True}
    with pytest.raises(NotFound, match="has no step 'third'; it has first, second"):
        client.output("q_0", step="third")


def test_the_start_of_an_id_must_be_of_one_quest(client: Client, store: MemoryStore) -> None:
    write(store, "q_00000000000000000a", BEGUN)
    write(store, "q_00000000000000000b", BEGUN)
    with pytest.raises(InvalidInput, match="start of several ids"):
        client.show("q_0")
    with pytest.raises(NotFound):
        client.show("q_1")


@pytest.mark.parametrize(
    ("kind", "raised"),
    [
        ("not_found", NotFound),
        ("invalid", InvalidInput),
        ("refused", Refused),
        ("conflict", Refused),
        ("internal", InternalFault),
    ],
)
def test_what_the_daemon_refuses_is_an_error_of_its_kind(
    sockets: Path, store: MemoryStore, kind: str, raised: type[Exception]
) -> None:
    error = ctl.Error(kind, "no, because", details=("one", "two"))
    with (
        control_door(sockets, store, lambda _: error) as url,
        Client(connect=url) as one,
        pytest.raises(raised, match="no, because"),
    ):
        one.cancel("q_1")


def test_busy_is_waited_out_as_long_as_it_says(sockets: Path, store: MemoryStore) -> None:
    asked = Counter()

    def answer(_: Request) -> Reply:
        if asked.next() < 3:
            return ctl.Error("busy", "too much", retry_after_ms=20)
        return ctl.Done(changed=True)

    with control_door(sockets, store, answer) as url, Client(connect=url) as one:
        assert one.cancel("q_1")
    assert asked.count == 3


def test_busy_for_too_long_is_told(sockets: Path, store: MemoryStore) -> None:
    busy = ctl.Error("busy", "too much", retry_after_ms=30)
    with control_door(sockets, store, lambda _: busy) as url:
        link = DaemonLink(lambda: url, patience_s=0.1)
        with pytest.raises(Busy, match="too much"):
            link.ask(ctl.Ping(), ctl.DaemonInfo)
        link.close()


def test_reading_survives_a_daemon_that_moved(sockets: Path, store: MemoryStore) -> None:
    write(store, "q_00000000000000000a", BEGUN)
    second = sockets / "2"
    second.mkdir()
    places: list[str] = []
    link = DaemonLink(lambda: places[-1])
    with control_door(sockets, store, nothing) as url:
        places.append(url)
        assert link.ask(ctl.ReadQuest("q_0"), ctl.QuestRecords).head.version == 2
    with control_door(second, store, nothing) as url:
        places.append(url)
        assert link.ask(ctl.ReadQuest("q_0"), ctl.QuestRecords).head.version == 2
    link.close()


def test_where_nobody_answers_is_said_at_once(tmp_path: Path) -> None:
    begun_s = time.monotonic()
    with pytest.raises(Unreachable, match=r"no daemon serves .*: start one with `quest serve`"):
        Client(tmp_path / "data").ping()
    with pytest.raises(Unreachable, match="nobody answers at ipc://"):
        Client(connect=f"ipc://{tmp_path}/none").ping()
    assert time.monotonic() - begun_s < 2


def test_what_a_dead_daemon_left_is_no_daemon(tmp_path: Path) -> None:
    left = {"pid": 1, "boot": "b", "control": f"ipc://{tmp_path}/gone"}
    (tmp_path / "daemon.json").write_text(json.dumps(left))
    assert find_daemon(tmp_path) is None
    (tmp_path / "daemon.json").write_text("{")
    assert find_daemon(tmp_path) is None


def test_inputs_are_refused_before_anybody_is_asked(tmp_path: Path) -> None:
    document = tmp_path / "d.yaml"
    document.write_text(
        "name: d\ninputs: {n: {type: integer}}\nsteps: [{key: a, agent: x, prompt: '{{ n }}'}]"
    )
    with pytest.raises(InvalidInput) as raised:
        Client(tmp_path).submit(document, m=1)
    assert raised.value.faults[0].startswith("inputs.m: this quest has no such input")
    assert raised.value.faults[1].startswith("inputs.n: is missing")
    with pytest.raises(InvalidInput, match="priority 11: it is 1 to 10"):
        Client(tmp_path).submit(document, n=1, priority=11)
