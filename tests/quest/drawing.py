"""Quests drawn at random for the model, and what a state says without the order of its heaps."""

from random import Random
from typing import Any

from hypothesis import strategies as s

from questd.actors.quest import core
from questd.actors.quest import state as st
from questd.actors.quest import task as tk
from questd.actors.quest.admission import queued
from questd.messages.definition import Awaited, Fallback, Repeat, RetryPolicy, StepDefinition
from tests.quest.model_loops import Loops
from tests.quest.model_waits import Step

KEYS = ("a", "b", "c", "d", "e", "f", "g", "h")
FIELDS: dict[str, tuple[Any, ...]] = {
    "max_rounds": (1, 2, 3),
    "on_exhausted": ("stop", "continue"),
    "fallbacks": (0, 0, 0, 1, 2),
    "when": (False, False, False, True),
    "allow_skipped": (False, False, True),
    "for_each": (False, False, False, True),
    "max_parallel": (None, None, 1, 2),
    "partial": ("fail", "continue"),
    "plans": (False, False, False, True),
    "on_error": ("stop", "continue", "continue", "continue_with_input", "continue_with_input"),
    "parallel": (True, True, False),
    "idempotent": (True, False),
    "priority": (5, 5, 9),
    "total_ms": (None, None, None, 3_000),
    "attempts": (1, 2, 3),
    "delay_ms": (0, 10, 1_000),
    "backoff": (1, 2),
    "cap_ms": (1_000, 1_500),
    "kind": ("agent", "agent", "agent", "agent", "signal", "signal", "sleep"),
    "signal": ("x", "x", "y"),
    "wait_ms": (None, 700, 2_000),
    "default": (True, False),
    "sleep_ms": (1, 500, 2_500),
}
DERIVED = {"plan", "due", "timers", "ready", "admitted", "exclusive_wanted", "tasks"}
"""Of a state: what another fold may hold in another order, and is compared by what it means."""

Steps = dict[str, Step]


@s.composite
def graphs(draw: s.DrawFn) -> Steps:
    steps: Steps = {}
    for key in KEYS[: draw(s.integers(1, len(KEYS)))]:
        before = s.lists(s.sampled_from(list(steps) or ["?"]), max_size=3, unique=True)
        fields = {name: draw(s.sampled_from(values)) for name, values in FIELDS.items()}
        agent = fields["kind"] == "agent"
        fields["plans"] &= agent and not fields["for_each"]
        needs = [other for other in draw(before) if other in steps]
        steps[key] = fields | {"needs": needs, "back_to": None}
        back_to = draw(s.sampled_from((None, *steps)))
        may = agent and may_go_back(steps, key, back_to)
        steps[key]["back_to"] = back_to if may else None
    return without_plans_in_loops(steps)


def random_graph(random: Random) -> Steps:
    steps: Steps = {}
    for key in KEYS[: random.randint(1, len(KEYS))]:
        needs = random.sample(list(steps), random.randint(0, min(2, len(steps))))
        fields = {name: random.choice(values) for name, values in FIELDS.items()}
        agent = fields["kind"] == "agent"
        fields["plans"] &= agent and not fields["for_each"]
        steps[key] = fields | {"needs": needs, "back_to": None}
        back_to = random.choice((None, *steps))
        may = agent and may_go_back(steps, key, back_to)
        steps[key]["back_to"] = back_to if may else None
    return without_plans_in_loops(steps)


def without_plans_in_loops(steps: Steps) -> Steps:
    loops = Loops(steps)
    return {key: of | {"plans": of["plans"] and not loops.around(key)} for key, of in steps.items()}


def may_go_back(steps: Steps, key: str, back_to: str | None) -> bool:
    loops = Loops({**steps, key: steps[key] | {"back_to": back_to}})
    return back_to in (key, *loops.before(key)) and not loops.crossed()


def random_plan(random: Random, may_need: list[str]) -> Steps:
    """Steps that no quest has yet, each behind some of those that it may wait for, and of those before it."""
    steps: Steps = {}
    for _ in range(random.randint(0, 3)):
        before = [*may_need, *steps]
        fields = {name: random.choice(values) for name, values in FIELDS.items()}
        needs = random.sample(before, random.randint(0, min(2, len(before))))
        steps[f"p{random.getrandbits(60)}"] = fields | {
            "plans": False,
            "back_to": None,
            "needs": needs,
        }
    return steps


def defined(key: str, of: Step) -> StepDefinition:
    return asked(key, of) if of["kind"] == "agent" else waited(key, of)


def waited(key: str, of: Step) -> StepDefinition:
    asleep = of["kind"] == "sleep"
    signal = Awaited(of["signal"], required=not of["default"] or of["wait_ms"] is None)
    return StepDefinition(
        key,
        dependencies=tuple(of["needs"]),
        when="true" if of["when"] else None,
        allow_skipped=of["allow_skipped"],
        on_error=of["on_error"],
        total_timeout_ms=of["total_ms"],
        timeout_ms=None if asleep else of["wait_ms"],
        wait_for=None if asleep else signal,
        sleep_ms=of["sleep_ms"] if asleep else None,
    )


def asked(key: str, of: Step) -> StepDefinition:
    retry = RetryPolicy(of["attempts"], of["delay_ms"], float(of["backoff"]), of["cap_ms"], 0.0)
    return StepDefinition(
        key,
        agent="worker",
        dependencies=tuple(of["needs"]),
        when="true" if of["when"] else None,
        allow_skipped=of["allow_skipped"],
        for_each="[1]" if of["for_each"] else None,
        max_parallel=of["max_parallel"],
        partial=of["partial"],
        plan_steps=9 if of["plans"] else None,
        parallel=of["parallel"],
        on_error=of["on_error"],
        idempotent=of["idempotent"],
        priority=of["priority"],
        total_timeout_ms=of["total_ms"],
        retry=retry,
        fallback=(Fallback("other"),) * of["fallbacks"],
        repeat=repeat_of(of),
    )


def repeat_of(of: Step) -> Repeat | None:
    if of["back_to"] is None:
        return None
    return Repeat("result", of["back_to"], of["max_rounds"], None, of["on_exhausted"])


def meaning(state: st.QuestState) -> dict[str, Any]:
    """All that a state says, without the order in which its heaps say it."""
    plain = {name: getattr(state, name) for name in st.QuestState.__slots__ if name not in DERIVED}
    tasks = [
        {name: plain_part(getattr(task, name)) for name in tk.Task.__slots__}
        for task in state.tasks
    ]
    able = set(state.admitted) | queued(state)
    return plain | {"tasks": tasks, "able": able, "wakes": core.next_wake_us(state)}


def plain_part(part: Any) -> Any:
    """A task of one fold is none of another's: its id says which it is."""
    match part:
        case tk.Item():
            return part.of.key, part.number, part.value
        case tk.Part():
            return part.of.key, part.left, sorted(part.waiting)
        case _:
            return part
