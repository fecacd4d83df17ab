"""Schedules: exactly at a limit is fine, one beyond is refused by the limit's name."""

import pytest

from questd.actors.schedule import checking, core, scheduler
from questd.messages import control as ctl
from questd.messages.control import Done, Error
from questd.messages.payload import encode_json
from questd.messages.schedules import Cron
from tests.limits.standing import Standing
from tests.schedule.test_house import add, view


def test_so_many_schedules_are_kept_and_one_more_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scheduler, "SCHEDULES_MAX", 3)
    house = Standing()
    assert [add(house, f"number_{number}") for number in range(3)] == [Done()] * 3
    refused = add(house, "one_more")
    assert isinstance(refused, Error)
    assert refused.message.startswith("SCHEDULES_MAX: there are 3 schedules")
    assert house.ask(ctl.RemoveSchedule("number_0")) == Done()
    assert add(house, "one_more") == Done()


def test_a_thousand_schedules_are_listed_in_one_answer() -> None:
    house = Standing()
    for number in range(scheduler.SCHEDULES_MAX):
        assert add(house, f"number_{number}", trigger=Cron("0 3 1 * *")) == Done()
    found = house.ask(ctl.ListSchedules())
    assert isinstance(found, ctl.Schedules)
    assert len(found.schedules) == scheduler.SCHEDULES_MAX


def test_a_backfill_has_so_many_due_times_and_one_more_is_refused() -> None:
    house = Standing()
    add(house)
    house.ask(ctl.PauseSchedule("nightly"))
    last_us = house.clock.now_us() // 60_000_000 * 60_000_000
    first_us = last_us - (core.BACKFILL_MAX - 1) * 60_000_000
    refused = house.ask(ctl.BackfillSchedule("nightly", first_us - 60_000_000, last_us))
    assert isinstance(refused, Error)
    assert refused.message.startswith("BACKFILL_MAX: more than 1000 due times in that range")
    whole = house.ask(ctl.BackfillSchedule("nightly", first_us, last_us))
    assert whole == Done(changed=True, message="1000")
    assert view(house).backlog == core.BACKFILL_MAX


def test_inputs_of_a_schedule_have_so_many_bytes_and_no_more() -> None:
    house = Standing()
    beyond = encode_json({"x": "a" * (checking.INPUTS_MAX_BYTES - 7)})
    assert len(beyond) == checking.INPUTS_MAX_BYTES + 1
    refused = add(house, inputs=beyond)
    assert isinstance(refused, Error)
    assert refused.message.startswith("INPUTS_MAX_BYTES: inputs of 65537 bytes; 65536 are allowed")
    fitting = add(house, inputs=encode_json({"x": "a" * (checking.INPUTS_MAX_BYTES - 8)}))
    assert isinstance(fitting, Error)
    assert "the inputs do not fit" in fitting.message
