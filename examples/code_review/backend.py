"""The backend agent: reads a diff."""

from asked import refusing
from review.diff import read_diff
from review.model import Changes
from review.prompt import find_diff

from questd import Agent, Context

agent = Agent("backend", capabilities=["diff"], capacity=2)


@agent.tool(timeout="1m")
def parse(diff: str, *, ctx: Context) -> Changes:
    """Read a unified diff: its files, each as it reads after the change."""
    return _read(diff, ctx)


@agent.tool(timeout="1m")
def run(prompt: str, *, ctx: Context) -> Changes:
    """Read the diff that stands somewhere in the prose of a prompt."""
    with refusing():
        diff = find_diff(prompt)
    return _read(diff, ctx)


def _read(diff: str, ctx: Context) -> Changes:
    with refusing():
        changes = read_diff(diff)
    scope = changes.scope
    ctx.log("diff.read", files=scope.files, added=scope.added, removed=scope.removed)
    return changes


if __name__ == "__main__":
    agent.run()
