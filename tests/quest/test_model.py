"""The quest core and the model of it say the same, whatever is said to them and in whatever order."""

from collections import Counter
from typing import Any, cast

from hypothesis import settings
from hypothesis import strategies as s
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from questd.actors.quest import commands as cmd
from questd.actors.quest import core
from questd.actors.quest import state as st
from questd.actors.quest.admission import queued
from questd.messages import events as ev
from questd.messages.definition import QuestLimits, RetryPolicy, StepDefinition
from tests.quest.making import T0_US, Life, failure, owed_by, plan_of
from tests.quest.model import Model, Step

KEYS = ("a", "b", "c", "d", "e", "f")
DELAYS_MS = s.sampled_from([0, 10, 1_000])
DERIVED = {"plan", "due", "timers", "ready", "admitted", "exclusive_wanted", "tasks"}
"""Of a state: what another fold may hold in another order, and is compared by what it means."""


@s.composite
def graphs(draw: s.DrawFn) -> dict[str, Step]:
    size = draw(s.integers(1, len(KEYS)))
    steps: dict[str, Step] = {}
    for n, key in enumerate(KEYS[:size]):
        before = s.lists(s.sampled_from(KEYS[:n]), max_size=3, unique=True) if n else s.just([])
        steps[key] = {
            "needs": draw(before),
            "on_error": draw(s.sampled_from(["stop", "continue", "continue_with_input"])),
            "parallel": draw(s.sampled_from([True, True, False])),
            "idempotent": draw(s.booleans()),
            "priority": draw(s.sampled_from([5, 5, 9])),
            "total_ms": draw(s.sampled_from([None, None, 1_500])),
            "attempts": draw(s.integers(1, 3)),
            "delay_ms": draw(DELAYS_MS),
            "backoff": draw(s.sampled_from([1, 2])),
            "cap_ms": draw(s.sampled_from([1_000, 1_500])),
        }
    return steps


def defined(key: str, of: Step) -> StepDefinition:
    retry = RetryPolicy(of["attempts"], of["delay_ms"], float(of["backoff"]), of["cap_ms"], 0.0)
    return StepDefinition(
        key,
        agent="worker",
        dependencies=tuple(of["needs"]),
        parallel=of["parallel"],
        on_error=of["on_error"],
        idempotent=of["idempotent"],
        priority=of["priority"],
        total_timeout_ms=of["total_ms"],
        retry=retry,
    )


def meaning(state: st.QuestState) -> dict[str, Any]:
    """All that a state says, without the order in which its heaps say it."""
    plain = {name: getattr(state, name) for name in st.QuestState.__slots__ if name not in DERIVED}
    tasks = [{name: getattr(task, name) for name in st.Task.__slots__} for task in state.tasks]
    able = set(state.admitted) | queued(state)
    return plain | {"tasks": tasks, "able": able, "wakes": core.next_wake_us(state)}


class QuestMachine(RuleBasedStateMachine):
    life: Life
    model: Model

    @initialize(
        steps=graphs(),
        limit=s.sampled_from([None, None, 1, 2]),
        total_ms=s.sampled_from([None, None, 4_000]),
    )
    def begin(self, steps: dict[str, Step], limit: int | None, total_ms: int | None) -> None:
        definitions = [defined(key, of) for key, of in steps.items()]
        self.life = Life(plan_of(*definitions, limits=QuestLimits(parallel=limit)))
        self.life.submit(total_timeout_ms=total_ms)
        self.model = Model(steps, limit, total_ms)
        self.plain = limit is None and all(of["parallel"] for of in steps.values())
        self.idempotent: dict[int, bool] = {}

    def key(self, n: int) -> str:
        return self.model.places[n % len(self.model.places)]

    def epoch(self, n: int) -> int:
        """One of all there ever were, the last ones more often; now and then one that never was."""
        known = list(self.model.task_of)
        return known[-1 - n % len(known)] if known and n < 60 else n * 7

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
        elif asked:
            self.model.asking.remove(task)  # held, and given back

    @rule(n=s.integers(0, 63))
    def a_result_comes(self, n: int) -> None:
        epoch, model = self.epoch(n), self.model
        task, known = model.task_that_counts(epoch), epoch in model.known
        made = self.life.complete(epoch)
        if epoch in model.task_of:
            model.known.add(epoch)
        if task is not None:
            assert isinstance(made, list)
            assert isinstance(made[0], ev.AttemptCompleted)
            model.move(task, "completed")
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
        kind=s.sampled_from(["exception", "exception", "timeout", "auth", "cancelled"]),
        retryable=s.sampled_from([True, True, False]),
        wish_ms=s.sampled_from([None, None, 0, 700]),
    )
    def a_failure_comes(self, n: int, kind: str, retryable: bool, wish_ms: int | None) -> None:
        epoch = self.epoch(n)
        task = self.model.task_that_counts(epoch)
        why = failure(kind, retryable=retryable, retry_after_ms=wish_ms)
        assert isinstance(self.life.fail(epoch, why), list) is (task is not None)
        if task is not None:
            self.model.fail(task, final=not retryable or kind == "auth", wish_ms=wish_ms)
            self.model.conclude()

    @rule(n=s.integers(0, 63), given_back=s.booleans())
    def an_attempt_is_lost(self, n: int, given_back: bool) -> None:
        epoch, model = self.epoch(n), self.model
        task = model.task_that_counts(epoch)
        runs = task is not None and model.phase[task] == "running"
        outcome = self.life.when(cmd.EndAttempt(epoch)) if given_back else self.life.lose(epoch)
        assert isinstance(outcome, list) is runs
        if not runs or task is None:
            return
        if given_back and model.quest == "stopping":
            model.move(task, "cancelled")
        else:
            model.lose(task, idempotent=self.idempotent[epoch])
        model.conclude()

    # -- people and renderings ---------------------------------------------------------------------

    @rule(n=s.integers(0, 5), choice=s.sampled_from(["retry", "complete", "fail", "maybe"]))
    def somebody_decides(self, n: int, choice: str) -> None:
        model, task = self.model, self.key(n)
        able = model.quest == "active" and model.phase[task] == "waiting" and choice != "maybe"
        outcome = self.life.when(cmd.ResolveTask(task, choice, "ann", b"2"))
        assert isinstance(outcome, list) is able
        if able:
            model.resolve(task, choice)
            model.conclude()

    @rule(n=s.integers(0, 19))
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

    @rule(n=s.integers(0, 5))
    def an_input_is_rendered(self, n: int) -> None:
        model, task = self.model, self.key(n)
        able = model.phase[task] == "settling"
        outcome = self.life.when(cmd.ContinueTask(task, b'"given"'))
        assert isinstance(outcome, list) is able
        if able:
            model.go_on(task)
            model.conclude()

    @rule(fails=s.sampled_from([False, False, True]))
    def an_output_is_rendered(self, fails: bool) -> None:
        able = self.model.quest == "active" and self.model.ended()
        outcome = self.life.when(cmd.FinishQuest(b"3", failure() if fails else None))
        assert isinstance(outcome, list) is able
        if able:
            self.model.end("failed" if fails else "completed")

    @rule(n=s.integers(0, 5))
    def a_task_turns_out_impossible(self, n: int) -> None:
        model, task = self.model, self.key(n)
        able = model.quest == "active"
        able = able and model.phase[task] in ("ready", "due", "retrying", "waiting")
        outcome = self.life.when(cmd.FailTask(task, failure("validation", retryable=False)))
        assert isinstance(outcome, list) is able
        if able:
            model.give_up(task)
            model.conclude()

    # -- time and restarts -------------------------------------------------------------------------

    @rule(milliseconds=s.sampled_from([0, 1, 10, 500, 1_000, 12_000]))
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
        assert state.failed_steps == model.continued
        if model.quest == "active":
            busy = model.running() or "settling" in phases.values() or model.ended()
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
            "output": owed.output,
        }
        wake_us, wakes_at = core.next_wake_us(self.life.state), self.model.wakes_at()
        assert wake_us == (None if wakes_at is None else T0_US + wakes_at * 1_000)

    @invariant()
    def every_completed_task_was_completed_once(self) -> None:
        done = Counter(
            cast("Any", event).task
            for _, event in self.life.events
            if isinstance(event, ev.AttemptCompleted | ev.TaskCompleted)
        )
        for task, phase in self.model.phase.items():
            assert done[task] == self.model.completed[task] == (phase == "completed")

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
