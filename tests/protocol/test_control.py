"""The control door and the history door, spoken from outside our client against a real daemon."""

import hashlib
import json
import time
from typing import Any

import pytest

from tests.protocol.wire import Control, DaemonProcess, Dialer, RawAgent, definition, encode


def one_done(daemon: DaemonProcess, control: Control, result: bytes, **fields: Any) -> str:
    """A completed quest of one step."""
    agent_name = f"doer{time.monotonic_ns()}"
    with RawAgent(daemon.addresses["exchange"], agent=agent_name) as agent:
        quest = control.submit(definition({"key": "a", "agent": agent_name}), **fields)
        agent.finish(["completed", quest, agent.next_item()[3], result])
        control.events(quest, until="quest.completed")
    return quest


def test_a_ping_says_who_is_there(daemon: DaemonProcess, control: Control) -> None:
    info = control.ask({"type": "ping"})
    assert info["type"] == "daemon"
    assert info["ready"] is True
    assert info["addresses"] == daemon.addresses
    assert set(info["gauges"]) == {"ready_mailboxes", "journal_queue", "journal_questions"}


def test_a_known_key_gives_the_same_quest(control: Control) -> None:
    body = {"type": "submit", "definition": definition({"key": "a", "agent": "nobody"}), "key": "k"}
    first = control.ask(body)
    second = control.ask(body)
    assert (first["created"], second["created"]) == (True, False)
    assert first["quest"] == second["quest"]


def test_every_fault_of_a_definition_is_told(control: Control) -> None:
    bad = definition({"key": "a", "agent": "x", "dependencies": ["b"]}, {"key": "a", "agent": "x"})
    reply = control.ask({"type": "submit", "definition": bad})
    assert (reply["type"], reply["kind"]) == ("error", "invalid")
    assert len(reply["details"]) >= 2


def test_a_reader_waits_for_news_and_goes_on_where_it_was(control: Control) -> None:
    quest = control.submit(definition({"key": "a", "agent": "nobody"}))
    whole = control.ask({"type": "read", "quest": quest, "definition": True})
    assert [record[2] for record in whole["records"]] == [1, 2]
    digest = hashlib.sha256(whole["definition"]).hexdigest()
    assert whole["head"][3] == digest
    waiting = control.open({"type": "read", "quest": quest, "after": 2, "wait_ms": 20_000})
    control.ask({"type": "cancel", "quest": quest[:-1], "reason": "r", "actor": "a"})
    news = waiting.answer()["records"]
    assert news[0][2] == 3
    assert news[0][4] == "quest.cancel_requested"
    rest = control.ask({"type": "read", "quest": quest, "after": news[-1][2]})
    assert rest["head"][1] == 4
    twice = control.ask({"type": "cancel", "quest": quest, "reason": "r", "actor": "a"})
    assert twice == {"type": "done", "changed": False, "message": ""}


def test_a_reader_without_news_is_answered_when_its_time_is_over(control: Control) -> None:
    quest = control.submit(definition({"key": "a", "agent": "nobody"}))
    reply = control.ask({"type": "read", "quest": quest, "after": 2, "wait_ms": 200})
    assert reply["records"] == []


def test_a_large_result_is_a_reference_whose_text_can_be_fetched(
    daemon: DaemonProcess, control: Control
) -> None:
    text = json.dumps("x" * 5_000).encode()
    quest = one_done(daemon, control, text)
    events = dict(control.events(quest, until="quest.completed"))
    digest = hashlib.sha256(text).hexdigest()
    assert events["attempt.completed"][2] == ["blob", digest, len(text)]
    reply = control.ask({"type": "blobs", "digests": [digest, "0" * 64]})
    assert reply == {"type": "blob_texts", "texts": {digest: text}}


def test_lists_come_newest_first_in_pages(control: Control) -> None:
    body = definition({"key": "a", "agent": "nobody"}, name="paged")
    quests = [control.submit(body) for _ in range(3)]
    wanted = {"name": "paged", "limit": 2}
    page = control.ask({"type": "list", "wanted": wanted})
    assert [head[0] for head in page["heads"]] == quests[:0:-1]
    assert [record[4] for record in page["first"]] == ["quest.submitted"] * 2
    assert page["last"] == [None, None]
    following = control.ask({"type": "list", "wanted": {**wanted, "after": page["next"]}})
    assert [head[0] for head in following["heads"]] == quests[:1]
    assert following["next"] is None


def test_connected_and_missing_agents_are_told(daemon: DaemonProcess, control: Control) -> None:
    control.submit(definition({"key": "a", "agent": "never-there"}))
    wanted: list[Any] = []
    while not any(agent == "never-there" for agent, *_ in wanted):
        wanted = control.ask({"type": "missing"})["wanted"]
    with RawAgent(daemon.addresses["exchange"], agent="seen", capacity=3) as agent:
        (found,) = control.ask({"type": "agents", "name": "seen"})["instances"]
        assert (found["instance"], found["capacity"]) == (agent.incarnation, 3)
        assert found["tools"][0]["name"] == "work"
        drained = control.ask({"type": "drain", "name": "seen"})
        assert drained["type"] == "done"
        while not agent.poll()[4]:
            continue


def test_a_lost_attempt_that_may_not_be_repeated_waits_for_a_decision(
    daemon: DaemonProcess, control: Control
) -> None:
    step = {"key": "pay", "agent": "payer", "idempotent": False}
    with RawAgent(daemon.addresses["exchange"], agent="payer") as agent:
        quest = control.submit(definition(step))
        agent.next_item()
    opened = control.events(quest, until="breakpoint.opened")[-1][1]
    assert (opened[0], opened[1], opened[3]) == (
        "pay",
        "lost_attempt",
        ["retry", "complete", "fail"],
    )
    resolve = {"type": "resolve", "quest": quest, "actor": "ann"}
    bad = control.ask({**resolve, "choice": "perhaps"})
    assert (bad["type"], bad["kind"]) == ("error", "invalid")
    good = control.ask({**resolve, "choice": "complete", "result": b'"paid"'})
    assert good["changed"] is True
    again = control.ask({**resolve, "choice": "complete"})
    assert (again["type"], again["kind"]) == ("error", "refused")
    assert control.events(quest, until="quest.completed")[-1][1][0] == b'"paid"'


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        ({"type": "read", "quest": "q_00000000000000000a"}, "not_found"),
        ({"type": "read", "quest": "q_zz"}, "not_found"),
        (
            {"type": "cancel", "quest": "q_00000000000000000a", "reason": "", "actor": ""},
            "not_found",
        ),
        ({"type": "list", "wanted": {"limit": 0}}, "invalid"),
        ({"type": "drain", "name": "nobody-at-all"}, "not_found"),
        ({"type": "submit", "definition": b"\xc1"}, "invalid"),
        ({"type": "unheard_of"}, "invalid"),
        ({"no": "type"}, "invalid"),
        ([], "invalid"),
    ],
)
def test_what_cannot_be_is_answered_with_its_kind(
    control: Control, request_: object, kind: str
) -> None:
    reply = control.ask(request_)
    assert (reply["type"], reply["kind"]) == ("error", kind)
    assert reply["message"]


def test_the_history_answers_sql_about_what_was_just_done(
    daemon: DaemonProcess, control: Control
) -> None:
    quest = one_done(daemon, control, b"1", project="told")
    with Dialer(daemon.addresses["history"]) as history:
        rows = history.ask(
            {
                "type": "query",
                "sql": "SELECT quest, status FROM quests WHERE project = $1",
                "parameters": b'["told"]',
                "wait_ms": 20_000,
            }
        )
        assert rows["type"] == "rows"
        assert (rows["columns"], rows["types"]) == (["quest", "status"], ["VARCHAR", "VARCHAR"])
        assert json.loads(rows["data"]) == [[quest, "completed"]]
        assert (rows["rows"], rows["truncated"], rows["lag"]) == (1, False, 0)
        info = history.ask({"type": "status"})
        assert info["type"] == "info"
        assert info["seq"] <= info["journal_seq"]
        refused = history.ask({"type": "query", "sql": "DROP TABLE quests"})
        assert (refused["type"], refused["kind"]) == ("error", "sql")
        cut = history.ask({"type": "query", "sql": "FROM range(100)", "row_limit": 3})
        assert (cut["rows"], cut["truncated"]) == (3, True)
        slow = {
            "type": "query",
            "sql": "SELECT sum(a.range + b.range) FROM range(1000000) a, range(1000000) b",
        }
        assert history.ask({**slow, "time_limit_ms": 100})["kind"] == "limit"
        assert history.ask_bytes(encode([1]))["type"] == "error"
