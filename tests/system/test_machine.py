"""The machine's faults: a second daemon, a full disk, a killed historian, a daemon that is asked to end."""

import json
import os
import signal
from typing import Any

import pytest

from questd.messages import control as ctl
from questd.messages.control import decode_reply, encode_control
from questd.messages.definition import encode_definition
from questd.messages.history import HistoryInfo, HistoryStatus, Query, Rows
from questd.runtime.errors import Unreachable
from tests.system.place import Place, Process, chain, single, until
from tests.system.rules import check


def history_level(place: Place) -> HistoryInfo:
    """Wait until the history holds what the journal does."""

    def level() -> HistoryInfo | None:
        try:
            info = place.history(HistoryStatus())
        except Unreachable:
            return None
        return info if isinstance(info, HistoryInfo) and info.seq == info.journal_seq else None

    return until("the history is level with the journal", level)


def await_notes(daemon: Process, event: str, count: int) -> list[dict[str, Any]]:
    """Until the daemon has logged that so many times."""

    def noted() -> list[dict[str, Any]] | None:
        notes = daemon.notes(event)
        return notes if len(notes) >= count else None

    return until(f"{event} is noted {count} times", noted)


def rows(place: Place, sql: str) -> list[list[object]]:
    reply = place.history(Query(sql))
    assert isinstance(reply, Rows), reply
    found: list[list[object]] = json.loads(reply.data)
    return found


def compare_history(place: Place, quests: list[str]) -> None:
    """The history holds each event of the journal once, and each quest as its head says."""
    history_level(place)
    journal = [
        [record.seq, record.quest, record.n, record.kind]
        for quest in quests
        for record in place.records(quest)
    ]
    assert rows(place, "select seq, quest, n, kind from events order by seq") == sorted(journal)
    heads = place.heads()
    shown = [[quest, heads[quest].status] for quest in sorted(quests)]
    assert rows(place, "select quest, status from quests order by quest") == shown


def test_a_second_daemon_on_one_directory_is_told_who_holds_it(place: Place) -> None:
    first = place.start_daemon()
    second = place.launch_daemon()
    assert second.wait() == 7
    told = second.notes("daemon.refused")[0]["error"]
    assert f"process {first.pid}" in told
    place.start_agent()
    place.await_end([place.submit(chain(1))])
    first.kill()
    first.wait()
    place.start_daemon()


def test_a_historian_killed_again_and_again_ends_level_with_the_journal(place: Place) -> None:
    daemon = place.start_daemon(history=True)
    place.start_agent()
    quests: list[str] = []
    for n in range(3):
        quests += [place.submit(chain(4)) for _ in range(15)]
        started = await_notes(daemon, "process.started", n + 1)
        os.kill(started[-1]["pid"], signal.SIGKILL)
        await_notes(daemon, "process.ended", n + 1)
    place.await_end(quests)
    compare_history(place, quests)
    check(place, quests)


def test_all_three_killed_at_once_leave_a_history_that_catches_up(place: Place) -> None:
    daemon = place.start_daemon(history=True)
    agent = place.start_agent()
    history_level(place)
    quests = [place.submit(chain(4, value="v", seconds=0.01)) for _ in range(30)]
    place.await_calls(40)
    historian = daemon.notes("process.started")[-1]["pid"]
    for pid in (daemon.pid, agent.pid, historian):
        os.kill(pid, signal.SIGKILL)
    daemon.wait()
    place.start_daemon(history=True, limits={"reattach_grace_s": 1.0})
    place.start_agent()
    heads = place.await_end(quests)
    assert {head.status for head in heads.values()} == {"completed"}
    compare_history(place, quests)
    check(place, quests)


def test_a_full_disk_ends_the_daemon_and_loses_nothing_acknowledged(place: Place) -> None:
    daemon = place.start_daemon(file_bytes=24 * 1024 * 1024)
    place.start_agent()
    definition = encode_definition(chain(3, value="{{ words }}"))
    control = place.caller(place.addresses["control"])
    acknowledged: list[str] = []
    refused: list[str] = []
    for n in range(2_000):
        inputs = json.dumps({"words": f"{n}:" + "w" * 20_000}).encode()
        request = ctl.Submit(definition, inputs=inputs, key=f"key-{n}")
        try:
            reply = decode_reply(control.request(encode_control(request), 30.0))
        except Unreachable:
            break
        if isinstance(reply, ctl.Submitted):
            acknowledged.append(reply.quest)
        else:
            assert isinstance(reply, ctl.Error)
            refused.append(reply.message)
            break
    assert daemon.wait() == 74
    broke = daemon.notes("journal.broke")
    assert broke, daemon.said()[-2_000:]
    assert str(place.data) in broke[0]["error"], broke
    assert acknowledged
    place.start_daemon()
    heads = place.await_end(acknowledged, 120.0)
    assert {head.status for head in heads.values()} == {"completed"}
    check(place, list(place.heads()))


def test_a_daemon_that_is_asked_to_end_does_so_and_the_next_goes_on(place: Place) -> None:
    daemon = place.start_daemon(history=True)
    place.start_agent()
    quests = [place.submit(chain(4, value="v", seconds=0.02)) for _ in range(20)]
    gated = place.submit(single("gated"))
    place.await_calls(20)
    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0
    assert not (place.data / "daemon.json").exists()
    place.gate.touch()
    place.start_daemon(history=True)
    heads = place.await_end([*quests, gated])
    assert {head.status for head in heads.values()} == {"completed"}
    calls = [(call["quest"], call["task"]) for call in place.calls()]
    assert len(calls) == len(set(calls)) == 81
    compare_history(place, [*quests, gated])
    check(place, [*quests, gated])


@pytest.mark.parametrize("how", ["SIGTERM", "stop"])
def test_a_frozen_agent_does_not_keep_a_daemon_from_ending(place: Place, how: str) -> None:
    daemon = place.start_daemon()
    agent = place.start_agent()
    quest = place.submit(single("gated"))
    place.await_calls(1)
    agent.signal(signal.SIGSTOP)
    if how == "stop":
        assert place.ask(ctl.StopDaemon()) == ctl.Done()
    else:
        daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0
    place.gate.touch()
    agent.signal(signal.SIGCONT)
    place.start_daemon()
    assert place.await_end([quest])[quest].status == "completed"
    check(place, [quest])
