"""limits.tokens and limits.cost in documents: read, written, and refused where they stand."""

import pytest

from questd.builder import Quest
from questd.documents import InvalidDocument, load, to_yaml
from questd.messages.definition import QuestLimits

GOOD = "name: x\nsteps:\n- key: a\n  agent: b\n"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("tokens: 500000, cost: 5.0", QuestLimits(tokens=500_000, cost=5.0)),
        ("cost: 5", QuestLimits(cost=5.0)),
        ("parallel: 2, tokens: 1", QuestLimits(2, tokens=1)),
    ],
)
def test_a_budget_is_read_and_written_again(written: str, read: QuestLimits) -> None:
    definition = load(f"{GOOD}limits: {{{written}}}\n")
    assert definition.limits == read
    assert isinstance(definition.limits.cost, float | None)
    assert load(to_yaml(definition)) == definition


def test_a_budget_is_built_as_it_is_read() -> None:
    built = Quest("x", tokens=500, cost=5)
    built.step("a", agent="b")
    assert built.definition().limits == QuestLimits(tokens=500, cost=5.0)
    assert isinstance(built.definition().limits.cost, float)


@pytest.mark.parametrize(
    ("limits", "place", "says"),
    [
        ("tokens: 0", ("limits.tokens", 5, 18), "0 is not between 1 and"),
        ("tokens: 1.5", ("limits.tokens", 5, 18), "must be a whole number, not 1.5"),
        ("tokens: many", ("limits.tokens", 5, 18), "must be a whole number"),
        ("cost: 0", ("limits.cost", 5, 16), "0.0 is not above 0 and at most"),
        ("cost: -0.5", ("limits.cost", 5, 16), "-0.5 is not above 0"),
        ("cost: $5", ("limits.cost", 5, 16), "must be a number"),
        ("cost: .inf", ("limits.cost", 5, 16), "is not a number that JSON can say"),
        ("token: 5", ("limits.token", 5, 10), 'there is no field "token"'),
    ],
)
def test_a_budget_that_is_none_is_refused_where_it_stands(
    limits: str, place: tuple[str, int, int], says: str
) -> None:
    with pytest.raises(InvalidDocument) as refused:
        load(f"{GOOD}limits: {{{limits}}}\n")
    (fault,) = refused.value.faults
    assert (fault.path, fault.line, fault.column) == place
    assert says in fault.message
