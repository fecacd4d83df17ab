"""Quests of random shape: chains, joins, fan-outs, exclusive steps, retries, timeouts, on_error, conditions, fallbacks, items, plans, loops, signals, sleeps."""

from typing import Final

from msgspec import structs

from questd.messages.definition import (
    Fallback,
    OnError,
    QuestDefinition,
    RetryPolicy,
    StepDefinition,
)
from questd.messages.exchange import Parameter, ToolSpec
from questd.simulation.budgets import draw_limits
from questd.simulation.chance import Chance
from questd.simulation.concealed import TOKEN
from questd.simulation.conditions import draw_condition
from questd.simulation.items import draw_items
from questd.simulation.loops import Loops, draw_repeat
from questd.simulation.plans import MOST
from questd.simulation.waits import bound_by_loops, draw_wait

AGENTS: Final = ("alder", "birch", "cedar")
NOBODY: Final = "nobody"
"""An agent that never comes."""
TAGS: Final = {"alder": ("wood",), "birch": ("wood", "white"), "cedar": ("scent",)}
ON_ERROR: Final[tuple[OnError, ...]] = ("stop", "continue", "continue_with_input")
INPUT: Final = (Parameter("input", required=False),)
TOOLS: Final = (
    ToolSpec("work", INPUT, any_parameters=True),
    ToolSpec("pay", INPUT, idempotent=False, any_parameters=True),
    ToolSpec("plan", INPUT, any_parameters=True),
    ToolSpec("brief", INPUT, timeout_ms=900, any_parameters=True),
)


def draw_definition(
    chance: Chance, number: int, *, templates: tuple[str, ...] = ()
) -> QuestDefinition:
    """One that the daemon accepts. Some of its steps use ``templates``."""
    steps: list[StepDefinition] = []
    for place in range(chance.between(1, 7)):
        step = _draw(chance, place, steps, templates)
        looped = chance.maybe(0.12) and not step.only_waits
        steps.append(_with_loop(chance, step, steps) if looped else step)
    steps = bound_by_loops(steps)
    secret = chance.maybe(0.25)
    if secret:
        steps = [draw_secret_step(chance, step) if step.use is None else step for step in steps]
    return QuestDefinition(
        name=f"sim-{number}",
        steps=tuple(steps),
        inputs=TOKEN if secret else None,
        priority=chance.between(1, 10),
        total_timeout_ms=chance.pick((1_500, 5_000)) if chance.maybe(0.06) else None,
        limits=draw_limits(
            chance, chance.pick((None, None, None, 1, 2)), chance.pick((1_000, 1, 2))
        ),
        output={"last": f"{{{{ {steps[-1].key}.result }}}}"} if chance.maybe(0.2) else None,
    )


def hopeless_definition() -> QuestDefinition:
    """It waits for an agent that never comes, and must say so."""
    return QuestDefinition("hopeless", (StepDefinition("s0", agent=NOBODY, tool="work"),))


def _draw_use(
    chance: Chance, place: int, earlier: list[StepDefinition], templates: tuple[str, ...]
) -> StepDefinition:
    """A step that is a quest of its own."""
    dependencies = _draw_dependencies(chance, [step.key for step in earlier])
    named = dependencies and chance.maybe(0.5)
    return StepDefinition(
        key=f"s{place}",
        use=chance.pick(templates),
        arguments={"x": f"{{{{ {dependencies[0]}.result }}}}"} if named else None,
        dependencies=dependencies,
        parallel=not chance.maybe(0.12),
        timeout_ms=chance.pick((800, 4_000)) if chance.maybe(0.15) else None,
        total_timeout_ms=chance.pick((1_000, 4_000)) if chance.maybe(0.05) else None,
        retry=_draw_retry(chance),
        on_error=chance.pick(ON_ERROR),
        when=draw_condition(chance, dependencies) if chance.maybe(0.15) else None,
        allow_skipped=chance.maybe(0.3),
    )


def _draw(
    chance: Chance, place: int, earlier: list[StepDefinition], templates: tuple[str, ...]
) -> StepDefinition:
    if templates and chance.maybe(0.1):
        return _draw_use(chance, place, earlier, templates)
    if chance.maybe(0.15):
        dependencies = _draw_dependencies(chance, [step.key for step in earlier])
        return draw_wait(chance, f"s{place}", dependencies)
    return _draw_step(chance, place, earlier)


def _draw_step(chance: Chance, place: int, earlier: list[StepDefinition]) -> StepDefinition:
    key = f"s{place}"
    dependencies = _draw_dependencies(chance, [step.key for step in earlier])
    agent, capabilities = _draw_who(chance)
    named = dependencies and chance.maybe(0.25)
    arguments = {"x": f"{{{{ {dependencies[0]}.result }}}}", "y": place} if named else None
    step = StepDefinition(
        key=key,
        agent=agent,
        capabilities=capabilities,
        tool=chance.pick(("work", "work", "work", "pay", "brief")),
        arguments=arguments,
        dependencies=dependencies,
        parallel=not chance.maybe(0.12),
        timeout_ms=chance.pick((400, 2_000)) if chance.maybe(0.15) else None,
        heartbeat_timeout_ms=chance.pick((600, 1_500)) if chance.maybe(0.08) else None,
        total_timeout_ms=chance.pick((1_000, 4_000)) if chance.maybe(0.05) else None,
        retry=_draw_retry(chance),
        on_error=chance.pick(ON_ERROR),
        idempotent=not chance.maybe(0.1),
        priority=chance.pick((None, None, 1, 9)),
        when=draw_condition(chance, dependencies) if chance.maybe(0.15) else None,
        allow_skipped=chance.maybe(0.3),
        fallback=_draw_fallback(chance) if chance.maybe(0.2) else (),
    )
    kind = chance.random()
    if kind < 0.15:
        return draw_items(chance, earlier, step)
    return structs.replace(step, tool="plan", plan_steps=MOST) if kind < 0.25 else step


def draw_secret_step(chance: Chance, step: StepDefinition) -> StepDefinition:
    """Perhaps it is given the secret, by itself or in a text."""
    match chance.between(0, 3):
        case _ if step.only_waits:
            return step
        case 0 if step.for_each is not None:
            return step
        case 1 if step.for_each is not None and step.arguments is None:
            return step
        case 0:
            return structs.replace(step, prompt="use {{ token }}, and tell nobody")
        case 1:
            arguments = {**(step.arguments or {}), "token": "{{ inputs.token }}"}
            return structs.replace(step, arguments=arguments)
        case _:
            return step


def _with_loop(
    chance: Chance, step: StepDefinition, earlier: list[StepDefinition]
) -> StepDefinition:
    """Without, where its loop would cross another."""
    looped = structs.replace(step, repeat=draw_repeat(chance, step.key, step.dependencies))
    if looped.arguments is not None and looped.use is None and chance.maybe(0.7):
        told = {**looped.arguments, "told": "{{ feedback }}", "round": "{{ round }}"}
        looped = structs.replace(looped, arguments=told)
    loops = Loops(QuestDefinition("looped", (*earlier, looped)))
    plans = any(
        each.plan_steps for each in (*earlier, looped) if each.key in loops.bodies[looped.key]
    )
    return step if loops.crossed or plans else looped


def _draw_dependencies(chance: Chance, earlier: list[str]) -> tuple[str, ...]:
    if not earlier:
        return ()
    shape = chance.random()
    if shape < 0.4:
        return (earlier[-1],)
    if shape < 0.6:
        return (earlier[0],)
    return tuple(key for key in earlier if chance.maybe(0.4))


def _draw_who(chance: Chance) -> tuple[str | None, tuple[str, ...]]:
    who = chance.random()
    if who < 0.7:
        return chance.pick(AGENTS), ()
    if who < 0.95:
        return None, (chance.pick(("wood", "white", "scent")),)
    return "birch", ("white",)


def _draw_fallback(chance: Chance) -> tuple[Fallback, ...]:
    row = [Fallback(*_draw_who(chance), tool=chance.pick(("work", "brief")))]
    if chance.maybe(0.3):
        row.append(Fallback(chance.pick(AGENTS), (), "work", chance.pick((None, 400))))
    return tuple(row)


def _draw_retry(chance: Chance) -> RetryPolicy | None:
    if chance.maybe(0.5):
        return RetryPolicy(attempts=3, delay_ms=200)
    return RetryPolicy(
        attempts=chance.between(1, 5),
        delay_ms=chance.pick((0, 50, 700, 3_000)),
        backoff=chance.pick((1.0, 2.0)),
    )
