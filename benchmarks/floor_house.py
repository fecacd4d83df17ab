"""The floor's doors-keeper, directory and router."""

# ruff: noqa: D102 - the hooks of an actor say what they are where runtime.actor declares them

from collections import deque
from typing import Any

from benchmarks.floor_mail import (
    Arrived,
    Begun,
    Joined,
    Leave,
    Loud,
    Place,
    Places,
    Rest,
    Settle,
    Start,
)
from benchmarks.floor_quest import Quest
from questd.messages.control import (
    Agents,
    Error,
    InstanceView,
    ListAgents,
    Request,
    Submit,
    Submitted,
    encode_control,
)
from questd.runtime.actor import Ref
from questd.runtime.nng import Door, Route


class Control(Loud):
    """Answers submits."""

    def __init__(self, place: Place) -> None:
        super().__init__(name="control")
        self._place = place
        self._open: dict[int, tuple[Door, Route]] = {}
        self._jobs = 0
        self._agents = 0

    def on_receive(self, message: Any) -> None:
        match message:
            case Arrived(door, route, frame):
                self._on_request(door, route, frame)
            case Begun(job, quest):
                door, route = self._open.pop(job)
                door.send(route, encode_control(Submitted(quest, created=True)))
            case Joined():
                self._agents += 1
            case _:
                raise AssertionError(message)

    def _on_request(self, door: Door, route: Route, request: Request) -> None:
        match request:
            case Submit(definition):
                self._jobs += 1
                self._open[self._jobs] = (door, route)
                self._place.directory.tell(Start(definition, self.ref, self._jobs))
            case ListAgents():
                door.send(route, encode_control(Agents((_view(),) * self._agents)))
            case _:
                door.send(route, encode_control(Error("refused", "the floor takes submits only")))


def _view() -> InstanceView:
    return InstanceView("floor", "", "", 0, "", (), {}, 0, 0, 0, 0, False, 0, 0, 0, 0)


class Directory(Loud):
    """Begins quests and lets them go."""

    def __init__(self, place: Place) -> None:
        super().__init__(name="directory")
        self._place = place
        self._quests: dict[str, Ref] = {}
        self._count = 0

    def on_receive(self, message: Any) -> None:
        match message:
            case Start():
                self._count += 1
                name = f"q_{self._count:018d}"
                self._quests[name] = Quest(self._place, name, message).launch(
                    self._place.dispatcher
                )
            case Rest(quest):
                self._quests.pop(quest).tell(Leave())
            case _:
                raise AssertionError(message)


class Router(Loud):
    """Counts places and gives them out in order."""

    def __init__(self, place: Place) -> None:
        super().__init__(name="router")
        self._place = place
        self._agent: Ref | None = None
        self._free = 0
        self._waiting: deque[Ref] = deque()

    def on_receive(self, message: Any) -> None:
        match message:
            case Settle(sender, wants, releases):
                self._free += releases
                self._serve()
                if wants and self._free:
                    self._free -= 1
                    sender.tell(Places(self._agent, settled=True))
                elif wants:
                    self._waiting.append(sender)
                    sender.tell(Places(None, settled=True))
            case Joined(agent, credit):
                self._agent = agent
                self._free = credit
                self._place.control.tell(message)
                self._serve()
            case _:
                raise AssertionError(message)

    def _serve(self) -> None:
        while self._free and self._waiting:
            self._free -= 1
            self._waiting.popleft().tell(Places(self._agent, settled=False))
