"""Loops the whole way: each round is run, kept and shown; a person lets a quest go on that was sent back too often."""

import json

from questd.cli import codes
from tests.cli.processes import Place

ROUNDS = """
name: rounds
inputs: {most: {type: integer}}
limits: {rounds: 2}
steps:
  - {key: draft, agent: writer, tool: say, with: {text: "{{ round }} {{ feedback.told if feedback else 'first' }}"}}
  - {key: each, agent: writer, tool: say, needs: [draft], for_each: "[draft.result, 'x']", with: {text: "{{ item }} {{ index }}"}}
  - key: review
    agent: writer
    tool: say
    needs: [each]
    with: {text: "{{ each.result | length }} of {{ round }}"}
    repeat:
      until: "round > most"
      back_to: draft
      max_rounds: 9
      feedback: {told: "round {{ round }} gave {{ result }}"}
  - {key: aside, agent: writer, tool: say, needs: [draft], with: {text: "{{ draft.rounds | length }} rounds"}}
output: {draft: "{{ draft.result }}", first: "{{ draft.rounds[0].result }}", aside: "{{ aside.result }}"}
"""


def test_every_round_runs_is_kept_and_is_told_what_the_one_before_gave(place: Place) -> None:
    (place.folder / "rounds.yaml").write_text(ROUNDS)
    shown = place.json("run", "rounds.yaml", "-i", "most=2")
    assert shown["output"] == {
        "draft": "# 3 round 2 gave # 2 of 2\n\n",
        "first": "# 1 first\n",
        "aside": "# 3 rounds\n",
    }
    steps = shown["steps"]
    assert {key: step["rounds"] for key, step in steps.items()} == {
        "draft": 3,
        "each": 3,
        "review": 3,
        "aside": 1,
    }
    assert list(steps["draft"]["tasks"]) == ["draft", "draft@2", "draft@3"]
    names = ["each", "each[0]", "each[1]", "each@2", "each[0]@2", "each[1]@2"]
    assert list(steps["each"]["tasks"])[:6] == names
    assert steps["each"]["attempts"] == 6
    assert place.json("output", shown["id"], "draft@2") == "# 2 round 1 gave # 2 of 1\n\n"
    asked = "select task, result from tasks where step = 'draft' order by task"
    rows = place.json("sql", asked)["rows"]
    assert [row[0] for row in rows] == ["draft", "draft@2", "draft@3"]
    assert json.loads(rows[0][1]) == "# 1 first\n"
    kinds = [
        json.loads(line)["kind"]
        for line in place.quest("watch", shown["id"], "--json").stdout.splitlines()
    ]
    assert (kinds.count("task.sent_back"), kinds.count("task.accepted")) == (2, 1)
    assert "2 of 2 items, round 3" in place.quest("show", shown["id"]).stdout
    lines = place.quest("logs", shown["id"], "--task", "draft@2").stdout.splitlines()
    assert len(lines) == 1
    graph = place.quest("graph", "rounds.yaml").stdout
    assert "again from draft until round > most, at most 9 rounds" in graph


def test_a_quest_that_was_sent_back_too_often_waits_for_a_person(place: Place) -> None:
    (place.folder / "rounds.yaml").write_text(ROUNDS)
    with place.serving():
        done = place.quest("run", "rounds.yaml", "-i", "most=8", "--json")
        assert done.returncode == codes.WAITING
        quest = json.loads(done.stdout)["id"]
        (wait,) = place.json("show", quest)["waiting_for"]
        assert (wait["task"], wait["what"]) == ("review@3", "breakpoint")
        assert place.quest("resolve", quest, "retry").returncode == codes.USAGE
        place.quest("resolve", quest, "again")
        assert place.quest("run", "--continue", quest).returncode == codes.WAITING
        (wait,) = place.json("show", quest)["waiting_for"]
        assert wait["task"] == "review@4"
        place.quest("resolve", quest, "accept")
        assert place.quest("run", "--continue", quest).returncode == codes.DONE
        assert place.json("show", quest)["output"]["aside"] == "# 4 rounds\n"
