"""Real processes: `quest` as people start it, and a daemon that ends with the test."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

QUEST = (sys.executable, "-m", "questd")
PATIENCE_S = 30.0

SETTINGS = """\
drain = 1

[limits]
hold = 1
lease = 3
reattach_grace = 1

[agents.writer]
python = "writer:agent"
"""
AGENT = """
import os
import time
from questd import Agent, Context, ToolError

agent = Agent("writer", capacity=4)

@agent.tool
def say(text: str, *, ctx: Context) -> str:
    ctx.log("said", length=len(text))
    return f"# {text}\\n"

@agent.tool
def fail(text: str) -> str:
    raise ToolError(f"no {text}", kind="auth")

@agent.tool
def wait(*, ctx: Context) -> str:
    while not ctx.cancelled:
        ctx.progress(0.5, "half way")
        time.sleep(0.02)
    raise ToolError("asked to end", kind="cancelled")

@agent.tool
def plan(texts: list[str]) -> dict:
    steps = [
        {"key": f"say-{n}", "agent": "writer", "tool": "say", "with": {"text": text}}
        for n, text in enumerate(texts)
    ]
    return {"steps": steps}

@agent.tool(idempotent=False)
def pay() -> str:
    time.sleep(0.1)
    os._exit(3)
"""


def document(tool: str, **arguments: str) -> str:
    """A quest of one step."""
    values = json.dumps(arguments or {"text": "{{ text }}"})
    given = "inputs: {text: {type: string, default: hello}}\n" if not arguments else ""
    no_arguments = tool in ("wait", "pay")
    return (
        f"name: one-{tool}\nversion: 1.0.0\n{'' if no_arguments else given}"
        f"steps:\n  - {{key: only, agent: writer, tool: {tool}, with: {'{}' if no_arguments else values}}}\n"
    )


class Place:
    """A folder with a document a tool, an agent, and settings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "questd.toml").write_text(SETTINGS)
        (folder / "writer.py").write_text(AGENT)
        for tool in ("say", "fail", "wait", "pay"):
            (folder / f"{tool}.yaml").write_text(document(tool))
        self.env = {
            name: value for name, value in os.environ.items() if not name.startswith("QUESTD_")
        }

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.folder / ".questd"

    def start(
        self, *words: str, stderr: Any = subprocess.PIPE, **options: Any
    ) -> "subprocess.Popen[str]":
        """The command, running."""
        return subprocess.Popen(
            [*QUEST, *words],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            **options,
        )

    def quest(self, *words: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        """The command, ended."""
        return subprocess.run(
            [*QUEST, *words],
            cwd=self.folder,
            env=self.env,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )

    def json(self, *words: str) -> Any:
        """What it prints with --json."""
        done = self.quest(*words, "--json")
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    @contextlib.contextmanager
    def serving(self) -> Generator["subprocess.Popen[str]", None, None]:
        """While a daemon serves."""
        daemon = self.start("serve", "--quiet")
        try:
            assert daemon.stdout is not None
            assert "ready" in daemon.stdout.readline()
            yield daemon
        finally:
            daemon.terminate()
            daemon.communicate(timeout=PATIENCE_S)

    def step(self, quest: str) -> str:
        """The status of its only step."""
        status = self.json("show", quest)["steps"]["only"]["status"]
        assert isinstance(status, str)
        return status

    def agents(self) -> list[str]:
        """Names of the connected ones."""
        return [one["agent"] for one in self.json("agent")["agents"]]

    def until(self, come: Callable[[], bool]) -> None:
        """Wait for something that must come."""
        until_s = time.monotonic() + PATIENCE_S
        while not come():
            assert time.monotonic() < until_s, "it did not come"
            time.sleep(0.02)
