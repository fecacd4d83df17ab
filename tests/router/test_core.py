"""Who gets which place, by the rules of the document's "Who does it" and by order of priority, waiting and arrival."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as s

from questd.actors.router import core
from questd.actors.router.instance import Instance
from questd.messages.exchange import ToolSpec
from questd.messages.heads import Need, Want


def want(task: str = "t", agent: str = "a", quest: str = "q", **fields: Any) -> Want:
    values: dict[str, Any] = {"capabilities": (), "tool": None, "priority": 5, "ready_us": 0}
    return Want(quest, task, agent, **(values | fields))


def instance(
    id: str = "i",  # noqa: A002
    agent: str = "a",
    *tools: ToolSpec,
    capabilities: tuple[str, ...] = (),
    credit: int = 1,
) -> Instance:
    offered = tools or (ToolSpec("run"),)
    return Instance(id, agent, frozenset(capabilities), offered, credit, f"address of {id}")


def router(*instances: Instance, parallel: int | None = None) -> core.RouterState:
    state = core.RouterState(parallel=parallel)
    for each in instances:
        core.join(state, each)
    return state


def ask(state: core.RouterState, *wants: Want) -> list[tuple[str, str]]:
    """(task, instance) of every place that the asking brings."""
    needs, unroutable = core.want(state, wants)
    assert unroutable == []
    return served(core.serve(state, needs))


def served(grants: list[core.Grant]) -> list[tuple[str, str]]:
    return [(each.task, place.instance) for each, place in grants]


def give_back(state: core.RouterState, *tasks: str, quest: str = "q") -> list[tuple[str, str]]:
    return served(core.serve(state, core.release(state, [(quest, task) for task in tasks])))


# -- which tool ------------------------------------------------------------------------------------


def chosen(need: Need, of: Instance) -> str:
    tool = of.tool_for(need)
    return tool.name if isinstance(tool, ToolSpec) else f"none: {tool}"


SCAN, FIX, RUN = ToolSpec("scan", capabilities=("security",)), ToolSpec("fix"), ToolSpec("run")


def test_the_named_tool_is_chosen() -> None:
    assert chosen(("a", (), "fix"), instance("i", "a", SCAN, FIX, RUN)) == "fix"


def test_the_only_tool_is_chosen_unnamed() -> None:
    assert chosen(("a", (), None), instance("i", "a", FIX)) == "fix"


def test_the_only_tool_with_the_capability_is_chosen() -> None:
    assert chosen(("", ("security",), None), instance("i", "a", SCAN, FIX, RUN)) == "scan"


def test_of_several_tools_the_one_named_run_is_chosen() -> None:
    assert chosen(("a", (), None), instance("i", "a", SCAN, FIX, RUN)) == "run"


def test_of_several_tools_without_run_none_is_chosen_and_they_are_listed() -> None:
    reason = chosen(("a", (), None), instance("i", "a", SCAN, FIX))
    assert "several tools" in reason
    assert "scan, fix" in reason


def test_an_unknown_tool_is_answered_with_the_tools_there_are() -> None:
    assert chosen(("a", (), "audit"), instance("i", "a", SCAN, FIX)).endswith(
        "its tools: scan, fix"
    )


def test_capabilities_are_the_agents_and_the_tools_own_and_all_must_hold() -> None:
    able = instance("i", "a", SCAN, FIX, capabilities=("python",))
    assert chosen(("", ("security", "python"), None), able) == "scan"
    assert chosen(("", ("security", "gpu"), None), able).startswith("none")


def test_agent_and_capability_mean_that_agents_tools_with_it() -> None:
    assert chosen(("a", ("security",), None), instance("i", "a", SCAN, FIX)) == "scan"
    assert chosen(("b", ("security",), None), instance("i", "a", SCAN, FIX)) == "none: it is not b"


# -- places ----------------------------------------------------------------------------------------


def test_a_free_instance_is_given_at_once_with_its_tool_and_address() -> None:
    state = router(instance())
    needs, _ = core.want(state, [want()])
    ((_, place),) = core.serve(state, needs)
    assert (place.agent, place.instance, place.address) == ("a", "i", "address of i")
    assert place.tool.name == "run"


def test_no_instance_gets_more_than_its_credit() -> None:
    state = router(instance(credit=2))
    assert ask(state, want("t1"), want("t2"), want("t3")) == [("t1", "i"), ("t2", "i")]
    assert give_back(state, "t1") == [("t3", "i")]
    assert give_back(state, "t2", "t3") == []


def test_giving_back_twice_is_giving_back_once() -> None:
    state = router(instance(credit=1))
    ask(state, want("t1"), want("t2"), want("t3"))
    assert give_back(state, "t1") == [("t2", "i")]
    assert give_back(state, "t1") == []
    assert give_back(state, "nobody") == []


def test_who_waits_is_served_by_priority_then_by_readiness_then_by_arrival() -> None:
    state = router()
    wants = [
        want("late", ready_us=9),
        want("first", ready_us=1),
        want("second", ready_us=1),
        want("urgent", priority=10, ready_us=99),
        want("idle", priority=1),
    ]
    assert ask(state, *wants) == []
    grants, _ = core.join(state, instance(credit=5))
    assert [task for task, _ in served(grants)] == ["urgent", "first", "second", "late", "idle"]


def test_the_order_holds_over_different_needs_for_one_instance() -> None:
    state = router()
    ask(state, want("b", tool="run", ready_us=2), want("c", ready_us=3), want("a", ready_us=1))
    grants, _ = core.join(state, instance(credit=2))
    assert served(grants) == [("a", "i"), ("b", "i")]


def test_the_least_busy_instance_is_chosen_by_its_share_of_credit() -> None:
    state = router(instance("small", credit=1), instance("large", credit=3))
    got = ask(state, *(want(f"t{n}") for n in range(4)))
    assert got == [("t0", "small"), ("t1", "large"), ("t2", "large"), ("t3", "large")]


def test_a_task_of_any_agent_with_the_capability_goes_to_whoever_is_free() -> None:
    state = router(instance("i1", "a", SCAN), instance("i2", "b", SCAN))
    asked = [want(f"t{n}", agent="", capabilities=("security",)) for n in range(2)]
    assert sorted(ask(state, *asked)) == [("t0", "i1"), ("t1", "i2")]


def test_asking_again_replaces_the_earlier_asking() -> None:
    state = router()
    ask(state, want("t"), want("t", tool="run"), want("t", priority=9))
    grants, _ = core.join(state, instance(credit=5))
    assert [(each.task, each.priority) for each, _ in grants] == [("t", 9)]


def test_who_asks_no_more_gets_nothing() -> None:
    state = router()
    ask(state, want("t1"), want("t2"))
    core.drop(state, "q", ["t1", "nobody"])
    grants, _ = core.join(state, instance(credit=5))
    assert served(grants) == [("t2", "i")]


def test_tasks_of_different_quests_with_one_name_are_different() -> None:
    state = router(instance(credit=1))
    assert ask(state, want("t", quest="q1"), want("t", quest="q2")) == [("t", "i")]
    core.drop(state, "q1", ["t"])
    assert give_back(state, "t", quest="q1") == [("t", "i")]


# -- nobody can ------------------------------------------------------------------------------------


def test_an_absent_agent_is_waited_for() -> None:
    state = router(instance("i", "b"))
    assert core.want(state, [want()])[1] == []
    assert [need for need, _, _ in core.missing(state)] == [("a", (), None)]


def test_a_connected_agent_that_cannot_is_refused_at_once() -> None:
    state = router(instance("i", "a", FIX))
    _, refused = core.want(state, [want(tool="audit")])
    assert [(each.want.task, "no such tool" in each.message) for each in refused] == [("t", True)]
    assert core.missing(state) == []


def test_who_waits_is_refused_when_the_agent_comes_and_cannot() -> None:
    state = router()
    ask(state, want("t1", tool="audit"), want("t2"))
    grants, refused = core.join(state, instance("i", "a", FIX, credit=5))
    assert [each.want.task for each in refused] == ["t1"]
    assert served(grants) == [("t2", "i")]


def test_an_agent_that_cannot_refuses_nobody_while_another_instance_can() -> None:
    state = router(instance("new", "a", ToolSpec("audit"), credit=1))
    ask(state, want("t1", tool="audit"), want("t2", tool="audit"))
    _, refused = core.join(state, instance("old", "a", FIX))
    assert refused == []


def test_nobody_is_refused_for_want_of_a_capability_alone() -> None:
    state = router(instance("i", "a", FIX))
    assert core.want(state, [want(agent="", capabilities=("gpu",))])[1] == []


def test_what_is_missing_says_how_many_wait_and_since_when() -> None:
    state = router()
    ask(state, want("t1", ready_us=7), want("t2", ready_us=3), want("t3", agent="b", ready_us=1))
    core.drop(state, "q", ["t2"])
    assert sorted(core.missing(state)) == [(("a", (), None), 1, 7), (("b", (), None), 1, 1)]


# -- instances come and go ---------------------------------------------------------------------------


def test_a_draining_instance_gets_nothing_new() -> None:
    state = router(instance(credit=5))
    assert core.drain(state, "i") is True
    assert core.drain(state, "i") is False
    assert core.drain(state, "nobody") is False
    assert ask(state, want()) == []


def test_an_instance_that_left_gets_nothing_and_who_waits_goes_on_waiting() -> None:
    state = router(instance(credit=1))
    ask(state, want("t1"), want("t2"))
    core.leave(state, "i")
    core.leave(state, "i")
    assert give_back(state, "t1") == []
    grants, _ = core.join(state, instance("j"))
    assert served(grants) == [("t2", "j")]


def test_a_place_that_is_held_counts_when_its_instance_comes_back() -> None:
    state = router(instance(credit=1))
    ask(state, want("t1"), want("t2"))
    core.leave(state, "i")
    grants, _ = core.join(state, instance(credit=1))
    assert served(grants) == []
    assert give_back(state, "t1") == [("t2", "i")]


def test_an_instance_that_joins_twice_is_one() -> None:
    state = router(instance(credit=1), instance(credit=1))
    assert ask(state, want("t1"), want("t2")) == [("t1", "i")]


def test_a_place_that_was_held_before_a_restart_is_counted_before_the_instance_joins() -> None:
    state = router()
    core.take(state, ("q", "t0"), "i")
    ask(state, want("t1"))
    assert served(core.join(state, instance(credit=1))[0]) == []
    assert give_back(state, "t0") == [("t1", "i")]


def test_a_place_that_was_held_before_a_restart_is_counted_after_the_instance_joined() -> None:
    state = router(instance(credit=1))
    core.take(state, ("q", "t0"), "i")
    assert ask(state, want("t1")) == []


def test_a_quest_that_died_holds_nothing_and_asks_for_nothing() -> None:
    state = router(instance(credit=2))
    ask(state, want("t1"), want("t2"), want("t3"))
    ask(state, want("other", quest="q2"))
    assert served(core.serve(state, core.forget(state, "q"))) == [("other", "i")]
    assert list(state.held) == [("q2", "other")]
    assert state.wanted == {}


def test_credit_that_shrinks_takes_no_place_away_and_grants_none() -> None:
    state = router(instance(credit=2))
    ask(state, want("t1"), want("t2"), want("t3"))
    assert core.resize(state, "i", 1) == []
    assert give_back(state, "t1") == []
    assert give_back(state, "t2") == [("t3", "i")]
    assert core.resize(state, "nobody", 9) == []


def test_credit_that_grows_is_given_at_once() -> None:
    state = router(instance(credit=1))
    ask(state, want("t1"), want("t2"))
    assert served(core.resize(state, "i", 2)) == [("t2", "i")]


def test_an_instance_without_credit_gets_nothing() -> None:
    state = router(instance(credit=0))
    assert ask(state, want()) == []
    assert state.instances["i"].load == 1.0


# -- the daemon's own limit --------------------------------------------------------------------------


def test_the_daemon_gives_out_no_more_places_than_its_limit() -> None:
    state = router(instance("i", credit=9), instance("j", "b", credit=9), parallel=2)
    assert len(ask(state, want("t1"), want("t2"), want("t3", agent="b"))) == 2
    assert give_back(state, "t1") == [("t3", "j")]


# -- always ----------------------------------------------------------------------------------------

ACTS = s.lists(
    s.tuples(
        s.sampled_from(
            ["want", "want", "release", "drop", "join", "leave", "resize", "take", "forget"]
        ),
        s.integers(0, 5),
        s.integers(0, 3),
    ),
    max_size=60,
)


def play(state: core.RouterState, act: str, task: int, where: int) -> None:
    quest, key, i = f"q{task % 2}", f"t{task}", f"i{where}"
    match act:
        case "want" if (quest, key) not in state.held:
            asked = want(key, quest=quest, agent="ab"[where % 2], priority=1 + task)
            core.serve(state, core.want(state, [asked])[0])
        case "release":
            core.serve(state, core.release(state, [(quest, key)]))
        case "drop":
            core.drop(state, quest, [key])
        case "join":
            core.join(state, instance(i, "ab"[where % 2], credit=1 + task % 3))
        case "leave":
            core.leave(state, i)
        case "resize":
            core.resize(state, i, task % 3)
        case "take" if (quest, key) not in state.held:
            core.drop(state, quest, [key])
            core.take(state, (quest, key), i)
        case "forget":
            core.serve(state, core.forget(state, quest))
        case _:
            pass


@given(ACTS)
def test_every_place_is_counted_once_and_no_able_instance_idles_while_somebody_waits(
    acts: list[tuple[str, int, int]],
) -> None:
    state = router()
    for act in acts:
        play(state, *act)
        counted = {holder: i.id for i in state.instances.values() for holder in i.held}
        here = {holder: i for holder, i in state.held.items() if i in state.instances}
        assert counted == here
        assert sum(len(i.held) for i in state.instances.values()) == len(here)
        assert not state.wanted.keys() & state.held.keys()
        free = {i.agent for i in state.instances.values() if i.free}
        assert not [each for each in state.wanted.values() if each.agent in free]


@given(ACTS)
def test_no_queue_is_kept_that_nobody_waits_in_and_nobody_serves(
    acts: list[tuple[str, int, int]],
) -> None:
    state = router()
    for act in acts:
        play(state, *act)
    for n in range(4):
        core.leave(state, f"i{n}")
    for quest in ("q0", "q1"):
        core.forget(state, quest)
    assert state.queues == {}
    assert state.held == {}
