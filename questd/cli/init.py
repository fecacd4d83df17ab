"""``init``: a document, an agent and a questd.toml that run together, to change from there. Overwrites nothing."""

import argparse
from pathlib import Path
from typing import Final

from questd.cli.codes import DONE
from questd.cli.output import Out
from questd.runtime.errors import Refused

SETTINGS: Final = """\
# The agents that `quest run` and `quest serve` start. Data lies in .questd, beside this file.

[agents.writer]
python = "writer:agent"
"""

AGENT: Final = '''\
"""An agent: plain functions, offered as tools."""

from questd import Agent, Context

agent = Agent("writer", capacity=2)


@agent.tool(timeout="1m")
def count(text: str, *, ctx: Context) -> dict[str, int]:
    """How long is it?"""
    ctx.progress(0.5, "counting")
    return {"characters": len(text), "words": len(text.split())}


@agent.tool(timeout="1m")
def shout(text: str) -> str:
    """The same, louder."""
    return text.upper()


@agent.tool(timeout="1m")
def write(prompt: str) -> str:
    """Where a language model would answer the prompt."""
    return f"{prompt.strip()}\\n"


if __name__ == "__main__":
    agent.run()
'''

DOCUMENT: Final = """\
name: first-quest
description: Two steps at once, and one that puts their results together
version: 1.0.0

inputs:
  text: {type: string, default: "it works"}

steps:
  - key: count
    agent: writer
    tool: count
    with: {text: "{{ text }}"}
    parallel: true

  - key: shout
    agent: writer
    tool: shout
    with: {text: "{{ text }}"}
    parallel: true

  - key: write
    agent: writer
    tool: write
    dependencies: [count, shout]
    prompt: "{{ shout.result }}! That was {{ count.result.words }} words."

output: "{{ write.result }}"
"""

FILES: Final = {"questd.toml": SETTINGS, "writer.py": AGENT, "quest.yaml": DOCUMENT}


def init(options: argparse.Namespace, out: Out) -> int:
    """Writes the three files into a folder that has none of them."""
    folder = Path(options.folder)
    there = [name for name in FILES if (folder / name).exists()]
    if there:
        raise Refused(
            f"{folder} has {', '.join(there)} already: nothing was written; name another folder"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    if out.as_json:
        out.document({"files": [str(folder / name) for name in FILES]})
        return DONE
    for name in FILES:
        out.say(f"wrote {folder / name}")
    go = "" if options.folder == "." else f"cd {options.folder} && "
    out.say(f'try it: {go}quest run quest.yaml -i text="hello from two steps"', style="bold")
    return DONE
