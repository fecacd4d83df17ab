"""Restarts as in OTP: how often, which children, and when to give up."""

from collections.abc import Callable
from typing import Any

import pytest

from questd.runtime.actor import ChildFailed, Ref, stop
from questd.runtime.deterministic import VirtualClock
from questd.runtime.supervision import (
    ChildSpec,
    Escalated,
    Intensity,
    Restart,
    Strategy,
    Supervisor,
    affected_by,
    restarts,
)
from tests.runtime.making import ByHand, Parent, Recorder, fail_on

# -- how often -------------------------------------------------------------------------------------


def test_so_many_restarts_are_allowed_and_the_next_is_refused() -> None:
    intensity = Intensity(most=3, within_s=5)
    assert [intensity.allows(now) for now in (0, 1, 2, 3)] == [True, True, True, False]


def test_deaths_that_lie_far_apart_are_allowed_for_ever() -> None:
    intensity = Intensity(most=2, within_s=5)
    assert all(intensity.allows(now) for now in range(0, 1_000, 3))


def test_a_death_is_forgotten_when_its_time_is_over_and_not_before() -> None:
    at_the_edge = Intensity(most=1, within_s=5)
    assert [at_the_edge.allows(0), at_the_edge.allows(5)] == [True, True]
    just_before = Intensity(most=1, within_s=5)
    assert [just_before.allows(0), just_before.allows(4.999)] == [True, False]


def test_no_restart_at_all_can_be_asked_for() -> None:
    assert Intensity(most=0).allows(0) is False


def test_a_child_that_dies_all_the_time_costs_no_memory() -> None:
    intensity = Intensity(most=3, within_s=5)
    for n in range(10_000):
        intensity.allows(n / 10)
    assert sum(intensity.allows(1_000.0 + n) for n in range(3)) <= 3


# -- which children --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("restart", "after_failure", "after_end"),
    [("permanent", True, True), ("transient", True, False), ("temporary", False, False)],
)
def test_a_child_starts_again_by_its_kind(
    restart: Restart, after_failure: bool, after_end: bool
) -> None:
    assert restarts(restart, failed=True) is after_failure
    assert restarts(restart, failed=False) is after_end


@pytest.mark.parametrize(
    ("strategy", "affected"), [("one_for_one", "b"), ("one_for_all", "abc"), ("rest_for_one", "bc")]
)
def test_a_strategy_says_who_is_started_anew(strategy: Strategy, affected: str) -> None:
    def never(parent: Ref) -> Ref:
        raise AssertionError

    specs = [ChildSpec(name, never) for name in "abc"]
    assert "".join(s.name for s in affected_by(strategy, specs, specs[1])) == affected


# -- the supervisor --------------------------------------------------------------------------------


class Tree:
    """A supervisor of a, b and c under a parent. ``log``: what starts (A) and what stops (a)."""

    def __init__(self, strategy: Strategy = "one_for_one", **restart: Restart) -> None:
        self.by_hand = ByHand()
        self.clock = VirtualClock(0)
        self.log: list[str] = []
        self.children: dict[str, Ref] = {}
        self.noted: list[tuple[str, str]] = []
        self.parent = Parent()
        parent = self.parent.launch(self.by_hand)
        specs = [ChildSpec(n, self._starter(n), restart.get(n, "permanent")) for n in "abc"]
        self.supervisor = Supervisor(
            specs,
            clock=self.clock,
            strategy=strategy,
            parent=parent,
            on_restart=lambda name, error: self.noted.append((name, str(error))),
        ).launch(self.by_hand)
        self.by_hand.run()

    def _starter(self, name: str) -> Callable[[Ref], Ref]:
        log = self.log

        class Child(Recorder):
            def on_start(self) -> None:
                log.append(name.upper())

            def on_stop(self) -> None:
                log.append(name)

        def start(parent: Ref) -> Ref:
            child = Child(parent=parent, name=name, react=fail_on("die"))
            self.children[name] = child.launch(self.by_hand)
            return self.children[name]

        return start

    def kill(self, name: str) -> str:
        """What happened because of it."""
        return self._tell(name, lambda ref: ref.tell("die"))

    def end(self, name: str) -> str:
        return self._tell(name, stop)

    def _tell(self, name: str, tell: Callable[[Ref], Any]) -> str:
        self.log.clear()
        tell(self.children[name])
        self.by_hand.run()
        return "".join(self.log)

    @property
    def alive(self) -> str:
        return "".join(name for name, ref in self.children.items() if ref.is_alive())


def test_children_start_in_their_order_and_stop_in_the_other() -> None:
    tree = Tree()
    assert "".join(tree.log) == "ABC"
    tree.log.clear()
    stop(tree.supervisor)
    tree.by_hand.run()
    assert "".join(tree.log) == "cba"
    assert tree.alive == ""


def test_one_for_one_starts_the_dead_one_anew() -> None:
    tree = Tree()
    assert tree.kill("b") == "B"
    assert tree.alive == "abc"
    assert tree.noted == [("b", "die")]


def test_rest_for_one_starts_those_after_it_anew_too() -> None:
    tree = Tree("rest_for_one")
    assert sorted(tree.kill("b")) == sorted("cBC")
    assert tree.alive == "abc"
    assert sorted(tree.kill("a")) == sorted("bcABC")
    assert tree.kill("c") == "C"


def test_one_for_all_starts_all_anew() -> None:
    tree = Tree("one_for_all")
    assert sorted(tree.kill("b")) == sorted("acABC")
    assert tree.alive == "abc"


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
def test_those_that_are_replaced_have_ended_before_the_new_ones_start(strategy: Strategy) -> None:
    tree = Tree(strategy)
    happened = tree.kill("a")
    assert happened == "cbABC"


def test_an_orderly_end_is_no_reason_for_a_transient_child_to_start_again() -> None:
    tree = Tree(b="transient")
    assert tree.end("b") == "b"
    assert tree.alive == "ac"


def test_a_permanent_child_starts_again_after_an_orderly_end() -> None:
    tree = Tree()
    assert tree.end("b") == "bB"
    assert tree.noted == []  # nothing went wrong


def test_a_temporary_child_stays_dead() -> None:
    tree = Tree(b="temporary")
    assert tree.kill("b") == ""
    assert tree.alive == "ac"


def test_too_many_deaths_escalate_and_take_all_children_along() -> None:
    tree = Tree()
    for _ in range(3):
        assert tree.kill("b") == "B"
    assert tree.kill("b") == "ca"
    (heard,) = tree.parent.heard
    assert isinstance(heard, ChildFailed)
    assert isinstance(heard.error, Escalated)
    assert str(heard.error) == "supervisor: b died too often"
    assert str(heard.error.__cause__) == "die"
    assert tree.alive == ""


def test_deaths_over_a_long_time_do_not_escalate() -> None:
    tree = Tree()
    for _ in range(20):
        tree.clock.advance(tree.clock.monotonic_us + 2_000_000)
        assert tree.kill("b") == "B"
    assert tree.parent.heard == []


def test_deaths_of_different_children_count_together() -> None:
    tree = Tree()
    for name in "abc":
        tree.kill(name)
    tree.kill("a")
    assert [type(heard) for heard in tree.parent.heard] == [ChildFailed]


def test_the_news_of_an_earlier_child_does_not_concern_its_successor() -> None:
    tree = Tree()
    old = tree.children["b"]
    tree.kill("b")
    tree.supervisor.tell(ChildFailed(old, "b", Escalated("again")))
    tree.by_hand.run()
    assert "".join(tree.log) == "B"


def test_a_supervisor_of_supervisors_starts_a_branch_anew() -> None:
    by_hand, clock = ByHand(), VirtualClock(0)
    leaves: list[Ref] = []

    def leaf(parent: Ref) -> Ref:
        child = Recorder(parent=parent, name="leaf", react=fail_on("die"))
        leaves.append(child.launch(by_hand))
        return leaves[-1]

    def branch(parent: Ref) -> Ref:
        specs = [ChildSpec("leaf", leaf)]
        inner = Supervisor(specs, clock=clock, parent=parent, name="branch")
        return inner.launch(by_hand)

    Supervisor([ChildSpec("branch", branch)], clock=clock, name="root").launch(by_hand)
    by_hand.run()
    for _ in range(4):
        leaves[-1].tell("die")
        by_hand.run()
    assert len(leaves) == 5
    assert leaves[-1].is_alive()
