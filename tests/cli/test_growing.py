"""Lists, conditions and plans through real processes: what a quest becomes while it runs."""

import json

from questd.cli import codes
from tests.cli.processes import Place

LISTS = """
name: lists
inputs: {texts: {type: array}}
steps:
  - key: each
    agent: writer
    tool: say
    for_each: texts
    max_parallel: 3
    partial: continue
    with: {text: "{{ item }}"}
  - {key: count, agent: writer, tool: say, needs: [each], with: {text: "lost {{ each.error.items }}"}}
output: {all: "{{ each.result }}", lost: "{{ count.result }}"}
"""


def test_each_item_of_a_list_is_a_task_and_a_step_of_many_is_one_line(place: Place) -> None:
    (place.folder / "lists.yaml").write_text(LISTS)
    texts = [f"t{n}" for n in range(30)] + [5]
    shown = place.json("run", "lists.yaml", "-i", f"texts={json.dumps(texts)}")
    assert (shown["status"], shown["failed_steps"]) == ("completed", ["each"])
    assert shown["output"]["all"] == [f"# t{n}\n" for n in range(30)] + [None]
    assert '"index":30,"kind":"validation"' in shown["output"]["lost"]
    each = shown["steps"]["each"]
    assert (each["status"], each["attempts"], len(each["tasks"])) == ("completed", 31, 31)
    assert each["tasks"]["each[30]"]["error"]["kind"] == "validation"
    asked = "select status, count(*) from tasks where step = 'each' group by status order by 1"
    rows = place.json("sql", asked)["rows"]
    assert rows == [["completed", 31], ["failed", 1]]
    drawn = place.quest("show", shown["id"]).stdout
    assert "1 of 31 items failed" in drawn
    assert "each[" not in drawn
    assert "each[30]" in place.quest("show", shown["id"], "--items", "each").stdout
    assert place.quest("show", shown["id"], "--items", "count").returncode == codes.NOT_FOUND
    assert place.quest("output", shown["id"], "each[3]").stdout == "# t3\n"
    logged = place.quest("logs", shown["id"], "--task", "each", "--json").stdout.splitlines()
    assert len(logged) == 30
    (line,) = place.quest("logs", shown["id"], "--task", "each[3]", "--json").stdout.splitlines()
    assert json.loads(line)["task"] == "each[3]"
    watched = place.quest("watch", shown["id"], "--json").stdout.splitlines()
    kinds = [json.loads(line)["kind"] for line in watched]
    assert (kinds.count("task.expanded"), kinds.count("task.gathered")) == (1, 1)
    assert "for each of texts" in place.quest("graph", "lists.yaml").stdout


def test_a_long_row_of_conditions_is_looked_at_one_after_the_other(place: Place) -> None:
    steps = "".join(
        f"  - {{key: s{n}, agent: writer, tool: say, with: {{text: x}}, when: 1 > 2, allow_skipped: true"
        f"{f', needs: [s{n - 1}]' if n else ''}}}\n"
        for n in range(400)
    )
    (place.folder / "row.yaml").write_text(f"name: row\nsteps:\n{steps}")
    shown = place.json("run", "row.yaml")
    assert {step["status"] for step in shown["steps"].values()} == {"skipped"}
    assert shown["status"] == "completed"


PLANNED = """
name: planned
inputs: {texts: {type: array}}
steps:
  - {key: plan, agent: writer, tool: plan, with: {texts: "{{ texts }}"}, plan: {max_steps: 3}}
  - {key: after, agent: writer, tool: say, needs: [plan], with: {text: "{{ plan.result.steps | length }}!"}}
"""


def test_a_step_returns_further_steps_and_what_depends_on_it_waits_for_them(place: Place) -> None:
    (place.folder / "planned.yaml").write_text(PLANNED)
    shown = place.json("run", "planned.yaml", "-i", 'texts=["a", "b", "c"]')
    assert (shown["status"], shown["output"]["say-1"]) == ("completed", "# b\n")
    assert shown["output"]["after"] == "# 3!\n"
    assert list(shown["steps"]) == ["plan", "after", "say-0", "say-1", "say-2"]
    asked = "select task, status from tasks order by task"
    rows = place.json("sql", asked)["rows"]
    assert rows == [[key, "completed"] for key in sorted(shown["steps"])]
    begun = {key: step["started_at"] for key, step in shown["steps"].items()}
    ended = [step["finished_at"] for key, step in shown["steps"].items() if "say" in key]
    assert begun["after"] >= max(ended)
    watched = place.quest("watch", shown["id"]).stdout
    assert "task.planned" in watched
    assert place.quest("output", shown["id"], "say-2").stdout == "# c\n"
    assert "plans up to 3 steps" in place.quest("graph", "planned.yaml").stdout
    refused = place.quest("run", "planned.yaml", "-i", 'texts=["a", "b", "c", "d"]')
    assert refused.returncode == codes.FAILED
    assert "steps: has 4 steps; plan may plan 3" in refused.stderr
