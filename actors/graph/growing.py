"""Checks of what lets a step become many tasks: ``for_each`` and what goes with it."""

from questd.actors.graph.problems import At, Problems
from questd.messages.definition import StepDefinition


def check_items(at: At, step: StepDefinition, problems: Problems) -> None:
    """``max_parallel`` and ``partial`` are about the items of a ``for_each``."""
    most = step.max_parallel
    if step.for_each is not None:
        if not step.parallel and most is not None and most > 1:
            message = "parallel: false lets one item go at a time, and max_parallel more"
            problems.add((*at, "max_parallel"), message, "keep one")
        return
    for field, given in (("max_parallel", most is not None), ("partial", step.partial != "fail")):
        if given:
            problems.add((*at, field), "is about items, and the step has none", "add for_each")
