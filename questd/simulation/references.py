"""Reference runs: quests of known shape, for deaths of the daemon at every append of theirs.

A shape says what clients want, and what goes wrong apart from the death. Delays and duplicates are drawn from the seed; every third
seed has none.
"""

from collections.abc import Callable
from typing import Final

from msgspec import Struct, structs

from questd.actors.house import Limits
from questd.messages.definition import (
    Awaited,
    Fallback,
    QuestDefinition,
    QuestLimits,
    Repeat,
    RetryPolicy,
    StepDefinition,
    encode_definition,
)
from questd.simulation.chance import stream
from questd.simulation.clients import Errand
from questd.simulation.faults import MILLISECOND, SECOND, Faults, Scene
from questd.simulation.loops import TOLD
from questd.simulation.waits import Sending
from questd.simulation.workload import ON_ERROR

LIMITS: Final = Limits(
    rest_after_s=0.2,
    hold_s=0.4,
    lease_s=1.2,
    closed_pipe_s=0.2,
    reattach_grace_s=1.0,
)
UNBOUNDED: Final = QuestLimits()
PATIENT: Final = RetryPolicy(attempts=8, delay_ms=50)


class Shape(Struct, frozen=True):
    """``errands`` gives what clients want; ``steady``: whatever dies and is delayed, the quests end as they would undisturbed."""

    errands: Callable[[], list[Errand]]
    faults: Faults = Faults()
    steady: bool = True
    chaos_us: int = 2 * SECOND


def _step(number: int, *dependencies: str, tool: str = "work", agent: str = "") -> StepDefinition:
    return StepDefinition(
        key=f"s{number}",
        agent=agent or ("alder", "birch", "cedar")[number % 3],
        tool=tool,
        dependencies=dependencies,
        retry=PATIENT,
    )


def _errand(
    number: int,
    *steps: StepDefinition,
    cancel_after_us: int | None = None,
    limits: QuestLimits = UNBOUNDED,
) -> Errand:
    definition = QuestDefinition(f"reference-{number}", steps, limits=limits)
    return Errand(
        encode_definition(definition),
        b"{}",
        key=f"key-{number}",
        cancel_after_us=cancel_after_us,
        watches=number == 0,
    )


def _chain() -> list[Errand]:
    row = [_step(0), _step(1, "s0"), _step(2, "s1"), _step(3, "s2")]
    return [_errand(0, *row), _errand(1, *row[:2])]


def _fan_out() -> list[Errand]:
    leaves = [_step(number, "s0") for number in range(1, 6)]
    return [_errand(0, _step(0), *leaves, _step(6, *(leaf.key for leaf in leaves)))]


def _retries() -> list[Errand]:
    forgiving = structs.replace(_step(1, "s0"), on_error="continue")
    return [_errand(0, _step(0), forgiving, _step(2, "s1")), _errand(1, _step(0), _step(1, "s0"))]


def _alternatives() -> list[Errand]:
    """Tools that fail often, and somebody else for each."""
    others = (Fallback("birch", tool="work"), Fallback(None, ("wood",), "brief"))
    once = RetryPolicy(attempts=2, delay_ms=20)
    given = structs.replace(_step(0), retry=once, fallback=others)
    passed = structs.replace(_step(1, "s0"), retry=once, fallback=others, on_error=ON_ERROR[2])
    return [_errand(0, given, passed, _step(2, "s1")), _errand(1, given)]


def _rounds() -> list[Errand]:
    """A loop in a loop, and a branch that waits for the end of both."""
    inner = Repeat("round % 2 == 0", "s1", 3, TOLD, "continue")
    row = [
        _step(0),
        _step(1, "s0"),
        structs.replace(_step(2, "s1"), repeat=inner),
        structs.replace(_step(3, "s2"), repeat=Repeat("round > 1", "s0", 3)),
        _step(4, "s1"),
    ]
    return [
        _errand(0, *row),
        _errand(1, structs.replace(_step(0), repeat=Repeat("round > 3", max_rounds=4))),
    ]


def _items() -> list[Errand]:
    """A list, and a list of its results, in a window; after them a step that sees all of it."""
    first = structs.replace(_step(0), for_each="[1, 2, 3]", max_parallel=2)
    each = structs.replace(_step(1, "s0"), for_each="s0.result")
    return [_errand(0, first, each, _step(2, "s1"))]


def _partial() -> list[Errand]:
    """Items that fail often: one step goes on with what is left, the other fails with the first, and its quest goes on."""
    once = RetryPolicy(attempts=2, delay_ms=20)
    left = structs.replace(_step(0), for_each="[1, 2, 3]", partial="continue", retry=once)
    given = structs.replace(_step(1, "s0"), for_each="s0.result", on_error=ON_ERROR[2], retry=once)
    return [_errand(0, left, given, _step(2, "s1")), _errand(1, left)]


def _plans() -> list[Errand]:
    """A step that plans more, what waits for its plan, and another that plans beside it."""
    first = structs.replace(_step(0), tool="plan", plan_steps=4, on_error="continue")
    other = structs.replace(_step(1), tool="plan", plan_steps=4, on_error="continue")
    return [_errand(0, first, other, _step(2, "s0"), _step(3, "s1", "s2"))]


def _waits() -> list[Errand]:
    """Agents that come late; tools that must not be repeated, on agents that die: a person decides."""
    paid = _step(1, "s0", tool="pay")
    return [_errand(0, _step(0), paid, _step(2, "s1")), _errand(1, _step(0, tool="pay"))]


def _rests() -> list[Errand]:
    """Retries that come due just when a quest that has nothing to do rests: slow commits and slow workers let both meet."""
    often = RetryPolicy(attempts=40, delay_ms=210, backoff=1.0, no_retry_on=())
    return [
        _errand(number, structs.replace(_step(number), retry=often, on_error="continue"))
        for number in range(3)
    ]


def _budgets() -> list[Errand]:
    """Steps that fail often and cost something all the same: a person is asked for more, of one budget or the other."""
    often = RetryPolicy(attempts=8, delay_ms=50, no_retry_on=())
    row = [structs.replace(_step(n, *((f"s{n - 1}",) if n else ())), retry=often) for n in range(4)]
    wide = [structs.replace(_step(n), retry=often, on_error="continue") for n in range(5)]
    return [
        _errand(0, *row, limits=QuestLimits(tokens=5)),
        _errand(1, *wide, limits=QuestLimits(tokens=9, cost=2.0)),
    ]


def _family() -> list[Errand]:
    """Quests that are steps of quests, one of them within another."""
    child = structs.replace(_step(1, "s0"), agent=None, tool=None, use="leaf", retry=PATIENT)
    grandchildren = structs.replace(child, key="s2", use="branch@1", dependencies=("s1",))
    return [
        _errand(0, _step(0), child, grandchildren, _step(3, "s2")),
        _errand(1, _step(0), child, cancel_after_us=400 * MILLISECOND),
    ]


def _signals() -> list[Errand]:
    """Signals that come early, twice, second and too late; a sleep between two steps; agents are quick."""
    awaited = StepDefinition("s1", dependencies=("s0",), wait_for=Awaited("go"))
    nap = StepDefinition("s2", dependencies=("s1",), sleep_ms=300)
    hurried = StepDefinition("s1", wait_for=Awaited("go", False, 0), timeout_ms=400)
    early = [Sending(0, "go", "k/0"), Sending(200 * MILLISECOND, "go", "k/0")]
    late = [Sending(SECOND, "go", "k/1"), Sending(300 * MILLISECOND, "go", "k/2")]
    one, two = _errand(0, _step(0), awaited, nap, _step(3, "s2")), _errand(1, hurried)
    one.sendings, two.sendings = (*early, late[0]), tuple(late)
    return [one, two]


def _cancel() -> list[Errand]:
    row = [_step(0), _step(1, "s0"), _step(2, "s1"), _step(3)]
    return [
        _errand(0, *row, cancel_after_us=300 * MILLISECOND),
        _errand(1, *row, cancel_after_us=0),
    ]


SHAPES: Final = {
    "chain": Shape(_chain),
    "fan-out": Shape(_fan_out),
    "retries": Shape(_retries, Faults(tool_fails=0.4), steady=False),
    "alternatives": Shape(_alternatives, Faults(tool_fails=0.6), steady=False),
    "rounds": Shape(_rounds),
    "items": Shape(_items),
    "partial": Shape(_partial, Faults(tool_fails=0.5), steady=False),
    "plans": Shape(_plans, steady=False),
    "waits": Shape(
        _waits, Faults(absent_agents=0.7, agent_crashes=3, tool_fails=0.1), steady=False
    ),
    "rests": Shape(_rests, Faults(tool_fails=0.7, slow_commit=0.4, lag=0.6), False, 12 * SECOND),
    "budgets": Shape(_budgets, Faults(tool_fails=0.4), False, 4 * SECOND),
    "family": Shape(_family, steady=False, chaos_us=4 * SECOND),
    "signals": Shape(_signals, steady=False),
    "cancel": Shape(_cancel, steady=False),
}


def scene_of(name: str) -> Scene:
    """The size of that reference run."""
    shape = SHAPES[name]
    return Scene(len(shape.errands()), 3, shape.chaos_us, LIMITS, reference=name)


def faults_of(name: str, seed: int) -> Faults:
    """What goes wrong in it apart from the death."""
    faults = SHAPES[name].faults
    if seed % 3 == 0:
        return faults
    chance = stream(seed, f"reference/{name}")
    return structs.replace(
        faults,
        doubled=0.3 * chance.random(),
        late=0.2 * chance.random(),
        late_us=chance.pick((100 * MILLISECOND, SECOND)),
        reply_lost=0.1 * chance.random() if seed % 3 == 2 else 0.0,
        request_lost=0.1 * chance.random() if seed % 3 == 2 else 0.0,
        slow_commit=max(faults.slow_commit, 0.2 * chance.random()),
        lag=max(faults.lag, 0.1 * chance.random()),
    )
