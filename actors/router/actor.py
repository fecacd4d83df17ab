"""The router: one actor that gives tasks their places (core.py says how)."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from questd.actors.house import House
from questd.actors.mail import (
    Answered,
    ForgetQuest,
    InstanceDrains,
    InstanceJoined,
    InstanceLeft,
    InstanceResized,
    Places,
    QuestResting,
    ReplyTo,
    Settle,
    ToQuest,
)
from questd.actors.router import core
from questd.actors.router.instance import Instance
from questd.messages.control import MissingAgents
from questd.runtime.actor import Actor, Ref


class Router(Actor):
    """Answers every ``Settle`` at once; later grants are sent as they come."""

    def __init__(self, house: House, parent: Ref) -> None:
        super().__init__(parent=parent, name="router")
        self._house = house
        self._state = core.RouterState(parallel=house.limits.parallel)
        self._quests: dict[str, Ref] = {}

    def on_receive(self, message: Any) -> None:
        match message:
            case Settle():
                self._settle(message)
            case QuestResting(quest):
                self._quests.pop(quest, None)
            case ForgetQuest(quest):
                self._quests.pop(quest, None)
                self._grant(core.serve(self._state, core.forget(self._state, quest)))
            case InstanceJoined():
                self._join(message)
            case InstanceLeft(instance):
                core.leave(self._state, instance)
            case InstanceDrains(instance):
                core.drain(self._state, instance)
            case InstanceResized(instance, credit):
                self._grant(core.resize(self._state, instance, credit))
            case ReplyTo(address, job):
                address.tell(Answered(job, self._missing()))
            case _:
                raise AssertionError(f"the router got {message!r}")

    def _settle(self, settle: Settle) -> None:
        state, quest = self._state, settle.quest
        if quest:
            self._quests[quest] = settle.sender
        granted, unroutable = core.settle(state, settle, self._house.clock.now_us())
        if settle.answer:
            own = tuple(grant for grant in granted if grant[0].quest == quest)
            refused = tuple((each.want, each.message) for each in unroutable)
            absent = core.absent(state, settle.wants)
            settle.sender.tell(Places(own, refused, settled=True, absent=absent))
            granted = [grant for grant in granted if grant[0].quest != quest]
            unroutable = []
        self._grant(granted)
        self._refuse(unroutable)

    def _join(self, joined: InstanceJoined) -> None:
        instance = Instance(
            joined.instance,
            joined.agent,
            joined.capabilities,
            joined.tools,
            joined.credit,
            joined.address,
        )
        instance.draining = joined.draining
        granted, unroutable = core.join(self._state, instance)
        self._grant(granted)
        self._refuse(unroutable)

    def _grant(self, grants: Iterable[core.Grant]) -> None:
        by_quest: dict[str, list[core.Grant]] = defaultdict(list)
        for grant in grants:
            by_quest[grant[0].quest].append(grant)
        for quest, granted in by_quest.items():
            self._tell(quest, Places(tuple(granted)))

    def _refuse(self, unroutable: Iterable[core.Unroutable]) -> None:
        for each in unroutable:
            self._tell(each.want.quest, Places((), ((each.want, each.message),)))

    def _tell(self, quest: str, places: Places) -> None:
        """To the quest's actor; the directory wakes one that rests."""
        actor = self._quests.get(quest)
        if actor is not None and actor.tell(places):
            return
        if not self._house.directory.tell(ToQuest(quest, places.passed_on())):
            # The next directory says anew what its quests want; what this one was given is free again.
            core.release(self._state, [(quest, want.task) for want, _ in places.granted])

    def _missing(self) -> MissingAgents:
        found = core.missing(self._state)
        return MissingAgents(
            tuple((agent, caps, count, since) for (agent, caps, _), count, since in found)
        )
