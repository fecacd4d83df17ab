"""Restarts on the seeded dispatcher: whoever is replaced has ended before its successor starts."""

from random import Random
from typing import Any

import pytest

from questd.runtime.actor import Actor, Ref
from questd.runtime.deterministic import SeededDispatcher, VirtualClock
from questd.runtime.supervision import ChildSpec, Supervisor


class Child(Actor):
    def __init__(self, name: str, story: list[str], parent: Ref) -> None:
        super().__init__(parent=parent, name=name)
        self._story = story

    def on_start(self) -> None:
        self._story.append(f"{self.name} starts")

    def on_stop(self) -> None:
        self._story.append(f"{self.name} ends")

    def on_receive(self, message: Any) -> None:
        raise ValueError(message)


def tree(seed: int) -> tuple[SeededDispatcher, dict[str, Ref], list[str]]:
    dispatcher, story = SeededDispatcher(Random(seed)), list[str]()
    refs: dict[str, Ref] = {}

    def start(name: str) -> ChildSpec:
        def launch(parent: Ref) -> Ref:
            refs[name] = Child(name, story, parent).launch(dispatcher)
            return refs[name]

        return ChildSpec(name, launch)

    children = [start("first"), start("second"), start("third")]
    root = Supervisor(children, clock=VirtualClock(0), strategy="rest_for_one", name="root")
    root.launch(dispatcher)
    while dispatcher.run_one():
        pass
    return dispatcher, refs, story


@pytest.mark.parametrize("seed", range(30))
def test_a_child_starts_again_only_when_all_that_were_stopped_have_ended(seed: int) -> None:
    dispatcher, refs, story = tree(seed)
    before = dict(refs)
    del story[:]
    refs["second"].tell("boom")
    while dispatcher.run_one():
        pass
    assert story[0] == "third ends"
    assert sorted(story[1:]) == ["second starts", "third starts"]
    assert refs["first"] is before["first"]
    assert not refs["second"].actor_stopped.is_set()
    assert not refs["third"].actor_stopped.is_set()
