"""Who does a task, and who after them: said by the journal alone.

A choice is given up when its attempts are used up, when it failed in a way that is never tried again, or when it was lost too often. Only then
does the next one do it, and no task fails while one is left.
"""

from collections.abc import Callable
from typing import Final

from questd.messages import events as ev
from questd.messages.definition import RetryPolicy
from questd.messages.failure import AGENT_LOST, VALIDATION, Failure
from questd.simulation.accounts import Account
from questd.simulation.families import misplaced
from questd.simulation.workload import TAGS

Expect = Callable[[bool, str], None]
MAX_LOSSES: Final = 5
TIME_IS_OVER: Final = "not done within its total timeout"


def check_started(account: Account, event: ev.AttemptStarted, expect: Expect) -> None:
    """It is on whom its present choice asks for."""
    if misplaced(account, event):
        expect(False, f"{account.quest} {event.task}: is {event.agent} {event.tool}")
    asked = account.steps[event.task].choices[account.choice.get(event.task, 0)]
    right = asked.agent in (None, event.agent) and asked.tool in (None, event.tool)
    able = set(asked.capabilities) <= set(TAGS.get(event.agent, ()))
    expect(right and able, f"{account.quest} {event.task}: {event.agent} was not asked")
    account.given_up.pop(event.task, None)


def note_failure(account: Account, event: ev.AttemptFailed, expect: Expect) -> None:
    """An attempt failed: the last of its choice, or not."""
    task, failure = event.task, event.failure
    tries = account.tries[task] = account.tries.get(task, 0) + 1
    policy = account.steps[task].retry or RetryPolicy()
    if event.retry_at_us is not None:
        expect(tries < policy.attempts, f"{account.quest} {task}: tried more than it may be")
        return
    final = not failure.retryable or failure.kind in policy.no_retry_on
    used_up = final or tries >= policy.attempts or account.stopping
    expect(used_up, f"{account.quest} {task}: given up too early")
    account.given_up[task] = None


def note_loss(account: Account, task: str) -> None:
    """An attempt was lost."""
    account.losses[task] = account.losses.get(task, 0) + 1


def fell_back(account: Account, event: ev.TaskFellBack, expect: Expect) -> None:
    """The next choice, after the one before has been given up."""
    where, task = f"{account.quest} {event.task}", event.task
    step, before = account.steps[task], account.choice.get(task, 0)
    expect(step.for_each is None, f"{where}: has items, and falls back itself")
    expect(event.to == before + 1 <= len(step.fallback), f"{where}: fell back to {event.to}")
    lost = account.losses.get(task, 0) >= MAX_LOSSES and event.failure.kind == AGENT_LOST
    unable = event.failure.kind == VALIDATION
    gave_up = task in account.given_up or lost or unable
    expect(gave_up and task not in account.running.values(), f"{where}: fell back without failing")
    over = event.failure.message.startswith(TIME_IS_OVER) or account.stopping
    expect(not over, f"{where}: fell back although its time was over")
    account.choice[task] = event.to
    for counts in (account.tries, account.losses, account.given_up, account.not_before_us):
        counts.pop(task, None)


def check_failed(account: Account, task: str, failure: Failure, expect: Expect) -> None:
    """Nobody was left to do it, or nobody could have."""
    step = account.steps[task]
    left = step.for_each is None and account.choice.get(task, 0) < len(step.fallback)
    hopeless = failure.kind == AGENT_LOST or failure.message.startswith(TIME_IS_OVER)
    where = f"{account.quest} {task}"
    expect(not left or hopeless or account.stopping, f"{where}: failed, and somebody else was left")
