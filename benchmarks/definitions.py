"""The quests that are measured: steps of a tool that does nothing."""

from questd.messages.definition import QuestDefinition, StepDefinition, encode_definition

AGENT = "bench"
ABSENT = "absent"
CHAIN_STEPS = 10


def chain(steps: int = CHAIN_STEPS, agent: str = AGENT) -> bytes:
    """Each step needs the one before it, and gets its result."""
    return encode_definition(
        QuestDefinition(
            f"chain-{steps}",
            tuple(
                StepDefinition(f"s{n}", agent=agent, dependencies=(f"s{n - 1}",) if n else ())
                for n in range(steps)
            ),
        )
    )


def each(items: int) -> bytes:
    """One step for each of so many items, and one that joins their results."""
    spread = StepDefinition("each", agent=AGENT, for_each=f"range({items})")
    join = StepDefinition("join", agent=AGENT, dependencies=("each",), arguments={})
    return encode_definition(QuestDefinition(f"each-{items}", (spread, join)))


def nap(seconds: int) -> bytes:
    """A step that does nothing for so long."""
    return encode_definition(
        QuestDefinition(f"nap-{seconds}", (StepDefinition("nap", sleep_ms=seconds * 1_000),))
    )


def fan(steps: int) -> bytes:
    """That many steps at once, and one that joins them."""
    keys = tuple(f"s{n}" for n in range(steps))
    join = StepDefinition("join", agent=AGENT, dependencies=keys, arguments={})
    parts = tuple(StepDefinition(key, agent=AGENT) for key in keys)
    return encode_definition(QuestDefinition(f"fan-{steps}", (*parts, join)))
