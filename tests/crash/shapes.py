"""The reference runs: what they are, and who does what while they run."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct, structs

from questd.messages import control as ctl
from questd.messages import events as ev
from questd.messages.definition import QuestDefinition, Repeat, RetryPolicy, StepDefinition
from tests.crash.ground import Ground, Reading

QUICK = RetryPolicy(attempts=5, delay_ms=20)


class Shape(Struct, frozen=True):
    """``react`` is called with the reading so far, again and again. ``points``: how many of each commit a quick run tries, in turn."""

    definition: QuestDefinition
    react: Callable[[Ground, Reading], None] = lambda _ground, _reading: None
    limits: dict[str, float] = {}
    points: int = 7


def step(key: str, tool: str, *dependencies: str, **more: Any) -> StepDefinition:
    fields: dict[str, Any] = {"agent": "worker", "retry": QUICK, **more}
    return StepDefinition(key, tool=tool, dependencies=dependencies, **fields)


def add(key: str, *dependencies: str) -> StepDefinition:
    values = [f"{{{{ {name}.result }}}}" for name in dependencies]
    arguments = {"values": values, "more": len(key) + len(dependencies)}
    return step(key, "add", *dependencies, arguments=arguments)


def chain() -> QuestDefinition:
    row = [add("s0")] + [add(f"s{n}", f"s{n - 1}") for n in range(1, 5)]
    return QuestDefinition("chain", tuple(row))


def fan_out() -> QuestDefinition:
    leaves = [add(f"leaf{n}", "root") for n in range(8)]
    join = add("join", *(leaf.key for leaf in leaves))
    return QuestDefinition("fan-out", (add("root"), *leaves, join))


def retries() -> QuestDefinition:
    flaky = step("shaky", "flaky", "s0", arguments={"value": "{{ s0.result }}"})
    refused = step("refused", "refuse", "s0", arguments={}, on_error="continue")
    join = step("join", "flaky", "shaky", "refused", arguments={"value": ["{{ shaky.result }}", 1]})
    return QuestDefinition("retries", (add("s0"), flaky, refused, join))


def waits() -> QuestDefinition:
    """An agent dies with what must not be repeated: a person decides; an agent that is not there: it is waited for."""
    pay = step("pay", "pay", "s0", agent="payer", arguments={}, idempotent=False)
    last = step("last", "flaky", "pay", arguments={"value": "{{ pay.result }}"})
    return QuestDefinition("waits", (add("s0"), pay, last))


def lose_and_decide(ground: Ground, reading: Reading) -> None:
    """The first payer is killed when it has begun; then it is decided that a second one tries again."""
    kinds = reading.kinds
    if "attempt.lost" not in kinds and ground.called(reading.quest, "pay"):
        ground.kill_payer()
    if "breakpoint.opened" in kinds and "breakpoint.resolved" not in kinds:
        ground.insist(ctl.ResolveTask(reading.quest, "retry", "operator", "pay"))
    if "breakpoint.resolved" in kinds and not ground.has_payer:
        ground.start_payer()


def cancel() -> QuestDefinition:
    row = (add("s0"), step("held", "obey", "s0", arguments={}), add("never", "held"), add("side"))
    return QuestDefinition("cancel", row)


def change_mind(ground: Ground, reading: Reading) -> None:
    """Cancel when one tool runs and the others are done."""
    done = sum(isinstance(event, ev.AttemptCompleted) for event in reading.events)
    wished = "quest.cancel_requested" in reading.kinds
    if done == 2 and not wished and ground.called(reading.quest, "held"):
        ground.insist(ctl.CancelQuest(reading.quest, "changed my mind", "operator"))


def lists() -> QuestDefinition:
    """The items of one list are those of the next; two at once, some of which fail twice."""
    given: dict[str, Any] = {"for_each": "[1, 2, 3]", "arguments": {"value": "{{ item }}"}}
    more: dict[str, Any] = {"values": ["{{ item }}", "{{ index }}"], "more": 1}
    each = step("each", "flaky", "s0", max_parallel=2, **given)
    again = step("again", "add", "each", for_each="each.result", arguments=more)
    join = step("join", "add", "again", arguments={"values": "{{ again.result }}", "more": 1})
    return QuestDefinition("lists", (add("s0"), each, again, join))


def rounds() -> QuestDefinition:
    """Two rounds of a list and what comes of it; a branch waits for the last."""
    told = {"values": ["{{ round }}"], "more": "{{ feedback.was if feedback else 0 }}"}
    draft = step("draft", "add", "s0", arguments=told)
    item = {"values": ["{{ item }}"], "more": "{{ index }}"}
    each = step("each", "add", "draft", for_each="[round, 7]", arguments=item)
    again = Repeat("round > 1", "draft", feedback={"was": "{{ result }}"})
    review = step("review", "add", "each", arguments={"values": "{{ each.result }}", "more": 1})
    aside = add("aside", "draft")
    looped = structs.replace(review, repeat=again)
    return QuestDefinition("rounds", (add("s0"), draft, each, looped, aside))


SHAPES = {
    "chain": Shape(chain()),
    "fan-out": Shape(fan_out()),
    "retries": Shape(retries(), points=2),
    "lists": Shape(lists(), points=2),
    "rounds": Shape(rounds(), points=2),
    "waits": Shape(waits(), lose_and_decide, {"reattach_grace_s": 1.0, "closed_pipe_s": 0.1}, 2),
    "cancel": Shape(cancel(), change_mind),
}
