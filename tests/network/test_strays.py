"""How outcomes that no step waits for take turns: a window of them is with quests, and each goes on when one is acknowledged."""

from questd.actors.agent.strays import AGAIN_S, STRAYS_MAX, Strays
from questd.messages.exchange import AttemptId


def attempts(count: int) -> list[AttemptId]:
    return [("q", n) for n in range(count)]


def test_so_many_are_handed_on_and_each_acknowledged_one_makes_room_for_the_next() -> None:
    strays, said = Strays(), attempts(STRAYS_MAX + 10)
    handed_on = [attempt for attempt in said if strays.offer(attempt, 0.0)]
    assert handed_on == said[:STRAYS_MAX]
    for attempt in said:
        following = strays.done(attempt)
        if following is not None:
            assert strays.offer(following, 0.0)
            handed_on.append(following)
    assert handed_on == said


def test_one_that_is_said_again_is_handed_on_again_but_not_at_once() -> None:
    strays = Strays()
    assert strays.offer(("q", 1), 0.0)
    assert not strays.offer(("q", 1), AGAIN_S / 2)
    assert strays.offer(("q", 1), AGAIN_S)
    assert strays.done(("q", 1)) is None
    assert strays.offer(("q", 1), AGAIN_S)


def test_one_that_is_acknowledged_while_it_waits_does_not_come_up_again() -> None:
    strays, said = Strays(), attempts(STRAYS_MAX + 1)
    for attempt in said:
        strays.offer(attempt, 0.0)
    assert strays.done(said[-1]) is None
    assert strays.done(said[0]) is None
