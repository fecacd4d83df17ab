"""Actors for tests, and a dispatcher that runs when it is told to."""

from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any

from questd.runtime.actor import BATCH, Actor, Mailbox, Ref


class ByHand:
    """A dispatcher of one thread: the caller's, when it says ``run``."""

    def __init__(self, batch: int = BATCH) -> None:
        self.ready: deque[Mailbox] = deque()
        self.batch = batch
        self.scheduled = 0

    def schedule(self, mailbox: Mailbox) -> None:
        self.ready.append(mailbox)
        self.scheduled += 1

    def run_one(self) -> bool:
        if not self.ready:
            return False
        self.ready.popleft().run(self.batch)
        return True

    def run(self) -> None:
        while self.run_one():
            pass


class Recorder(Actor):
    """Notes everything that happens to it. ``react`` is called with each message; what it raises, the actor raises."""

    def __init__(
        self,
        *,
        parent: Ref | None = None,
        name: str = "recorder",
        react: Callable[[Any], Any] = lambda message: message,
    ) -> None:
        super().__init__(parent=parent, name=name)
        self.log: list[Any] = []
        self.undelivered: list[Any] = []
        self.react = react

    def on_start(self) -> None:
        self.log.append("start")

    def on_stop(self) -> None:
        self.log.append("stop")

    def on_failure(
        self,
        exception_type: type[BaseException] | None,
        exception_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.log.append(("failure", exception_value))

    def after_batch(self) -> None:
        self.log.append("batch")

    def on_undelivered(self, message: Any) -> None:
        self.undelivered.append(message)

    def on_receive(self, message: Any) -> Any:
        self.log.append(message)
        return self.react(message)


class Parent(Actor):
    """Keeps what its children tell of their end."""

    def __init__(self) -> None:
        super().__init__(name="parent")
        self.heard: list[Any] = []

    def on_receive(self, message: Any) -> None:
        self.heard.append(message)


class Broken(Exception):
    """What test actors raise."""


def fail_on(bad: Any) -> Callable[[Any], Any]:
    def react(message: Any) -> Any:
        if message == bad:
            raise Broken(message)
        return message

    return react
