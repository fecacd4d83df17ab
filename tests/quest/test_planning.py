"""``plan``: a step returns further steps, which join the quest that runs."""

from typing import Any

import pytest

from questd.actors.graph import compile_steps
from questd.actors.quest import commands as cmd
from questd.actors.quest import task as tk
from questd.actors.quest.items import TASKS_MAX
from questd.actors.quest.materials import material_for_output
from questd.actors.quest.owed import ReadPlan
from questd.actors.quest.plan_reading import FAULTS_SHOWN, plan_reading
from questd.actors.quest.planning import planned_by, sinks_of
from questd.documents.reading import load_plan
from questd.messages import events as ev
from questd.messages.definition import Fallback, InputDefinition, Repeat
from tests.quest.making import ONCE, Life, failure, kinds, quest, step


def planning(*others: Any, **fields: Any) -> Life:
    """A quest whose first step ``a`` has returned a plan."""
    life = quest(step("a", plan_steps=9, **fields), *others)
    life.run("a", result=b'{"steps":[]}')
    return life


def test_a_step_that_plans_is_completed_when_its_plan_has_been_read() -> None:
    life = planning(step("b", "a"))
    assert list(life.owed.plans) == ["a"]
    assert life.statuses() == {"a": "running", "b": "pending"}
    assert life.plans("a") == [ev.TaskPlanned("a", ())]
    assert life.statuses() == {"a": "completed", "b": "ready"}


def test_planned_steps_join_and_what_depends_on_the_plan_waits_for_all_of_them() -> None:
    life = planning(step("b", "a"))
    life.plans("a", step("x"), step("y", "x"), step("z", "a"))
    assert life.wants() == ["x", "z"]
    life.run("z", "x")
    assert life.status_of("b") == "pending"
    life.run("y")
    assert life.wants() == ["b"]
    life.run("b")
    assert life.finish() == [ev.QuestCompleted(b"1", ())]


def test_a_planned_step_may_wait_for_any_step_that_does_not_wait_for_the_plan() -> None:
    life = planning(step("done"), step("later"))
    life.run("done")
    life.plans("a", step("x", "done", "later"), step("y", "x"))
    assert life.wants() == ["later"]
    life.run("later")
    assert life.wants() == ["x"]


def test_who_depends_on_a_step_that_planned_waits_for_its_plan_also_when_it_comes_later() -> None:
    life = quest(step("a", plan_steps=9), step("b", plan_steps=9))
    life.run("a", "b")
    life.plans("a", step("x"))
    life.plans("b", step("y", "a"))
    assert life.wants() == ["x"]
    life.run("x")
    assert life.wants() == ["y"]
    assert planned_by(life.state) == {"x": "a", "y": "b"}


def test_planned_steps_are_steps_like_any_other() -> None:
    life = planning(step("b", "a"))
    life.plans(
        "a",
        step("each", for_each="[1]"),
        step("no", when="false"),
        step("after", "no"),
        step("flaky", on_error="continue", retry=ONCE),
    )
    life.expand("each", b"1", b"2")
    life.decide("no", holds=False)
    life.fail(life.start("flaky"))
    life.run("each[1]", "each[0]")
    assert life.status_of("after") == "skipped"
    assert life.wants() == []
    life.gather("each")
    assert life.wants() == ["b"]
    life.run("b")
    assert life.finish() == [ev.QuestCompleted(b"1", ("flaky",))]


def test_a_refused_plan_fails_the_step_or_somebody_else_plans() -> None:
    refused = failure("validation", "its plan is refused", retryable=False)
    life = planning(step("b", "a"), fallback=(Fallback("other"),), on_error="continue")
    made = life.when(cmd.FailTask("a", refused))
    assert kinds(made) == ["task.fell_back"]
    life.run("a")
    made = life.when(cmd.FailTask("a", refused))
    assert kinds(made) == ["task.failed"]
    assert life.statuses() == {"a": "failed", "b": "ready"}


def test_a_result_that_comes_twice_is_no_news_while_it_is_read_nor_when_it_was_refused() -> None:
    life = quest(step("a", plan_steps=9, on_error="continue"))
    epoch = life.start("a")
    life.complete(epoch)
    assert life.complete(epoch) == []
    life.when(cmd.FailTask("a", failure("validation", retryable=False)))
    assert life.complete(epoch) == []


def test_a_plan_that_was_read_against_an_older_quest_is_read_again() -> None:
    life = quest(step("a", plan_steps=9), step("b", plan_steps=9))
    life.run("a", "b")
    life.plans("b", step("x"))
    stale = life.when(cmd.PlanTask("a", (step("x"),), 0))
    assert isinstance(stale, cmd.Rejected)
    assert stale.kind == "stale"
    assert list(life.owed.plans) == ["a"]


def test_it_is_read_again_after_a_restart_and_joined_once() -> None:
    life = planning(step("b", "a"))
    life.restart()
    assert list(life.owed.plans) == ["a"]
    life.plans("a", step("x"), step("y", "x"))
    life.restart()
    assert life.wants() == ["x"]
    assert isinstance(life.plans("a", step("z")), cmd.Rejected)
    life.run("x")
    life.restart()
    life.run("y", "b")
    assert life.owed.output


def test_a_person_may_give_the_plan() -> None:
    life = quest(step("a", plan_steps=9, idempotent=False))
    life.lose(life.start("a"))
    life.when(cmd.ResolveTask("a", "complete", "ann", b'{"steps":[]}'))
    assert list(life.owed.plans) == ["a"]
    life.plans("a", step("x"))
    assert life.wants() == ["x"]


def test_a_quest_that_stops_reads_no_plan() -> None:
    life = planning()
    life.when(cmd.CancelQuest("not needed", "ann"))
    assert not life.owed.plans
    assert life.status == "cancelled"
    assert isinstance(life.plans("a", step("x")), cmd.Rejected)


def test_without_an_output_the_last_planned_steps_give_the_result() -> None:
    life = planning()
    assert sinks_of(life.state) == ["a"]
    life.plans("a", step("x"), step("y", "x"), step("z"))
    assert sinks_of(life.state) == ["y", "z"]
    life.run("x", "z", "y")
    output = material_for_output(life.state, compile_steps(life.plan.definition))
    assert [facts.key for facts in output.material.steps] == ["y", "z"]


def test_ten_thousand_planned_steps_each_run_once() -> None:
    life = quest(step("a", plan_steps=10_000), step("b", "a"))
    life.run("a")
    row = [step(f"s{n}", *([f"s{n - 1}"] if n else [])) for n in range(10_000)]
    life.plans("a", *row)
    for n in range(10_000):
        assert life.wants() == [f"s{n}"]
        life.run(f"s{n}")
    assert life.wants() == ["b"]


def test_the_quests_tasks_are_bounded_with_its_planned_steps() -> None:
    life = quest(step("a", for_each="[1]", max_parallel=1), step("b", plan_steps=9))
    life.run("b")
    life.expand("a", *[b"1"] * (TASKS_MAX - 2))
    made = life.plans("b", step("x"))
    assert kinds(made)[:2] == ["task.failed", "quest.stopping"]


# -- reading ---------------------------------------------------------------------------------------------


def read(life: Life, task: str = "a", inputs: tuple[str, ...] = ()) -> cmd.Command:
    found = plan_reading(life.state, life.state.at(task), inputs)
    return found.finish({}, load_plan).command


def refusal(text: str, *others: Any, **fields: Any) -> str:
    life = quest(step("a", plan_steps=4, **fields), *others)
    life.run("a", result=text.encode())
    command = read(life)
    assert isinstance(command, cmd.FailTask)
    assert (command.failure.kind, command.failure.retryable) == ("validation", False)
    return command.failure.message.removeprefix("its plan is refused: ")


ONE = '{"key":"x","agent":"w"'


def test_a_good_plan_is_its_steps_and_the_quest_compiled_with_them() -> None:
    life = quest(step("a", plan_steps=4), step("b"))
    life.run(
        "a", result=f'{{"steps":[{ONE},"needs":["b"],"prompt":"{{{{ b.result }}}}"}}]}}'.encode()
    )
    found = plan_reading(life.state, life.state.at("a"), ()).finish({}, load_plan)
    assert isinstance(found.command, cmd.PlanTask)
    assert [each.key for each in found.command.steps] == ["x"]
    assert found.compiled is not None
    assert found.compiled.steps["x"].steps == ("b",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1]", "1:1: must be a mapping with steps, not a list"),
        ("{", "1:2: "),
        ("{}", "1:1: steps: is missing"),
        ('{"steps":[{"key":"x"}]}', "1:11: steps[0].agent: nobody is asked to do this step"),
        (f'{{"steps":[{ONE},"agnt":1}}]}}', '1:34: steps[0].agnt: there is no field "agnt"'),
        ('{"steps":[{"key":"b","agent":"w"}]}', '1:18: steps[0].key: "b" is the key of steps[1] already'),
        (f'{{"steps":[{ONE},"needs":["nobody"]}}]}}', 'steps[0].needs[0]: no step has the key "nobody"'),
        (f'{{"steps":[{ONE},"needs":["x"]}}]}}', 'steps[0].needs[0]: the step "x" depends on itself'),
        (f'{{"steps":[{ONE},"needs":["b"]}}]}}', "b waits for what a plans: neither would ever run"),
        (f'{{"steps":[{ONE},"plan":{{"max_steps":1}}}}]}}', "steps[0].plan: a planned step plans nothing"),
        (f'{{"steps":[{ONE},"repeat":{{"until":"result"}}}}]}}', "steps[0].repeat: a planned step sends nobody back"),
        (f'{{"steps":[{ONE},"needs":["a"],"repeat":{{"until":"true","back_to":"a"}}}}]}}', "steps[0].repeat: a planned step sends nobody back"),
        (f'{{"steps":[{ONE},"prompt":"{{{{ b.result }}}}"}}]}}', "which need not be done before it"),
        (f'{{"steps":[{ONE},"prompt":"{{{{ more }}}}"}}]}}', "steps[0].prompt: "),
        (f'{{"steps":[{",".join([ONE + "}"] * 5)}]}}', "steps: has 5 steps; a may plan 4"),
    ],
)  # fmt: skip
def test_a_bad_plan_is_refused_as_a_bad_document_is(text: str, said: str) -> None:
    assert said in refusal(text, step("b", "a"))


def test_a_planned_step_waits_for_no_step_of_a_loop_but_for_one_behind_it() -> None:
    turning = (step("c"), step("d", "c", repeat=Repeat("result", "c")), step("e", "c"))
    text = f'{{"steps":[{ONE},"needs":["KEY"]}}]}}'
    for key in ("c", "d"):
        said = f"steps[0].needs[0]: {key} is in a loop: a planned step cannot wait for a round"
        assert said in refusal(text.replace("KEY", key), *turning)
    life = quest(step("a", plan_steps=4), *turning)
    life.run("a", result=text.replace("KEY", "e").encode())
    assert isinstance(read(life), cmd.PlanTask)


def test_who_waits_for_the_end_of_a_loop_waits_for_all_that_the_loop_waits_for() -> None:
    """``e`` depends on ``c`` alone, but the loop of ``c`` ends with ``d``, which waits for the plan."""
    turning = (step("c"), step("d", "c", "a", repeat=Repeat("result", "c")), step("e", "c"))
    said = refusal(f'{{"steps":[{ONE},"needs":["e"]}}]}}', *turning)
    assert "e waits for what a plans: neither would ever run" in said


def test_a_plan_comes_before_a_loop_and_after_one() -> None:
    life = quest(
        step("a", plan_steps=9),
        step("b", "a"),
        step("c", "b", repeat=Repeat("result", "b")),
        step("d", "c", plan_steps=9),
        step("e", "d"),
    )
    life.run("a")
    life.plans("a", step("x"))
    assert life.wants() == ["x"]
    life.run("x", "b", "c")
    life.judge("c", holds=False)
    life.run("b@2", "c@2")
    life.judge("c@2", holds=True)
    life.run("d")
    life.plans("d", step("y"), step("z", "x", "d"))
    life.run("y")
    assert life.wants() == ["z"]
    life.run("z", "e")
    assert life.finish() == [ev.QuestCompleted(b"1", ())]


def test_all_that_is_wrong_with_a_plan_is_said_up_to_a_number() -> None:
    steps = ",".join(f'{{"key":"k{n}","a":1,"b":1,"c":1,"d":1,"e":1,"f":1}}' for n in range(4))
    told = refusal(f'{{"steps":[{steps}]}}').split("; ")
    assert len(told) == FAULTS_SHOWN + 1
    assert told[-1].endswith(" more")


def test_a_cycle_through_another_plan_is_refused() -> None:
    life = quest(step("a", plan_steps=4), step("b", plan_steps=4), step("q", "b"))
    life.run("a", "b", result=f'{{"steps":[{ONE},"needs":["a"]}}]}}'.encode())
    life.plans("a", step("m", "q"))
    command = read(life, "b")
    assert isinstance(command, cmd.FailTask)
    assert "a waits for what b plans" in command.failure.message


def test_planned_steps_may_name_the_inputs_that_the_quest_has_and_no_others() -> None:
    text = f'{{"steps":[{ONE},"prompt":"{{{{ given }}}}"}}]}}'
    life = quest(step("a", plan_steps=4, prompt="{{ given }}"))
    life.run("a", result=text.encode())
    assert isinstance(read(life, inputs=("given",)), cmd.PlanTask)
    assert isinstance(read(life), cmd.FailTask)
    declared = quest(step("a", plan_steps=4), inputs={"given": InputDefinition()})
    declared.run("a", result=text.encode())
    assert isinstance(read(declared), cmd.PlanTask)


def test_a_planned_step_has_the_retries_that_the_document_says() -> None:
    life = quest(step("a", plan_steps=4), default_retry=ONCE)
    life.run("a", result=f'{{"steps":[{ONE},"retry":{{"delay":"5s"}}}}]}}'.encode())
    command = read(life)
    assert isinstance(command, cmd.PlanTask)
    retry = command.steps[0].retry
    assert retry is not None
    assert (retry.attempts, retry.delay_ms) == (1, 5_000)


def test_what_is_owed_follows_from_the_states() -> None:
    life = planning()
    assert ReadPlan("a") in life.taken
    assert isinstance(life.state.at("a").state, tk.Planning)
