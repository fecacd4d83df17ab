"""Tools that raise, hang, or return what nobody can carry; cancelling and timeouts; payloads of all sizes."""

import pytest

from questd.messages import control as ctl
from questd.messages import events as ev
from questd.messages.definition import QuestDefinition, RetryPolicy, encode_definition
from questd.messages.failure import Failure
from questd.messages.payload import encode_json
from tests.system.place import Place, chain, single, step
from tests.system.rules import check

ONCE = RetryPolicy(attempts=1)


def failure_of(place: Place, quest: str) -> Failure:
    last = place.events(quest)[-1]
    assert isinstance(last, ev.QuestFailed), place.events(quest)
    return last.failure


def test_a_tool_that_raises_is_retried_and_then_its_quest_fails_with_its_words(
    place: Place,
) -> None:
    place.start_daemon()
    place.start_agent()
    quest = place.submit(single("raising", retry=RetryPolicy(attempts=3, delay_ms=20)))
    place.await_end([quest])
    assert failure_of(place, quest).kind == "exception"
    assert "a reason" in failure_of(place, quest).message
    assert [call["attempt"] for call in place.calls()] == [1, 2, 3]
    check(place, [quest])


def test_what_cannot_be_carried_fails_with_its_kind_and_harms_nobody(place: Place) -> None:
    place.start_daemon()
    agent = place.start_agent()
    wanted = {
        "object": "unserialisable",
        "nan": "unserialisable",
        "surrogate": "unserialisable",
        "huge": "too_large",
    }
    quests = {
        what: place.submit(single("returning", arguments={"what": what}, retry=ONCE))
        for what in wanted
    }
    beside = [place.submit(chain(3)) for _ in range(10)]
    place.await_end([*quests.values(), *beside])
    assert {what: failure_of(place, quest).kind for what, quest in quests.items()} == wanted
    assert {place.head(quest).status for quest in beside} == {"completed"}
    assert agent.popen.poll() is None
    check(place, [*quests.values(), *beside])


def test_timeouts_end_what_hangs_and_the_agent_works_on(place: Place) -> None:
    place.start_daemon()
    place.start_agent(CAPACITY="4")
    hanging = place.submit(single("gated", timeout_ms=400, retry=ONCE))
    quiet = place.submit(single("silent", heartbeat_timeout_ms=400, retry=ONCE))
    total = place.submit(single("obedient"), total_timeout_ms=600)
    beside = [place.submit(chain(3)) for _ in range(5)]
    quests = [hanging, quiet, total, *beside]
    place.await_end(quests)
    assert [failure_of(place, quest).kind for quest in quests[:3]] == ["timeout"] * 3
    assert {place.head(quest).status for quest in beside} == {"completed"}
    check(place, quests)


def test_an_instance_whose_slots_all_hang_leaves_and_the_next_one_does_the_rest(
    place: Place,
) -> None:
    place.start_daemon()
    stuck = place.start_agent(CAPACITY="1")
    hanging = place.submit(single("gated", timeout_ms=300, retry=ONCE))
    place.await_calls(1)
    beside = place.submit(chain(2))
    assert stuck.wait() == 75
    place.start_agent()
    place.await_end([hanging, beside])
    assert failure_of(place, hanging).kind == "timeout"
    assert place.head(beside).status == "completed"
    check(place, [hanging, beside])


def test_a_tool_that_listens_ends_when_its_quest_is_cancelled(place: Place) -> None:
    place.start_daemon()
    place.start_agent()
    quest = place.submit(single("obedient"))
    place.await_calls(1)
    assert place.ask(ctl.CancelQuest(quest, "no need", "me")) == ctl.Done()
    place.ask(ctl.CancelQuest(quest, "no need", "me"))
    assert place.await_end([quest])[quest].status == "cancelled"
    assert place.kinds(quest).count("quest.cancel_requested") == 1
    assert "quest.cancelled" in place.kinds(quest)
    check(place, [quest])


def test_a_deaf_tool_is_abandoned_after_its_grace_and_its_late_result_is_refused(
    place: Place,
) -> None:
    place.start_daemon()
    place.start_agent()
    quest = place.submit(single("gated"))
    place.await_calls(1)
    place.ask(ctl.CancelQuest(quest, "no need", "me"))
    place.daemon.kill()
    place.daemon.wait()
    place.start_daemon()
    assert place.await_end([quest])[quest].status == "cancelled"
    place.gate.touch()
    abandoned = [e for e in place.events(quest) if isinstance(e, ev.AttemptCancelled)]
    assert [event.abandoned for event in abandoned] == [True]
    place.await_kind(quest, "attempt.refused")
    check(place, [quest])


@pytest.mark.parametrize("size", [5_000, 70_000, 2_000_000])
def test_large_results_pass_through_the_steps_and_a_killed_daemon(place: Place, size: int) -> None:
    definition = QuestDefinition(
        "big",
        (
            step("first", "big", arguments={"size": size}),
            step(
                "second", "work", dependencies=("first",), arguments={"value": "{{ first.result }}"}
            ),
            step(
                "third",
                "work",
                dependencies=("second",),
                arguments={"value": "{{ second.result }}", "seconds": 0.2},
            ),
            step(
                "last", "measure", dependencies=("third",), arguments={"text": "{{ third.result }}"}
            ),
        ),
    )
    place.start_daemon()
    place.start_agent()
    quests = [place.submit(definition) for _ in range(3)]
    place.await_calls(5)
    place.daemon.kill()
    place.daemon.wait()
    place.start_daemon()
    place.await_end(quests)
    for quest in quests:
        assert place.output(quest) == str(size).encode()
    assert len(place.calls()) == 12
    check(place, quests)


def test_inputs_of_three_megabytes_reach_the_tool(place: Place) -> None:
    place.start_daemon()
    place.start_agent()
    text = "a" * (3 * 1024 * 1024 - 100)
    definition = QuestDefinition(
        "long", (step("only", "measure", arguments={"text": "{{ words }}"}),)
    )
    quest = place.submit(definition, inputs=encode_json({"words": text}))
    place.await_end([quest])
    assert place.output(quest) == str(len(text)).encode()
    too_long = place.ask(
        ctl.Submit(encode_definition(definition), inputs=encode_json({"words": text + "a" * 200}))
    )
    assert isinstance(too_long, ctl.Error)
    assert too_long.kind == "invalid", too_long
    check(place, [quest])
