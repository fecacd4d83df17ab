"""The exchange, spoken from outside the SDK against a real daemon."""

import time
from pathlib import Path
from typing import Any

import pytest

from tests.protocol.conftest import TOKEN
from tests.protocol.daemon_process import HOLD_S
from tests.protocol.wire import (
    TOOL,
    Control,
    DaemonProcess,
    Dialer,
    RawAgent,
    definition,
    encode,
    hello,
    running,
)

BAD_TOOL: list[Any] = ["t", [], [], None, True, b"no json"]


def kinds(events: list[tuple[str, list[Any]]]) -> list[str]:
    return [kind for kind, _ in events]


def test_an_agent_made_by_hand_runs_a_quest(daemon: DaemonProcess, control: Control) -> None:
    with RawAgent(daemon.addresses["exchange"], agent="raw") as agent:
        protocol, boot, hold_ms, frame_max, version = agent.welcome[1:]
        assert (protocol, hold_ms, frame_max) == (1, int(HOLD_S * 1_000), 4 * 1024 * 1024)
        assert len(boot) == 32
        assert version
        quest = control.submit(
            definition({"key": "a", "agent": "raw", "arguments": {"input": "{{ n }}"}}),
            inputs=b'{"n": 7}',
        )
        tag, number, of, epoch, task, attempt, tool, arguments, key, timeout_ms, *rest = (
            agent.next_item()
        )
        assert (tag, of, task, attempt, tool) == ("invoke", quest, "a", 1, "work")
        assert (number, epoch, arguments) == (1, 3, b'{"input":7}')
        assert (len(key), timeout_ms, rest) == (32, 600_000, [None, None, 1])
        agent.poll(started=[[quest, epoch]])
        agent.finish(["completed", quest, epoch, b'{"done": true}', 5, 10, 0.5, "m", 0.9])
    events = control.events(quest, until="quest.completed")
    assert kinds(events) == [
        "quest.submitted",
        "quest.started",
        "attempt.started",
        "attempt.completed",
        "quest.completed",
    ]
    assert events[3][1] == ["a", epoch, b'{"done": true}', 5, 10, 0.5, "m", 0.9]
    assert events[4][1][0] == b'{"done": true}'


def test_the_shortest_frames_are_enough(daemon: DaemonProcess, control: Control) -> None:
    incarnation = "shortest1"
    with Dialer(daemon.addresses["exchange"]) as link:
        boot = link.ask(["hello", 1, "short", incarnation, None, [TOOL]])[2]
        quest = control.submit(definition({"key": "a", "agent": "short"}))
        items: list[Any] = []
        counter = 0
        while not items:
            counter += 1
            items = link.ask(["exchange", incarnation, boot, counter])[2]
        outcome: list[Any] = ["completed", quest, items[0][3], b"1"]
        link.ask(["exchange", incarnation, boot, counter + 1, 1, [], [outcome]])
        control.events(quest, until="quest.completed")
        assert link.ask(["goodbye", incarnation, boot]) == ["work", 0, [], [], False]


def test_work_is_repeated_until_it_is_acknowledged(daemon: DaemonProcess, control: Control) -> None:
    with RawAgent(daemon.addresses["exchange"], agent="deaf") as agent:
        quest = control.submit(definition({"key": "a", "agent": "deaf"}))
        first = agent.next_item()
        again = agent.poll(ack=0)[2]
        assert again == [first]
        assert agent.poll(ack=first[1])[2] == []
        agent.finish(["completed", quest, first[3], b"null"])


def test_an_item_of_an_open_exchange_is_not_repeated(
    daemon: DaemonProcess, control: Control
) -> None:
    with RawAgent(daemon.addresses["exchange"], agent="open") as agent:
        quest = control.submit(definition({"key": "a", "agent": "open"}))
        item = agent.next_item()
        carrier = agent.counter
        assert agent.poll(ack=0, still_open=(carrier,))[2] == []
        assert agent.poll(ack=0)[2] == [item]
        agent.finish(["completed", quest, item[3], b"null"])


def test_a_newer_exchange_releases_the_older_one(daemon: DaemonProcess) -> None:
    with RawAgent(daemon.addresses["exchange"], agent="two") as agent:
        older = agent.link.open(agent.exchange())
        agent.link.open(agent.exchange(still_open=(agent.counter,)))
        began = time.monotonic()
        assert older.answer() == ["work", 2, [], [], False]
        assert time.monotonic() - began < HOLD_S / 2


def test_an_idle_exchange_is_answered_within_the_hold(daemon: DaemonProcess) -> None:
    with RawAgent(daemon.addresses["exchange"], agent="idle") as agent:
        began = time.monotonic()
        assert agent.poll()[2] == []
        assert HOLD_S / 2 <= time.monotonic() - began < 2 * HOLD_S


def test_a_counter_that_is_not_higher_is_answered_at_once_with_nothing(
    daemon: DaemonProcess,
) -> None:
    with RawAgent(daemon.addresses["exchange"], agent="lower") as agent:
        agent.link.open(agent.exchange())
        for counter in (1, 2):
            old = ["exchange", agent.incarnation, agent.boot, counter]
            assert agent.link.ask(old) == ["work", counter, [], [], False]


def test_an_outcome_that_is_said_twice_counts_once(daemon: DaemonProcess, control: Control) -> None:
    with RawAgent(daemon.addresses["exchange"], agent="twice") as agent:
        quest = control.submit(definition({"key": "a", "agent": "twice"}))
        epoch = agent.next_item()[3]
        outcome = ["completed", quest, epoch, b"1"]
        agent.finish(outcome)
        agent.finish(outcome)
        agent.finish(["completed", quest, epoch, b"2"])
        events = control.events(quest, until="quest.completed")
    assert kinds(events).count("attempt.completed") == 1
    assert events[-1][1][0] == b"1"


def test_no_more_is_given_than_capacity_and_prefetch(
    daemon: DaemonProcess, control: Control
) -> None:
    steps = [{"key": f"s{n}", "agent": "narrow"} for n in range(5)]
    with RawAgent(daemon.addresses["exchange"], agent="narrow", capacity=1, prefetch=1) as agent:
        quest = control.submit(definition(*steps))
        held: list[list[Any]] = []
        done = 0
        while done < 5:
            held += agent.poll()[2]
            assert len(held) <= 2
            if held:
                agent.finish(["completed", quest, held.pop(0)[3], b"null"])
                done += 1
                agent.ack = max([agent.ack, *(item[1] for item in held)])
        control.events(quest, until="quest.completed")


def test_a_cancelled_quest_asks_for_its_attempt_back(
    daemon: DaemonProcess, control: Control
) -> None:
    with RawAgent(daemon.addresses["exchange"], agent="stop") as agent:
        quest = control.submit(definition({"key": "a", "agent": "stop"}))
        epoch = agent.next_item()[3]
        reply = control.ask(
            {"type": "cancel", "quest": quest, "reason": "enough", "actor": "a test"}
        )
        assert reply == {"type": "done", "changed": True, "message": ""}
        tag, _, of, cancelled, reason = agent.next_item()
        assert (tag, of, cancelled, reason) == ("cancel", quest, epoch, "enough")
        agent.finish(["cancelled", quest, epoch])
    events = control.events(quest, until="quest.cancelled")
    assert kinds(events)[-2:] == ["attempt.cancelled", "quest.cancelled"]


def test_log_lines_and_progress_reach_the_client(daemon: DaemonProcess, control: Control) -> None:
    with RawAgent(daemon.addresses["exchange"], agent="chatty") as agent:
        quest = control.submit(definition({"key": "a", "agent": "chatty"}))
        epoch = agent.next_item()[3]
        agent.link.open(
            agent.exchange(
                started=[[quest, epoch]],
                progress=[[quest, epoch, 0.5, "half"]],
                logs=[[quest, epoch, [[1_700_000_000_000_000, "line", b'{"k":1}']]]],
            )
        )
        events = control.events(quest, until="attempt.logged")
        assert events[-1][1] == ["a", epoch, [[1_700_000_000_000_000, "line", b'{"k":1}']]]
        reply = control.ask({"type": "read", "quest": quest, "after": 99, "wait_ms": 5_000})
        assert reply["progress"][0][:3] == ["a", 0.5, "half"]
        agent.finish(["completed", quest, epoch, b"null"])


def test_an_attempt_whose_tool_began_times_out_at_the_daemon(
    daemon: DaemonProcess, control: Control
) -> None:
    step = {"key": "a", "agent": "slow", "timeout_ms": 100, "retry": {"attempts": 1}}
    with RawAgent(daemon.addresses["exchange"], agent="slow") as agent:
        quest = control.submit(definition(step))
        epoch = agent.next_item()[3]
        agent.poll(started=[[quest, epoch]])
        events = control.events(quest, until="quest.failed")
        assert dict(events)["attempt.failed"][2][0] == "timeout"
        agent.finish(["cancelled", quest, epoch])


def test_an_instance_that_never_saw_its_work_is_given_it_again_under_the_same_epoch(
    daemon: DaemonProcess, control: Control
) -> None:
    with RawAgent(daemon.addresses["exchange"], agent="again") as agent:
        quest = control.submit(definition({"key": "a", "agent": "again"}))
        seen = agent.next_item()
        incarnation, counter = agent.incarnation, agent.counter + 1
    changed = {"agent": "again", "incarnation": incarnation, "counter": counter}
    with RawAgent(daemon.addresses["exchange"], **changed) as agent:
        item = agent.next_item()
        assert (item[1], item[3]) == (1, seen[3])
        agent.finish(["completed", quest, item[3], b"null"])
    events = control.events(quest, until="quest.completed")
    assert kinds(events).count("attempt.started") == 1


def test_a_hello_with_an_older_counter_does_not_start_the_session_anew(
    daemon: DaemonProcess,
) -> None:
    with RawAgent(daemon.addresses["exchange"], agent="late") as agent:
        agent.poll()
        late = hello(agent="late", incarnation=agent.incarnation, counter=1)
        assert agent.link.ask(late) == ["work", 1, [], [], False]
        agent.poll()


def test_an_instance_that_is_gone_loses_its_attempt_and_the_task_runs_elsewhere(
    daemon: DaemonProcess, control: Control
) -> None:
    with RawAgent(daemon.addresses["exchange"], agent="gone") as agent:
        quest = control.submit(definition({"key": "a", "agent": "gone"}))
        agent.next_item()
    with RawAgent(daemon.addresses["exchange"], agent="gone") as agent:
        agent.finish(["completed", quest, agent.next_item()[3], b"null"])
    events = control.events(quest, until="quest.completed")
    assert kinds(events)[2:5] == ["attempt.started", "attempt.lost", "attempt.started"]


def test_a_session_that_the_daemon_does_not_know_is_told_to_greet_again(
    daemon: DaemonProcess,
) -> None:
    with Dialer(daemon.addresses["exchange"]) as link:
        answer = link.ask(["exchange", "unheard-of", "0" * 32, 1])
        assert answer[0] == "resync"
        assert link.ask(["goodbye", "unheard-of", "0" * 32]) == ["work", 0, [], [], False]


def test_a_restarted_daemon_takes_the_attempts_back_that_are_held(tmp_path: Path) -> None:
    first = DaemonProcess(tmp_path)
    with (
        Control(first.addresses["control"]) as control,
        RawAgent(first.addresses["exchange"], capacity=2) as agent,
    ):
        steps = [{"key": "a", "agent": "raw"}, {"key": "b", "agent": "raw"}]
        quest = control.submit(definition(*steps))
        items: list[Any] = []
        while len(items) < 2:
            items += agent.poll()[2]
        agent.poll()
        incarnation, counter = agent.incarnation, agent.counter
    first.kill()
    (running_epoch, ended_epoch) = (items[0][3], items[1][3])
    with running(tmp_path) as second, Control(second.addresses["control"]) as control:
        ended = ["completed", quest, ended_epoch, b'"ended while nobody listened"']
        changed = {
            "incarnation": incarnation,
            "capacity": 2,
            "held": [[quest, running_epoch]],
            "outcomes": [ended],
            "counter": counter + 1,
        }
        with RawAgent(second.addresses["exchange"], **changed) as agent:
            work = agent.poll()
            while [quest, ended_epoch] not in work[3]:
                work = agent.poll()
            agent.finish(["completed", quest, running_epoch, b'"ran on"'])
        events = control.events(quest, until="quest.completed")
        assert kinds(events).count("attempt.started") == 2
        assert "attempt.lost" not in kinds(events)


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        ({"protocol": 2}, "protocol"),
        ({"agent": ""}, "validation"),
        ({"incarnation": "short"}, "validation"),
        ({"capacity": 0}, "validation"),
        ({"tools": [BAD_TOOL]}, "validation"),
    ],
)
def test_a_hello_that_cannot_be_is_denied_for_good(
    daemon: DaemonProcess, changed: dict[str, Any], kind: str
) -> None:
    with Dialer(daemon.addresses["exchange"]) as link:
        tag, said, message, fatal = link.ask(hello(**changed))
    assert (tag, said, fatal) == ("denied", kind, True)
    assert message


@pytest.mark.parametrize(
    ("token", "tag"), [(None, "denied"), ("wrong", "denied"), (TOKEN, "welcome")]
)
def test_a_tcp_listener_asks_for_the_token(
    daemon: DaemonProcess, token: str | None, tag: str
) -> None:
    with Dialer(daemon.addresses["exchange_tcp_0"]) as link:
        answer = link.ask(hello(agent="far", token=token))
    assert answer[0] == tag
    assert tag == "welcome" or answer[1] == "auth"


@pytest.mark.parametrize(
    "body", [b"", b"\xc1", b"hello", encode(["hello"]), encode(["bonjour", 1])]
)
def test_bytes_that_are_no_frame_are_answered_and_may_be_followed_by_better_ones(
    daemon: DaemonProcess, body: bytes
) -> None:
    with Dialer(daemon.addresses["exchange"]) as link:
        tag, kind, _, fatal = link.ask_bytes(body)
        assert (tag, kind, fatal) == ("denied", "validation", False)
        assert link.ask(hello(agent="better"))[0] == "welcome"


def test_a_result_that_is_no_json_fails_its_attempt(
    daemon: DaemonProcess, control: Control
) -> None:
    with RawAgent(daemon.addresses["exchange"], agent="nojson") as agent:
        quest = control.submit(definition({"key": "a", "agent": "nojson"}))
        agent.finish(["completed", quest, agent.next_item()[3], b"{no json}"])
    events = control.events(quest, until="quest.failed")
    assert dict(events)["attempt.failed"][2][0] == "unserialisable"
