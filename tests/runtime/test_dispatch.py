"""Worker threads: nothing is lost, nobody runs twice at once, whatever races with a stop."""

import threading
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import pytest
from pykka import ActorDeadError

from questd.runtime.actor import Actor, ChildFailed, ChildStopped, Ref, stop
from questd.runtime.dispatch import PooledDispatcher
from tests.runtime.making import Broken, Parent

WAIT_S = 20.0
"""Only ever waited for in full by a test that fails."""


@contextmanager
def pool(workers: int = 2, batch: int = 8) -> Generator[PooledDispatcher]:
    dispatcher = PooledDispatcher(workers=workers, batch=batch, name="test")
    dispatcher.start()
    try:
        yield dispatcher
    finally:
        dispatcher.stop()


def at_once(*bodies: Callable[[], None]) -> None:
    """Each on a thread of its own, all let go at the same moment."""
    gate = threading.Barrier(len(bodies))
    errors: list[BaseException] = []

    def body(of: Callable[[], None]) -> None:
        gate.wait(WAIT_S)
        try:
            of()
        except BaseException as error:
            errors.append(error)
            raise

    threads = [threading.Thread(target=body, args=(each,)) for each in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    assert errors == []


class Counting(Actor):
    """Counts what comes, and whether two workers were ever in it at once."""

    def __init__(self, parent: Ref | None = None, *, expected: int = -1) -> None:
        super().__init__(parent=parent, name="counting")
        self.received: list[Any] = []
        self.undelivered: list[Any] = []
        self.expected = expected
        self.inside = 0
        self.overlaps = 0
        self.done = threading.Event()

    def on_receive(self, message: Any) -> Any:
        self.inside += 1
        self.overlaps += self.inside != 1
        self.received.append(message)
        if message == "fail":
            raise Broken
        self.inside -= 1
        if len(self.received) == self.expected:
            self.done.set()
        return message

    def on_undelivered(self, message: Any) -> None:
        self.undelivered.append(message)


class Hearing(Parent):
    def __init__(self) -> None:
        super().__init__()
        self.told = threading.Event()

    def on_receive(self, message: Any) -> None:
        super().on_receive(message)
        self.told.set()


# -- one lifecycle ---------------------------------------------------------------------------------


def test_starting_twice_stopping_twice_and_stopping_before_the_start_are_fine() -> None:
    never = PooledDispatcher()
    never.stop()
    never.stop()
    never.start()  # what has been stopped stays stopped
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("actors-")]
    twice = PooledDispatcher(workers=2, name="twice")
    twice.start()
    twice.start()
    assert sum(thread.name.startswith("twice-") for thread in threading.enumerate()) == 2
    twice.stop()
    twice.stop()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("twice-")]


def test_it_can_be_stopped_from_one_of_its_own_turns() -> None:
    dispatcher = PooledDispatcher(workers=1)
    done = threading.Event()

    class Last(Actor):
        def on_receive(self, message: Any) -> None:
            dispatcher.stop()
            done.set()

    dispatcher.start()
    Last().launch(dispatcher).tell(1)
    assert done.wait(WAIT_S)


def test_it_says_how_many_mailboxes_wait() -> None:
    dispatcher = PooledDispatcher()
    for _ in range(3):
        Counting().launch(dispatcher)
    assert dispatcher.depth == 3
    with pytest.raises(ActorDeadError):
        stopped_ref().ask(1)


def stopped_ref() -> Ref:
    with pool() as dispatcher:
        ref = Counting().launch(dispatcher)
        ref.stop(block=True, timeout=WAIT_S)
        return ref


# -- nothing is lost -------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 4])
def test_all_that_is_told_by_many_threads_arrives_once_and_in_each_ones_order(workers: int) -> None:
    tellers, each = 6, 400
    actors = [Counting(expected=tellers * each) for _ in range(3)]
    with pool(workers) as dispatcher:
        refs = [actor.launch(dispatcher) for actor in actors]

        def tell(who: int) -> Callable[[], None]:
            def body() -> None:
                for n in range(each):
                    for ref in refs:
                        assert ref.tell((who, n))

            return body

        at_once(*(tell(who) for who in range(tellers)))
        assert all(actor.done.wait(WAIT_S) for actor in actors)
    for actor in actors:
        assert actor.overlaps == 0
        for who in range(tellers):
            assert [n for teller, n in actor.received if teller == who] == list(range(each))


def test_asks_of_many_threads_are_each_answered_with_their_own() -> None:
    with pool() as dispatcher:
        ref = Counting().launch(dispatcher)

        def ask(who: int) -> Callable[[], None]:
            def body() -> None:
                for n in range(60):
                    assert ref.ask((who, n), timeout=WAIT_S) == (who, n)

            return body

        at_once(*(ask(who) for who in range(4)))


@pytest.mark.parametrize("end", ["stop", "fail"])
@pytest.mark.parametrize("attempt", range(15))
def test_what_was_taken_before_an_end_is_handled_or_undelivered_never_lost(
    end: str, attempt: int
) -> None:
    del attempt
    with pool(workers=3, batch=4) as dispatcher:
        parent = Hearing()
        actor = Counting(parent.launch(dispatcher))
        ref = actor.launch(dispatcher)
        taken: list[list[int]] = [[] for _ in range(4)]

        def tell(who: int) -> Callable[[], None]:
            def body() -> None:
                taken[who].extend(n for n in range(100) if ref.tell(who * 1_000 + n))

            return body

        def finish() -> None:
            if end == "stop":
                stop(ref)
            else:
                ref.tell("fail")

        at_once(*(tell(who) for who in range(4)), finish)
        assert parent.told.wait(WAIT_S)
        assert ref.tell("after") is False
    # The pool has finished its turns: what was taken is somewhere.
    accounted = Counter(m for m in actor.received + actor.undelivered if m != "fail")
    expected = Counter(who * 1_000 + n for who, numbers in enumerate(taken) for n in numbers)
    assert accounted == expected
    assert actor.overlaps == 0
    kinds = {"stop": ChildStopped, "fail": ChildFailed}
    assert [type(heard) for heard in parent.heard] == [kinds[end]]


@pytest.mark.parametrize("attempt", range(10))
def test_an_ask_that_races_with_a_stop_is_answered_or_told_of_the_death(attempt: int) -> None:
    del attempt
    with pool() as dispatcher:
        ref = Counting().launch(dispatcher)
        ends: list[str] = []

        def ask() -> None:
            for n in range(20):
                try:
                    assert ref.ask(n, timeout=WAIT_S) == n
                    ends.append("answered")
                except ActorDeadError:
                    ends.append("dead")

        at_once(ask, ask, lambda: stop(ref))
        assert len(ends) == 40


def test_an_actor_that_fails_takes_no_worker_with_it() -> None:
    with pool(workers=1) as dispatcher:
        for _ in range(20):
            ref = Counting().launch(dispatcher)
            with pytest.raises(Broken):
                ref.ask("fail", timeout=WAIT_S)
        assert Counting().launch(dispatcher).ask("alive", timeout=WAIT_S) == "alive"
