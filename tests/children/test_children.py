"""A step that uses a template is a quest of its own: what the two know of each other, whatever happens to either."""

from collections.abc import Callable
from typing import Any

from msgspec import structs

from questd.messages import control as ctl
from questd.messages import events as ev
from questd.messages import templates as tp
from questd.messages.definition import (
    Awaited,
    InputDefinition,
    QuestDefinition,
    QuestLimits,
    RetryPolicy,
    StepDefinition,
    encode_definition,
)
from questd.messages.exchange import Cancellation, Completed, Failed, Invocation
from questd.messages.failure import Failure
from questd.messages.heads import Head, child_id
from tests.limits.standing import Agent, Standing, greeted

ONCE = RetryPolicy(attempts=1)
LEAF = QuestDefinition(
    "leaf",
    (StepDefinition("do", agent="worker", arguments={"input": "{{ x }}"}, retry=ONCE),),
    inputs={"x": InputDefinition({"type": "integer"})},
    labels={"kind": "leaf", "team": "theirs"},
)
EPOCH = 3
"""Of the first attempt of a quest's first step: after submitted and started."""


def parent(**more: Any) -> QuestDefinition:
    fields: dict[str, Any] = {"arguments": {"x": "{{ n }}"}, "retry": ONCE, **more}
    return QuestDefinition("parent", (StepDefinition("sub", use="leaf", **fields),), priority=8)


def housed(**made: Any) -> tuple[Standing, Agent]:
    house = Standing(**made)
    house.ask(tp.AddTemplate(encode_definition(LEAF)))
    return house, greeted(house)


def begin(
    house: Standing, definition: QuestDefinition, inputs: bytes = b'{"n": 7}', **more: Any
) -> str:
    quest = house.submit(definition, inputs=inputs, **more)
    house.run()
    return quest


def head(house: Standing, quest: str) -> Head:
    found = house.store.head(quest)
    assert found is not None, f"there is no {quest}"
    return found


def events(house: Standing, quest: str) -> list[ev.Event]:
    return [ev.decode_event(record.body) for record in house.store.events(quest)]


def kinds(house: Standing, quest: str) -> list[str]:
    return [record.kind for record in house.store.events(quest)]


def complete(agent: Agent, invocation: Invocation, result: bytes = b"1") -> None:
    agent.say(outcomes=(Completed(invocation.quest, invocation.epoch, result),))


def fail(agent: Agent, invocation: Invocation, **more: Any) -> None:
    failure = Failure("broken", "it broke", None, **more)
    agent.say(outcomes=(Failed(invocation.quest, invocation.epoch, failure),))


def test_the_child_does_the_step_and_its_output_is_the_result() -> None:
    house, agent = housed()
    quest = begin(house, parent(), project="payments", labels={"team": "ours"})
    child = child_id(quest, EPOCH)
    (work,) = agent.take()
    assert (work.quest, work.task, work.arguments) == (child, "do", b'{"input":7}')
    theirs = head(house, child)
    assert (theirs.project, theirs.priority, theirs.name) == ("payments", 8, "leaf")
    assert theirs.labels == {"kind": "leaf", "team": "ours"}
    complete(agent, work, b'"done"')
    assert (head(house, child).status, head(house, quest).status) == ("completed", "completed")
    started, completed, ended = events(house, quest)[2:]
    assert isinstance(started, ev.AttemptStarted)
    assert (started.agent, started.tool, started.timeout_ms) == ("quest", "leaf", None)
    assert isinstance(completed, ev.AttemptCompleted)
    assert completed.result == b'"done"'
    assert isinstance(ended, ev.QuestCompleted)


def test_a_large_output_is_the_parents_too() -> None:
    house, agent = housed()
    quest = begin(house, parent())
    text = b'"' + b"x" * 100_000 + b'"'
    complete(agent, agent.take()[0], text)
    completed = events(house, quest)[3]
    assert isinstance(completed, ev.AttemptCompleted)
    assert not isinstance(completed.result, bytes)
    assert house.store.blob(completed.result.digest) == text
    assert head(house, quest).status == "completed"


def test_what_a_child_used_counts_in_its_parent_when_it_ends_failed_or_completed() -> None:
    house, agent = housed()
    quest = begin(house, parent(retry=RetryPolicy(attempts=2, delay_ms=0, jitter=0)))
    (work,) = agent.take()
    failure = Failure("broken", "it broke")
    agent.say(outcomes=(Failed(work.quest, work.epoch, failure, 0, 5, 0.5),))
    house.wait(1)
    (again,) = agent.take()
    agent.say(outcomes=(Completed(again.quest, again.epoch, b"1", 0, 7, 0.25),))
    used = [
        (event.tokens, event.cost)
        for event in events(house, quest)
        if isinstance(event, ev.AttemptFailed | ev.AttemptCompleted)
    ]
    assert used == [(5, 0.5), (7, 0.25)]


def test_a_parent_at_its_budget_begins_no_child_until_a_person_says_so() -> None:
    house, agent = housed()
    (sub,) = parent().steps
    steps = (sub, structs.replace(sub, key="next", dependencies=("sub",)))
    quest = begin(house, QuestDefinition("parent", steps, limits=QuestLimits(tokens=5)))
    (work,) = agent.take()
    agent.say(outcomes=(Completed(work.quest, work.epoch, b"1", 0, 5),))
    assert agent.take() == []
    assert kinds(house, quest)[-1] == "breakpoint.opened"
    house.ask(ctl.ResolveTask(quest, "more", "ann"))
    house.run()
    (again,) = agent.take()
    assert again.quest != work.quest
    complete(agent, again)
    assert head(house, quest).status == "completed"


def test_inputs_that_do_not_fit_fail_the_step_and_begin_nothing() -> None:
    house, agent = housed()
    quest = begin(house, parent(retry=None), b'{"n": "seven"}')
    assert agent.take() == []
    assert kinds(house, quest)[2:] == [
        "attempt.started",
        "attempt.failed",
        "task.failed",
        "quest.stopping",
        "quest.failed",
    ]
    failed = events(house, quest)[3]
    assert isinstance(failed, ev.AttemptFailed)
    assert (failed.failure.kind, failed.failure.message) == (
        "validation",
        'inputs of leaf: inputs.x: "seven" is not of type integer',
    )
    assert house.store.head(child_id(quest, EPOCH)) is None


def test_a_quest_stays_on_the_templates_of_its_submit() -> None:
    house, agent = housed()
    first = StepDefinition("first", agent="worker")
    sub = StepDefinition("sub", use="leaf", arguments={"x": 1}, dependencies=("first",))
    quest = begin(house, QuestDefinition("later", (first, sub)), b"{}")
    house.ask(tp.RemoveTemplate("leaf@1"))
    assert house.ask(tp.ReadTemplate("leaf")).kind == "not_found"
    complete(agent, agent.take()[0])
    (work,) = agent.take()
    complete(agent, work)
    assert work.task == "do"
    assert head(house, quest).status == "completed"


def test_a_failed_child_is_a_failed_attempt_and_the_next_one_is_another_child() -> None:
    house, agent = housed()
    quest = begin(house, parent(retry=RetryPolicy(attempts=2, delay_ms=0, jitter=0)))
    fail(agent, agent.take()[0])
    house.wait(1)
    (again,) = agent.take()
    assert again.quest == child_id(quest, EPOCH + 2)
    fail(agent, again, retryable=False)
    failed = events(house, quest)[-4]
    assert isinstance(failed, ev.AttemptFailed)
    assert failed.failure == Failure("broken", f"{again.quest}: it broke", "sub", False)
    assert head(house, quest).status == "failed"


def test_a_child_that_is_cancelled_for_itself_is_not_repeated() -> None:
    house, agent = housed()
    quest = begin(house, parent(retry=RetryPolicy(attempts=5), on_error="continue"))
    (work,) = agent.take()
    house.ask(ctl.CancelQuest(work.quest, "not this one", "me"))
    complete_cancelled(house, agent, work)
    failed = events(house, quest)[3]
    assert isinstance(failed, ev.AttemptFailed)
    assert failed.failure.message == f"{work.quest}: not this one"
    assert (failed.failure.kind, failed.retry_at_us) == ("cancelled", None)
    assert head(house, quest).status == "completed"


def complete_cancelled(house: Standing, agent: Agent, work: Invocation) -> None:
    """Its agent hears the wish, and says that it has ended."""
    heard = agent.say()
    assert heard is not None
    assert any(isinstance(item, Cancellation) for item in heard.items)
    failure = Failure("cancelled", "told to stop", None, False)
    agent.say(outcomes=(Failed(work.quest, work.epoch, failure),))
    house.run()


def test_cancelling_the_parent_cancels_the_child() -> None:
    house, agent = housed()
    quest = begin(house, parent())
    (work,) = agent.take()
    house.ask(ctl.CancelQuest(quest, "enough", "me"))
    assert head(house, work.quest).status == "running"
    complete_cancelled(house, agent, work)
    assert (head(house, work.quest).status, head(house, quest).status) == ("cancelled", "cancelled")
    assert kinds(house, quest)[-2:] == ["attempt.cancelled", "quest.cancelled"]


def test_the_timeout_of_the_step_is_the_total_timeout_of_its_child() -> None:
    house, agent = housed()
    quest = begin(
        house, parent(timeout_ms=2_000, retry=RetryPolicy(attempts=2, delay_ms=0, jitter=0))
    )
    (work,) = agent.take()
    house.wait(1.9)
    assert head(house, work.quest).status == "running"
    house.wait(15)
    assert head(house, work.quest).status == "failed"
    failed = events(house, quest)[3]
    assert isinstance(failed, ev.AttemptFailed)
    assert (failed.failure.kind, failed.retry_at_us is not None) == ("timeout", True)


# -- restarts --------------------------------------------------------------------------------------


def after_a_crash(house: Standing) -> tuple[Standing, Agent]:
    """Another daemon on what the first had on disk."""
    again = Standing(store=house.store.copy(), shelf=house.shelf)
    again.run()
    return again, greeted(again, pipe=2)


def go_on_until(house: Standing, reached: Callable[[], bool]) -> None:
    while not reached():
        assert house.dispatcher.run_one() or house.agenda
        if not house.dispatcher.depth and house.agenda and not reached():
            house.agenda.run_next()


def test_a_child_that_had_not_begun_is_begun_by_the_next_daemon() -> None:
    house, _ = housed()
    house.post(ctl.Submit(encode_definition(parent()), b'{"n": 7}'))
    go_on_until(house, lambda: house.store.last_seq() >= EPOCH)
    quest = next(house.store.heads()).quest
    assert house.store.head(child_id(quest, EPOCH)) is None
    again, agent = after_a_crash(house)
    complete(agent, agent.take()[0])
    assert head(again, quest).status == "completed"
    assert kinds(again, quest).count("attempt.started") == 1


def test_a_child_whose_end_was_not_heard_says_so_again() -> None:
    house, agent = housed()
    quest = begin(house, parent())
    child = child_id(quest, EPOCH)
    agent.post(outcomes=(Completed(child, EPOCH, b"5"),))
    go_on_until(house, lambda: head(house, child).status == "completed")
    assert head(house, quest).status == "running"
    again, _ = after_a_crash(house)
    assert head(again, quest).status == "completed"
    assert kinds(again, child) == kinds(house, child)


def test_a_child_that_nobody_waits_for_is_cancelled_when_it_comes_back() -> None:
    house, agent = housed()
    quest = begin(house, parent(total_timeout_ms=1_000, on_error="continue"))
    agent.take()
    child = child_id(quest, EPOCH)
    house.clock.advance(house.clock.monotonic_us + 1_100_000)
    house.timers.fire()
    go_on_until(house, lambda: "attempt.failed" in kinds(house, quest))
    assert "quest.cancel_requested" not in kinds(house, child)
    again, _ = after_a_crash(house)
    again.wait(60)
    assert head(again, quest).status == "completed"
    assert head(again, child).status == "cancelled"


def test_families_nest() -> None:
    house, agent = housed()
    steps = (StepDefinition("inner", use="leaf", arguments={"x": "{{ n }}"}),)
    house.ask(tp.AddTemplate(encode_definition(QuestDefinition("middle", steps))))
    outer = QuestDefinition("outer", (StepDefinition("sub", use="middle", arguments={"n": 3}),))
    quest = begin(house, outer, b"{}")
    (work,) = agent.take()
    assert work.quest == f"{quest}.{EPOCH}.{EPOCH}"
    complete(agent, work, b"[3]")
    assert {head.status for head in house.store.heads()} == {"completed"}


def test_a_child_waits_for_signals_of_its_own_and_its_parent_for_the_child() -> None:
    house, _ = housed()
    waits = StepDefinition("wait", wait_for=Awaited("go"))
    nap = StepDefinition("nap", dependencies=("wait",), sleep_ms=86_400_000)
    steps = (waits, nap)
    patient = QuestDefinition("patient", steps, output={"by": "{{ wait.result }}"})
    house.ask(tp.AddTemplate(encode_definition(patient)))
    definition = QuestDefinition("parent", (StepDefinition("sub", use="patient", retry=ONCE),))
    quest = begin(house, definition, b"{}")
    child = child_id(quest, EPOCH)
    house.wait(60.0)
    assert house.house.awake == 0  # both have gone to rest
    assert (head(house, child).status, head(house, quest).status) == ("waiting", "running")
    refused = house.ask(ctl.SendSignal(quest, "go", b"1", "ann"))
    assert refused == ctl.Error("invalid", f"no step of {quest} waits for a signal")
    assert house.ask(ctl.SendSignal(child, "go", b'"ann"', "ann")).message == "taken"
    assert kinds(house, child)[2:] == ["signal.received", "task.signalled"]
    house.wait(86_400.0)
    assert events(house, child)[-1] == ev.QuestCompleted(b'{"by":"ann"}')
    assert head(house, quest).status == "completed"
    completed = events(house, quest)[3]
    assert isinstance(completed, ev.AttemptCompleted)
    assert completed.result == b'{"by":"ann"}'


def test_a_parent_that_ends_ends_a_child_that_only_waits() -> None:
    house, _ = housed()
    waits = QuestDefinition("patient", (StepDefinition("wait", wait_for=Awaited("go")),))
    house.ask(tp.AddTemplate(encode_definition(waits)))
    quest = begin(house, QuestDefinition("parent", (StepDefinition("sub", use="patient"),)), b"{}")
    house.wait(60.0)
    house.ask(ctl.CancelQuest(quest, "no more", "ann"))
    house.wait(1.0)
    child = head(house, child_id(quest, EPOCH))
    assert (child.status, head(house, quest).status) == ("cancelled", "cancelled")
