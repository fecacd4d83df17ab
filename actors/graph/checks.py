"""May this definition run? Everything that can be decided without its text.

The door calls it for a document, the daemon again for every definition that it is handed, and a
planning step's answer is checked the same way: nothing here trusts its argument beyond its types.
Every fault is told at once, as a value; a fault is not told a second time in other words because a
later check stumbles over it.
"""

import re
from collections.abc import Collection, Sequence
from typing import Any

from questd.actors.graph.compiled import CompiledQuest, CompiledStep, compile_reporting
from questd.actors.graph.durations import DURATION_MAX_MS, format_duration, parse_deadline
from questd.actors.graph.growing import check_items
from questd.actors.graph.inputs import INPUTS_MAX, check_declared
from questd.actors.graph.looping import check_back_to, check_repeat, places_in_repeat
from questd.actors.graph.plain import plain_faults, text_fault, walk
from questd.actors.graph.problems import At, Problem, Problems, path_of, shorten
from questd.actors.graph.secrecy import check_secrecy
from questd.actors.graph.using import arguments_field, check_use
from questd.actors.graph.waits import check_wait
from questd.messages.definition import (
    COST_MAX,
    RESERVED_NAMES,
    ROUNDS_MAX,
    STEP_KEY_PATTERN,
    TOKENS_MAX,
    Fallback,
    QuestDefinition,
    RetryPolicy,
    StepDefinition,
    encode_definition,
)
from questd.runtime.errors import BadExpression
from questd.runtime.expressions import Names, compile_value
from questd.runtime.expressions.names import KEYWORDS

STEPS_MAX = 10_000
DEFINITION_MAX_BYTES = 3 * 1024 * 1024
NAME_MAX = 200
LABELS_MAX = 64
ATTEMPTS_MAX = 1_000
BACKOFF_MAX = 100.0
PARALLEL_MAX = 100_000
CAPABILITIES_MAX = 64
KINDS_MAX = 64
FALLBACKS_MAX = 16
DEMANDS_MAX = 1_000
"""Kinds of agent, capabilities and tool that its steps ask for: each is a queue of its own in the router."""
EXPRESSIONS_OF_ALL_MAX = 50_000
"""In all its texts: they are compiled by the house's worker, of a quest that wakes where the journal is read, and take 80 µs each."""
PRIORITIES = range(1, 11)

_KEY = re.compile(STEP_KEY_PATTERN)
_TAKEN = frozenset((*RESERVED_NAMES, *KEYWORDS))


def check(definition: QuestDefinition, *, settled: Collection[At] = ()) -> list[Problem]:
    """All that is wrong with it; empty when it may run.

    ``settled``: places that the caller has refused already; nothing is said that only follows from
    them.
    """
    problems = Problems(settled)
    _check_plain(definition, problems)
    if problems.found():
        return problems.found()
    _check_quest(definition, problems)
    for number, step in enumerate(definition.steps):
        _check_step(number, step, problems)
    _check_keys(definition, problems)
    _check_demands(definition, problems)
    if _count_expressions(definition) > EXPRESSIONS_OF_ALL_MAX:
        problems.add((), f"holds more than {EXPRESSIONS_OF_ALL_MAX} expressions", "split the quest")
        return problems.found()
    _check_expressions(definition, problems)
    if not problems.found():
        _check_size(definition, problems)
    return problems.found()


def _check_quest(definition: QuestDefinition, problems: Problems) -> None:
    for field in ("name", "version", "project"):
        _check_name((field,), getattr(definition, field), problems)
    _check_text(("description",), definition.description, problems)
    _check_labels(definition.labels, problems)
    _check_priority(("priority",), definition.priority, problems)
    _check_length(("total_timeout",), definition.total_timeout_ms, problems)
    _check_length(("defaults", "timeout"), definition.default_timeout_ms, problems)
    _check_retry(("defaults", "retry"), definition.default_retry, problems)
    _check_limits(definition, problems)
    if definition.deadline is not None:
        try:
            parse_deadline(definition.deadline, 0)
        except ValueError as error:
            problems.add(("deadline",), str(error))
    if definition.inputs is not None:
        _check_input_names(definition, problems)
        check_declared(definition.inputs, problems)


def _check_plain(definition: QuestDefinition, problems: Problems) -> None:
    """First of all, since what is no plain data cannot be looked at any further."""
    values: list[tuple[At, object]] = [(("output",), definition.output)]
    for number, step in enumerate(definition.steps):
        if step.arguments is not None:
            values.append((("steps", number, arguments_field(step)), step.arguments))
        if step.repeat is not None:
            values.append((("steps", number, "repeat", "feedback"), step.repeat.feedback))
        if step.wait_for is not None:
            values.append((("steps", number, "default"), step.wait_for.default))
    for name, declared in (definition.inputs or {}).items():
        values.append((("inputs", name), declared.schema))
        values.append((("inputs", name, "default"), declared.default))
    for at, value in values:
        for place, fault in plain_faults(value, at):
            problems.add(place, fault)


def _check_labels(labels: dict[str, str], problems: Problems) -> None:
    if len(labels) > LABELS_MAX:
        problems.add(("labels",), f"has {len(labels)} labels; {LABELS_MAX} are allowed")
    for name, value in labels.items():
        _check_name(("labels", name), name, problems)
        if "=" in name:
            problems.add(("labels", name), "has = in its name")
        _check_text(("labels", name), value, problems)
        if len(value) > NAME_MAX:
            problems.add(("labels", name), f"is longer than {NAME_MAX} characters")


def _check_limits(definition: QuestDefinition, problems: Problems) -> None:
    limits = definition.limits
    _check_between(("limits", "steps"), limits.steps, 1, STEPS_MAX, problems)
    _check_between(("limits", "rounds"), limits.rounds, 1, ROUNDS_MAX, problems)
    if limits.parallel is not None:
        _check_between(("limits", "parallel"), limits.parallel, 1, PARALLEL_MAX, problems)
    if limits.tokens is not None:
        _check_between(("limits", "tokens"), limits.tokens, 1, TOKENS_MAX, problems)
    if limits.cost is not None and not 0 < limits.cost <= COST_MAX:
        problems.add(("limits", "cost"), f"{limits.cost} is not above 0 and at most {COST_MAX:.0f}")
    count = len(definition.steps)
    if count == 0:
        problems.add(("steps",), "has no step", "a quest needs at least one")
    elif count > limits.steps:
        problems.add(("steps",), f"has {count} steps; limits.steps is {limits.steps}")


def _check_input_names(definition: QuestDefinition, problems: Problems) -> None:
    inputs = definition.inputs or {}
    if len(inputs) > INPUTS_MAX:
        problems.add(("inputs",), f"has {len(inputs)} inputs; {INPUTS_MAX} are allowed")
    for name in inputs:
        _check_key(("inputs", name), name, "an input's name", problems)


def _check_step(number: int, step: StepDefinition, problems: Problems) -> None:
    at: At = ("steps", number)
    if step.only_waits:
        check_wait(at, step, problems)
    elif step.use is None:
        _check_who(at, step, problems)
    else:
        check_use(at, step, problems)
    if step.wait_for is not None:
        _check_name((*at, "wait_for"), step.wait_for.signal, problems)
    if len(step.fallback) > FALLBACKS_MAX:
        message = f"has {len(step.fallback)} fallbacks; {FALLBACKS_MAX} are allowed"
        problems.add((*at, "fallback"), message)
    for place, other in enumerate(step.fallback):
        _check_who((*at, "fallback", place), other, problems)
        _check_length((*at, "fallback", place, "timeout"), other.timeout_ms, problems)
    check_items(at, step, problems)
    if step.max_parallel is not None:
        _check_between((*at, "max_parallel"), step.max_parallel, 1, PARALLEL_MAX, problems)
    if step.plan_steps is not None:
        _check_between((*at, "plan", "max_steps"), step.plan_steps, 1, STEPS_MAX, problems)
    for field in ("prompt", "when", "for_each"):
        if (text := getattr(step, field)) is not None:
            _check_text((*at, field), text, problems)
    check_repeat(at, step, problems)
    if step.prompt is not None and "prompt" in (step.arguments or ()):
        problems.add((*at, "with", "prompt"), "is given twice", "keep it, or the step's prompt")
    for field in ("timeout", "heartbeat_timeout", "total_timeout", "sleep"):
        _check_length((*at, field), getattr(step, f"{field}_ms"), problems)
    _check_retry((*at, "retry"), step.retry, problems)
    if step.priority is not None:
        _check_priority((*at, "priority"), step.priority, problems)


def _check_who(at: At, asked: StepDefinition | Fallback, problems: Problems) -> None:
    if asked.agent is None and not asked.capabilities:
        hint = "name the agent, or the capability it must have"
        problems.add((*at, "agent"), "nobody is asked to do this step", hint)
    for field in ("agent", "tool"):
        if (name := getattr(asked, field)) is not None:
            _check_name((*at, field), name, problems)
    _check_capabilities((*at, "capability"), asked.capabilities, problems)


def _check_capabilities(at: At, capabilities: Sequence[str], problems: Problems) -> None:
    if len(capabilities) > CAPABILITIES_MAX:
        problems.add(at, f"has {len(capabilities)} capabilities; {CAPABILITIES_MAX} are allowed")
    for capability in capabilities:
        _check_name(at, capability, problems)


def _check_demands(definition: QuestDefinition, problems: Problems) -> None:
    demands = {
        (asked.agent, asked.capabilities, asked.tool)
        for step in definition.steps
        for asked in step.choices
        if step.use is None
    }
    if len(demands) > DEMANDS_MAX:
        message = (
            f"ask for {len(demands)} kinds of agent, capability and tool; {DEMANDS_MAX} are allowed"
        )
        problems.add(("steps",), message)


def _count_expressions(definition: QuestDefinition) -> int:
    texts: list[Any] = [definition.output]
    for step in definition.steps:
        texts += [step.prompt, step.arguments, step.repeat and step.repeat.feedback]
    return sum(
        text.count("{{") for value in texts for _, text in walk(value, ()) if isinstance(text, str)
    )


def _check_keys(definition: QuestDefinition, problems: Problems) -> None:
    first: dict[str, int] = {}
    for number, step in enumerate(definition.steps):
        at: At = ("steps", number, "key")
        if not step.key:
            problems.add(at, "is missing", "every step needs a key of its own")
            continue
        _check_key(at, step.key, "a step's key", problems)
        if definition.inputs is not None and step.key in definition.inputs:
            problems.add(at, f"{shorten(step.key)} is an input too", "rename one of them")
        if step.key in first:
            other = path_of(("steps", first[step.key]))
            problems.add(at, f"{shorten(step.key)} is the key of {other} already")
        first.setdefault(step.key, number)
    for number, step in enumerate(definition.steps):
        _check_dependencies(number, step, first, problems)


def _check_dependencies(
    number: int, step: StepDefinition, keys: dict[str, int], problems: Problems
) -> None:
    seen: set[str] = set()
    for place, key in enumerate(step.dependencies):
        at: At = ("steps", number, "dependencies", place)
        if key == step.key:
            problems.add(at, f"the step {shorten(key)} depends on itself")
        elif key not in keys:
            hint = problems.nearest(key, keys)
            problems.add(at, f"no step has the key {shorten(key)}", hint)
        elif key in seen:
            problems.add(at, f"{shorten(key)} is listed twice")
        seen.add(key)


def _check_expressions(definition: QuestDefinition, problems: Problems) -> None:
    def report(at: At, error: BadExpression) -> None:
        excerpt = "" if error.offset is None else f" (at character {error.offset + 1})"
        problems.add(at, f"{error.message}{excerpt}", error.hint)

    compiled = compile_reporting(definition, report)
    for cycle in compiled.graph.cycles():
        at: At = ("steps", compiled.graph.numbers[cycle[0]], "dependencies")
        problems.add(at, f"these steps wait for each other: {_cycle_text(cycle)}")
    ordered = frozenset(compiled.graph.order)
    for step in compiled.steps.values():
        if step.number in ordered and not _is_unsure(step, compiled, problems):
            _check_references(definition, step, compiled, problems)
    check_secrecy(definition, compiled, problems)
    if not any(_is_unsure(step, compiled, problems) for step in compiled.steps.values()):
        check_back_to(definition, compiled, problems)


def _cycle_text(cycle: Sequence[str]) -> str:
    shown = cycle if len(cycle) <= 20 else [*cycle[:10], "…", *cycle[-10:]]
    return " → ".join(shown)


def _is_unsure(step: CompiledStep, compiled: CompiledQuest, problems: Problems) -> bool:
    """Are the step's dependencies wrong already? Then who its ancestors are is not known."""
    known = all(key in compiled.graph.numbers for key in step.dependencies)
    at: At = ("steps", step.number)
    refused = (problems.is_touched((*at, field)) for field in ("dependencies", "needs"))
    return not known or any(refused)


def _check_references(
    definition: QuestDefinition, step: CompiledStep, compiled: CompiledQuest, problems: Problems
) -> None:
    direct, graph = frozenset(step.dependencies), compiled.graph
    for name in step.named:
        if name in direct or graph.is_ancestor(graph.numbers[name], step.number):
            continue
        for at in _places_of(name, definition, step, compiled.names):
            if name == step.key:
                problems.add(at, f"the step {shorten(name)} names itself")
            elif graph.is_ancestor(step.number, graph.numbers[name]):
                problems.add(at, f"names {shorten(name)}, which runs only after this step")
            else:
                hint = f"add {name} to dependencies"
                problems.add(at, f"names {shorten(name)}, which need not be done before it", hint)


def _places_of(
    name: str, definition: QuestDefinition, step: CompiledStep, names: Names
) -> list[At]:
    """Where in its condition, prompt and arguments a step names another."""
    at: At = ("steps", step.number)
    places: list[At] = []
    places += places_in_repeat(name, definition.steps[step.number], step, names)
    places += [(*at, field) for field, each in step.bare if name in each.steps]
    if step.prompt is not None and name in step.prompt.steps:
        places.append((*at, "prompt"))
    if step.arguments is not None and name in step.arguments.steps:
        written = definition.steps[step.number]
        for place, text in walk(written.arguments, (*at, arguments_field(written))):
            if isinstance(text, str) and name in compile_value(text, names).steps:
                places.append(place)
    return places


def _check_key(at: At, key: str, what: str, problems: Problems) -> None:
    if key in _TAKEN:
        problems.add(at, f"{shorten(key)} is a reserved name", "choose another")
    elif not _KEY.fullmatch(key):
        rule = "letters, digits, _ and -, not first a digit or -, at most 128"
        problems.add(at, f"{shorten(key)} cannot be {what}", rule)


def _check_name(at: At, name: str, problems: Problems) -> None:
    if not name.strip():
        problems.add(at, "is empty")
    elif len(name) > NAME_MAX:
        problems.add(at, f"is longer than {NAME_MAX} characters")
    elif not name.isprintable():
        problems.add(at, f"{shorten(name)} has characters that cannot be shown")
    elif "{{" in name:
        problems.add(at, "is a name and cannot hold an expression")


def _check_text(at: At, text: str, problems: Problems) -> None:
    if fault := text_fault(text):
        problems.add(at, fault)


def _check_between(at: At, value: float, low: float, high: float, problems: Problems) -> None:
    if not low <= value <= high:
        problems.add(at, f"{value} is not between {low} and {high}")


def _check_priority(at: At, priority: int, problems: Problems) -> None:
    _check_between(at, priority, PRIORITIES.start, PRIORITIES.stop - 1, problems)


def _check_length(at: At, length_ms: int | None, problems: Problems) -> None:
    if length_ms is not None and not 0 < length_ms <= DURATION_MAX_MS:
        longest = format_duration(DURATION_MAX_MS)
        problems.add(at, f"must be longer than 0s and not longer than {longest}")


def _check_retry(at: At, retry: RetryPolicy | None, problems: Problems) -> None:
    if retry is None:
        return
    _check_between((*at, "attempts"), retry.attempts, 1, ATTEMPTS_MAX, problems)
    _check_between((*at, "backoff"), retry.backoff, 1, BACKOFF_MAX, problems)
    _check_between((*at, "jitter"), retry.jitter, 0, 1, problems)
    if not 0 <= retry.max_delay_ms <= DURATION_MAX_MS:
        longest = format_duration(DURATION_MAX_MS)
        problems.add((*at, "max_delay"), f"is not between 0s and {longest}")
    elif not 0 <= retry.delay_ms <= retry.max_delay_ms:
        longest = format_duration(retry.max_delay_ms)
        problems.add((*at, "delay"), f"is not between 0s and max_delay ({longest})")
    if len(retry.no_retry_on) > KINDS_MAX:
        message = f"has {len(retry.no_retry_on)} kinds; {KINDS_MAX} are allowed"
        problems.add((*at, "no_retry_on"), message)
    for kind in retry.no_retry_on:
        _check_name((*at, "no_retry_on"), kind, problems)


def _check_size(definition: QuestDefinition, problems: Problems) -> None:
    size = len(encode_definition(definition))
    if size > DEFINITION_MAX_BYTES:
        problems.add((), f"takes {size} bytes; {DEFINITION_MAX_BYTES} are allowed")
