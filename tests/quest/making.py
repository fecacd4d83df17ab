"""A quest as the tests see it: commands and time go in, events come out, as its supervisor does it but for the disk."""

from typing import Any

from questd.actors.quest import commands as cmd
from questd.actors.quest import core
from questd.actors.quest import owed as dues
from questd.actors.quest import state as st
from questd.actors.quest import task as tk
from questd.messages import events as ev
from questd.messages.definition import (
    QuestDefinition,
    RetryPolicy,
    StepDefinition,
    definition_digest,
    encode_definition,
)
from questd.messages.failure import EXCEPTION, Failure
from questd.messages.payload import Payload

T0_US = 1_700_000_000_000_000
AT_ONCE = RetryPolicy(attempts=3, delay_ms=0, jitter=0.0)
ONCE = RetryPolicy(attempts=1)
CHECKED_STEPS = 50
"""Of quests up to this size, what is owed is computed from scratch too after each command."""


def step(key: str, *dependencies: str, **fields: Any) -> StepDefinition:
    return StepDefinition(key=key, agent="worker", dependencies=dependencies, **fields)


def plan_of(*steps: StepDefinition, **fields: Any) -> st.Plan:
    definition = QuestDefinition(name="made", steps=steps, **fields)
    return st.Plan(definition, definition_digest(encode_definition(definition)))


def failure(kind: str = EXCEPTION, message: str = "it broke", **fields: Any) -> Failure:
    return Failure(kind, message, **fields)


class Owed:
    """What the world owes the quest, kept by the deltas alone."""

    def __init__(self) -> None:
        self.wants: dict[str, None] = {}
        self.runs: dict[str, int] = {}
        self.recalls: dict[str, int] = {}
        self.renders: dict[str, None] = {}
        self.decides: dict[str, None] = {}
        self.judges: dict[str, None] = {}
        self.lists: dict[str, None] = {}
        self.gathers: dict[str, None] = {}
        self.plans: dict[str, None] = {}
        self.output = False
        self.parent_told = False

    def take(self, due: list[dues.Due]) -> None:
        for each in due:
            match each:
                case dues.WantPlace(task):
                    assert task not in self.wants, f"{task} asks twice"
                    self.wants[task] = None
                case dues.DropWant(task):
                    del self.wants[task]
                case dues.RunAttempt(task, attempt):
                    del self.wants[task]
                    assert task not in self.runs, f"{task} runs twice"
                    self.runs[task] = attempt.epoch
                case dues.RecallAttempt(task, epoch):
                    assert self.runs[task] == epoch
                    self.recalls[task] = epoch
                case dues.DropAttempt(task, epoch):
                    if self.runs.get(task) == epoch:
                        del self.runs[task]
                        self.recalls.pop(task, None)
                case dues.RenderInput(task):
                    self.renders[task] = None
                case dues.Decide(task):
                    self.decides[task] = None
                case dues.JudgeRound(task):
                    self.judges[task] = None
                case dues.ListItems(task):
                    self.lists[task] = None
                case dues.ReadPlan(task):
                    self.plans[task] = None
                case dues.GatherItems(task):
                    self.gathers[task] = None
                case dues.RenderOutput():
                    self.output = True
                case dues.TellParent():
                    self.parent_told = True

    def settle(self, state: st.QuestState) -> None:
        """A rendering is over with the answer to it, or with what it was for."""
        rendered: tuple[tuple[dict[str, None], type[tk.TaskState]], ...] = (
            (self.renders, tk.Settling),
            (self.decides, tk.Deciding),
            (self.judges, tk.Judging),
            (self.lists, tk.Listing),
            (self.gathers, tk.Gathering),
            (self.plans, tk.Planning),
        )
        for tasks, due_in in rendered:
            for task in list(tasks):
                if state.phase != "active" or not isinstance(state.at(task).state, due_in):
                    del tasks[task]
        self.output = self.output and state.phase == "active"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Owed) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"Owed({vars(self)})"


def owed_by(state: st.QuestState) -> Owed:
    """The same from scratch."""
    owed = Owed()
    for due in core.outstanding(state):
        if isinstance(due, dues.RunAttempt):
            owed.runs[due.task] = due.attempt.epoch
        else:
            owed.take([due])
    return owed


class Life:
    """One quest. ``events`` is its journal: (at_us, event)."""

    def __init__(self, plan: st.Plan, *, id: str = "q_1") -> None:  # noqa: A002
        self.plan = plan
        self.state = st.QuestState(id, plan)
        self.now_us = T0_US
        self.events: list[tuple[int, ev.Event]] = []
        self.owed = Owed()
        self.taken: list[dues.Due] = []

    # -- when ------------------------------------------------------------------------------------

    def when(self, command: cmd.Command) -> list[ev.Event] | cmd.Rejected:
        """The events that the command made, those that conclude the quest included."""
        decided = core.decide(self.state, command, self.now_us)
        if isinstance(decided, cmd.Rejected):
            return decided
        made = list(decided)
        for event in decided:
            self._fold(event)
        while following := core.conclude(self.state):
            for event in following:
                made.append(event)
                self._fold(event)
        self._settle()
        return made

    def _fold(self, event: ev.Event) -> None:
        core.evolve(self.state, event, self.now_us)
        self.events.append((self.now_us, event))

    def _settle(self) -> None:
        self.taken = self.state.take_due()
        self.owed.take(self.taken)
        self.owed.settle(self.state)
        if len(self.state.tasks) <= CHECKED_STEPS:
            assert self.owed == owed_by(self.state)

    def pass_ms(self, milliseconds: float) -> list[ev.Event]:
        """Time passes, and what has come due is done."""
        self.now_us += int(milliseconds * 1_000)
        made: list[ev.Event] = []
        for command in core.elapse(self.state, self.now_us):
            outcome = self.when(command)
            made += outcome if isinstance(outcome, list) else []
        self._settle()
        return made

    def pass_until_due(self) -> list[ev.Event]:
        wake_us = core.next_wake_us(self.state)
        assert wake_us is not None
        return self.pass_ms(max(0, wake_us - self.now_us) / 1_000)

    # -- short forms -----------------------------------------------------------------------------

    def submit(self, **fields: Any) -> "Life":
        values: dict[str, Any] = {
            "inputs": b"{}",
            "project": "default",
            "labels": {},
            "priority": 5,
            "deadline_us": None,
            "total_timeout_ms": None,
            "key": None,
        }
        assert isinstance(self.when(cmd.SubmitQuest(**(values | fields))), list)
        return self

    def offer(self, task: str, *, idempotent: bool = True) -> list[ev.Event] | cmd.Rejected:
        """A place comes. One that is held goes back, as the supervisor gives it back."""
        outcome = self.when(cmd.StartAttempt(task, "worker", "w-1", "run", idempotent, 60_000))
        if isinstance(outcome, cmd.Rejected) and outcome.kind == "held":
            core.withhold(self.state, task)
            del self.owed.wants[task]
            self._settle()
        return outcome

    def ask_in_vain(self, *tasks: str) -> None:
        """The router says that nobody connected can do these."""
        core.ask_in_vain(self.state, tasks)
        self._settle()

    def start(self, task: str, *, idempotent: bool = True) -> int:
        """A place comes and is taken; the epoch."""
        made = self.offer(task, idempotent=idempotent)
        assert isinstance(made, list), made
        return self.state.version

    def complete(self, epoch: int, result: Payload = b"1") -> list[ev.Event] | cmd.Rejected:
        return self.when(cmd.CompleteAttempt(epoch, result))

    def complete_with(self, epoch: int, tokens: int) -> list[ev.Event]:
        """Its tool has used so many tokens."""
        made = self.when(cmd.CompleteAttempt(epoch, b"1", tokens=tokens))
        assert isinstance(made, list), made
        return made

    def fail(
        self, epoch: int, why: Failure | None = None, jitter: float = 0.0
    ) -> list[ev.Event] | cmd.Rejected:
        return self.when(cmd.FailAttempt(epoch, why or failure(), 0, jitter))

    def lose(self, epoch: int) -> list[ev.Event] | cmd.Rejected:
        return self.when(cmd.LoseAttempt(epoch, "its agent vanished"))

    def run(self, *tasks: str, result: bytes = b"1") -> None:
        """Each task runs to its end."""
        for task in tasks:
            assert isinstance(self.complete(self.start(task), result), list)

    def decide(self, task: str, *, holds: bool) -> list[ev.Event] | cmd.Rejected:
        return self.when(cmd.DecideTask(task, holds))

    def judge(
        self, task: str, *, holds: bool, feedback: bytes = b'"more"'
    ) -> list[ev.Event] | cmd.Rejected:
        return self.when(cmd.EndRound(task, holds, feedback))

    def expand(self, task: str, *items: bytes) -> list[ev.Event] | cmd.Rejected:
        return self.when(cmd.ExpandTask(task, items))

    def gather(self, task: str, result: bytes = b"[]") -> list[ev.Event] | cmd.Rejected:
        return self.when(cmd.GatherTask(task, result))

    def plans(self, task: str, *steps: StepDefinition) -> list[ev.Event] | cmd.Rejected:
        return self.when(cmd.PlanTask(task, steps, len(self.state.planned)))

    def finish(self, output: bytes = b"1") -> list[ev.Event] | cmd.Rejected:
        return self.when(cmd.FinishQuest(output))

    # -- then ------------------------------------------------------------------------------------

    @property
    def status(self) -> str:
        return self.state.status

    def statuses(self) -> dict[str, str]:
        return {task.key: tk.task_status(task) for task in self.state.tasks}

    def status_of(self, task: str) -> str:
        return tk.task_status(self.state.at(task))

    def wants(self) -> list[str]:
        return list(self.owed.wants)

    def folded(self) -> st.QuestState:
        """The state from its journal alone, as after a restart."""
        fresh = st.QuestState(self.state.id, self.plan)
        for at_us, event in self.events:
            core.evolve(fresh, ev.decode_event(ev.encode_event(event)), at_us)
        fresh.take_due()
        core.elapse(fresh, self.now_us)
        fresh.take_due()
        return fresh

    def restart(self) -> None:
        """Only the journal is left."""
        self.state = self.folded()
        self.owed = owed_by(self.state)


def quest(*steps: StepDefinition, total_timeout_ms: int | None = None, **fields: Any) -> Life:
    """A quest of these steps, submitted and started."""
    return Life(plan_of(*steps, **fields)).submit(total_timeout_ms=total_timeout_ms)


def kinds(made: list[ev.Event] | cmd.Rejected) -> list[str]:
    assert isinstance(made, list), made
    return [ev.kind_of(event) for event in made]
