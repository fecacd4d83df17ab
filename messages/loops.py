"""Which steps a ``repeat`` runs again, and who waits for whom because of it.

A loop's *body* is what lies between its target (``back_to``) and the step that goes back, both included: the target's descendants among
the step's ancestors. What depends on a step of the body and lies outside waits for the end of the loop and not for that step, so that no
result of a round that is not the last is ever seen outside. Such *waits* are what ``wired`` gives; without a ``repeat`` they are the
dependencies.

Said here once for all who fold a quest. Pure; a definition that was not checked (unknown keys, cycles) gives something, and no error.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from questd.messages.definition import StepDefinition


class Loop(NamedTuple):
    """One ``repeat``, by places in the document: who goes back, to whom, and the body in document order."""

    step: int
    target: int
    body: tuple[int, ...]


class Wired(NamedTuple):
    """``waits``: for each step, those whose end it waits for. ``loops`` by the place of the step that goes back."""

    waits: tuple[tuple[int, ...], ...]
    loops: dict[int, Loop]


def wired(steps: Sequence[StepDefinition]) -> Wired:
    """The loops of these steps, and who waits for whom."""
    places = {step.key: place for place, step in enumerate(steps)}
    needs = tuple(
        tuple(dict.fromkeys(places[key] for key in step.dependencies if key in places))
        for step in steps
    )
    if all(step.repeat is None for step in steps):
        return Wired(needs, {})
    loops = {loop.step: loop for loop in _loops(steps, places, needs)}
    within = _within(loops, len(steps))
    waits = tuple(_waits(place, needed, within) for place, needed in enumerate(needs))
    return Wired(waits, loops)


def _loops(
    steps: Sequence[StepDefinition], places: dict[str, int], needs: Sequence[tuple[int, ...]]
) -> Iterator[Loop]:
    ancestors = _ancestor_bits(needs)
    for place, step in enumerate(steps):
        if step.repeat is None:
            continue
        target = places.get(step.repeat.back_to or step.key, place)
        if target == place:
            yield Loop(place, place, (place,))
            continue
        between = (
            other
            for other in range(len(steps))
            if other in (place, target)
            or (ancestors[place] >> other & 1 and ancestors[other] >> target & 1)
        )
        yield Loop(place, target, tuple(between))


def _ancestor_bits(needs: Sequence[tuple[int, ...]]) -> list[int]:
    """One int a step, a bit an ancestor. A step on a cycle has none."""
    dependents: list[list[int]] = [[] for _ in needs]
    missing = [len(needed) for needed in needs]
    for place, needed in enumerate(needs):
        for other in needed:
            dependents[other].append(place)
    ready = [place for place, count in enumerate(missing) if not count]
    bits = [0] * len(needs)
    while ready:
        place = ready.pop()
        for other in needs[place]:
            bits[place] |= bits[other] | (1 << other)
        for dependent in dependents[place]:
            missing[dependent] -= 1
            if not missing[dependent]:
                ready.append(dependent)
    return bits


def _within(loops: dict[int, Loop], count: int) -> list[dict[int, None]]:
    """For each step, the loops that it is in, by who goes back."""
    within: list[dict[int, None]] = [{} for _ in range(count)]
    for loop in loops.values():
        for place in loop.body:
            within[place][loop.step] = None
    return within


def _waits(
    place: int,
    needed: tuple[int, ...],
    within: Sequence[dict[int, None]],
) -> tuple[int, ...]:
    waits: dict[int, None] = {}
    pending: list[tuple[int, int | None]] = [(other, None) for other in reversed(needed)]
    seen: dict[int, None] = {}
    while pending:
        other, done = pending.pop()
        around = [step for step in within[other] if step not in within[place] and step != done]
        if not around:
            waits[other] = None
        for step in reversed(around):
            if step not in seen:
                seen[step] = None
                pending.append((step, step))
    return tuple(waits)
