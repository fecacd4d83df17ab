"""Checks of ``repeat``: whom a step may send the quest back to, and loops that would wait for each other."""

from collections.abc import Sequence
from dataclasses import replace

from questd.actors.graph.compiled import RESULT_EXTRAS, CompiledQuest, CompiledStep
from questd.actors.graph.graph import Graph
from questd.actors.graph.plain import walk
from questd.actors.graph.problems import At, Problems, shorten
from questd.messages.definition import ROUNDS_MAX, QuestDefinition, StepDefinition
from questd.messages.loops import wired
from questd.runtime.expressions import Names, compile_value

LOOPS_MAX = 1_000
LOOPED_MAX = 100_000
"""Steps in all loops together: a step counts in each that it is in."""


def check_back_to(definition: QuestDefinition, compiled: CompiledQuest, problems: Problems) -> None:
    """Of steps whose dependencies are right: a step goes back to itself, or to one that was before it."""
    graph, repeating, wrong = compiled.graph, 0, False
    for number, step in enumerate(definition.steps):
        if step.repeat is None:
            continue
        repeating += 1
        at: At = ("steps", number, "repeat", "back_to")
        target = step.repeat.back_to or step.key
        if target not in graph.numbers:
            hint = problems.nearest(target, graph.numbers)
            problems.add(at, f"no step has the key {shorten(target)}", hint)
        elif target != step.key and not graph.is_ancestor(graph.numbers[target], number):
            message = f"{shorten(target)} need not be done before this step"
            problems.add(at, message, f"add {target} to dependencies")
        else:
            continue
        wrong = True
    if repeating > LOOPS_MAX:
        problems.add(("steps",), f"have {repeating} loops; {LOOPS_MAX} are allowed")
    elif repeating and not wrong and len(graph.order) == len(definition.steps):
        _check_crossing(definition.steps, problems)


def _check_crossing(steps: Sequence[StepDefinition], problems: Problems) -> None:
    made = wired(steps)
    for number in sorted({number for loop in made.loops.values() for number in loop.body}):
        if steps[number].plan_steps is not None:
            message = "a step in a loop plans nothing"
            problems.add(("steps", number, "plan"), message, "plan before the loop, or after it")
    looped = sum(len(loop.body) for loop in made.loops.values())
    if looped > LOOPED_MAX:
        problems.add(("steps",), f"stand {looped} times in loops; {LOOPED_MAX} are allowed")
        return
    keys = [step.key for step in steps]
    for cycle in Graph(keys, [[keys[n] for n in waits] for waits in made.waits]).cycles():
        crossing = [key for key in cycle[:-1] if keys.index(key) in made.loops]
        at: At = ("steps", keys.index(crossing[0]), "repeat")
        others = " and ".join(shorten(key) for key in crossing[1:])
        hint = "let one of them depend on the other"
        problems.add(at, f"this loop and that of {others} wait for each other's end", hint)


def places_in_repeat(
    name: str, defined: StepDefinition, step: CompiledStep, names: Names
) -> list[At]:
    """Where in what is judged a step names another."""
    at: At = ("steps", step.number, "repeat")
    places: list[At] = []
    if step.until is not None and name in step.until.steps:
        places.append((*at, "until"))
    if step.feedback is not None and name in step.feedback.steps and defined.repeat is not None:
        names = replace(names, extras=RESULT_EXTRAS)
        places += [
            place
            for place, text in walk(defined.repeat.feedback, (*at, "feedback"))
            if isinstance(text, str) and name in compile_value(text, names).steps
        ]
    return places


def check_repeat(at: At, step: StepDefinition, problems: Problems) -> None:
    """What can be said of it alone."""
    if step.repeat is not None and not 1 <= step.repeat.max_rounds <= ROUNDS_MAX:
        message = f"{step.repeat.max_rounds} is not between 1 and {ROUNDS_MAX}"
        problems.add((*at, "repeat", "max_rounds"), message)
