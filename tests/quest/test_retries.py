"""When a failed attempt is tried again, and after how long."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as s

from questd.actors.quest import task as tk
from questd.actors.quest.retrying import WISH_MAX_MS, retry_delay_us
from questd.messages import events as ev
from questd.messages.definition import RetryPolicy
from questd.messages.failure import FAILURE_KINDS
from tests.quest.making import AT_ONCE, ONCE, Life, failure, kinds, quest, step

SECOND = 1_000_000


def policy(**fields: Any) -> RetryPolicy:
    values: dict[str, Any] = {"attempts": 5, "delay_ms": 1_000, "jitter": 0.0}
    return RetryPolicy(**(values | fields))


def delay_s(of: RetryPolicy, tried: int, jitter: float = 0.0, wish_ms: int | None = None) -> float:
    return retry_delay_us(of, tried, jitter, wish_ms) / SECOND


def test_the_delay_grows_by_the_backoff_up_to_its_cap() -> None:
    growing = policy(backoff=3.0, max_delay_ms=20_000)
    assert [delay_s(growing, tried) for tried in (1, 2, 3, 4, 5)] == [1, 3, 9, 20, 20]


def test_a_backoff_of_one_is_a_constant_delay() -> None:
    assert {delay_s(policy(backoff=1.0), tried) for tried in range(1, 9)} == {1.0}


def test_jitter_moves_the_capped_delay_both_ways() -> None:
    shaken = policy(backoff=10.0, max_delay_ms=5_000, jitter=0.2)
    assert [delay_s(shaken, 4, chance) for chance in (-1.0, 0.0, 0.5, 1.0)] == [4, 5, 5.5, 6]


def test_the_wish_of_a_tool_overrides_the_policy() -> None:
    assert delay_s(policy(jitter=1.0), 3, 1.0, wish_ms=250) == 0.25
    assert delay_s(policy(), 1, wish_ms=0) == 0
    assert delay_s(policy(), 1, wish_ms=-5) == 0


def test_no_wish_goes_beyond_what_the_journal_can_hold() -> None:
    assert retry_delay_us(policy(), 1, 0.0, 2**63) == WISH_MAX_MS * 1_000


@given(
    s.integers(0, 10**12), s.floats(1, 100), s.integers(0, 10**12), s.floats(0, 1),
    s.integers(1, 1_000), s.floats(-1, 1),
)  # fmt: skip
def test_a_delay_is_never_negative_and_never_beyond_cap_and_jitter(
    delay_ms: int, backoff: float, cap_ms: int, jitter: float, tried: int, chance: float
) -> None:
    of = RetryPolicy(1_000, delay_ms, backoff, cap_ms, jitter)
    assert 0 <= retry_delay_us(of, tried, chance, None) <= cap_ms * (1 + jitter) * 1_000 + 1_000


# -- the quest -------------------------------------------------------------------------------------


def test_a_failed_attempt_is_tried_again_when_its_delay_is_over() -> None:
    life = quest(step("a", retry=policy()))
    epoch = life.start("a")
    retry_at_us = life.now_us + SECOND
    assert life.fail(epoch) == [
        ev.AttemptFailed("a", epoch, failure(task="a"), retry_at_us=retry_at_us)
    ]
    assert (life.status_of("a"), life.wants()) == ("retrying", [])
    life.pass_ms(999)
    assert life.wants() == []
    life.pass_ms(1)
    assert life.wants() == ["a"]
    assert life.start("a") == epoch + 2
    assert life.state.at("a").attempts == 2


def test_the_attempts_of_a_policy_count_the_first() -> None:
    life = quest(step("a", retry=policy(attempts=3, delay_ms=0)))
    for _ in range(2):
        assert kinds(life.fail(life.start("a"))) == ["attempt.failed"]
        life.pass_ms(0)
    last = life.fail(life.start("a"))
    assert kinds(last) == ["attempt.failed", "task.failed", "quest.stopping", "quest.failed"]
    assert life.state.at("a").attempts == 3


def test_one_attempt_is_no_retry() -> None:
    life = quest(step("a", retry=ONCE))
    life.fail(life.start("a"))
    assert life.status == "failed"


@pytest.mark.parametrize("kind", FAILURE_KINDS)
def test_a_kind_that_is_not_to_be_retried_is_final(kind: str) -> None:
    life = quest(step("a", retry=policy(no_retry_on=("validation", "auth", "budget"))))
    life.fail(life.start("a"), failure(kind))
    final = kind in {"validation", "auth", "budget"}
    assert life.status_of("a") == ("failed" if final else "retrying")


def test_what_the_tool_calls_final_is_final_whatever_the_policy_says() -> None:
    life = quest(step("a", retry=policy()))
    life.fail(life.start("a"), failure(retryable=False))
    assert life.status_of("a") == "failed"


def test_retry_after_is_kept_even_where_the_policy_would_be_quicker() -> None:
    life = quest(step("a", retry=AT_ONCE))
    life.fail(life.start("a"), failure("rate_limit", retry_after_ms=60_000))
    assert life.state.timers[0][0] == life.now_us + 60 * SECOND


def test_the_policy_is_the_steps_else_the_documents_else_the_houses() -> None:
    def retries_in_s(life: Life) -> float:
        life.fail(life.start("a"))
        state = life.state.at("a").state
        assert isinstance(state, tk.Retrying)
        return (state.until_us - life.now_us) / SECOND

    document = policy(delay_ms=7_000)
    own = policy(delay_ms=3_000)
    assert retries_in_s(quest(step("a", retry=own), default_retry=document)) == 3
    assert retries_in_s(quest(step("a"), default_retry=document)) == 7
    assert retries_in_s(quest(step("a"))) == 1


def test_a_lost_attempt_uses_up_no_try() -> None:
    life = quest(step("a", retry=policy(attempts=2, delay_ms=0)))
    life.lose(life.start("a"))
    assert kinds(life.fail(life.start("a"))) == ["attempt.failed"]
    life.pass_ms(0)
    life.lose(life.start("a"))
    assert life.fail(life.start("a")) != []
    assert life.status_of("a") == "failed"


def test_a_lost_attempt_that_tells_its_failure_after_all_was_a_try() -> None:
    life = quest(step("a", retry=policy(attempts=2, backoff=10.0)))
    epoch = life.start("a")
    life.lose(epoch)
    life.fail(epoch)
    state = life.state.at("a").state
    assert isinstance(state, tk.Retrying)
    assert state.until_us == life.now_us + SECOND
    life.pass_ms(1_000)
    life.fail(life.start("a"))
    assert life.status_of("a") == "failed"


def test_a_retry_that_is_due_is_not_due_twice() -> None:
    life = quest(step("a", retry=policy(attempts=9)))
    life.fail(life.start("a"))
    life.pass_until_due()
    life.pass_ms(0)
    assert life.wants() == ["a"]
    life.fail(life.start("a"))
    life.pass_until_due()
    assert life.wants() == ["a"]


def test_a_quest_that_only_waits_for_a_retry_names_it() -> None:
    life = quest(step("a", retry=policy(delay_ms=90_000)))
    life.fail(life.start("a"))
    assert life.status == "waiting"
    assert life.state.timers[0][0] == life.now_us + 90 * SECOND
