"""Signals and sleeps through real processes: the command line, a daemon that is killed, the history."""

import json
import signal
import sqlite3
import time
from contextlib import closing
from datetime import datetime
from typing import Any

import pytest

from questd.cli import codes
from questd.client import Client, InvalidInput, NotFound, Refused
from tests.cli.processes import Place

ORDER = """
name: order
steps:
  - {key: first, agent: writer, tool: say, with: {text: first}}
  - {key: paid, wait_for: payment, timeout: 2d, default: null, needs: [first]}
  - {key: cool, sleep: 200ms, needs: [paid]}
  - {key: thanks, agent: writer, tool: say, with: {text: "{{ paid.result.by }}"}, needs: [cool]}
output: "{{ thanks.result }}"
"""
PATIENT = """
name: patient
steps:
  - {key: nap, sleep: 2s}
  - {key: answer, wait_for: answer, timeout: 1500ms, default: nobody}
  - {key: late, wait_for: verdict, timeout: 1s, on_error: continue}
"""


def submitted(place: Place, text: str, *options: str) -> str:
    (place.folder / "waits.yaml").write_text(text)
    quest = place.json("submit", "waits.yaml", *options)["id"]
    assert isinstance(quest, str)
    return quest


def waits(place: Place, quest: str) -> list[tuple[str, str, str]]:
    found = place.json("show", quest)["waiting_for"]
    return [(wait["task"], wait["what"], wait["name"]) for wait in found]


def seconds(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def test_a_signal_lets_a_quest_go_on_and_everybody_sees_why(place: Place) -> None:
    with place.serving():
        quest = submitted(place, ORDER)
        place.until(lambda: waits(place, quest) == [("paid", "signal", "payment")])
        shown = place.quest("show", quest).stdout
        assert "paid waits for signal payment (for " in shown
        assert ", until " in shown
        place.until(lambda: bool(place.json("signal")["signals"]))  # it has gone to rest
        (row,) = place.json("signal")["signals"]
        assert (row["id"], row["task"], row["signal"]) == (quest, "paid", "payment")
        assert seconds(row["since"], row["until"]) == 2 * 86_400
        assert place.json("signal", "list", quest)["signals"] == [row]
        assert quest in place.quest("signal").stdout
        sent = place.json("signal", "send", quest, "payment", '{"by": "ann"}', "--key", "k")
        assert sent == {"id": quest, "signal": "payment", "created": True, "state": "taken"}
        place.until(lambda: place.json("show", quest)["status"] == "completed")
        assert place.quest("output", quest).stdout == "# ann\n"
        again = place.json("signal", "send", quest, "payment", '{"by": "bob"}', "--key", "k")
        assert (again["created"], again["state"]) == (False, "received before")
        asked = "select signal_name, payload, status, task, kept_us from signals"
        assert place.json("sql", asked)["rows"] == [["payment", '{"by":"ann"}', "taken", "paid", 0]]
        asked = "select kind, task, wait_us >= 0 from waits order by kind"
        assert place.json("sql", asked)["rows"] == [
            ["signal", "paid", True],
            ["timer", "cool", True],
        ]
        kinds = [
            json.loads(line)["kind"]
            for line in place.quest("watch", quest, "--json").stdout.splitlines()
        ]
        assert [kind for kind in kinds if "sign" in kind or "woke" in kind] == [
            "signal.received",
            "task.signalled",
            "task.woke",
        ]


def test_who_sends_too_much_too_late_or_to_nobody_is_told(place: Place) -> None:
    with place.serving():
        quest = submitted(place, ORDER.replace("agent: writer", "agent: nobody"))
        early = place.quest("signal", "send", quest, "payment", '{"by": "ann"}')
        assert (early.returncode, early.stderr) == (
            codes.DONE,
            "payment: kept until a step waits for it\n",
        )
        expected = {
            (quest, "payment"): (codes.REFUSED, "has come already and is kept for paid"),
            (quest, "paymnt"): (codes.USAGE, "they wait for payment"),
            ("q_nosuchquest0000000", "payment"): (codes.NOT_FOUND, "there is no quest"),
        }
        for (to, name), (code, said) in expected.items():
            done = place.quest("signal", "send", to, name)
            assert done.returncode == code, done.stderr
            assert said in done.stderr
        place.quest("cancel", quest)
        late = place.quest("signal", "send", quest, "payment")
        assert late.returncode == codes.REFUSED
        assert "is cancelled and hears no signal any more" in late.stderr


def test_all_signals_that_a_quest_waits_for_are_listed_behind_whatever_else_it_waits_for(
    place: Place,
) -> None:
    agents = [f"  - {{key: a{n}, agent: nobody, tool: say}}\n" for n in range(3)]
    signals = [f"  - {{key: s{n}, wait_for: go{n}}}\n" for n in range(5)]
    with place.serving():
        assert place.quest("signal").stderr == "no resting quest waits for a signal\n"
        quest = submitted(place, f"name: many\nsteps:\n{''.join((*agents, *signals))}")
        place.until(lambda: place.json("show", quest)["status"] == "waiting")
        place.until(lambda: bool(place.json("signal")["signals"]))
        listed = [row["signal"] for row in place.json("signal")["signals"]]
        assert listed == ["go0", "go1", "go2", "go3", "go4"]


def test_what_a_refused_or_repeated_signal_brought_is_not_kept(place: Place) -> None:
    text = (
        "name: held\nsteps:\n  - {key: a, wait_for: go}\n  - {key: b, wait_for: end}\n"
        "  - {key: busy, agent: writer, tool: wait}\n"
    )
    with place.serving(), Client(place.data) as client:
        quest = submitted(place, text)
        assert client.signal_send(quest, "go", "first", key="k").state == "taken"
        assert client.signal_send(quest, "go", "again" * 10_000, key="k").state == "received before"
        with pytest.raises(Refused):
            client.signal_send(quest, "go", "late" * 10_000)
        client.signal_send(quest, "end", "known" * 10_000)
        client.cancel(quest)
    with closing(sqlite3.connect(place.data / "journal.db")) as journal:
        assert journal.execute("select count(*) from blobs").fetchone() == (1,)


def test_waits_end_on_time_whatever_happens_to_the_daemon(place: Place) -> None:
    with place.serving() as daemon:
        quest = submitted(place, PATIENT)
        daemon.kill()
        daemon.wait()
    with place.serving():
        place.until(lambda: place.json("show", quest)["status"] == "completed")
        shown = place.json("show", quest)
    results = {key: step["result"] for key, step in shown["steps"].items()}
    assert results == {"nap": None, "answer": "nobody", "late": None}
    assert shown["failed_steps"] == ["late"]
    assert shown["steps"]["late"]["error"]["message"] == "no signal 'verdict' came within 1000 ms"
    took = seconds(shown["steps"]["nap"]["started_at"], shown["steps"]["nap"]["finished_at"])
    assert took >= 2.0


def test_a_daemon_that_stood_still_does_what_came_due_at_once_when_it_goes_on(
    place: Place,
) -> None:
    with place.serving() as daemon:
        quest = submitted(place, "name: nap\nsteps: [{key: nap, sleep: 1s}]\n")
        daemon.send_signal(signal.SIGSTOP)
        time.sleep(1.5)  # the sleep ends meanwhile: what is tested is that time passes
        thawed = time.time()
        daemon.send_signal(signal.SIGCONT)
        place.until(lambda: place.json("show", quest)["status"] == "completed")
        ended = datetime.fromisoformat(place.json("show", quest)["finished_at"]).timestamp()
    assert thawed - 0.1 <= ended <= thawed + 5.0


def test_a_quest_that_only_waits_runs_to_its_end_without_any_agent(place: Place) -> None:
    (place.folder / "nap.yaml").write_text("name: nap\nsteps: [{key: nap, sleep: 100ms}]\n")
    done = place.quest("run", "nap.yaml")
    assert (done.returncode, done.stdout) == (codes.DONE, "null\n"), done.stderr
    assert "nap: slept long enough" in done.stderr
    (place.folder / "order.yaml").write_text(ORDER)
    drawn = place.quest("graph", "order.yaml").stdout
    assert "signal payment, at most 2d" in drawn
    assert "sleep 200ms" in drawn
    assert "signals: payment" in place.quest("validate", "order.yaml").stdout


def test_signals_from_python(place: Place) -> None:
    with place.serving(), Client(place.data) as client:
        quest = submitted(place, "name: x\nsteps: [{key: a, wait_for: go}]\n")
        (awaited,) = client.signal_list(quest)
        assert (awaited.id, awaited.signal, awaited.until) == (quest, "go", None)
        large: Any = {"rows": ["x" * 10_000]}
        assert client.signal_send(quest, "go", large).state == "taken"
        for _ in client.watch(quest):
            pass
        assert client.output(quest) == large
        with pytest.raises(Refused, match="is completed and hears no signal"):
            client.signal_send(quest, "go")
        with pytest.raises(NotFound):
            client.signal_send("q_nosuchquest0000000", "go")
        quest = submitted(place, "name: x\nsteps: [{key: a, wait_for: go}]\n")
        with pytest.raises(InvalidInput, match="they wait for go"):
            client.signal_send(quest, "come")
        with pytest.raises(InvalidInput, match="a signal's name has 1 to 200"):
            client.signal_send(quest, "")


def test_a_child_that_waits_hears_its_signal_also_after_the_daemon_was_killed(place: Place) -> None:
    (place.folder / "ask.yaml").write_text(
        "name: ask\nversion: 1.0.0\nsteps: [{key: answer, wait_for: answer}]\n"
        'output: "{{ answer.result }}"\n'
    )
    with place.serving() as daemon:
        place.quest("template", "add", "ask.yaml")
        text = 'name: form\nsteps: [{key: ann, use: ask}]\noutput: "{{ ann.result }}"\n'
        quest = submitted(place, text)
        place.until(lambda: bool(place.json("signal")["signals"]))
        (row,) = place.json("signal")["signals"]
        assert (row["id"], row["signal"]) == (f"{quest}.3", "answer")
        assert row["id"] in place.quest("show", quest).stdout
        daemon.kill()
        daemon.wait()
    with place.serving():
        mistaken = place.quest("signal", "send", quest, "answer", "7")
        assert mistaken.returncode == codes.USAGE
        assert place.json("signal", "send", row["id"], "answer", "7")["state"] == "taken"
        place.until(lambda: place.json("show", quest)["status"] == "completed")
        assert place.json("show", quest)["output"] == 7
