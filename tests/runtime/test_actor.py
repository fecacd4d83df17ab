"""Mailbox lanes, turns, asks, and the one policy for what fails: whoever called, and however."""

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pykka
import pytest
from pykka import ActorDeadError
from pykka.messages import _ActorStop  # pyright: ignore[reportPrivateUsage]

from questd.runtime.actor import ASK_TIMEOUT_S, Actor, ChildFailed, ChildStopped, Ref, stop
from tests.runtime.making import Broken, ByHand, Parent, Recorder, fail_on


def begun(actor: Actor, dispatcher: ByHand) -> Ref:
    ref = actor.launch(dispatcher)
    dispatcher.run()
    return ref


def same(message: Any) -> Any:
    return message


def family(react: Callable[[Any], Any] = same) -> tuple[ByHand, Parent, Recorder, Ref]:
    """A parent and a child that have started."""
    by_hand, parent = ByHand(), Parent()
    begun(parent, by_hand)
    child = Recorder(parent=parent.ref, react=react)
    ref = begun(child, by_hand)
    child.log.clear()
    return by_hand, parent, child, ref


# -- lanes and turns -------------------------------------------------------------------------------


def test_messages_are_handled_in_the_order_in_which_they_came() -> None:
    by_hand, _, child, ref = family()
    for n in range(5):
        assert ref.tell(n) is True
    by_hand.run()
    assert child.log == [0, 1, 2, 3, 4, "batch"]


def test_supervision_overtakes_all_else_and_keeps_its_own_order() -> None:
    by_hand, _, child, ref = family()
    stopped = [ChildStopped(ref, name) for name in ("a", "b")]
    failed = ChildFailed(ref, "c", Broken())
    for message in (1, stopped[0], 2, failed, stopped[1], 3):
        ref.tell(message)
    by_hand.run()
    assert child.log == [stopped[0], failed, stopped[1], 1, 2, 3, "batch"]


def test_a_stop_overtakes_what_waits() -> None:
    by_hand, parent, child, ref = family()
    ref.tell(1)
    stop(ref)
    ref.tell(2)
    by_hand.run()
    assert (child.log, child.undelivered) == (["stop"], [1, 2])
    assert parent.heard == [ChildStopped(ref, "recorder")]


def test_supervision_that_is_asked_for_overtakes_too() -> None:
    by_hand, _, child, ref = family()
    ref.tell(1)
    future = ref.ask(_ActorStop(), block=False)
    by_hand.run()
    assert child.log == ["stop"]
    assert future.get(timeout=0) is None


def test_a_turn_is_a_bounded_batch_and_the_rest_waits_for_the_next() -> None:
    by_hand = ByHand(batch=3)
    child = Recorder()
    ref = begun(child, by_hand)
    child.log.clear()
    for n in range(5):
        ref.tell(n)
    assert by_hand.run_one()
    assert child.log == [0, 1, 2, "batch"]
    assert by_hand.run_one()
    assert child.log == [0, 1, 2, "batch", 3, 4, "batch"]
    assert not by_hand.run_one()


def test_a_busy_actor_lets_others_have_their_turn() -> None:
    by_hand = ByHand(batch=1)
    order: list[str] = []
    refs = [begun(Recorder(name=name, react=order.append), by_hand) for name in "ab"]
    for ref, name in zip(refs, "ab", strict=True):
        for _ in range(3):
            ref.tell(name)
    by_hand.run()
    assert "".join(order) == "ababab"


def test_a_mailbox_is_scheduled_once_however_much_comes() -> None:
    by_hand, _, _, ref = family()
    before = by_hand.scheduled
    for n in range(9):
        ref.tell(n)
    assert (by_hand.scheduled - before, len(by_hand.ready)) == (1, 1)


def test_what_an_actor_tells_itself_comes_after_what_waits() -> None:
    by_hand, _, child, ref = family()

    def again(message: Any) -> None:
        if message == 1:
            ref.tell("again")

    child.react = again
    ref.tell(1)
    ref.tell(2)
    by_hand.run()
    assert child.log == [1, 2, "again", "batch"]


def test_an_actor_starts_in_its_first_turn_even_when_nothing_is_said() -> None:
    by_hand, child = ByHand(), Recorder()
    child.launch(by_hand)
    assert child.log == []
    by_hand.run()
    assert child.log == ["start", "batch"]


def test_what_was_said_before_the_first_turn_is_handled_in_it() -> None:
    by_hand, child = ByHand(), Recorder()
    ref = child.launch(by_hand)
    ref.tell(1)
    by_hand.run()
    assert child.log == ["start", 1, "batch"]
    assert by_hand.scheduled == 1


def test_an_actor_needs_a_dispatcher() -> None:
    with pytest.raises(TypeError, match="launch"):
        Recorder.start()


# -- asks ------------------------------------------------------------------------------------------


def test_an_ask_is_answered_with_what_the_actor_returns() -> None:
    def one_more(n: int) -> int:
        return n + 1

    by_hand, _, _, ref = family(one_more)
    future = ref.ask(1, block=False)
    by_hand.run()
    assert future.get(timeout=0) == 2


def test_an_ask_of_an_actor_that_never_runs_ends_with_a_timeout() -> None:
    _, _, _, ref = family()
    with pytest.raises(pykka.Timeout):
        ref.ask(1, timeout=0.01)
    assert ASK_TIMEOUT_S == 30


def test_an_ask_without_a_timeout_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("questd.runtime.actor.ASK_TIMEOUT_S", 0.01)
    _, _, _, ref = family()
    with pytest.raises(pykka.Timeout):
        ref.ask(1)


def test_an_ask_of_a_dead_actor_fails_at_once() -> None:
    by_hand, _, _, ref = family()
    stop(ref)
    by_hand.run()
    with pytest.raises(ActorDeadError):
        ref.ask(1)
    assert ref.tell(1) is False
    assert ref.is_alive() is False


def test_asks_that_wait_when_the_actor_stops_are_answered_with_its_death() -> None:
    by_hand, _, child, ref = family()
    futures = [ref.ask(n, block=False) for n in range(3)]
    stop(ref)
    by_hand.run()
    for future in futures:
        with pytest.raises(ActorDeadError, match="recorder stopped before handling the message"):
            future.get(timeout=0)
    assert child.undelivered == []


def test_a_stop_that_was_asked_for_twice_is_answered_twice() -> None:
    by_hand, parent, _, ref = family()
    first, second = (ref.stop(block=False) for _ in range(2))
    by_hand.run()
    assert (first.get(timeout=0), second.get(timeout=0)) == (True, True)
    assert len(parent.heard) == 1


# -- one failure policy ----------------------------------------------------------------------------


@pytest.mark.parametrize("error", [Broken("x"), SystemExit(3), KeyboardInterrupt(), MemoryError()])
@pytest.mark.parametrize("how", ["tell", "ask"])
def test_whatever_is_raised_and_however_it_was_called_parent_and_caller_hear_of_it(
    error: BaseException, how: str
) -> None:
    def react(_: Any) -> None:
        raise error

    by_hand, parent, child, ref = family(react)
    future = ref.ask(1, block=False) if how == "ask" else ref.tell(1)
    ref.tell(2)
    by_hand.run()
    assert child.log == [1, ("failure", error)]
    assert parent.heard == [ChildFailed(ref, "recorder", error)]
    assert child.undelivered == [2]
    assert ref.is_alive() is False
    if how == "ask":
        with pytest.raises(type(error)):
            future.get(timeout=0)  # type: ignore[union-attr]


def test_an_actor_that_cannot_start_has_failed() -> None:
    class Stillborn(Recorder):
        def on_start(self) -> None:
            raise Broken("at birth")

    by_hand, parent = ByHand(), Parent()
    begun(parent, by_hand)
    child = Stillborn(parent=parent.ref)
    ref = child.launch(by_hand)
    future = ref.ask(1, block=False)
    by_hand.run()
    assert [type(heard) for heard in parent.heard] == [ChildFailed]
    with pytest.raises(ActorDeadError):
        future.get(timeout=0)


def test_an_actor_that_fails_at_the_end_of_its_turn_has_failed() -> None:
    class Careless(Recorder):
        def after_batch(self) -> None:
            raise Broken("at the end")

    by_hand, parent = ByHand(), Parent()
    begun(parent, by_hand)
    begun(Careless(parent=parent.ref), by_hand)
    assert [type(heard) for heard in parent.heard] == [ChildFailed]


def test_a_cleanup_that_fails_too_does_not_hide_the_first_error() -> None:
    class Messy(Recorder):
        def on_failure(self, exception_type: Any, exception_value: Any, traceback: Any) -> None:
            raise Broken("the second")

    by_hand, parent = ByHand(), Parent()
    begun(parent, by_hand)
    ref = begun(Messy(parent=parent.ref, react=fail_on("the first")), by_hand)
    ref.tell("the first")
    by_hand.run()
    (heard,) = parent.heard
    assert isinstance(heard, ChildFailed)
    assert str(heard.error) == "the first"


def test_an_actor_that_cannot_stop_has_failed_and_its_parent_hears_one_end() -> None:
    class Stubborn(Recorder):
        def on_stop(self) -> None:
            raise Broken("no")

    by_hand, parent = ByHand(), Parent()
    begun(parent, by_hand)
    ref = begun(Stubborn(parent=parent.ref), by_hand)
    stop(ref)
    by_hand.run()
    assert [type(heard) for heard in parent.heard] == [ChildFailed]


def test_a_failure_without_a_parent_harms_nobody() -> None:
    by_hand = ByHand()
    ref = begun(Recorder(react=fail_on(1)), by_hand)
    ref.tell(1)
    by_hand.run()
    assert ref.is_alive() is False


def test_a_child_may_keep_its_orderly_end_to_itself_but_not_its_failure() -> None:
    class Quiet(Recorder):
        tells_parent = False

    by_hand, parent = ByHand(), Parent()
    begun(parent, by_hand)
    quiet = begun(Quiet(parent=parent.ref), by_hand)
    broken = begun(Quiet(parent=parent.ref, react=fail_on(1)), by_hand)
    stop(quiet)
    broken.tell(1)
    by_hand.run()
    assert [type(heard) for heard in parent.heard] == [ChildFailed]


# -- what comes too late ---------------------------------------------------------------------------


def test_a_message_that_raced_with_the_stop_is_undelivered_not_lost() -> None:
    by_hand, _, child, ref = family()
    stop(ref)
    by_hand.run()
    ref.actor_inbox.put("late")  # as a teller does that looked just before the stop
    by_hand.run()
    assert child.undelivered == ["late"]


def test_an_ask_that_raced_with_the_stop_is_answered() -> None:
    by_hand, _, _, ref = family()
    future = ref.ask(1, block=False)
    stop(ref)
    by_hand.run()
    late = pykka.ThreadingFuture[Any]()
    ref.actor_inbox.put(type_of_envelope()(2, reply_to=late))
    by_hand.run()
    for each in (future, late):
        with pytest.raises(ActorDeadError):
            each.get(timeout=0)


def type_of_envelope() -> Any:
    from pykka._envelope import Envelope

    return Envelope


def test_an_undelivered_message_that_cannot_be_put_away_stops_neither_others_nor_the_turn() -> None:
    class Fussy(Recorder):
        def on_undelivered(self, message: Any) -> None:
            super().on_undelivered(message)
            raise Broken(message)

    by_hand = ByHand()
    child = Fussy()
    ref = begun(child, by_hand)
    for n in range(3):
        ref.tell(n)
    future = ref.ask("asked", block=False)
    stop(ref)
    by_hand.run()
    assert child.undelivered == [0, 1, 2]
    with pytest.raises(ActorDeadError):
        future.get(timeout=0)


def test_an_actor_still_knows_itself_when_something_comes_late() -> None:
    class Polite(Recorder):
        def on_undelivered(self, message: Any) -> None:
            self.undelivered.append((self.ref.is_alive(), message))

    by_hand, child = ByHand(), Polite()
    ref = begun(child, by_hand)
    stop(ref)
    by_hand.run()
    ref.actor_inbox.put("late")
    by_hand.run()
    assert child.undelivered == [(False, "late")]


def test_an_actor_that_ended_needs_no_garbage_collector() -> None:
    by_hand = ByHand()
    actor = Recorder()
    gone = weakref.ref(actor)
    ref = begun(actor, by_hand)
    gc.collect()
    gc.disable()
    try:
        stop(ref)
        by_hand.run()
        del actor, ref
        assert gone() is None
    finally:
        gc.enable()
