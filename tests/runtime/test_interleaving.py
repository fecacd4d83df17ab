"""The races of mailbox, turn token and end, line against line: whichever thread is overtaken where, nothing is lost."""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from pykka import ActorDeadError

from questd.runtime.actor import Actor, Mailbox, Ref, stop
from tests.runtime.lockstep import Body, Lockstep, schedules
from tests.runtime.making import Broken

TRACED = "runtime/actor.py"
THREADS = 4
PAIRS = 100


class Shared:
    """A dispatcher whose workers are bodies of the test."""

    def __init__(self) -> None:
        self.ready: deque[Mailbox] = deque()
        self.lockstep: Lockstep | None = None

    def schedule(self, mailbox: Mailbox) -> None:
        self.ready.append(mailbox)

    def worker(self, others: int) -> Body:
        """Runs what is ready until the first ``others`` bodies are done and nothing is left."""

        def body(idle: Callable[[], None]) -> None:
            assert self.lockstep is not None
            while True:
                over = all(self.lockstep.done[:others])
                if self.ready:
                    self.ready.popleft().run(2)
                elif over:
                    return
                else:
                    idle()

        return body


class Witness(Actor):
    """Notes what comes; ``end`` says how it ends: when told, by failing, or by itself as soon as it is quiet."""

    def __init__(self, parent: Ref | None, end: str) -> None:
        super().__init__(parent=parent, name="witness")
        self.end = end
        self.received: list[Any] = []
        self.undelivered: list[Any] = []
        self.inside = False

    def on_receive(self, message: Any) -> Any:
        assert not self.inside, "two workers at once"
        self.inside = True
        self.received.append(message)
        if message == "fail":
            raise Broken
        self.inside = False
        return message

    def after_batch(self) -> None:
        if self.end == "rest" and self.received and self.mailbox.empty():
            self._stop()

    def on_undelivered(self, message: Any) -> None:
        self.undelivered.append(message)


class Ends(Actor):
    def __init__(self) -> None:
        super().__init__(name="ends")
        self.heard: list[Any] = []

    def on_receive(self, message: Any) -> None:
        self.heard.append(message)


class Race:
    """One run: a teller, another one or somebody who ends the actor, and two workers."""

    def __init__(self, end: str) -> None:
        self.end = end
        self.shared = Shared()
        self.parent = Ends()
        parent = self.parent.launch(self.shared)
        self.actor = Witness(parent, end)
        self.ref = self.actor.launch(self.shared)
        while self.shared.ready:
            self.shared.ready.popleft().run(9)
        self.taken: list[Any] = []
        self.futures: list[Any] = []

    def run(self, schedule: dict[int, int]) -> int:
        second = self._tell("b") if self.end == "none" else self._finish
        bodies: list[Body] = [self._tell("a"), second]
        workers = [self.shared.worker(len(bodies)) for _ in range(2)]
        lockstep = Lockstep([*bodies, *workers], schedule, TRACED)
        self.shared.lockstep = lockstep
        lockstep.run()
        return lockstep.steps

    def _tell(self, who: str) -> Body:
        def body(_: Callable[[], None]) -> None:
            for n in range(2):
                if self.ref.tell((who, n)):
                    self.taken.append((who, n))

        return body

    def _finish(self, _: Callable[[], None]) -> None:
        if self.end == "stop":
            stop(self.ref)
        elif self.end == "fail":
            self.ref.tell("fail")
        elif self.end == "ask":
            self.futures += [self.ref.ask(("asked", n), block=False) for n in range(2)]
            stop(self.ref)

    def check(self) -> None:
        actor = self.actor
        told = [m for m in actor.received if m != "fail" and m[0] != "asked"]
        assert sorted(told + actor.undelivered) == sorted(self.taken)
        for who in "ab":
            mine = [n for sender, n in told if sender == who]
            assert mine == sorted(mine)
        assert self.ref.actor_inbox.empty()
        for future in self.futures:
            with suppress(ActorDeadError):
                assert future.get(timeout=0)[0] == "asked"
        ended = not self.ref.is_alive()
        assert len(self.parent.heard) == ended
        assert ended or self.end in {"none", "rest"}


def explore(end: str) -> int:
    tried = 0
    first = Race(end)
    for schedule in schedules(first.run({}), THREADS, pairs=PAIRS, seed=1):
        race = Race(end)
        try:
            race.run(schedule)
            race.check()
        except BaseException as error:
            error.add_note(f"schedule {schedule}")
            raise
        tried += 1
    return tried


@pytest.mark.parametrize("end", ["none", "stop", "fail", "ask", "rest"])
def test_no_message_is_lost_doubled_or_overtaken_whichever_thread_is_overtaken_where(
    end: str,
) -> None:
    assert explore(end) > PAIRS


def test_the_explorer_finds_a_race_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mailbox that forgets to look again after its turn loses a wake-up."""

    def run(self: Mailbox, budget: int = 64) -> None:
        actor = self.owner
        assert actor is not None
        actor.take_turn(self, budget)
        self._token.append(None)  # pyright: ignore[reportPrivateUsage]

    monkeypatch.setattr(Mailbox, "run", run)
    with pytest.raises(AssertionError):
        explore("none")
