"""Steps that wait for a signal, or for a time: who takes what, what becomes of signals that come early, twice or late."""

from typing import Any

import pytest

from questd.actors.control.steering import steered_by
from questd.actors.quest import commands as cmd
from questd.actors.quest import core
from questd.actors.quest.outstanding import outstanding
from questd.actors.quest.signals import SIGNALS_KEPT_MAX
from questd.actors.quest.waiting import said_of
from questd.messages import control as ctl
from questd.messages import events as ev
from questd.messages.definition import Awaited, Repeat, StepDefinition
from questd.messages.failure import Failure
from questd.messages.heads import Wait
from tests.quest.making import T0_US, Life, kinds, quest, step

HOUR_MS = 3_600_000
SENT = cmd.ReceiveSignal("payment", b"1", "ann")


def paid(key: str = "paid", *dependencies: str, **fields: Any) -> StepDefinition:
    fields = {"wait_for": Awaited("payment"), **fields}
    return StepDefinition(key, dependencies=dependencies, **fields)


def nap(key: str, *dependencies: str, sleep_ms: int = 30_000, **fields: Any) -> StepDefinition:
    return StepDefinition(key, dependencies=dependencies, sleep_ms=sleep_ms, **fields)


def send(
    life: Life, payload: bytes = b"1", name: str = "payment", key: str | None = None
) -> list[ev.Event] | cmd.Rejected:
    return life.when(cmd.ReceiveSignal(name, payload, "ann", key))


def refusal(outcome: list[ev.Event] | cmd.Rejected) -> str:
    assert isinstance(outcome, cmd.Rejected)
    return f"{outcome.kind}: {outcome.message}"


# -- signals -------------------------------------------------------------------------------------------


def test_a_signal_is_the_result_of_the_step_that_waits_for_it() -> None:
    life = quest(step("a"), paid("paid", "a"), step("b", "paid"))
    life.run("a")
    assert life.status_of("paid") == life.status == "waiting"
    assert core.waits_of(life.state) == (Wait("paid", "signal", "payment", life.now_us),)
    n = life.state.version + 1
    assert send(life, b'{"sum":5}') == [
        ev.SignalReceived("payment", b'{"sum":5}', "ann"),
        ev.TaskSignalled("paid", n, b'{"sum":5}'),
    ]
    assert said_of(life.state, SENT, n - 1) == "taken"
    assert life.statuses() == {"a": "completed", "paid": "completed", "b": "ready"}


def test_one_that_comes_early_is_kept_until_the_step_waits() -> None:
    life = quest(step("a"), paid("paid", "a"))
    before = life.state.version
    assert kinds(send(life, b'"early"')) == ["signal.received"]
    assert said_of(life.state, SENT, before) == "kept"
    life.restart()
    epoch = life.start("a")
    made = life.complete(epoch)
    assert isinstance(made, list)
    assert made[1:] == [ev.TaskSignalled("paid", before + 1, b'"early"')]


def test_of_two_answers_the_first_wins_and_the_second_is_told() -> None:
    life = quest(paid(), step("b", "paid"))
    send(life, b'"first"')
    assert refusal(send(life, b'"second"')) == (
        "conflict: no step waits for the signal 'payment' any more: paid is completed"
    )
    signalled = [event for _, event in life.events if isinstance(event, ev.TaskSignalled)]
    assert [event.result for event in signalled] == [b'"first"']


def test_a_second_one_is_not_kept_for_a_step_that_has_one() -> None:
    life = quest(step("a"), paid("paid", "a"))
    send(life)
    assert refusal(send(life)) == (
        "conflict: the signal 'payment' has come already and is kept for paid"
    )


def test_a_signal_for_an_unknown_name_is_invalid_and_says_which_there_are() -> None:
    assert refusal(send(quest(paid()), name="paymnt")) == (
        "invalid: no step of q_1 waits for a signal 'paymnt'; they wait for payment"
    )
    assert refusal(send(quest(step("a")))) == "invalid: no step of q_1 waits for a signal"


def test_a_signal_sent_again_under_its_key_is_the_same_signal_for_ever() -> None:
    life = quest(step("a"), paid("p", "a"), paid("q", "a"))
    send(life, b"1", key="k")
    before = life.state.version
    assert send(life, b"2", key="k") == []
    assert said_of(life.state, SENT, before) == "received before"
    life.restart()
    life.run("a")
    assert send(life, key="k") == []
    assert life.statuses() == {"a": "completed", "p": "completed", "q": "waiting"}
    life.when(cmd.CancelQuest("no", "ann"))
    assert send(life, key="k") == []
    assert refusal(send(life, key="l")) == "conflict: q_1 is cancelled and hears no signal any more"


def test_a_quest_that_is_ending_or_has_ended_hears_nothing() -> None:
    life = quest(step("a"), paid())
    life.start("a")
    life.when(cmd.CancelQuest("no", "ann"))
    assert refusal(send(life)) == "conflict: q_1 is ending and hears no signal any more"
    life = quest(paid())
    send(life)
    life.finish()
    assert refusal(send(life)) == "conflict: q_1 is completed and hears no signal any more"


def test_steps_that_wait_for_the_same_name_are_served_in_the_order_in_which_they_began() -> None:
    life = quest(paid("late", "a"), step("a"), paid("first"), paid("second"))
    send(life, b"1")
    life.run("a")
    send(life, b"2")
    send(life, b"3")
    results = {t.key: getattr(t.state, "result", None) for t in life.state.tasks}
    assert results == {"first": b"1", "second": b"2", "late": b"3", "a": b"1"}


def test_signals_of_other_names_are_not_mixed_up() -> None:
    life = quest(paid(), paid("shipped", wait_for=Awaited("parcel")))
    assert kinds(send(life, name="parcel")) == ["signal.received", "task.signalled"]
    assert life.statuses() == {"paid": "waiting", "shipped": "completed"}


def test_so_many_signals_are_kept_and_no_more() -> None:
    early = [paid(f"p{n}", "a", wait_for=Awaited(f"s{n}")) for n in range(SIGNALS_KEPT_MAX + 1)]
    life = quest(step("a"), paid("now"), *early)
    for n in range(SIGNALS_KEPT_MAX):
        assert kinds(send(life, name=f"s{n}")) == ["signal.received"]
    assert refusal(send(life, name=f"s{SIGNALS_KEPT_MAX}")) == (
        "conflict: q_1 keeps 100 signals for steps that do not wait yet, and no more"
    )
    assert kinds(send(life)) == ["signal.received", "task.signalled"]  # who waits is served
    life.run("a")
    assert kinds(send(life, name=f"s{SIGNALS_KEPT_MAX}")) == ["signal.received", "task.signalled"]


def test_what_is_kept_for_a_step_that_is_skipped_makes_room() -> None:
    life = quest(step("a"), paid("paid", "a", when="false"))
    send(life)
    life.run("a")
    assert life.state.signals is not None
    life.decide("paid", holds=False)
    assert life.state.signals.kept_count == 0
    assert refusal(send(life)).endswith("any more: paid is skipped")


# -- the time is over ------------------------------------------------------------------------------------


def test_without_a_signal_in_time_the_default_is_the_result() -> None:
    default = Awaited("payment", required=False, default={"sum": 0})
    life = quest(paid(wait_for=default, timeout_ms=HOUR_MS), step("b", "paid"))
    assert core.next_wake_us(life.state) == T0_US + HOUR_MS * 1_000
    assert life.pass_ms(HOUR_MS - 1) == []
    assert life.pass_ms(1) == [ev.TaskDefaulted("paid", b'{"sum":0}')]
    assert life.wants() == ["b"]
    assert refusal(send(life)).startswith("conflict: no step waits")


def test_without_a_default_the_step_has_failed_and_on_error_says_how_it_goes_on() -> None:
    for on_error, after in (("continue", ["b"]), ("stop", []), ("continue_with_input", [])):
        life = quest(
            step("a"),
            paid("paid", "a", timeout_ms=1_000, on_error=on_error),
            step("b", "paid"),
        )
        life.run("a")
        made = life.pass_ms(1_000)
        assert isinstance(made[0], ev.TaskFailed)
        assert made[0].failure == Failure(
            "timeout", "no signal 'payment' came within 1000 ms", "paid", False
        )
        assert life.wants() == after
        assert list(life.owed.renders) == (["paid"] if on_error == "continue_with_input" else [])
        assert refusal(send(life)).startswith("conflict: ")


def test_a_signal_that_is_in_the_journal_before_the_end_of_the_wait_counts() -> None:
    life = quest(paid(timeout_ms=1_000))
    life.now_us += 1_000_000
    assert kinds(send(life)) == ["signal.received", "task.signalled"]
    assert life.pass_ms(0) == []


def test_the_total_timeout_of_a_step_ends_its_wait_whatever_the_default() -> None:
    default = Awaited("payment", required=False)
    life = quest(paid(wait_for=default, timeout_ms=2_000, total_timeout_ms=1_000))
    assert kinds(life.pass_ms(1_000)) == ["task.failed", "quest.stopping", "quest.failed"]


def test_of_two_ends_at_the_same_moment_the_wait_s_own_counts() -> None:
    default = Awaited("payment", required=False)
    life = quest(paid(wait_for=default, timeout_ms=1_000, total_timeout_ms=1_000))
    assert kinds(life.pass_ms(1_000)) == ["task.defaulted"]


@pytest.mark.parametrize("waits", [paid(), nap("paid")])
def test_a_quest_that_only_waits_can_be_cancelled_and_runs_out_of_time(
    waits: StepDefinition,
) -> None:
    life = quest(waits)
    assert kinds(life.when(cmd.CancelQuest("no", "ann"))) == [
        "quest.cancel_requested",
        "quest.cancelled",
    ]
    assert life.statuses() == {"paid": "cancelled"}
    life = quest(waits, total_timeout_ms=1_000)
    assert kinds(life.pass_ms(1_000)) == ["quest.stopping", "quest.failed"]
    assert core.next_wake_us(life.state) is None


# -- sleeping ----------------------------------------------------------------------------------------------


def test_a_sleep_ends_when_its_time_has_come_and_never_before() -> None:
    life = quest(step("a"), nap("cool", "a"), step("b", "cool"))
    life.run("a")
    slept = Wait("cool", "timer", "sleep", life.now_us, life.now_us + 30_000_000)
    assert core.waits_of(life.state) == (slept,)
    assert life.pass_ms(29_999.999) == []
    assert life.pass_ms(0.001) == [ev.TaskWoke("cool")]
    assert life.state.at("cool").state.result == b"null"  # type: ignore[union-attr]
    assert life.wants() == ["b"]


def test_a_sleep_goes_on_over_a_restart_and_is_not_begun_anew() -> None:
    life = quest(nap("cool"))
    life.pass_ms(20_000)
    life.restart()
    assert outstanding(life.state) == []
    assert core.next_wake_us(life.state) == T0_US + 30_000_000
    assert life.pass_ms(9_999) == []
    assert kinds(life.pass_ms(1)) == ["task.woke"]


def test_a_clock_that_was_set_back_makes_a_sleep_longer_and_never_shorter() -> None:
    life = quest(nap("cool"))
    life.now_us -= 3_600_000_000
    assert life.pass_ms(30_000) == []
    life.now_us = T0_US + 29_999_999
    assert life.pass_ms(0) == []
    assert kinds(life.pass_ms(0.001)) == ["task.woke"]


def test_a_machine_that_was_suspended_wakes_what_is_due_at_once_in_order() -> None:
    life = quest(nap("b", sleep_ms=2_000), nap("a", sleep_ms=1_000), nap("c", sleep_ms=90_000_000))
    made = life.pass_ms(80_000_000)
    assert made == [ev.TaskWoke("a"), ev.TaskWoke("b")]


def test_waits_hold_no_slot_and_do_not_stand_in_the_way_of_who_must_run_alone() -> None:
    life = quest(nap("cool"), paid(), step("alone", parallel=False))
    assert life.wants() == ["alone"]
    epoch = life.start("alone")
    assert kinds(send(life)) == ["signal.received", "task.signalled"]
    life.complete(epoch)
    assert life.status == "waiting"


def test_a_condition_is_looked_at_before_the_wait_begins() -> None:
    life = quest(
        step("a"), paid("paid", "a", when="true", timeout_ms=1_000), nap("cool", when="true")
    )
    send(life)
    life.run("a")
    life.pass_ms(5_000)
    assert kinds(life.decide("paid", holds=True)) == ["task.allowed", "task.signalled"]
    assert kinds(life.decide("cool", holds=True)) == ["task.allowed"]
    assert kinds(life.pass_ms(30_000)) == ["task.woke"]


def test_a_wait_behind_a_skipped_step_is_skipped_unless_it_says_otherwise() -> None:
    life = quest(step("a", when="false"), paid("paid", "a"), nap("cool", "a", allow_skipped=True))
    assert kinds(life.decide("a", holds=False)) == ["task.skipped", "task.skipped"]
    assert life.statuses() == {"a": "skipped", "paid": "skipped", "cool": "waiting"}


# -- in loops ------------------------------------------------------------------------------------------


def in_a_loop(*steps: StepDefinition) -> Life:
    """begun → the steps → review, which goes back to begun."""
    last = steps[-1].key
    return quest(step("begun"), *steps, step("review", last, repeat=Repeat("result", "begun")))


def test_each_round_waits_anew_for_a_signal_of_its_own() -> None:
    life = in_a_loop(paid("paid", "begun"))
    life.run("begun")
    send(life, b"1")
    life.run("review")
    life.judge("review", holds=False)
    life.run("begun@2")
    assert core.waits_of(life.state) == (Wait("paid@2", "signal", "payment", life.now_us),)
    n = life.state.version + 1
    assert send(life, b"2") == [
        ev.SignalReceived("payment", b"2", "ann"),
        ev.TaskSignalled("paid@2", n, b"2"),
    ]
    life.run("review@2")
    life.judge("review@2", holds=True)
    assert refusal(send(life)).startswith("conflict")


def test_a_signal_between_rounds_is_refused_until_the_quest_goes_back() -> None:
    life = in_a_loop(paid("paid", "begun"))
    life.run("begun")
    send(life)
    assert refusal(send(life)) == (
        "conflict: no step waits for the signal 'payment' any more: paid is completed"
    )
    life.run("review")
    life.judge("review", holds=False)
    assert kinds(send(life, b"2")) == ["signal.received"]
    life.run("begun@2")
    assert life.status_of("paid@2") == "completed"


def test_each_round_sleeps_its_whole_time() -> None:
    life = in_a_loop(nap("cool", "begun"))
    life.run("begun")
    life.pass_ms(30_000)
    life.run("review")
    life.judge("review", holds=False)
    life.run("begun@2")
    assert core.next_wake_us(life.state) == life.now_us + 30_000_000
    assert life.pass_ms(29_999) == []
    assert life.pass_ms(1) == [ev.TaskWoke("cool@2")]


def test_a_signal_whose_payload_is_no_json_is_told_so() -> None:
    wrong = steered_by(ctl.SendSignal("q_1", "payment", b"{"))
    assert wrong == ctl.Error("invalid", "the payload is not JSON text")
