"""The product agent: makes one review of the reports."""

from asked import refusing
from review.model import Report, Review
from review.prompt import find_reports
from review.verdict import decide

from questd import Agent, Context

agent = Agent("product", capabilities=["review"])


@agent.tool(timeout="30s")
def review(
    security: Report | None = None, quality: Report | None = None, *, ctx: Context
) -> Review:
    """Review a change by its reports; null for a report says that its check did not run."""
    given = {"security": security, "quality": quality}
    reports = [report for report in given.values() if report is not None]
    return _decided(reports, [check for check, report in given.items() if report is None], ctx)


@agent.tool(timeout="30s")
def run(prompt: str, *, ctx: Context) -> Review:
    """Review a change by the reports that stand, as JSON, in the prose of a prompt."""
    with refusing():
        reports, missing = find_reports(prompt)
    return _decided(reports, missing, ctx)


def _decided(reports: list[Report], missing: list[str], ctx: Context) -> Review:
    with refusing():
        decided = decide(reports, missing)
    ctx.log("review.decided", verdict=decided.verdict, score=decided.score)
    return decided


if __name__ == "__main__":
    agent.run()
