"""Is a failed attempt tried again, and when? Pure."""

from typing import Final

from questd.actors.quest.state import QuestState
from questd.actors.quest.task import Running, Task
from questd.messages.definition import RetryPolicy
from questd.messages.failure import Failure

WISH_MAX_MS: Final = 365 * 86_400_000
"""A tool may wish for a year; more would be no time that the journal can hold."""
DEFAULT_RETRY: Final = RetryPolicy()


def retry_policy(state: QuestState, task: Task) -> RetryPolicy:
    """The step's own policy, else the document's, else the built-in one."""
    return task.step.retry or state.plan.definition.default_retry or DEFAULT_RETRY


def retry_at(
    state: QuestState, task: Task, failure: Failure, jitter: float, now_us: int
) -> int | None:
    """Wall time (µs) of the next attempt; None when there is none."""
    policy = retry_policy(state, task)
    # A failure that comes of a lost attempt says that it was not lost.
    tried = task.tried + (not isinstance(task.state, Running))
    if not failure.retryable or failure.kind in policy.no_retry_on:
        return None
    if tried >= policy.attempts or state.phase != "active":
        return None
    return now_us + retry_delay_us(policy, tried, jitter, failure.retry_after_ms)


def retry_delay_us(policy: RetryPolicy, tried: int, jitter: float, wish_ms: int | None) -> int:
    """Microseconds before the next attempt: min(delay · backoff^(n-1), max_delay) ± jitter, or the tool's wish."""
    if wish_ms is not None:
        return min(max(0, wish_ms), WISH_MAX_MS) * 1_000
    growth = policy.backoff ** min(tried - 1, 64)
    delay_ms = min(policy.delay_ms * growth, float(policy.max_delay_ms))
    return max(0, int(delay_ms * (1.0 + policy.jitter * jitter) * 1_000))
