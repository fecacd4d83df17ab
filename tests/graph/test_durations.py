"""Durations and due times."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from questd.actors.graph import DURATION_MAX_MS, format_duration, parse_deadline, parse_duration


@pytest.mark.parametrize(
    ("text", "length_ms"),
    [
        ("250ms", 250),
        ("30s", 30_000),
        ("5m", 300_000),
        ("2h", 7_200_000),
        ("7d", 604_800_000),
        ("0s", 0),
    ],
)
def test_durations_are_milliseconds(text: str, length_ms: int) -> None:
    assert parse_duration(text) == length_ms
    assert format_duration(length_ms) == text


@pytest.mark.parametrize(
    "text",
    ["", "30", "30 s", "1.5h", "-1s", "1h30m", "s", "٣s", "1S", "99999999d", "1" * 5_000 + "s"],
)
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration|longer"):
        parse_duration(text)


@given(st.integers(0, DURATION_MAX_MS))
def test_a_written_duration_reads_back(length_ms: int) -> None:
    assert parse_duration(format_duration(length_ms)) == length_ms


def test_a_deadline_is_a_duration_from_now_or_a_moment() -> None:
    assert parse_deadline("2h", 5) == 7_200_000_005
    assert parse_deadline("2030-01-31T12:00:00Z", 0) == 1_896_091_200_000_000
    assert parse_deadline("2030-01-31T14:00:00.25+02:00", 0) == 1_896_091_200_250_000


@pytest.mark.parametrize(
    "text", ["tomorrow", "2030-01-31", "2030-13-31T12:00:00Z", "2030-01-31T12:00:00"]
)
def test_a_moment_needs_a_time_zone_and_must_exist(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_deadline(text, 0)
