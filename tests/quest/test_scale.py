"""An event costs the same however large the quest: counted in lines that run, never in seconds."""

import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

from questd.actors.quest import commands as cmd
from questd.actors.quest import core
from questd.actors.quest import state as st
from questd.messages import events as ev
from tests.quest.making import Life, plan_of, step

HEADROOM = 1.3


def lines_of(work: Callable[[], object]) -> int:
    """How many lines of the quest's own code run in it."""
    count = 0
    known: dict[CodeType, bool] = {}

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        code = frame.f_code
        ours = known.get(code)
        if ours is None:
            ours = known[code] = "actors/quest/" in code.co_filename
        if event == "line":
            count += 1
        return trace if ours else None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def chain(size: int) -> st.Plan:
    return plan_of(step("s0"), *(step(f"s{n}", f"s{n - 1}") for n in range(1, size)))


def fan(size: int) -> st.Plan:
    return plan_of(step("root"), *(step(f"s{n}", "root") for n in range(size)))


def run_through(life: Life) -> None:
    """Every task, in the order in which they ask."""
    while life.wants():
        for task in life.wants():
            life.run(task)
    life.finish()
    assert life.status == "completed"


def journal_of(plan: st.Plan) -> Life:
    life = Life(plan)
    life.submit()
    run_through(life)
    return life


def fold_cost(life: Life) -> float:
    """Lines for each event of a fold from scratch."""

    def fold() -> None:
        fresh = st.QuestState("q_1", life.plan)
        for at_us, event in life.events:
            core.evolve(fresh, event, at_us)
            fresh.due.clear()
        assert fresh.phase == "completed"

    return lines_of(fold) / len(life.events)


def test_an_event_of_a_chain_of_10_000_costs_what_one_of_100_does() -> None:
    small, large = fold_cost(journal_of(chain(100))), fold_cost(journal_of(chain(10_000)))
    assert large < small * HEADROOM


def test_an_event_of_a_fan_of_5_000_costs_what_one_of_100_does() -> None:
    small, large = fold_cost(journal_of(fan(100))), fold_cost(journal_of(fan(5_000)))
    assert large < small * HEADROOM


def planned(size: int) -> Life:
    """A chain of so many steps, all of which the first step of the quest has planned."""
    life = Life(plan_of(step("plan", plan_steps=size), step("end", "plan")))
    life.submit()
    life.run("plan", result=b'{"steps":[]}')
    life.plans("plan", *(step(f"s{n}", *([f"s{n - 1}"] if n else [])) for n in range(size)))
    run_through(life)
    return life


def test_an_event_of_a_plan_of_9_998_steps_costs_what_one_of_100_does() -> None:
    assert fold_cost(planned(9_998)) < fold_cost(planned(100)) * HEADROOM


def test_a_command_costs_what_its_events_do() -> None:
    def cost(size: int) -> float:
        life = Life(fan(size))
        life.submit()
        life.run("root")
        some = life.wants()[:50]
        epochs: list[int] = []
        spent = lines_of(lambda: epochs.extend(life.start(task) for task in some))
        spent += lines_of(lambda: [life.complete(epoch) for epoch in epochs])
        return spent

    assert cost(5_000) < cost(100) * HEADROOM


def test_retries_of_a_wide_quest_cost_no_more_than_their_logarithm() -> None:
    def cost(size: int) -> float:
        life = Life(plan_of(*(step(f"s{n}") for n in range(size))))
        life.submit()
        for task in life.wants():
            life.fail(life.start(task))
        return lines_of(lambda: life.pass_ms(1_000)) / size

    assert cost(2_000) < cost(100) * HEADROOM


def test_exclusive_steps_in_a_wide_quest_cost_no_more_than_others() -> None:
    def cost(size: int) -> float:
        steps = [step(f"s{n}", parallel=n % 2 == 0) for n in range(size)]
        return fold_cost(journal_of(plan_of(*steps)))

    assert cost(2_000) < cost(100) * HEADROOM


def test_what_a_large_quest_keeps_is_a_task_a_step_and_an_epoch_an_attempt() -> None:
    life = journal_of(fan(1_000))
    state = life.state
    assert len(state.tasks) == len(state.epochs) == 1_001
    kept = (state.ready, state.timers, state.admitted, state.due, state.refused)
    assert not any(kept)


def test_the_fold_of_a_long_journal_gives_the_state_that_was_left() -> None:
    life = Life(chain(2_000))
    life.submit()
    for n in range(1_000):
        life.run(f"s{n}")
    fresh = life.folded()
    assert fresh.version == life.state.version == 2 + 2 * 1_000
    assert [task.state for task in fresh.tasks] == [task.state for task in life.state.tasks]


def test_stopping_a_wide_quest_takes_one_look_at_each_task() -> None:
    def cost(size: int) -> float:
        life = Life(plan_of(*(step(f"s{n}") for n in range(size))))
        life.submit()
        epochs = [life.start(task) for task in life.wants()]
        spent = lines_of(lambda: life.when(cmd.CancelQuest("why", "ann")))
        spent += lines_of(lambda: [life.when(cmd.EndAttempt(epoch)) for epoch in epochs])
        cancelled = [event for _, event in life.events if isinstance(event, ev.AttemptCancelled)]
        assert (life.status, len(cancelled)) == ("cancelled", size)
        return spent / size

    assert cost(1_000) < cost(100) * HEADROOM
