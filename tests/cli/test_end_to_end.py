"""The whole way: processes, sockets, disk, exit codes."""

import csv
import io
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from questd.cli import codes
from questd.client import Client, QuestFailed
from tests.cli.processes import Place


def test_a_quest_runs_without_any_daemon_and_leaves_none(place: Place) -> None:
    done = place.quest("run", "say.yaml", "-i", "text=@-", stdin="one")
    assert (done.returncode, done.stdout) == (codes.DONE, "# one\n")
    assert "quest show q_" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert not (place.data / "daemon.json").exists()


def test_run_json_prints_one_document_and_nothing_else(place: Place) -> None:
    done = place.quest("run", "say.yaml", "--json", "--quiet")
    shown = json.loads(done.stdout)
    assert done.stderr == ""
    assert shown == place.json("show", shown["id"])
    assert shown["output"] == "# hello\n"
    (row,) = place.json("list")["quests"]
    assert row == {name: value for name, value in shown.items() if name != "steps"}


def test_a_failed_quest_exits_with_1_and_says_why(place: Place) -> None:
    done = place.quest("run", "fail.yaml")
    assert done.returncode == codes.FAILED
    assert done.stdout == ""
    assert "failed at only (auth): no hello" in done.stderr


def test_what_cannot_be_run_starts_nothing(place: Place) -> None:
    (place.folder / "bad.yaml").write_text("name: bad\nsteps:\n  - {key: a, agnt: x}\n")
    done = place.quest("run", "bad.yaml")
    assert done.returncode == codes.USAGE
    assert "bad.yaml:3:" in done.stderr
    assert "did you mean agent?" in done.stderr
    assert place.quest("run", "say.yaml", "-i", "txt=1").returncode == codes.USAGE
    assert place.quest("run", "none.yaml").returncode == codes.NOT_FOUND
    assert not place.data.exists()
    report = place.json("validate", "bad.yaml")
    assert report["valid"] is False
    assert report["faults"][0]["line"] == 3


def test_without_a_daemon_steering_is_unreachable_and_looking_works(place: Place) -> None:
    place.quest("run", "say.yaml")
    (row,) = place.json("list")["quests"]
    assert place.quest("cancel", row["id"]).returncode == codes.UNREACHABLE
    assert place.quest("submit", "say.yaml").returncode == codes.UNREACHABLE
    assert place.quest("show", row["id"]).returncode == codes.DONE
    assert place.quest("show", "q_none").returncode == codes.NOT_FOUND
    assert place.quest("logs", row["id"]).returncode == codes.DONE
    assert place.json("sql", "select quest from quests")["rows"] == [[row["id"]]]
    assert place.json("stats", "overall")["overall"][0]["completed"] == 1


def test_what_a_tool_wrote_last_is_kept(place: Place) -> None:
    quest = place.json("run", "say.yaml")["id"]
    assert "said" in place.quest("logs", quest).stdout


@pytest.mark.parametrize(
    ("sql", "expected"),
    [("selec 1", "syntax error"), ("drop table quests", "only SELECT")],
)
def test_sql_that_is_not_allowed_exits_with_2(place: Place, sql: str, expected: str) -> None:
    place.quest("run", "say.yaml")
    done = place.quest("sql", sql)
    assert done.returncode == codes.USAGE
    assert expected in done.stderr


def test_a_daemon_is_submitted_to_watched_asked_and_steered(place: Place) -> None:
    with place.serving():
        submitted = place.json("submit", "wait.yaml", "--key", "k1")
        quest = submitted["id"]
        assert submitted["created"] is True
        assert place.json("submit", "wait.yaml", "--key", "k1") == {"id": quest, "created": False}
        place.until(lambda: place.step(quest) == "running")
        assert place.quest("output", quest).returncode == codes.REFUSED
        cancelled = place.json("cancel", quest, "--reason", "enough")
        assert cancelled == {"cancelled": [{"id": quest, "changed": True}]}
        watched = place.quest("watch", quest, "--json")
        assert watched.returncode == codes.CANCELLED
        events = [json.loads(line) for line in watched.stdout.splitlines()]
        assert [event["n"] for event in events] == list(range(1, len(events) + 1))
        assert events[-1]["kind"] == "quest.cancelled"
        assert events[-1]["reason"] == "enough"
        rows = place.json("sql", "select status, cancel_reason from quests")["rows"]
        assert rows == [["cancelled", "enough"]]


def test_run_uses_the_daemon_that_answers(place: Place) -> None:
    with place.serving() as daemon:
        done = place.quest("run", "say.yaml")
        assert (done.returncode, done.stdout) == (codes.DONE, "# hello\n")
        assert daemon.poll() is None
        page = csv.reader(io.StringIO(place.quest("sql", "from quests", "--format", "csv").stdout))
        assert next(page)[:2] == ["seq", "quest"]


def test_a_second_daemon_is_told_who_holds_the_directory(place: Place) -> None:
    with place.serving() as daemon:
        done = place.quest("serve")
        assert done.returncode == codes.REFUSED
        assert f"is held by process {daemon.pid}" in done.stderr


def test_agents_are_listed_shown_run_and_drained(place: Place) -> None:
    with place.serving():
        place.until(lambda: place.agents() == ["writer"])
        (place.folder / "other.py").write_text(
            "from questd import Agent\nagent = Agent('other')\n@agent.tool\ndef run() -> int:\n    return 1\n"
        )
        agent = place.start("agent", "run", "other:agent", "--quiet")
        place.until(lambda: place.agents() == ["other", "writer"])
        shown = place.quest("agent", "show", "writer").stdout
        assert "say(text: string)" in shown
        assert "pay()  not to be repeated blindly" in shown
        assert place.quest("agent", "show", "nobody").returncode == codes.NOT_FOUND
        assert place.quest("agent", "drain", "other").returncode == codes.DONE
        assert agent.wait(20) == 0
        agent.communicate()


def test_an_agent_that_nobody_offers_is_named_within_a_second_or_so(place: Place) -> None:
    (place.folder / "lost.yaml").write_text(
        "name: lost\nsteps: [{key: a, agent: nobody, prompt: x}]\n"
    )
    run = place.start("run", "lost.yaml")
    assert run.stderr is not None
    lines = [run.stderr.readline(), run.stderr.readline()]
    assert "no agent nobody is connected: 1 task waits" in lines[1]
    run.send_signal(signal.SIGINT)
    _, rest = run.communicate(timeout=30)
    assert run.returncode == codes.INTERRUPTED
    assert "Go on: quest run --continue q_" in rest


def test_who_lets_go_of_a_quest_can_go_on_with_it(place: Place) -> None:
    run = place.start("run", "wait.yaml")
    assert run.stderr is not None
    quest = run.stderr.readline().split()[0]
    assert "works on it" in run.stderr.readline()
    run.send_signal(signal.SIGINT)
    _, told = run.communicate(timeout=30)
    assert f"quest run --continue {quest}" in told
    shown = place.json("show", quest)
    assert shown["status"] != "completed"
    again = place.start("run", "--continue", quest)
    assert again.stderr is not None
    place.until(lambda: place.quest("cancel", quest).returncode == codes.DONE)
    again.communicate(timeout=30)
    assert again.returncode == codes.CANCELLED


def test_a_quest_that_waits_for_a_person_exits_with_4_and_can_be_answered(place: Place) -> None:
    done = place.quest("run", "pay.yaml", "--json")
    assert done.returncode == codes.WAITING
    shown = json.loads(done.stdout)
    assert shown["waiting_for"][0]["what"] == "breakpoint"
    with place.serving():
        given = ("resolve", shown["id"], "complete", "--result", '"by hand"')
        assert place.quest(*given).returncode == codes.DONE
        assert place.quest("watch", shown["id"]).returncode == codes.DONE
        assert place.json("output", shown["id"]) == "by hand"
        assert place.quest("resolve", shown["id"], "retry").returncode == codes.REFUSED


def test_local_agents_that_are_not_connected_are_started_beside_a_foreign_daemon(
    place: Place, tmp_path: Path
) -> None:
    empty = tmp_path / "empty.toml"
    empty.touch()
    words = ("serve", "--quiet", "--config", str(empty), "--data", str(place.data))
    daemon = place.start(*words)
    try:
        assert daemon.stdout is not None
        daemon.stdout.readline()
        assert place.json("agent")["agents"] == []
        assert place.quest("run", "say.yaml").stdout == "# hello\n"
        place.until(lambda: place.json("agent")["agents"] == [])
    finally:
        daemon.terminate()
        daemon.communicate(timeout=30)


def test_what_init_writes_runs(place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    assert place.quest("init", str(folder)).returncode == codes.DONE
    new = Place.__new__(Place)
    new.folder, new.env = folder, place.env
    assert new.quest("run", "quest.yaml").stdout == "IT WORKS! That was 2 words.\n"
    again = place.quest("init", str(folder))
    assert again.returncode == codes.REFUSED
    assert "nothing was written" in again.stderr


def test_doctor_finds_a_flipped_byte(place: Place) -> None:
    place.quest("run", "say.yaml")
    assert place.json("doctor")["healthy"] is True
    journal = place.data / "journal.db"
    damaged = bytearray(journal.read_bytes())
    at = damaged.find(b"# hello")
    assert at > 0
    damaged[at] ^= 1
    journal.write_bytes(damaged)
    done = place.quest("doctor")
    assert done.returncode == codes.FAILED
    assert "is not what was written" in done.stdout


def test_python_runs_a_quest_as_the_command_line_does(place: Place) -> None:
    with Client(place.data, config=place.folder / "questd.toml") as client:
        view = client.run(place.folder / "say.yaml", text="py")
        assert view.output == "# py\n"
        with pytest.raises(QuestFailed, match=r"\(auth\): no hello"):
            client.run(place.folder / "fail.yaml")
        assert client.stats(["overall"])["overall"].records()[0]["quests"] == 2


def test_a_reader_that_leaves_early_is_no_error(place: Place) -> None:
    place.quest("run", "say.yaml")
    command = f"{sys.executable} -m questd list --json | true"
    done = subprocess.run(
        ["bash", "-c", command], cwd=place.folder, env=place.env, capture_output=True, check=False
    )
    assert b"Traceback" not in done.stderr


def test_one_tool_is_called_without_a_document(place: Place) -> None:
    done = place.quest("call", "writer", "say", "-i", "text={{ 7 * 6 }}")
    assert (done.returncode, done.stdout) == (codes.DONE, "# {{ 7 * 6 }}\n")
    (row,) = place.json("list")["quests"]
    assert (row["name"], row["inputs"]) == ("call", {"arguments": {"text": "{{ 7 * 6 }}"}})
    failed = place.quest("call", "writer", "fail", "-i", "text=@-", stdin="way")
    assert failed.returncode == codes.FAILED
    assert "failed at call (auth): no way" in failed.stderr
    shown = place.json("call", "writer", "say", "-i", "text=hi", "--key", "once")
    assert (shown["status"], shown["output"], list(shown["steps"])) == (
        "completed",
        "# hi\n",
        ["call"],
    )
    again = place.json("call", "writer", "say", "-i", "text=other", "--key", "once")
    assert (again["id"], again["output"]) == (shown["id"], "# hi\n")
    wrong = place.quest("call", "writer", "say", "-i", "txt=x")
    assert wrong.returncode == codes.FAILED
    assert "unknown argument 'txt'; missing argument 'text'" in wrong.stderr
    assert place.quest("call").returncode == codes.USAGE
    assert "say whom to call" in place.quest("call", "-i", "text=x").stderr


def test_a_call_from_python_returns_the_result(place: Place) -> None:
    with Client(place.data, config=place.folder / "questd.toml") as client:
        assert client.call("writer", "say", {"text": "hi"}) == "# hi\n"
        with pytest.raises(QuestFailed, match="no hi"):
            client.call("writer", "fail", {"text": "hi"})


def test_a_step_whose_condition_does_not_hold_is_skipped(place: Place) -> None:
    (place.folder / "choice.yaml").write_text(
        """
name: choice
inputs: {loud: {type: boolean}}
steps:
  - {key: low, agent: writer, tool: say, with: {text: low}}
  - {key: high, agent: writer, tool: say, with: {text: high}, when: "{{ loud and low.result }}", needs: [low]}
  - {key: echo, agent: writer, tool: say, with: {text: "{{ high.result }}"}, needs: [high]}
  - {key: last, agent: writer, tool: say, with: {text: "{{ high.status }}"}, needs: [high, low], allow_skipped: true}
output: "{{ last.result }}"
"""
    )
    shown = place.json("run", "choice.yaml", "-i", "loud=false")
    assert (shown["status"], shown["output"]) == ("completed", "# skipped\n")
    statuses = {key: step["status"] for key, step in shown["steps"].items()}
    assert statuses == {
        "low": "completed",
        "high": "skipped",
        "echo": "skipped",
        "last": "completed",
    }
    asked = "select task, status from tasks where status = 'skipped' order by task"
    assert place.json("sql", asked)["rows"] == [["echo", "skipped"], ["high", "skipped"]]
    loud = place.json("run", "choice.yaml", "-i", "loud=true")
    assert loud["output"] == "# completed\n"
    assert "when {{ loud" in place.quest("graph", "choice.yaml").stdout


def test_who_fails_is_followed_by_the_next_one(place: Place) -> None:
    (place.folder / "others.yaml").write_text(
        """
name: others
steps:
  - key: say
    agent: writer
    tool: fail
    retry: {attempts: 2, delay: 0s}
    with: {text: hello}
    fallback: [{agent: writer, tool: nothing}, {agent: writer, tool: say}]
"""
    )
    shown = place.json("run", "others.yaml")
    assert (shown["status"], shown["output"]) == ("completed", "# hello\n")
    said = shown["steps"]["say"]
    assert (said["agent"], said["tool"], said["error"]) == ("writer", "say", None)
    asked = "select attempt, tool, status from attempts order by attempt"
    rows = place.json("sql", asked)["rows"]
    assert [row[1:] for row in rows] == [["fail", "failed"], ["say", "completed"]]
    kinds = [
        json.loads(line)["kind"]
        for line in place.quest("watch", shown["id"], "--json").stdout.splitlines()
    ]
    assert kinds.count("task.fell_back") == 2
    assert (
        "writer.fail, else writer.nothing, else writer.say"
        in place.quest("graph", "others.yaml").stdout
    )


LEAF = """\
name: leaf
version: 1.0.0
description: says something
inputs: {text: {type: string}}
steps:
  - {key: only, agent: writer, tool: say, with: {text: "{{ text }}"}}
"""
FAMILY = """\
name: family
steps:
  - {key: child, use: leaf@1.0.0, inputs: {text: hello}}
"""


def test_a_stored_document_is_run_and_used_by_its_name(place: Place) -> None:
    (place.folder / "leaf.yaml").write_text(LEAF)
    (place.folder / "family.yaml").write_text(FAMILY)
    with place.serving():
        refused = place.quest("submit", "family.yaml")
        assert refused.returncode == codes.USAGE
        assert "there is no template leaf@1.0.0" in refused.stderr
        assert place.quest("template", "add", "leaf.yaml").stdout == "leaf@1.0.0\n"
        assert place.json("template", "add", "leaf.yaml")["templates"][0]["created"] is False
        assert place.quest("run", "leaf", "-i", "text=x").stdout == "# x\n"
        shown = place.json("run", "family.yaml")
        child = shown["steps"]["child"]["quest"]
        assert (shown["output"], shown["steps"]["child"]["tool"]) == ("# hello\n", "leaf@1.0.0")
        assert place.json("show", child)["output"] == "# hello\n"
        assert place.json("show", shown["id"][:-1])["id"] == shown["id"]
        rows = place.json(
            "sql",
            "select c.quest from attempts a join quests c on c.quest = a.quest || '.' || a.epoch "
            "where a.agent = 'quest'",
        )["rows"]
        assert rows == [[child]]


def test_stored_documents_are_looked_at_without_a_daemon_and_hidden_and_forgotten_with_one(
    place: Place,
) -> None:
    (place.folder / "leaf.yaml").write_text(LEAF)
    with place.serving():
        place.quest("template", "add", "leaf.yaml")
    assert place.json("template")["templates"][0]["description"] == "says something"
    shown = place.quest("template", "show", "leaf").stdout
    (place.folder / "again.yaml").write_text(shown)
    assert place.json("validate", "again.yaml")["valid"] is True
    assert place.quest("run", "leaf@1.0.0", "-i", "text=y").stdout == "# y\n"
    assert "leaf" in place.quest("graph", "leaf").stdout
    assert place.quest("template", "remove", "leaf@1.0.0").returncode == codes.UNREACHABLE
    with place.serving():
        assert place.quest("template", "archive", "leaf@1.0.0").returncode == codes.DONE
        assert place.json("template")["templates"] == []
        assert place.quest("run", "leaf").returncode == codes.NOT_FOUND
        assert place.quest("template", "archive", "leaf@1.0.0", "--undo").returncode == codes.DONE
        assert place.json("template", "remove", "leaf@1.0.0")["changed"] is True
        assert place.quest("template", "show", "leaf").returncode == codes.NOT_FOUND
