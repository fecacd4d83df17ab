"""The daemon's log, whatever strangers say: nobody fills the disk with it or writes to the terminal that shows it."""

import io
import json

import pytest

from questd.daemon.notes import LINES_AT_ONCE_MAX, note_writer
from questd.runtime.deterministic import VirtualClock

START_US = 1_750_000_000_000_000


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("plain", "plain"),
        ("two words", '"two words"'),
        ("\x1b[2Jgone", '"\\u001b[2Jgone"'),
        ("a\rb", '"a\\rb"'),
        ("a\nagent.connected agent=x", '"a\\nagent.connected agent=x"'),
        ("\x9b31m", '"\\u009b31m"'),
        ("right\u202eleft", '"right\\u202eleft"'),
        ("später mal", '"später mal"'),
    ],
)
def test_what_a_stranger_calls_itself_is_one_escaped_word(said: str, written: str) -> None:
    out = io.StringIO()
    note_writer(VirtualClock(START_US), to=out)("agent.denied", agent=said)
    assert out.getvalue() == f"2025-06-15T15:06:40.000000Z agent.denied agent={written}\n"


def test_a_flood_of_one_kind_of_event_is_counted_and_others_are_still_written() -> None:
    clock, out = VirtualClock(START_US), io.StringIO()
    note = note_writer(clock, as_json=True, to=out)
    for n in range(10_000):
        note("agent.denied", n=n)
    note("daemon.ready")
    clock.advance(clock.monotonic_us + 1_500_000)
    note("agent.denied", n=10_000)
    note("agent.denied", n=10_001)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["n"] for line in lines[:LINES_AT_ONCE_MAX]] == list(range(LINES_AT_ONCE_MAX))
    ready, later = lines[LINES_AT_ONCE_MAX:]
    assert ready["event"] == "daemon.ready"
    assert (later["n"], later["left_out"]) == (10_000, 10_000 - LINES_AT_ONCE_MAX)
