"""Chains, joins, results, ends: how a quest moves when nothing goes wrong, and which moves there are."""

from itertools import permutations

import pytest

from questd.actors.quest import commands as cmd
from questd.actors.quest import core
from questd.actors.quest import state as st
from questd.actors.quest import task as tk
from questd.messages import events as ev
from tests.quest.making import Life, failure, plan_of, quest, step


def test_a_submit_is_two_events_and_the_first_steps_ask_for_places() -> None:
    life = Life(plan_of(step("a"), step("b", "a"), step("c")))
    life.submit(key="k", labels={"team": "core"}, priority=7, inputs=b'{"x":1}')
    assert [ev.kind_of(event) for _, event in life.events] == ["quest.submitted", "quest.started"]
    assert life.wants() == ["a", "c"]
    assert life.statuses() == {"a": "ready", "b": "pending", "c": "ready"}
    assert (life.state.key, life.state.labels, life.state.priority) == ("k", {"team": "core"}, 7)
    assert life.state.inputs == b'{"x":1}'


def test_a_second_submit_is_a_conflict() -> None:
    life = quest(step("a"))
    again = life.when(cmd.SubmitQuest(b"{}", "default", {}, 5, None, None, None))
    assert again == cmd.Rejected("conflict", "q_1 has been submitted already")


def test_a_chain_runs_one_step_after_the_other() -> None:
    life = quest(step("a"), step("b", "a"), step("c", "b"))
    for key, later in (("a", ["b"]), ("b", ["c"]), ("c", [])):
        assert life.wants() == [key]
        life.run(key)
        assert life.wants() == later
    assert life.owed.output
    assert life.finish(b'"all"') == [ev.QuestCompleted(b'"all"')]
    assert (life.status, life.state.output) == ("completed", b'"all"')
    assert life.state.finished_us == life.now_us


def test_an_end_and_the_next_beginning_are_decided_in_one_turn() -> None:
    life = quest(step("a"), step("b", "a"))
    epoch = life.start("a")
    assert life.complete(epoch, b"2") == [ev.AttemptCompleted("a", epoch, b"2")]
    assert life.wants() == ["b"]


@pytest.mark.parametrize("order", list(permutations(["a", "b", "c"])))
def test_a_join_waits_for_all_its_dependencies(order: tuple[str, ...]) -> None:
    life = quest(step("a"), step("b"), step("c"), step("join", "a", "b", "c"))
    epochs = {key: life.start(key) for key in order}
    for key in order:
        assert life.status_of("join") == "pending"
        life.complete(epochs[key])
    assert life.wants() == ["join"]


def test_a_diamond_runs_its_last_step_once() -> None:
    life = quest(step("a"), step("b", "a"), step("c", "a"), step("d", "b", "c"))
    life.run("a", "b", "c", "d")
    started = [event for _, event in life.events if isinstance(event, ev.AttemptStarted)]
    assert [event.task for event in started] == ["a", "b", "c", "d"]


def test_an_epoch_is_the_number_of_its_start_in_the_journal() -> None:
    life = quest(step("a"), step("b"))
    epochs = [life.start("b"), life.start("a")]
    assert epochs == [3, 4]
    assert all(isinstance(life.events[n - 1][1], ev.AttemptStarted) for n in epochs)


def test_a_start_carries_what_the_place_and_the_step_say() -> None:
    life = quest(step("a"), step("b", idempotent=False))
    place = {"agent": "w", "instance": "i", "tool": "t", "idempotent": True, "timeout_ms": 9}
    assert life.when(cmd.StartAttempt("a", **place)) == [  # type: ignore[arg-type]
        ev.AttemptStarted("a", 1, "w", "i", "t", idempotent=True, timeout_ms=9)
    ]
    started = life.when(cmd.StartAttempt("b", **place))  # type: ignore[arg-type]
    assert started == [ev.AttemptStarted("b", 1, "w", "i", "t", idempotent=False, timeout_ms=9)]


def test_a_place_for_a_task_that_asks_for_none_is_refused() -> None:
    life = quest(step("a"), step("b", "a"))
    for task in ("b", "nobody"):
        assert life.offer(task) == cmd.Rejected("gone", f"{task} asks for no place")
    life.start("a")
    assert life.offer("a") == cmd.Rejected("gone", "a asks for no place")


def test_an_output_is_taken_only_when_every_step_has_ended() -> None:
    life = quest(step("a"))
    assert isinstance(life.finish(), cmd.Rejected)
    life.run("a")
    why = failure("validation", "no such name", retryable=False)
    assert life.when(cmd.FinishQuest(b"null", why)) == [ev.QuestFailed(why)]
    assert life.status == "failed"
    assert isinstance(life.finish(), cmd.Rejected)


def test_time_of_a_quest_is_the_time_of_its_events() -> None:
    life = quest(step("a"))
    begun = life.now_us
    life.pass_ms(5)
    epoch = life.start("a")
    life.pass_ms(7)
    life.complete(epoch)
    task = life.state.at("a")
    assert (life.state.created_us, life.state.started_us) == (begun, begun)
    assert (task.first_ready_us, task.first_started_us) == (begun, begun + 5_000)
    assert isinstance(task.state, tk.Completed)
    assert task.state.finished_us == life.state.last_us == begun + 12_000


def test_people_see_running_while_an_attempt_runs_and_waiting_else() -> None:
    life = quest(step("a"), step("b", "a"))
    seen = [life.status]
    epoch = life.start("a")
    seen.append(life.status)
    life.complete(epoch)
    seen.append(life.status)
    life.run("b")
    seen.append(life.status)  # its output is being rendered
    life.finish()
    assert [*seen, life.status] == ["waiting", "running", "waiting", "running", "completed"]


def test_log_lines_change_nothing() -> None:
    life = quest(step("a"))
    epoch = life.start("a")
    lines = (ev.LogLine(1, "hello"),)
    before = life.statuses()
    assert life.when(cmd.LogAttempt(epoch, lines)) == [ev.AttemptLogged("a", epoch, lines)]
    assert life.statuses() == before
    assert isinstance(life.when(cmd.LogAttempt(99, lines)), cmd.Rejected)


# -- the tables ------------------------------------------------------------------------------------


def test_an_illegal_move_of_a_task_names_state_and_event() -> None:
    life = quest(step("a"), step("b", "a"))
    with pytest.raises(st.IllegalMove) as caught:
        core.evolve(life.state, ev.AttemptCompleted("b", 3, b"1"), life.now_us)
    assert (caught.value.state, caught.value.where) == ("pending", "q_1 b")
    assert str(caught.value) == (
        "q_1 b is pending: attempt.completed → completed is not a legal move"
    )


def test_an_illegal_move_of_a_quest_names_state_and_event() -> None:
    life = quest(step("a"))
    with pytest.raises(st.IllegalMove, match=r"q_1 is active: quest\.cancelled is not a legal"):
        core.evolve(life.state, ev.QuestCancelled("?"), life.now_us)


def test_an_ended_quest_moves_no_more() -> None:
    life = quest(step("a"))
    life.run("a")
    life.finish()
    for event in (ev.QuestStarted(), ev.CancelRequested("why", "ann"), ev.QuestCompleted(b"1")):
        with pytest.raises(st.IllegalMove):
            core.evolve(life.state, event, life.now_us)


def test_a_task_does_not_fail_twice_for_good() -> None:
    life = quest(step("a", on_error="continue"), step("b"))
    life.fail(life.start("a"), failure(retryable=False))
    with pytest.raises(st.IllegalMove, match=r"failed and continued: task\.failed"):
        core.evolve(life.state, ev.TaskFailed("a", failure(), continued=True), life.now_us)
    assert life.state.ended == 1


def test_the_tables_speak_of_events_that_exist() -> None:
    known = {ev.kind_of(kind) for kind in ev.Event.__args__}
    assert {event for _, event in tk.TASK_MOVES} <= known
    assert {event for _, event in st.QUEST_MOVES} <= known


def test_no_move_leads_out_of_an_end() -> None:
    assert not [phase for phase, _ in st.QUEST_MOVES if phase in st.TERMINAL_PHASES]
    left = {(phase, event) for phase, event in tk.TASK_MOVES if phase in st.TERMINAL_PHASES}
    # The one says that the quest goes on with it, the other that somebody else does it.
    assert left == {("failed", "task.failed"), ("failed", "task.fell_back")}
