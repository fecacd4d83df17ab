"""Due times, above all where clocks are changed."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from questd.actors.schedule.cron import (
    dues_between,
    fault_of_cron,
    moment,
    newest_dues,
    next_due,
)
from questd.messages.schedules import Cron

BERLIN = "Europe/Berlin"
MINUTE_US = 60_000_000
DAY_US = 1_440 * MINUTE_US


def us(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * 1_000_000


def coming(expression: str, after: str, count: int, zone: str = BERLIN) -> list[str]:
    found = dues_between(Cron(expression, zone), us(after), 2**62, count)
    return [moment(due).removesuffix(":00Z") for due in found]


# In Berlin clocks went from 02:00 to 03:00 on 2026-03-29 (01:00 UTC), and go from 03:00 to 02:00 on 2026-10-25 (01:00 UTC).


def test_a_time_that_does_not_exist_comes_right_after_the_gap_and_once() -> None:
    before = "2026-03-28T12:00:00Z"
    assert coming("30 2 * * *", before, 2) == ["2026-03-29T01:00", "2026-03-30T00:30"]
    assert coming("0,30 2 * * *", before, 2) == ["2026-03-29T01:00", "2026-03-30T00:00"]
    both = coming("30 2,3 * * *", before, 3)
    assert both == ["2026-03-29T01:00", "2026-03-29T01:30", "2026-03-30T00:30"]


def test_a_time_that_exists_twice_comes_at_its_first() -> None:
    before = "2026-10-24T12:00:00Z"
    assert coming("30 2 * * *", before, 2) == ["2026-10-25T00:30", "2026-10-26T01:30"]


def test_who_asks_in_the_second_of_two_equal_hours_does_not_go_back_to_the_first() -> None:
    assert coming("45 2 * * *", "2026-10-25T01:20:00Z", 1) == ["2026-10-26T01:45"]


def test_what_goes_by_passing_time_takes_no_notice_of_a_change() -> None:
    spring = coming("*/30 * * * *", "2026-03-29T00:20:00Z", 4)
    assert [one[11:] for one in spring] == ["00:30", "01:00", "01:30", "02:00"]
    autumn = coming("*/30 * * * *", "2026-10-25T00:20:00Z", 4)
    assert [one[11:] for one in autumn] == ["00:30", "01:00", "01:30", "02:00"]
    hourly = coming("30 * * * *", "2026-10-25T00:00:00Z", 3)
    assert [one[11:] for one in hourly] == ["00:30", "01:30", "02:30"]


def test_minutes_that_begin_with_a_star_are_left_out_of_the_gap_and_come_twice_in_the_fold() -> (
    None
):
    assert coming("*/30 2 * * *", "2026-03-28T12:00:00Z", 1) == ["2026-03-30T00:00"]
    twice = coming("*/30 2 * * *", "2026-10-24T12:00:00Z", 4)
    assert [one[11:] for one in twice] == ["00:00", "00:30", "01:00", "01:30"]


def test_a_zone_that_changes_by_half_an_hour() -> None:
    lord_howe = coming("15 2 * * *", "2026-10-02T00:00:00Z", 2, "Australia/Lord_Howe")
    assert lord_howe == ["2026-10-02T15:45", "2026-10-03T15:30"]  # the gap ends at 02:30 of +11


@pytest.mark.parametrize(
    ("expression", "after", "due"),
    [
        ("@daily", "2026-01-01T00:00:00Z", "2026-01-02T00:00"),
        ("@HOURLY", "2026-01-01T00:00:00Z", "2026-01-01T01:00"),
        ("0 3 * * MON-FRI", "2026-01-02T12:00:00Z", "2026-01-05T03:00"),
        ("0 0 L * *", "2026-02-01T00:00:00Z", "2026-02-28T00:00"),
        ("0 0 * * MON#1", "2026-01-01T00:00:00Z", "2026-01-05T00:00"),
        ("0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T00:00"),
    ],
)
def test_expressions_mean_what_cron_means(expression: str, after: str, due: str) -> None:
    assert coming(expression, after, 1, "UTC") == [due]


@pytest.mark.parametrize(
    ("cron", "fault"),
    [
        (Cron("61 * * * *"), "bad minute"),
        (Cron("* * * *"), "wrong number of fields"),
        (Cron(""), "wrong number of fields"),
        (Cron("@never"), "wrong number of fields"),
        (Cron("0 0 30 2 *"), "bad day-of-month"),
        (Cron("* * * * *", "Mars/Olympus"), "there is no time zone 'Mars/Olympus'"),
        (Cron("* * * * *", "../../etc/passwd"), "there is no time zone"),
        (Cron("* * * * *", ""), "there is no time zone"),
        (Cron("*" * 201), "cron: has more than 200 characters"),
    ],
)
def test_what_is_no_schedule_is_said(cron: Cron, fault: str) -> None:
    assert fault in (fault_of_cron(cron, us("2026-01-01T00:00:00Z")) or "")


def test_a_good_one_has_no_fault() -> None:
    assert fault_of_cron(Cron("0 3 * * *", BERLIN), 0) is None
    assert fault_of_cron(Cron("*/10 * * * * *"), 0) is None


EXPRESSIONS = st.sampled_from(
    ["* * * * *", "*/7 * * * *", "30 2 * * *", "0,45 1-3 * * *", "15 * * * *", "0 3 * * SUN"]
)
ZONES = st.sampled_from([BERLIN, "America/New_York", "Australia/Lord_Howe", "UTC"])
MOMENTS = st.integers(us("2026-03-01T00:00:00Z"), us("2026-11-10T00:00:00Z"))


@given(EXPRESSIONS, ZONES, MOMENTS)
def test_due_times_grow_and_hang_on_nothing_but_the_last_one(
    expression: str, zone: str, after_us: int
) -> None:
    cron = Cron(expression, zone)
    row = dues_between(cron, after_us, 2**62, 12)
    assert all(before < after for before, after in zip((after_us, *row), row, strict=False))
    for before, after in zip((after_us, *row), row, strict=False):
        assert next_due(cron, before) == after


@given(EXPRESSIONS, ZONES, MOMENTS, st.integers(0, 3 * DAY_US), st.integers(1, 5))
def test_the_newest_are_the_end_of_them_all(
    expression: str, zone: str, after_us: int, length_us: int, most: int
) -> None:
    cron = Cron(expression, zone)
    whole = dues_between(cron, after_us, after_us + length_us, 10_000)
    newest, more = newest_dues(cron, after_us, after_us + length_us, most)
    assert newest == whole[-most:]
    assert more == (len(whole) > most)


def test_looking_back_over_a_year_of_minutes_takes_no_longer_than_it_must() -> None:
    end_us = us("2026-06-01T00:00:00Z")
    newest, more = newest_dues(Cron("* * * * *", BERLIN), end_us - 365 * DAY_US, end_us, 100)
    assert more
    assert newest == tuple(end_us - back * MINUTE_US for back in reversed(range(100)))


def test_a_moment_is_said_in_utc() -> None:
    assert moment(0) == "1970-01-01T00:00:00Z"
    assert moment(int(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()) * 1_000_000) == (
        "2026-01-02T03:04:05Z"
    )
