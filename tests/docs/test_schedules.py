"""The page about schedules: its commands and its program do what they say."""

import re
import shlex
from pathlib import Path

from questd.client import Client
from tests.cli.processes import Place
from tests.docs.test_documents import code


def test_the_commands_of_schedules_work(tmp_path: Path) -> None:
    place = Place(tmp_path)
    (tmp_path / "review.yaml").write_text(
        "name: review\nversion: 1.0.0\ninputs: {day: {type: string}}\n"
        'steps:\n  - {key: only, agent: writer, tool: say, with: {text: "{{ day }}"}}\n'
    )
    (tmp_path / "report.yaml").write_text(
        "name: report\nversion: 1.0.0\n"
        'steps:\n  - {key: only, agent: writer, tool: say, with: {text: "{{ findings }}"}}\n'
    )
    (tmp_path / "publish.yaml").write_text(
        "name: publish\nversion: 1.0.0\ninputs: {paths: {type: array}}\n"
        'steps:\n  - {key: only, agent: writer, tool: say, with: {text: "{{ paths[0] }}"}}\n'
    )
    lines = [line.partition("  #")[0] for line in code("schedules.md", "sh")[0].splitlines()]
    assert len(lines) == 9
    with place.serving():
        for line in lines:
            done = place.quest(*shlex.split(line)[1:])
            assert done.returncode == 0, (line, done.stderr)
        (tmp_path / "docs").mkdir()
        (tmp_path / "docs" / "new.md").write_text("news")
        place.until(lambda: bool(place.json("list", "--template", "publish")["quests"]))
        (row,) = place.json("list", "--template", "publish")["quests"]
        assert row["inputs"] == {"paths": [str(tmp_path / "docs" / "new.md")]}


def test_the_program_of_schedules_runs(tmp_path: Path) -> None:
    place = Place(tmp_path)
    (text,) = code("schedules.md", "python")
    text = re.sub(r"Client\(\)", "Client(data=DATA)", text)
    with place.serving():
        names = {"DATA": place.data, "Client": Client}
        exec(compile(text, "schedules.md", "exec"), names)
