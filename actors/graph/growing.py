"""Checks of what lets a step become many tasks: ``for_each`` and what goes with it."""

from msgspec import Struct

from questd.actors.graph.graph import Graph, graph_of
from questd.actors.graph.problems import At, Problem, Problems
from questd.messages.definition import QuestDefinition, StepDefinition
from questd.messages.loops import wired


def check_items(at: At, step: StepDefinition, problems: Problems) -> None:
    """``max_parallel`` and ``partial`` are about the items of a ``for_each``."""
    if step.for_each is not None and step.plan_steps is not None:
        problems.add((*at, "plan"), "a step with for_each plans nothing", "plan in a step after it")
    most = step.max_parallel
    if step.for_each is not None:
        if not step.parallel and most is not None and most > 1:
            message = "parallel: false lets one item go at a time, and max_parallel more"
            problems.add((*at, "max_parallel"), message, "keep one")
        return
    for field, given in (("max_parallel", most is not None), ("partial", step.partial != "fail")):
        if given:
            problems.add((*at, field), "is about items, and the step has none", "add for_each")


class Ground(Struct, frozen=True):
    """What a plan is checked against: the quest with all steps so far, who plans, and who planned which of them."""

    definition: QuestDefinition
    planner: str
    planned_by: dict[str, str]


def check_planned(definition: QuestDefinition, ground: Ground) -> list[Problem]:
    """What is wrong with a quest's new steps because they are a plan: who may plan how many, and what they may wait for.

    What depends on the planning step waits for all of its plan. Whatever waits for it, also for what others of its kind planned, cannot
    come before a step of that plan.
    """
    problems, graph = Problems(), graph_of(definition.steps)
    first, planner = len(ground.definition.steps), ground.planner
    most, count = definition.steps[graph.numbers[planner]].plan_steps, len(definition.steps) - first
    if most is not None and count > most:
        problems.add(("steps",), f"has {count} steps; {planner} may plan {most}")
    after = _after(graph, ground)
    looped = {
        graph.keys[n] for loop in wired(ground.definition.steps).loops.values() for n in loop.body
    }
    by_them = {ground.planned_by.get(graph.keys[number]) for number in after}
    for number, step in enumerate(definition.steps[first:], first):
        if step.plan_steps is not None:
            problems.add(("steps", number, "plan"), "a planned step plans nothing")
        if step.repeat is not None:
            problems.add(("steps", number, "repeat"), "a planned step sends nobody back")
        for place, key in enumerate(step.dependencies):
            at: At = ("steps", number, "dependencies", place)
            if key in looped:
                message = f"{key} is in a loop: a planned step cannot wait for a round"
                problems.add(at, message, "let it wait for a step behind the loop")
            elif graph.numbers.get(key) in after or key in by_them:
                problems.add(at, f"{key} waits for what {planner} plans: neither would ever run")
    return problems.found()


def _after(graph: Graph, ground: Ground) -> frozenset[int]:
    """The steps so far that wait for the planner, whether by themselves or because of what somebody planned."""
    needed_by, seen = _needed_by(ground.definition), set[int]()
    pending = [graph.numbers[ground.planner]]
    while pending:
        number = pending.pop()
        waiting = list(needed_by[number])
        by = ground.planned_by.get(graph.keys[number])
        if by is not None:
            waiting += needed_by[graph.numbers[by]]
        for other in waiting:
            if other not in seen:
                seen.add(other)
                pending.append(other)
    return frozenset(seen)


def _needed_by(definition: QuestDefinition) -> list[list[int]]:
    """Who waits for each step. Whoever depends on a step of a loop waits for the end of the loop, and so for whatever that waits for."""
    needed_by: list[list[int]] = [[] for _ in definition.steps]
    for number, waits in enumerate(wired(definition.steps).waits):
        for other in waits:
            needed_by[other].append(number)
    return needed_by
