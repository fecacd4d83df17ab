"""The quality agent: ruff, radon, and whether tests came along."""

from asked import refusing
from review.model import Changes, Report
from review.prompt import find_changes
from review.quality import check_changes

from questd import Agent, Context

agent = Agent("quality", capabilities=["quality"], capacity=2)


@agent.tool(timeout="2m")
def check(changes: Changes, *, ctx: Context) -> Report:
    """Check the quality of a change, line by line."""
    return _report(changes, ctx)


@agent.tool(timeout="2m")
def run(prompt: str, *, ctx: Context) -> Report:
    """Check the change that stands, as JSON or as a diff, in the prose of a prompt."""
    with refusing():
        changes = find_changes(prompt)
    return _report(changes, ctx)


def _report(changes: Changes, ctx: Context) -> Report:
    ctx.progress(0.1, f"checking {changes.scope.files} files")
    report = check_changes(changes)
    ctx.log("check.finished", findings=len(report.findings), omitted=report.omitted)
    return report


if __name__ == "__main__":
    agent.run()
