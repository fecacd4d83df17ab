"""The index of who is to be woken when, against a dict that is searched."""

import tracemalloc
from random import Random

import pytest

from questd.actors.directory.alarms import REBUILD_ABOVE, Alarms

T0_US = 1_700_000_000_000_000
TIMERS = 100_000


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_set_dropped_and_taken_out_it_says_what_a_search_says(seed: int) -> None:
    random, alarms, known, now = Random(seed), Alarms(), dict[str, int](), 0
    for _ in range(2_000):
        quest = f"q_{random.randint(0, 60)}"
        match random.randint(0, 4):
            case 0 | 1:
                known[quest] = now + random.choice((-5, 0, 1, 7, 7, 300))
                alarms.set(quest, known[quest])
            case 2:
                known.pop(quest, None)
                alarms.drop(quest)
            case 3:
                most = random.choice((1, 2, 100))
                due = sorted((at, quest) for quest, at in known.items() if at <= now)[:most]
                assert alarms.due(now, most) == [quest for _, quest in due]
                for _, each in due:
                    del known[each]
            case _:
                now += random.randint(0, 9)
        assert len(alarms) == len(known)
        assert alarms.next_us() == min(known.values(), default=None)


def test_what_was_dropped_does_not_stay_for_ever() -> None:
    alarms = Alarms()
    for n in range(20 * REBUILD_ABOVE):
        alarms.set(f"q_{n}", T0_US + n)
        alarms.drop(f"q_{n}")
    assert alarms.entries <= 2 * REBUILD_ABOVE


def test_a_timer_among_a_hundred_thousand_takes_at_most_300_bytes() -> None:
    """The id with it, which nobody else holds while the quest rests."""
    tracemalloc.start()
    try:
        before, alarms = tracemalloc.get_traced_memory()[0], Alarms()
        for n in range(TIMERS):
            alarms.set(f"q_{n:018d}", T0_US + n)
        each = (tracemalloc.get_traced_memory()[0] - before) / TIMERS
    finally:
        tracemalloc.stop()
    assert len(alarms) == TIMERS
    assert each <= 300
