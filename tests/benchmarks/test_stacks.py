from benchmarks.stacks import add_up, room_of, rows

RAW = """\
thread (7): actors-0;run (threading.py:9);Mailbox.run (questd/runtime/actor.py:122);decide (/src/questd/actors/quest/decide.py:40);copy (copy.py:3) 6
thread (7): actors-0;run (threading.py:9);Mailbox.run (questd/runtime/actor.py:125) 3
thread (8): journal-reader;run (threading.py:9) 1
not a stack
"""


def test_samples_are_added_up_by_thread_and_by_room() -> None:
    profile = add_up(RAW)
    assert profile.samples == 10
    assert profile.threads == {"actors-0": 9, "journal-reader": 1}
    assert profile.rooms == {"actors/quest": 6, "runtime": 3, "elsewhere": 1}


def test_a_function_counts_once_a_stack_whatever_the_line() -> None:
    profile = add_up(RAW)
    assert profile.total["Mailbox.run (questd/runtime/actor.py)"] == 9
    assert profile.own["copy (copy.py)"] == 6
    assert profile.lines["/src/questd/actors/quest/decide.py:40 decide"] == 6


def test_a_frame_of_others_has_no_room() -> None:
    assert room_of("run (threading.py:9)") is None
    assert room_of("main (questd/cli.py:3)") == "questd"
    assert room_of("<module>") is None


def test_the_heaviest_come_first_in_microseconds_a_step() -> None:
    (first, second) = rows(add_up(RAW).threads, 2.0, 10, 5)
    assert first.split() == ["18.0", "µs", "90.0", "%", "actors-0"]
    assert second.endswith("journal-reader")
