"""What once went wrong at the doors, and must not again."""

import time

import pytest

from tests.protocol.wire import (
    ONE_STEP,
    Control,
    DaemonProcess,
    Dialer,
    RawAgent,
    definition,
    encode,
)


def test_log_lines_in_the_frame_of_the_outcome_are_kept(
    daemon: DaemonProcess, control: Control
) -> None:
    with RawAgent(daemon.addresses["exchange"], agent="brief") as agent:
        quest = control.submit(definition({"key": "a", "agent": "brief"}))
        epoch = agent.next_item()[3]
        agent.poll(
            logs=[[quest, epoch, [[1, "line", b"{}"]]]],
            outcomes=[["completed", quest, epoch, b"1"]],
        )
    events = control.events(quest, until="quest.completed")
    assert "attempt.logged" in [kind for kind, _ in events]


@pytest.mark.parametrize(
    ("door", "body"),
    [
        ("control", b"\x82\xa4type\xa4read\xa5quest\xa2\xff\xfe"),
        ("exchange", b"\x94\xa5hello\x01\xa2\xff\xfe\xa1x"),
    ],
)
def test_text_that_is_no_utf8_is_answered(daemon: DaemonProcess, door: str, body: bytes) -> None:
    with Dialer(daemon.addresses[door]) as link:
        assert link.ask_bytes(body)


def test_a_person_can_give_json_only(daemon: DaemonProcess, control: Control) -> None:
    with RawAgent(daemon.addresses["exchange"], agent="p1") as agent:
        quest = control.submit(definition({"key": "a", "agent": "p1", "idempotent": False}))
        agent.next_item()
    control.events(quest, until="breakpoint.opened")
    reply = control.ask(
        {"type": "resolve", "quest": quest, "actor": "a", "choice": "complete", "result": b"{no"}
    )
    assert reply["type"] == "error"


@pytest.mark.parametrize(
    "fields",
    [
        {"priority": 99},
        {"priority": -5},
        {"total_timeout_ms": -5},
        {"project": ""},
        {"project": "x" * 100_000},
        {"key": "k" * 100_000},
        {"labels": {str(n): "x" * 1_000 for n in range(500)}},
        {"deadline_us": -1},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_a_submit_is_checked_as_a_definition_is(
    control: Control, fields: dict[str, object]
) -> None:
    reply = control.ask({"type": "submit", "definition": ONE_STEP, **fields})
    assert (reply["type"], reply.get("kind")) == ("error", "invalid")


def test_a_long_list_fits_a_frame(control: Control) -> None:
    body = definition(
        {"key": "a", "agent": "nobody", "arguments": {"input": "{{ x }}"}}, name="big"
    )
    for _ in range(990):
        control.submit(body, inputs=b'{"x":"' + b"y" * 4_000 + b'"}', labels={"l": "z" * 190})
    reply = control.ask({"type": "list", "wanted": {"name": "big", "limit": 990}})
    assert len(encode(reply)) <= 4 * 1024 * 1024


def test_what_was_never_begun_is_no_loss(daemon: DaemonProcess, control: Control) -> None:
    with RawAgent(daemon.addresses["exchange"], agent="p2") as agent:
        quest = control.submit(definition({"key": "a", "agent": "p2", "idempotent": False}))
        agent.next_item()
        agent.link.ask(["goodbye", agent.incarnation, agent.boot, "draining"])
    with RawAgent(daemon.addresses["exchange"], agent="p2") as agent:
        deadline = time.monotonic() + 5
        item = None
        while item is None and time.monotonic() < deadline:
            item = next(iter(agent.poll()[2]), None)
        assert item is not None, "given away at once, since nothing was begun"
        agent.finish(["completed", quest, item[3], b"1"])


@pytest.mark.parametrize("door", ["control", "exchange", "history"])
def test_a_request_that_nests_without_end_is_answered(daemon: DaemonProcess, door: str) -> None:
    nested = b"\x91" * 100_000
    with Dialer(daemon.addresses[door]) as link:
        assert link.ask_bytes(b"\x82\xa4type\xa6status\xa1x" + nested)
        assert link.ask_bytes(nested)
