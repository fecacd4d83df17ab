"""Documents and definitions: exactly at a limit they run, one beyond every fault says which limit, where, and what is allowed."""

from collections.abc import Callable
from typing import Any

import pytest

from questd.actors.graph import check
from questd.actors.graph.checks import (
    ATTEMPTS_MAX,
    BACKOFF_MAX,
    CAPABILITIES_MAX,
    DEFINITION_MAX_BYTES,
    DEMANDS_MAX,
    EXPRESSIONS_OF_ALL_MAX,
    FALLBACKS_MAX,
    KINDS_MAX,
    LABELS_MAX,
    NAME_MAX,
    PARALLEL_MAX,
    STEPS_MAX,
)
from questd.actors.graph.durations import DURATION_MAX_MS
from questd.actors.graph.inputs import INPUTS_MAX, PATTERN_STEPS_MAX, check_inputs
from questd.actors.graph.looping import LOOPED_MAX, LOOPS_MAX
from questd.actors.graph.plain import DEPTH_MAX
from questd.actors.graph.problems import HINTED_MAX, PROBLEMS_MAX
from questd.actors.graph.waits import DEFAULT_MAX_BYTES
from questd.actors.quest import plans
from questd.documents import InvalidDocument, load, reading, tree
from questd.documents.faults import FAULTS_MAX
from questd.messages.definition import (
    COST_MAX,
    DEFAULT_TIMEOUT_MS,
    ROUNDS_MAX,
    TOKENS_MAX,
    Awaited,
    Fallback,
    InputDefinition,
    QuestDefinition,
    QuestLimits,
    Repeat,
    RetryPolicy,
    StepDefinition,
    definition_digest,
    encode_definition,
)
from tests.limits.standing import quest, step

MANY = tuple(StepDefinition(f"s{n}", agent="a") for n in range(STEPS_MAX + 1))


def many(count: int) -> dict[str, Any]:
    return {str(n): "v" for n in range(count)}


def names(count: int) -> tuple[str, ...]:
    return tuple(f"n{n}" for n in range(count))


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def of_size(size: int) -> QuestDefinition:
    empty = len(encode_definition(quest(description="x" * 1_000_000)))
    return quest(description="x" * (size - empty + 1_000_000))


def with_demands(count: int) -> QuestDefinition:
    return quest(*(step(f"s{n}", tool=f"t{n}") for n in range(count)), step("again", tool="t0"))


def with_looped(count: int) -> QuestDefinition:
    """A chain in which each step goes back, as far as is left of so many."""
    steps = [step("s0")]
    while count:
        place = len(steps)
        size = min(place + 1, count)
        back_to = Repeat("true", f"s{place - size + 1}")
        steps.append(step(f"s{place}", dependencies=(f"s{place - 1}",), repeat=back_to))
        count -= size
    return quest(*steps)


def with_expressions(count: int) -> QuestDefinition:
    texts = [{"list": ["{{ 1 }}"] * min(1_000, count - n)} for n in range(0, count, 1_000)]
    return quest(*(step(f"s{n}", arguments=text) for n, text in enumerate(texts)))


Make = Callable[[int], QuestDefinition]
DEFINITIONS: dict[str, tuple[int, Make, str]] = {
    "STEPS_MAX": (
        STEPS_MAX,
        lambda n: quest(*MANY[:n]),
        "steps: has 10001 steps; limits.steps is 10000",
    ),
    "limits.steps": (
        3,
        lambda n: quest(*MANY[:n], limits=QuestLimits(steps=3)),
        "steps: has 4 steps; limits.steps is 3",
    ),
    "STEPS_MAX of limits": (
        STEPS_MAX,
        lambda n: quest(limits=QuestLimits(steps=n)),
        "limits.steps: 10001 is not between 1 and 10000",
    ),
    "DEFINITION_MAX_BYTES": (
        DEFINITION_MAX_BYTES,
        of_size,
        "takes 3145729 bytes; 3145728 are allowed",
    ),
    "NAME_MAX": (
        NAME_MAX,
        lambda n: QuestDefinition("n" * n, (step("a"),)),
        "name: is longer than 200 characters",
    ),
    "NAME_MAX of a project": (
        NAME_MAX,
        lambda n: quest(project="p" * n),
        "project: is longer than 200 characters",
    ),
    "NAME_MAX of a version": (
        NAME_MAX,
        lambda n: quest(version="v" * n),
        "version: is longer than 200 characters",
    ),
    "NAME_MAX of an agent": (
        NAME_MAX,
        lambda n: quest(step("a", agent="a" * n)),
        "steps[0].agent: is longer than 200 characters",
    ),
    "NAME_MAX of a label": (
        NAME_MAX,
        lambda n: quest(labels={"l": "v" * n}),
        "labels.l: is longer than 200 characters",
    ),
    "a key": (
        128,
        lambda n: quest(step("k" * n)),
        "digit or -, at most 128",
    ),
    "LABELS_MAX": (
        LABELS_MAX,
        lambda n: quest(labels=many(n)),
        "labels: has 65 labels; 64 are allowed",
    ),
    "CAPABILITIES_MAX": (
        CAPABILITIES_MAX,
        lambda n: quest(step("a", capabilities=names(n))),
        "steps[0].capability: has 65 capabilities; 64 are allowed",
    ),
    "FALLBACKS_MAX": (
        FALLBACKS_MAX,
        lambda n: quest(step("a", fallback=(Fallback("b"),) * n)),
        "steps[0].fallback: has 17 fallbacks; 16 are allowed",
    ),
    "LOOPS_MAX": (
        LOOPS_MAX,
        lambda n: quest(*(step(f"s{k}", repeat=Repeat("true")) for k in range(n))),
        "steps: have 1001 loops; 1000 are allowed",
    ),
    "LOOPED_MAX": (
        LOOPED_MAX,
        with_looped,
        "steps: stand 100001 times in loops; 100000 are allowed",
    ),
    "ROUNDS_MAX": (
        ROUNDS_MAX,
        lambda n: quest(step("a", repeat=Repeat("true", max_rounds=n))),
        "steps[0].repeat.max_rounds: 1001 is not between 1 and 1000",
    ),
    "ROUNDS_MAX of limits": (
        ROUNDS_MAX,
        lambda n: quest(limits=QuestLimits(rounds=n)),
        "limits.rounds: 1001 is not between 1 and 1000",
    ),
    "DEFAULT_MAX_BYTES": (
        DEFAULT_MAX_BYTES,
        lambda n: quest(
            StepDefinition("a", wait_for=Awaited("x", False, "y" * (n - 2)), timeout_ms=1)
        ),
        "steps[0].default: takes 4097 bytes as JSON; 4096 are allowed",
    ),
    "TOKENS_MAX": (
        TOKENS_MAX,
        lambda n: quest(limits=QuestLimits(tokens=n)),
        "limits.tokens: 9007199254740992 is not between 1 and 9007199254740991",
    ),
    "COST_MAX": (
        int(COST_MAX),
        lambda n: quest(limits=QuestLimits(cost=float(n))),
        "limits.cost: 1000000000001.0 is not above 0 and at most 1000000000000",
    ),
    "DEMANDS_MAX": (
        DEMANDS_MAX,
        with_demands,
        "steps: ask for 1001 kinds of agent, capability and tool; 1000 are allowed",
    ),
    "KINDS_MAX": (
        KINDS_MAX,
        lambda n: quest(step("a", retry=RetryPolicy(no_retry_on=names(n)))),
        "steps[0].retry.no_retry_on: has 65 kinds; 64 are allowed",
    ),
    "EXPRESSIONS_OF_ALL_MAX": (
        EXPRESSIONS_OF_ALL_MAX,
        with_expressions,
        "holds more than 50000 expressions",
    ),
    "ATTEMPTS_MAX": (
        ATTEMPTS_MAX,
        lambda n: quest(step("a", retry=RetryPolicy(attempts=n))),
        "steps[0].retry.attempts: 1001 is not between 1 and 1000",
    ),
    "BACKOFF_MAX": (
        int(BACKOFF_MAX),
        lambda n: quest(step("a", retry=RetryPolicy(backoff=n))),
        "steps[0].retry.backoff: 101 is not between 1 and 100.0",
    ),
    "PARALLEL_MAX": (
        PARALLEL_MAX,
        lambda n: quest(limits=QuestLimits(parallel=n)),
        "limits.parallel: 100001 is not between 1 and 100000",
    ),
    "priority": (10, lambda n: quest(priority=n), "priority: 11 is not between 1 and 10"),
    "DURATION_MAX_MS": (
        DURATION_MAX_MS,
        lambda n: quest(step("a", timeout_ms=n)),
        "steps[0].timeout: must be longer than 0s and not longer than 3650d",
    ),
    "INPUTS_MAX": (
        INPUTS_MAX,
        lambda n: quest(inputs={f"i{k}": InputDefinition() for k in range(n)}),
        "inputs: has 1001 inputs; 1000 are allowed",
    ),
    "DEPTH_MAX of a value": (
        DEPTH_MAX,
        lambda n: quest(inputs={"x": InputDefinition({}, required=False, default=nested(n))}),
        "is nested deeper than 100",
    ),
}


@pytest.mark.parametrize("limit", DEFINITIONS)
def test_a_definition_at_the_limit_may_run_and_one_beyond_is_refused(limit: str) -> None:
    most, make, said = DEFINITIONS[limit]
    assert check(make(most)) == []
    problems = [str(problem) for problem in check(make(most + 1))]
    assert len(problems) == 1
    assert said in problems[0]


def test_of_many_problems_the_first_are_told_and_the_rest_is_counted() -> None:
    bad = quest(*(step(f"s{n}", priority=0) for n in range(PROBLEMS_MAX + 5)))
    problems = check(bad)
    assert len(problems) == PROBLEMS_MAX + 1
    assert str(problems[-1]) == "5 more problems are not listed"
    misspelt = quest(step("first"), *(step(f"s{n}", dependencies=("frist",)) for n in range(60)))
    hints = [problem.hint for problem in check(misspelt)]
    assert sum(bool(hint) for hint in hints) == HINTED_MAX


def test_the_default_timeout_of_an_attempt_is_within_its_limit() -> None:
    assert 0 < DEFAULT_TIMEOUT_MS <= DURATION_MAX_MS


def test_a_pattern_that_backtracks_for_ever_does_not_match() -> None:
    schema = {"type": "string", "pattern": "^(?=(a+)+$)a+!"}
    declared = {"x": InputDefinition(schema)}
    _, problems = check_inputs(declared, (), {"x": "a" * 60 + "b"})
    assert problems
    assert PATTERN_STEPS_MAX == 100_000


# -- text --------------------------------------------------------------------------------------------


def refusals(text: str | bytes) -> str:
    with pytest.raises(InvalidDocument) as refused:
        load(text)
    return str(refused.value)


HEAD = "name: n\nsteps: [{key: a, agent: w"


def deep(depth: int, *, as_json: bool) -> str:
    """A default is three levels down."""
    inner = "[" * (depth - 3) + "]" * (depth - 3)
    if as_json:
        steps = '"steps": [{"key": "a", "agent": "w"}]'
        return '{"name": "n", ' + steps + ', "inputs": {"i": {"default": ' + inner + "}}}"
    return HEAD + "}]\ninputs: {i: {default: " + inner + "}}"


@pytest.mark.parametrize("as_json", [False, True])
def test_a_text_nests_so_deep_and_no_deeper(as_json: bool) -> None:
    load(deep(tree.DEPTH_MAX, as_json=as_json))
    assert "is nested deeper than 100" in refusals(deep(tree.DEPTH_MAX + 1, as_json=as_json))


def test_a_document_has_so_many_bytes_and_no_more() -> None:
    text = HEAD + "}]\n"
    filler = "#" + "x" * 998 + "\n"
    count = (reading.DOCUMENT_MAX_BYTES - len(text)) // len(filler)
    fits = text + filler * count
    fits += "#" * (reading.DOCUMENT_MAX_BYTES - len(fits))
    load(fits)
    assert "is larger than 8388608 bytes (pass data as inputs" in refusals(fits + "#")


@pytest.fixture
def small_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real ones take a second each to reach."""
    monkeypatch.setattr(tree, "NODES_MAX", 50)
    monkeypatch.setattr(tree, "EXPANDED_CHARACTERS_MAX", 200)


@pytest.mark.usefixtures("small_tree")
def test_values_and_characters_are_counted_with_their_aliases_expanded() -> None:
    def values(count: int) -> str:
        return (
            f"{HEAD}, with: {{v: &v [{', '.join('1' * 10)}], w: [{', '.join(['*v'] * count)}]}}}}]"
        )

    most = next(n for n in range(1, 20) if "values, aliases" in _said(values(n))) - 1
    assert most == 2
    load(values(most))
    assert "more than 50 values, aliases expanded" in refusals(values(most + 1))
    text = f"{HEAD}, with: {{v: &v {'x' * 50}, w: [*v, *v]}}}}]"
    load(text)
    assert "more than 200 characters, aliases expanded" in refusals(
        text.replace("*v, *v", "*v, *v, *v")
    )


def _said(text: str) -> str:
    try:
        load(text)
    except InvalidDocument as error:
        return str(error)
    return ""


def test_of_many_faults_the_first_are_told_and_the_rest_is_counted() -> None:
    steps = "\n".join(f"  - {{key: s{n}, agent: a, no_such: 1}}" for n in range(FAULTS_MAX + 7))
    with pytest.raises(InvalidDocument) as refused:
        load(f"name: n\nsteps:\n{steps}\n")
    assert len(refused.value.faults) == FAULTS_MAX + 1
    assert refused.value.faults[-1].message == "7 more faults are not listed"


# -- compiled definitions ------------------------------------------------------------------------------


def test_compiled_definitions_are_kept_by_number_and_by_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    definitions = [encode_definition(quest(description=f"{n:04d}")) for n in range(10)]
    size = len(definitions[0])
    cache = plans.PlanCache(3)
    for data in definitions[:4]:
        cache.load(data, trusted=False)
    kept = [cache.get(definition_digest(data)) is not None for data in definitions[:4]]
    assert kept == [False, True, True, True]
    monkeypatch.setattr(plans, "CACHED_PLANS_MAX_BYTES", 2 * size)
    cache = plans.PlanCache()
    for data in (*definitions[:3], definitions[2]):
        cache.load(data, trusted=False)
    kept = [cache.get(definition_digest(data)) is not None for data in definitions[:3]]
    assert kept == [False, True, True]
    large = encode_definition(quest(description="x" * 3 * size))
    ready = cache.load(large, trusted=False)
    assert cache.get(ready.plan.digest) is ready
