"""The example of docs/semantics.md in real processes: what is used up waits for a person, over a restart, and what failed was paid for too."""

import re
from pathlib import Path

from questd.cli import codes
from tests.cli.processes import AGENT, Place

PAGE = Path(__file__).parents[2] / "docs" / "semantics.md"
SUMMARISE = """
@agent.tool
def summarise(text, *, ctx: Context) -> str:
    ctx.usage(tokens=3_000, cost=0.0625, model="small")
    if text == "torn" and ctx.attempt == 1:
        raise ToolError("cannot be read", kind="torn", retry_after=0.05)
    return "short"
"""


def example() -> str:
    found = re.search(
        r"^```yaml\n(name: digest\n.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL
    )
    assert found is not None
    return found[1]


def test_a_quest_that_has_used_up_its_budget_waits_for_a_person(place: Place) -> None:
    (place.folder / "writer.py").write_text(AGENT + SUMMARISE)
    (place.folder / "digest.yaml").write_text(example())
    pages = 'pages=["torn", "b", "c", "d"]'
    with place.serving():
        done = place.quest("run", "digest.yaml", "-i", pages)
        assert done.returncode == codes.WAITING
        assert "12,000 tokens of limits.tokens 10,000" in done.stderr
        (quest,) = [row["id"] for row in place.json("list")["quests"]]
    with place.serving():
        shown = place.json("show", quest)
        usage = {"tokens": 12_000, "cost": 0.25, "tokens_limit": 10_000, "cost_limit": 0.5}
        assert shown["usage"] == usage
        (wait,) = shown["waiting_for"]
        assert (wait["task"], wait["what"]) == ("summary[3]", "breakpoint")
        assert "tokens 12,000 of 10,000, cost 0.25 of 0.5" in place.quest("show", quest).stdout
        assert place.quest("resolve", quest, "retry").returncode == codes.USAGE
        wrong = place.quest("resolve", quest, "more", "--result", '{"cost": 1}')
        assert wrong.returncode == codes.USAGE
        assert "limits.tokens is used up: say how much more of it" in wrong.stderr
        place.quest("resolve", quest, "more", "--result", '{"tokens": 3000}')
        assert place.quest("run", "--continue", quest).returncode == codes.WAITING
        (wait,) = place.json("show", quest)["waiting_for"]
        assert wait["task"] == "digest"
        place.quest("resolve", quest, "more")
        assert place.quest("run", "--continue", quest).returncode == codes.DONE
        usage = {"tokens": 18_000, "cost": 0.375, "tokens_limit": 25_000, "cost_limit": 0.5}
        assert place.json("show", quest)["usage"] == usage
        spent = "select status, tokens, cost_total, model from attempts order by seq limit 2"
        assert place.json("sql", spent)["rows"] == [
            ["failed", 3_000, 0.0625, "small"],
            ["completed", 3_000, 0.0625, "small"],
        ]
        summed = "select quest, tokens, cost_total from quest_usage"
        assert place.json("sql", summed)["rows"] == [[quest, 18_000, 0.375]]


def test_a_person_may_let_it_fail(place: Place) -> None:
    (place.folder / "writer.py").write_text(AGENT + SUMMARISE)
    (place.folder / "digest.yaml").write_text(example().replace("tokens: 10000", "tokens: 1"))
    with place.serving():
        assert (
            place.quest("run", "digest.yaml", "-i", 'pages=["a", "b"]').returncode == codes.WAITING
        )
        (quest,) = [row["id"] for row in place.json("list")["quests"]]
        place.quest("resolve", quest, "fail")
        assert place.quest("run", "--continue", quest).returncode == codes.FAILED
        assert place.json("show", quest)["error"]["kind"] == "budget"
