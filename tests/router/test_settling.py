"""What a quest says of its tasks all at once, while places may be on their way to them."""

from questd.actors.mail import Settle
from questd.actors.router import core
from questd.messages.heads import Want
from tests.router.test_core import ask, instance, router, served, want


def says(
    state: core.RouterState, *wants: Want, drops: tuple[str, ...] = ()
) -> list[tuple[str, str]]:
    granted, unroutable = core.settle(state, Settle("q", None, wants, drops, answer=True), 0)
    assert unroutable == []
    return served(granted)


def test_who_asks_anew_holds_no_place_that_is_still_on_its_way_to_it() -> None:
    state = router(instance("i", "a"), instance("j", "b"))
    assert ask(state, want("t", "a"), want("behind", "a", "other")) == [("t", "i")]
    assert says(state, want("t", "b")) == [("behind", "i"), ("t", "j")]
    assert state.held == {("q", "t"): "j", ("other", "behind"): "i"}


def test_who_asks_no_more_holds_no_place_that_is_still_on_its_way_to_it() -> None:
    state = router(instance())
    assert ask(state, want("t"), want("behind", quest="other")) == [("t", "i")]
    assert says(state, drops=("t",)) == [("behind", "i")]


def test_who_has_a_place_asks_for_none() -> None:
    state = router()
    assert says(state, want("t")) == []
    core.settle(state, Settle("q", None, takes=(("t", "i"),)), 0)
    assert core.join(state, instance("i")) == ([], [])
    assert state.held == {("q", "t"): "i"}


def test_who_was_passed_a_place_gives_back_what_it_got_instead() -> None:
    state = router(instance("i", "a"), instance("j", "b"))
    assert ask(state, want("t", "b"), want("behind", "b", "other")) == [("t", "j")]
    granted, _ = core.settle(state, Settle("q", None, takes=(("t", "i"),)), 0)
    assert served(granted) == [("behind", "j")]
    assert state.held == {("q", "t"): "i", ("other", "behind"): "j"}
