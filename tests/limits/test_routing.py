"""What tasks ask for: no document makes the router slower for everybody, or leaves anything behind in it."""

from itertools import combinations, islice

from questd.actors.router import core
from questd.actors.router.instance import Instance
from questd.messages.exchange import ToolSpec
from questd.messages.heads import Want

WORDS = tuple(f"c{n}" for n in range(12))


def instance(number: int, agent: str = "a", capabilities: tuple[str, ...] = WORDS) -> Instance:
    return Instance(f"i{number}", agent, frozenset(capabilities), (ToolSpec("run"),), 10**6, None)


def wants(count: int, quest: str = "q") -> list[Want]:
    """Each asks for something else."""
    kinds = (each for size in range(1, 6) for each in combinations(WORDS, size))
    return [
        Want(quest, f"t{n}", "", tags, None, 5, n) for n, tags in enumerate(islice(kinds, count))
    ]


def ask(state: core.RouterState, asked: list[Want]) -> int:
    """How many get a place."""
    needs, unroutable = core.want(state, asked)
    assert not unroutable
    return len(core.serve(state, needs))


def test_an_instance_keeps_so_many_kinds_of_demand_and_forgets_the_oldest_that_nobody_waits_for() -> (
    None
):
    state = core.RouterState()
    core.join(state, instance(1))
    most = core.NEEDS_KEPT_MAX
    for n, each in enumerate(wants(most)):
        assert ask(state, [each]) == 1
        assert len(state.queues) == n + 1
    late = wants(most + 3)[most:]
    assert ask(state, late) == 3
    assert len(state.instances["i1"].needs) == most + 3
    again = wants(most + 3, "other")[-1]
    assert ask(state, [again]) == 1
    assert len(state.instances["i1"].needs) == len(state.queues) == most
    assert again.need in state.queues
    assert wants(1)[0].need not in state.queues


def test_what_was_forgotten_is_served_as_before_when_it_is_asked_for_again() -> None:
    state = core.RouterState()
    core.join(state, instance(1))
    everything = wants(500)
    assert ask(state, everything) == 500
    core.release(state, list(state.held))
    assert ask(state, everything[:1]) == 1
    assert len(state.queues) <= core.NEEDS_KEPT_MAX + 1
    assert ask(state, everything[1:]) == 499
    core.leave(state, "i1")
    assert not state.queues
    assert not state.idle


def test_demands_that_wait_are_never_forgotten() -> None:
    state = core.RouterState()
    core.join(state, instance(1))
    state.instances["i1"].credit = 1
    everything = wants(300)
    assert ask(state, everything) == 1
    assert len(state.wanted) == 299
    for _ in range(299):
        (holder,) = state.held
        assert len(core.serve(state, core.release(state, [holder]))) == 1
        core.want(state, [])
    assert not state.wanted
    core.release(state, list(state.held))
    core.want(state, [])
    assert len(state.queues) <= core.NEEDS_KEPT_MAX


def test_a_need_that_is_refused_by_who_came_leaves_no_queue() -> None:
    state = core.RouterState()
    asked = [Want("q", f"t{n}", "a", (), f"no-such-{n}", 5, n) for n in range(50)]
    core.want(state, asked)
    assert len(state.queues) == 50
    _, refused = core.join(state, instance(1))
    assert len(refused) == 50
    assert not state.queues
