"""The quest core and the model of it say the same, whatever is said to them and in whatever order."""

from collections import Counter
from random import Random
from typing import Any, cast

import pytest
from hypothesis import settings
from hypothesis import strategies as s
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from questd.actors.quest import commands as cmd
from questd.actors.quest import core
from questd.actors.quest.waiting import said_of
from questd.messages import events as ev
from questd.messages.definition import QuestLimits
from tests.quest.drawing import Steps, defined, graphs, meaning, random_graph, random_plan
from tests.quest.making import T0_US, Life, failure, owed_by, plan_of
from tests.quest.model import Model
from tests.quest.model_budgets import MORE
from tests.quest.walking import (
    CHOICES,
    COMPLETIONS,
    KINDS,
    LIMITS,
    LOSSES,
    PAUSES_MS,
    ROUNDS,
    SIGNALS,
    TOKENS,
    TOTALS_MS,
    UNTRIED,
    USED,
    WISHES_MS,
    act,
)

WALKS = 300
STEPS_OF_A_WALK = 100


class QuestMachine(RuleBasedStateMachine):
    life: Life
    model: Model

    @initialize(
        steps=graphs(),
        limit=s.sampled_from(LIMITS),
        total_ms=s.sampled_from(TOTALS_MS),
        rounds=s.sampled_from(ROUNDS),
        tokens=s.sampled_from(TOKENS),
    )
    def begin(
        self,
        steps: Steps,
        limit: int | None,
        total_ms: int | None,
        rounds: int,
        tokens: int | None,
    ) -> None:
        definitions = [defined(key, of) for key, of in steps.items()]
        limits = QuestLimits(parallel=limit, rounds=rounds, tokens=tokens)
        self.life = Life(plan_of(*definitions, limits=limits))
        self.life.submit(total_timeout_ms=total_ms)
        self.model = Model(steps, limit, total_ms, rounds, tokens)
        self.plain = limit is None and all(of["parallel"] for of in steps.values())
        self.idempotent: dict[int, bool] = {}

    def key(self, n: int) -> str:
        return self.model.places[n % len(self.model.places)]

    def one_that_is(self, phase: str, n: int) -> str:
        """Mostly a task of that phase, if there is one."""
        fitting = [task for task, its in self.model.phase.items() if its == phase]
        return fitting[n % len(fitting)] if fitting and n % 4 else self.key(n)

    def epoch(self, n: int) -> int:
        """Mostly one that counts, often one of all there ever were, now and then one that never was."""
        counting, known = list(self.model.counts.values()), list(self.model.task_of)
        if n % 4 and counting:
            return counting[n % len(counting)]
        return known[n % len(known)] if n % 8 and known else n * 7

    # -- work ------------------------------------------------------------------------------------

    @rule(n=s.integers(0, 5), idempotent=s.booleans())
    def a_place_comes(self, n: int, idempotent: bool) -> None:
        self._grant(self.key(n), idempotent)

    @rule(n=s.integers(0, 5))
    @precondition(lambda self: self.model.asking)
    def an_asked_for_place_comes(self, n: int) -> None:
        self._grant(self.model.asking[n % len(self.model.asking)], True)

    def _grant(self, task: str, idempotent: bool) -> None:
        expected, asked = self.model.may_start(task), task in self.model.asking
        outcome = self.life.offer(task, idempotent=idempotent)
        assert isinstance(outcome, list) is expected
        if expected:
            epoch = self.life.state.version
            self.idempotent[epoch] = idempotent and self.model.steps[task]["idempotent"]
            self.model.start(task, epoch)
            self.model.conclude()
        elif asked:
            self.model.give_back(task)

    @rule(n=s.integers(0, 63), used=s.sampled_from(USED))
    def a_result_comes(self, n: int, used: int) -> None:
        epoch, model = self.epoch(n), self.model
        task, known = model.task_that_counts(epoch), epoch in model.known
        made = self.life.when(cmd.CompleteAttempt(epoch, b"1", tokens=used))
        if epoch in model.task_of:
            model.known.add(epoch)
        if task is not None:
            assert isinstance(made, list)
            assert isinstance(made[0], ev.AttemptCompleted)
            model.used += used
            model.complete(task)
            model.conclude()
        elif epoch not in model.task_of:
            assert isinstance(made, cmd.Rejected)
        elif known:
            assert made == []
        else:
            assert isinstance(made, list)
            assert [type(each) for each in made] == [ev.AttemptRefused]

    @rule(
        n=s.integers(0, 63),
        kind=s.sampled_from(KINDS),
        retryable=s.sampled_from([True, True, True, False]),
        wish_ms=s.sampled_from(WISHES_MS),
        used=s.sampled_from(USED),
    )
    def a_failure_comes(
        self, n: int, kind: str, retryable: bool, wish_ms: int | None, used: int
    ) -> None:
        epoch = self.epoch(n)
        task = self.model.task_that_counts(epoch)
        why = failure(kind, retryable=retryable, retry_after_ms=wish_ms)
        outcome = self.life.when(cmd.FailAttempt(epoch, why, tokens=used))
        assert isinstance(outcome, list) is (task is not None)
        if task is not None:
            self.model.used += used
            self.model.fail(task, final=not retryable or kind == "auth", wish_ms=wish_ms)
            self.model.conclude()

    @rule(n=s.integers(0, 63), how=s.sampled_from(LOSSES))
    def an_attempt_is_lost(self, n: int, how: str) -> None:
        epoch, model = self.epoch(n), self.model
        task = model.task_that_counts(epoch)
        runs = task is not None and model.phase[task] == "running"
        given_back, begun = how == "given back", how != "never begun"
        lose = cmd.LoseAttempt(epoch, "its agent vanished", begun)
        outcome = self.life.when(cmd.EndAttempt(epoch) if given_back else lose)
        assert isinstance(outcome, list) is runs
        if not runs or task is None:
            return
        if given_back and model.quest == "stopping":
            model.move(task, "cancelled")
        else:
            model.lose(task, idempotent=self.idempotent[epoch], begun=begun)
        model.conclude()

    # -- people and renderings ---------------------------------------------------------------------

    @rule(n=s.integers(0, 63), choice=s.sampled_from(CHOICES))
    def somebody_decides(self, n: int, choice: str) -> None:
        model, task = self.model, self.one_that_is("waiting", n)
        able = model.quest == "active" and model.phase[task] == "waiting"
        able = able and choice in model.options(task)
        result = MORE if choice == "more" else b"2"
        outcome = self.life.when(cmd.ResolveTask(task, choice, "ann", result))
        assert isinstance(outcome, list) is able
        if able:
            model.resolve(task, choice)
            model.conclude()

    @rule(n=s.integers(0, 9))
    def somebody_cancels(self, n: int) -> None:
        if n:
            return  # seldom, or no quest would get far
        outcome = self.life.when(cmd.CancelQuest("not needed", "ann"))
        if self.model.quest == "active":
            self.model.cancel()
            self.model.conclude()
        elif self.model.quest in ("stopping", "cancelled"):
            assert outcome == []
        else:
            assert isinstance(outcome, cmd.Rejected)

    @rule(n=s.integers(0, 63))
    def an_input_is_rendered(self, n: int) -> None:
        model, task = self.model, self.one_that_is("settling", n)
        able = model.phase[task] == "settling"
        outcome = self.life.when(cmd.ContinueTask(task, b'"given"'))
        assert isinstance(outcome, list) is able
        if able:
            model.go_on(task)
            model.conclude()

    @rule(n=s.integers(0, 63), holds=s.booleans())
    def a_condition_is_looked_at(self, n: int, holds: bool) -> None:
        model, task = self.model, self.one_that_is("deciding", n)
        able = model.quest == "active" and model.phase[task] == "deciding"
        assert isinstance(self.life.decide(task, holds=holds), list) is able
        if able:
            model.decide(task, holds=holds)
            model.conclude()

    @rule(n=s.integers(0, 63), count=s.integers(0, 4))
    def a_list_is_rendered(self, n: int, count: int) -> None:
        model, task = self.model, self.one_that_is("listing", n)
        able = model.quest == "active" and model.phase[task] == "listing"
        assert isinstance(self.life.expand(task, *[b"1"] * count), list) is able
        if able:
            model.expand(task, count)
            model.conclude()

    @rule(n=s.integers(0, 63))
    def results_are_gathered(self, n: int) -> None:
        model, task = self.model, self.one_that_is("gathering", n)
        able = model.quest == "active" and model.phase[task] == "gathering"
        assert isinstance(self.life.gather(task), list) is able
        if able:
            model.gather(task)
            model.conclude()

    @rule(n=s.integers(0, 63), seed=s.integers(0, 9_999))
    def a_plan_is_read(self, n: int, seed: int) -> None:
        model, task = self.model, self.one_that_is("planning", n)
        able = model.quest == "active" and model.phase[task] == "planning"
        steps = random_plan(Random(seed), model.may_need(task) if able else [])
        outcome = self.life.plans(task, *(defined(key, of) for key, of in steps.items()))
        assert isinstance(outcome, list) is able
        if able:
            self.plain = self.plain and all(of["parallel"] for of in steps.values())
            model.plan(task, steps)
            model.conclude()

    @rule(n=s.integers(0, 63), holds=s.booleans())
    def a_round_is_judged(self, n: int, holds: bool) -> None:
        model, task = self.model, self.one_that_is("judging", n)
        able = model.quest == "active" and model.phase[task] == "judging"
        assert isinstance(self.life.judge(task, holds=holds), list) is able
        if able:
            model.judge(task, holds=holds)
            model.conclude()

    @rule(name=s.sampled_from(SIGNALS), key=s.integers(0, 200))
    def a_signal_comes(self, name: str, key: int) -> None:
        before = self.life.state.version
        sent = cmd.ReceiveSignal(name, b'"in"', "ann", str(key))
        outcome = self.life.when(sent)
        became = self.model.signal(name, key)
        if became == "refused":
            assert isinstance(outcome, cmd.Rejected)
            return
        assert isinstance(outcome, list)
        assert [type(e) for e in outcome[:2]] == {
            "known": [],
            "kept": [ev.SignalReceived],
            "taken": [ev.SignalReceived, ev.TaskSignalled],
        }[became]
        assert said_of(self.life.state, sent, before) == became.replace("known", "received before")
        self.model.conclude()

    @rule(fails=s.sampled_from([False, False, True]))
    def an_output_is_rendered(self, fails: bool) -> None:
        able = self.model.quest == "active" and self.model.ended()
        outcome = self.life.when(cmd.FinishQuest(b"3", failure() if fails else None))
        assert isinstance(outcome, list) is able
        if able:
            self.model.end("failed" if fails else "completed")

    @rule(n=s.integers(0, 29))
    def a_task_turns_out_impossible(self, n: int) -> None:
        if n > 5:
            return
        model, task = self.model, self.key(n)
        able = model.quest == "active"
        able = able and model.phase[task] in UNTRIED
        outcome = self.life.when(cmd.FailTask(task, failure("validation", retryable=False)))
        assert isinstance(outcome, list) is able
        if able:
            model.cannot(task)
            model.conclude()

    # -- time and restarts -------------------------------------------------------------------------

    @rule(milliseconds=s.sampled_from(PAUSES_MS))
    def time_passes(self, milliseconds: int) -> None:
        self.life.pass_ms(milliseconds)
        self.model.pass_to(self.model.now + milliseconds)

    @rule()
    def the_daemon_restarts(self) -> None:
        """Who asks may change with it: what was held asks again, and a limit may have let others go first."""
        self.time_passes(0)
        self.life.restart()
        model = self.model
        asking = self.life.wants()
        assert set(asking) <= set(model.could_run())
        if self.plain:
            assert set(asking) == set(model.asking)
        model.asking = asking

    # -- what holds always -------------------------------------------------------------------------

    @invariant()
    def the_states_are_the_same(self) -> None:
        state, model = self.life.state, self.model
        phases = {t: "retrying" if p == "due" else p for t, p in model.phase.items()}
        assert {task.key: task.state.phase for task in state.tasks} == phases
        assert state.phase == model.quest
        assert {task.key: task.choice for task in state.tasks} == model.choice
        assert state.failed_steps == model.failed_steps()
        if model.quest == "active":
            between = {"settling", "judging"} & set(phases.values())
            busy = model.running() or between or model.ended()
            assert state.status == ("running" if busy else "waiting")

    @invariant()
    def the_same_may_start(self) -> None:
        for task in self.model.places:
            start = cmd.StartAttempt(task, "worker", "w-1", "run", True, None)
            decided = core.decide(self.life.state, start, self.life.now_us)
            assert isinstance(decided, list) is self.model.may_start(task)

    @invariant()
    def the_same_is_owed(self) -> None:
        owed = self.life.owed
        assert self.model.owed() == {
            "wants": set(owed.wants),
            "runs": owed.runs,
            "recalls": owed.recalls,
            "renders": set(owed.renders),
            "decides": set(owed.decides),
            "lists": set(owed.lists),
            "gathers": set(owed.gathers),
            "plans": set(owed.plans),
            "judges": set(owed.judges),
            "output": owed.output,
        }
        wake_us, wakes_at = core.next_wake_us(self.life.state), self.model.wakes_at()
        assert wake_us == (None if wakes_at is None else T0_US + wakes_at * 1_000)

    @invariant()
    def every_completed_task_was_completed_once(self) -> None:
        done = Counter(
            cast("Any", event).task
            for _, event in self.life.events
            if isinstance(event, self._completes(cast("Any", event)))
        )
        for task, phase in self.model.phase.items():
            assert done[task] == self.model.completed[task] <= 1
            assert done[task] or phase not in ("completed", "judging")

    def _completes(self, event: Any) -> Any:
        """Events that complete the task that this one is about."""
        if self.model.steps.get(getattr(event, "task", ""), {}).get("plans"):
            return ev.TaskPlanned
        return COMPLETIONS

    @invariant()
    def the_journal_alone_gives_the_same(self) -> None:
        if core.next_wake_us(self.life.state) is not None:
            self.time_passes(0)  # a fold says what is due by now; so must the other
        fresh, live = self.life.folded(), self.life.state
        assert meaning(fresh) == meaning(live)
        if self.plain:
            assert owed_by(fresh) == owed_by(live)


QuestMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=50, deadline=None)
TestQuestCoreAgainstItsModel = QuestMachine.TestCase


# -- long walks: Hypothesis finds the short contradictions and shrinks them, a seed gets far ------------


@pytest.mark.parametrize("seed", range(WALKS))
def test_on_a_long_walk_both_stay_the_same(seed: int) -> None:
    random = Random(seed)
    machine = QuestMachine()
    bounds = random.choice(LIMITS), random.choice(TOTALS_MS), random.choice(ROUNDS)
    machine.begin(random_graph(random), *bounds, random.choice(TOKENS))
    for n in range(STEPS_OF_A_WALK):
        act(machine, random)
        if n % 40 == 39:
            machine.the_daemon_restarts()
        machine.the_states_are_the_same()
        machine.the_same_may_start()
        machine.the_same_is_owed()
        if n % 10 == 0:
            machine.the_journal_alone_gives_the_same()
    machine.every_completed_task_was_completed_once()
