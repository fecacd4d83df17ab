"""Loops of simulated quests: who runs again, who waits for whom, and whether going back was right. Said by the journal and the document alone.

``until`` is about the round, or about nothing: it must be answered alike after a restart.
"""

import json
from collections.abc import Callable
from typing import Final

from questd.messages import events as ev
from questd.messages.address import address_of
from questd.messages.definition import QuestDefinition, Repeat, StepDefinition
from questd.messages.exchange import Invocation
from questd.messages.failure import BUDGET
from questd.simulation.accounts import Account
from questd.simulation.chance import Chance

Expect = Callable[[bool, str], None]
TOLD: Final = {"was": "{{ result }}", "in": "{{ round }}"}
UNTIL: Final[dict[str, Callable[[int], bool]]] = {
    "round >= 2": lambda number: number >= 2,
    "round > 1": lambda number: number > 1,
    "round % 2 == 0": lambda number: number % 2 == 0,
    "round > 3": lambda number: number > 3,
    "round % 3 == 0": lambda number: number % 3 == 0,
    "result == result and round > 1": lambda number: number > 1,
    "true": lambda _: True,
    "false": lambda _: False,
}


class Loops:
    """The loops of a document, by key: who is in which, and who waits for whom."""

    def __init__(self, definition: QuestDefinition) -> None:
        self._steps = {step.key: step for step in definition.steps}
        self.limit = definition.limits.rounds
        self.bodies = {
            step.key: self._body(step.key, step.repeat.back_to or step.key)
            for step in definition.steps
            if step.repeat is not None
        }
        self.waits = {step.key: self._waits(step) for step in definition.steps}

    def join(self, steps: tuple[StepDefinition, ...]) -> None:
        """Planned steps are in no loop, and wait for none that is."""
        for step in steps:
            self._steps[step.key] = step
            self.waits[step.key] = step.dependencies

    def _before(self, key: str) -> dict[str, None]:
        before: dict[str, None] = {}
        pending = list(self._steps[key].dependencies)
        while pending:
            other = pending.pop()
            if other not in before:
                before[other] = None
                pending += self._steps[other].dependencies
        return before

    def _body(self, key: str, back_to: str) -> tuple[str, ...]:
        before = self._before(key)
        inside = {other: back_to in self._before(other) for other in before}
        return tuple(
            other for other in self._steps if other in (key, back_to) or inside.get(other, False)
        )

    def _waits(self, step: StepDefinition) -> tuple[str, ...]:
        """Its dependencies, and the ends of all loops around those that it is not in."""
        waits = dict.fromkeys(step.dependencies)
        more = True
        while more:
            more = False
            for key, body in self.bodies.items():
                if key not in waits and step.key not in body and not waits.keys().isdisjoint(body):
                    waits[key] = None
                    more = True
        return tuple(waits)

    @property
    def crossed(self) -> bool:
        """Would some step wait for itself?"""
        over: dict[str, None] = {}
        left = dict(self.waits)
        while left:
            able = [key for key, waits in left.items() if all(other in over for other in waits)]
            if not able:
                return True
            for key in able:
                over[key] = None
                del left[key]
        return False


def draw_repeat(chance: Chance, key: str, before: tuple[str, ...]) -> Repeat:
    """Back to itself, or to one that it depends on."""
    return Repeat(
        chance.pick(tuple(UNTIL)),
        chance.pick((None, key, *before)),
        chance.between(1, 4),
        chance.pick((None, TOLD)),
        chance.pick(("stop", "continue", "continue")),
    )


def over(account: Account, step: StepDefinition) -> bool:
    """May it run, as far as others go?"""
    return all(account.now(key) in account.ended for key in account.loops.waits[step.key])


def note_result(account: Account, task: str, text: bytes | None) -> None:
    """A task has a result: it stands, unless its step has a loop and the quest goes on."""
    if account.steps[task].repeat is None or account.stopping:
        account.ended[task] = None
    else:
        account.judging[task] = text


def note_accepted(account: Account, event: ev.TaskAccepted, expect: Expect) -> None:
    """The loop is over: its condition holds, or no round was left."""
    where, task = f"{account.quest} {event.task}", event.task
    repeat = account.steps[task].repeat
    expect(task in account.judging and repeat is not None, f"{where}: accepted, and not judged")
    if repeat is None:
        return
    holds = UNTIL[repeat.until](account.round_of(task))
    if event.exhausted:
        used_up = account.taken.get(task, 1) >= repeat.max_rounds
        allowed = (used_up and repeat.on_exhausted == "continue") or task in account.asked
        expect(allowed and not holds, f"{where}: its rounds were not used up")
    else:
        expect(holds, f"{where}: accepted although its condition does not hold")
    account.judging.pop(task, None)
    account.ended[task] = None


def note_asked(account: Account, event: ev.BreakpointOpened, expect: Expect) -> None:
    """A person is asked for one round more than the quest may have."""
    if event.kind == "budget" and event.task in account.judging:
        spent = account.sent_back >= account.loops.limit
        expect(spent, f"{account.quest} {event.task}: asked too early")
        account.asked[event.task] = None


def note_sent_back(
    account: Account, event: ev.TaskSentBack, text: bytes | None, expect: Expect
) -> None:
    """The next round of the whole body."""
    where, task = f"{account.quest} {event.task}", event.task
    step = account.steps[task]
    repeat, key = step.repeat, step.key
    expect(task in account.judging and repeat is not None, f"{where}: sent back, and not judged")
    if repeat is None:
        return
    expect(not UNTIL[repeat.until](account.round_of(task)), f"{where}: sent back needlessly")
    expect(account.taken.get(task, 1) < repeat.max_rounds, f"{where}: a round too many")
    allowed = account.sent_back < account.loops.limit or task in account.asked
    expect(allowed and not account.stopping, f"{where}: sent back more often than it may be")
    told = account.judging.pop(task, None)
    result = json.loads(told or b"null")
    wanted = result if repeat.feedback is None else {"was": result, "in": account.round_of(task)}
    said = json.loads(text or b"null")
    expect(said == wanted, f"{where}: other feedback than it should have")
    account.ended[task] = None
    account.sent_back += 1
    for other in account.loops.bodies[key]:
        before, number = account.now(other), account.rounds.get(other, 1) + 1
        expect(before in account.ended, f"{where}: sent back while {before} has not ended")
        account.rounds[other] = number
        name = f"{other}@{number}"
        account.steps[name], account.feedback[name] = account.steps[other], said
        account.taken[name] = account.taken.get(before, 1) + 1 if before == task else 1


def check_sent(account: Account, sent: Invocation, expect: Expect) -> None:
    """It says which round it is, and is told what that round is told."""
    where, number = f"work of {sent.quest} {sent.task}", account.round_of(sent.task)
    expect(sent.round == number, f"{where}: says another round")
    arguments = json.loads(sent.arguments)
    if arguments.keys() >= {"told", "round"}:
        told = account.feedback.get(address_of(account.steps[sent.task].key, None, number))
        right = (arguments["told"], arguments["round"]) == (told, number)
        expect(right, f"{where}: is told of another round")


def check_failed(account: Account, event: ev.TaskFailed, expect: Expect) -> bool:
    """Was it judged? Then it failed because no round was left, or a person said so."""
    task = event.task
    repeat = account.steps[task].repeat
    if task not in account.judging or repeat is None:
        return task in account.judged_failed
    used_up = account.taken.get(task, 1) >= repeat.max_rounds and repeat.on_exhausted == "stop"
    right = event.failure.kind == BUDGET and (used_up or task in account.asked)
    expect(right, f"{account.quest} {task}: failed with a round left")
    expect(
        not UNTIL[repeat.until](account.round_of(task)),
        f"{account.quest} {task}: failed needlessly",
    )
    del account.judging[task]
    account.judged_failed[task] = None
    return True
