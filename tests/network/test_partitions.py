"""Agents that are cut off, with nobody told: what is given up, what is run again, and what becomes of results that come late."""

from typing import Any

import pytest

from questd.messages import control as ctl
from questd.messages import events as ev
from tests.network.ground import HOLD, LIMITS, NOTHING, SCALE, SWALLOW, Ground
from tests.system.place import chain, single, until
from tests.system.rules import check

PATIENT = {"lease_s": 20.0, "closed_pipe_s": 20.0}
"""A partition in these tests is shorter than that."""


def has_redialled(ground: Ground, network: Any) -> None:
    """The agent has noticed, and hung up on the dead link."""
    before = network.counts()["connected"]
    until("the agent dials again", lambda: network.counts()["connected"] > before)


@pytest.mark.parametrize("tool", ["gated", "pay"])
def test_a_partition_shorter_than_the_lease_costs_nothing(ground: Ground, tool: str) -> None:
    ground.begin(limits=PATIENT)
    network = ground.network()
    ground.far_agent(network.url)
    quest = ground.submit(single(tool))
    ground.await_calls(1)
    network.partition()
    ground.gate.touch()
    has_redialled(ground, network)
    network.heal()
    assert ground.await_end([quest])[quest].status == "completed"
    assert ground.counted(quest)["attempt.started"] == 1
    assert "attempt.lost" not in ground.kinds(quest)
    assert len(ground.calls()) == 1
    check(ground, [quest])


def test_after_a_longer_one_the_task_ran_elsewhere_and_the_late_result_is_refused_once(
    ground: Ground,
) -> None:
    ground.begin()
    network = ground.network()
    ground.far_agent(network.url)
    quest = ground.submit(single("gated"))
    ground.await_calls(1)
    network.partition()
    ground.await_kind(quest, "attempt.lost")
    other = ground.start_agent()
    ground.await_calls(2)
    ground.gate.touch()
    assert ground.await_end([quest])[quest].status == "completed"
    assert not ground.refusals(quest)
    network.heal()
    ground.await_kind(quest, "attempt.refused")
    other.close()
    following = ground.submit(chain(3))
    ground.await_end([following])
    started, again = [
        n for n, kind in enumerate(ground.kinds(quest), 1) if kind == "attempt.started"
    ]
    (refused,) = ground.refusals(quest)
    assert refused == ev.AttemptRefused("only", started, "completed", "the quest has ended")
    completed = [e.epoch for e in ground.events(quest) if isinstance(e, ev.AttemptCompleted)]
    assert completed == [again]
    check(ground, [quest, following])


def test_what_must_not_be_repeated_waits_for_a_person_whose_word_the_late_result_does_not_change(
    ground: Ground,
) -> None:
    ground.begin()
    network = ground.network()
    ground.far_agent(network.url)
    quest = ground.submit(single("pay"))
    ground.await_calls(1)
    network.partition()
    ground.gate.touch()
    ground.await_kind(quest, "breakpoint.opened")
    reply = ground.ask(ctl.ResolveTask(quest, "complete", "ann", result=b'"by hand"'))
    assert isinstance(reply, ctl.Done), reply
    assert ground.await_end([quest])[quest].status == "completed"
    network.heal()
    ground.await_kind(quest, "attempt.refused")
    assert len(ground.refusals(quest)) == 1
    assert ground.output(quest) == b'"by hand"'
    assert len(ground.calls()) == 1
    check(ground, [quest])


@pytest.mark.parametrize("swallowed", ["up", "down", "both"])
def test_a_half_open_link_is_left_for_a_new_one_and_nothing_is_done_twice(
    ground: Ground, swallowed: str
) -> None:
    daemon = ground.begin(limits=PATIENT)
    network = ground.network()
    ground.far_agent(network.url)
    first = ground.submit(chain(2))
    ground.await_end([first])
    ways = ("up", "down") if swallowed == "both" else (swallowed,)
    network.rules("standing", **dict.fromkeys(ways, SWALLOW))
    quests = [ground.submit(chain(3)) for _ in range(5)]
    ground.await_end(quests, deadline_s=15 * LIMITS["hold_s"] + 10)
    assert network.counts()["connected"] >= 2
    assert not daemon.notes("agent.lost")
    for quest in quests:
        assert ground.counted(quest)["attempt.started"] == 3
    assert len(ground.calls()) == 2 + 5 * 3
    check(ground, quests)


def test_links_that_break_again_and_again_delay_work_and_do_not_lose_it(ground: Ground) -> None:
    ground.begin(limits=PATIENT)
    network = ground.network()
    agents = [ground.far_agent(network.url) for _ in range(2)]
    quests = [ground.submit(chain(4, seconds=0.05)) for _ in range(20)]
    ground.await_calls(2)
    for _ in range(5 + SCALE):
        network.rules(
            "coming", up=HOLD, down=HOLD
        )  # first: who dials at once must not find a good link
        network.do("cut")
        has_redialled(ground, network)
        network.rules("all", up=NOTHING, down=NOTHING)
        go_on(ground, len(ground.calls()))
    ground.await_end(quests)
    assert all(agent.popen.poll() is None for agent in agents)
    check(ground, quests)


def go_on(ground: Ground, calls: int) -> None:
    """Until there are more calls than so many, or nothing is left to do."""

    def moved() -> bool:
        ended = all(head.status == "completed" for head in ground.heads().values())
        return ended or len(ground.calls()) > calls

    until("work goes on", moved)
