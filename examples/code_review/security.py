"""The security agent: bandit, patterns, secrets."""

from asked import refusing
from review.model import Changes, Report
from review.prompt import find_changes
from review.security import audit_changes

from questd import Agent, Context

agent = Agent("security", capabilities=["security"], capacity=2)


@agent.tool(capabilities=["audit"], timeout="2m")
def audit(changes: Changes, *, ctx: Context) -> Report:
    """Audit the security of a change, line by line."""
    return _report(changes, ctx)


@agent.tool(timeout="2m")
def run(prompt: str, *, ctx: Context) -> Report:
    """Audit the change that stands, as JSON or as a diff, in the prose of a prompt."""
    with refusing():
        changes = find_changes(prompt)
    return _report(changes, ctx)


def _report(changes: Changes, ctx: Context) -> Report:
    ctx.progress(0.1, f"auditing {changes.scope.files} files")
    report = audit_changes(changes)
    ctx.log("audit.finished", findings=len(report.findings), omitted=report.omitted)
    return report


if __name__ == "__main__":
    agent.run()
