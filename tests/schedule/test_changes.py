"""Triggers by files: a change that has come to rest submits one quest, over restarts, pauses and quests that still run."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from questd.actors.schedule import asking, changes, checking, core
from questd.actors.schedule.lookout import LookAtFiles
from questd.actors.schedule.state import Marks, ScheduleState
from questd.messages import control as ctl
from questd.messages import schedules as ev
from questd.messages.control import Done, Error, ScheduleView
from questd.messages.definition import InputDefinition, QuestDefinition, encode_definition
from questd.messages.events import QuestSubmitted
from questd.messages.payload import decode_json
from questd.messages.schedules import FilesChanged, ScheduleSpec
from questd.messages.upcasting import event_of
from questd.runtime.files import MemoryFiles
from tests.limits.standing import Standing, quest, step
from tests.schedule.test_house import add, quests, view
from tests.schedule.test_triggers import T0, do, move

BOX = FilesChanged(("/box/*.md",), 2_000)
MARKS = st.dictionaries(
    st.sampled_from(["/a", "/b", "/b/c", "/d"]), st.tuples(st.integers(0, 2), st.integers(0, 2))
)


def state_of(overlap: ev.Overlap = "queue", files: Marks | None = None) -> ScheduleState:
    state = ScheduleState("s_1")
    spec = ScheduleSpec(BOX, overlap)
    added = ev.ScheduleAdded("docs", spec, "d", "doc", "1", "ann", T0)
    for event in (added, *changes.begun({}, files or {})):
        core.evolve(state, event, T0)
    return state


def change(state: ScheduleState, files: Marks) -> list[ev.ScheduleEvent]:
    found = changes.difference(state.seen, files)
    return [*do(state, core.NoticeChange(BOX, found)), *move(state)]


def end_run(state: ScheduleState) -> list[ev.ScheduleEvent]:
    occasion = next(iter(state.firing))
    do(state, core.Answer(occasion, f"run_{occasion}"))
    do(state, core.EndRuns(((f"run_{occasion}", "completed"),)))
    return move(state)


def about(event: ev.ScheduleEvent) -> Any:
    assert isinstance(event, ev.ScheduleNoticed)
    return decode_json(event.about)["change"]


# -- the core ----------------------------------------------------------------------------------------


@given(MARKS, MARKS)
def test_what_was_seen_and_the_difference_make_what_is_there(seen: Marks, files: Marks) -> None:
    state = state_of("allow", seen)
    change(state, files)
    assert state.seen == files
    assert change(state, files) == []


@given(MARKS, MARKS)
def test_what_cannot_be_looked_at_has_not_gone(seen: Marks, files: Marks) -> None:
    below = {path for path in files if path == "/b" or path.startswith("/b/")}
    visible = {path: mark for path, mark in files.items() if path not in below}
    found = changes.difference(seen, visible, ("/b",))
    assert not {path for path in found if path == "/b" or path.startswith("/b/")}


def test_a_change_is_accounted_for_noticed_and_fired_under_a_number_of_its_own() -> None:
    state = state_of("queue", {"/box/a.md": (1, 1), "/box/b.md": (1, 1)})
    saw, noticed, fired = change(state, {"/box/b.md": (2, 2), "/box/c.md": (1, 1)})
    assert saw == ev.ScheduleSaw((("/box/b.md", 2, 2), ("/box/c.md", 1, 1)), ("/box/a.md",))
    assert about(noticed) == {
        "paths": ["/box/a.md", "/box/b.md", "/box/c.md"],
        "added": ["/box/c.md"],
        "modified": ["/box/b.md"],
        "removed": ["/box/a.md"],
        "count": 3,
    }
    assert fired == ev.ScheduleFired("change-3", T0, "noticed")
    assert core.depth_of(core.key_of("s_1", "change-3")) == 0


def test_the_same_change_found_twice_is_one() -> None:
    state = state_of("allow")
    found = changes.difference(state.seen, {"/box/a.md": (1, 1)})
    assert do(state, core.NoticeChange(BOX, found))
    move(state)
    assert do(state, core.NoticeChange(BOX, found)) == []


def test_queue_takes_all_that_changed_while_one_ran_as_one_change() -> None:
    state = state_of("queue")
    change(state, {"/box/a.md": (1, 1)})
    assert not core.takes_changes(state)
    assert change(state, {"/box/b.md": (1, 1)}) == []
    end_run(state)
    assert core.takes_changes(state)
    _, noticed, _ = change(state, {"/box/b.md": (1, 1), "/box/c.md": (1, 1)})
    assert about(noticed)["paths"] == ["/box/a.md", "/box/b.md", "/box/c.md"]


def test_skip_leaves_out_what_changes_while_one_runs() -> None:
    state = state_of("skip")
    change(state, {"/box/a.md": (1, 1)})
    *_, ignored = change(state, {"/box/a.md": (2, 2)})
    assert isinstance(ignored, ev.ScheduleIgnored)
    assert ignored.why == "overlap"
    end_run(state)
    assert change(state, {"/box/a.md": (2, 2)}) == []


def test_cancel_ends_the_one_that_runs_and_what_changes_until_then_is_of_the_next_but_one() -> None:
    state = state_of("cancel")
    change(state, {"/box/a.md": (1, 1)})
    occasion = next(iter(state.firing))
    do(state, core.Answer(occasion, "run"))
    _, noticed = change(state, {"/box/a.md": (2, 2)})
    assert isinstance(noticed, ev.ScheduleNoticed)
    assert core.cancelled(state) == ("run",)
    assert change(state, {"/box/a.md": (3, 3)}) == []
    do(state, core.EndRuns((("run", "cancelled"),)))
    assert move(state) == [ev.ScheduleFired(noticed.occasion, T0, "noticed")]


def test_a_change_of_patterns_begins_anew_and_one_of_words_does_not() -> None:
    seen: Marks = {"/box/a.md": (1, 1)}
    state = state_of("queue", seen)
    now: Marks = {"/box/a.md": (9, 9), "/other": (1, 1)}
    spec = ScheduleSpec(FilesChanged(BOX.patterns, 5), "skip")
    do(state, core.ChangeIt(spec, "d2", "doc", "2", "ann", 0, now))
    assert state.seen == seen
    do(
        state,
        core.ChangeIt(ScheduleSpec(FilesChanged(("/other",))), "d2", "doc", "2", "ann", 0, now),
    )
    assert state.seen == now


def test_what_changed_while_it_was_paused_is_left_out() -> None:
    state = state_of("queue", {"/box/a.md": (1, 1), "/shut/b.md": (1, 1)})
    do(state, core.PauseIt("ann"))
    assert change(state, {}) == []
    stale = core.decide(state, core.ResumeIt("ann", 0, ("/other",), {}), T0)
    assert isinstance(stale, core.Rejected)
    do(state, core.ResumeIt("ann", 0, BOX.patterns, {"/box/c.md": (1, 1)}, ("/shut",)))
    assert state.seen == {"/box/c.md": (1, 1), "/shut/b.md": (1, 1)}


def test_an_heir_knows_what_its_forerunner_had_seen() -> None:
    files: Marks = {f"/box/{number}.md": (1, number) for number in range(600)}
    heir = ScheduleState("s_2")
    events = core.renewal(state_of("queue", files))
    for event in events:
        core.evolve(heir, event, T0)
    assert heir.seen == files
    assert len(events) == 1 + 3


def test_the_paths_of_a_change_are_told_up_to_so_many_bytes_and_all_are_counted() -> None:
    each = changes.TOLD_MAX_BYTES // 4
    files = {f"/{number}{'x' * (each - 2)}": (1, 1) for number in range(5)}
    told = changes.told({}, dict(files))
    assert (len(told["paths"]), len(told["added"]), told["count"]) == (4, 4, 5)


def test_a_change_has_come_to_rest_when_nothing_moved_for_so_long() -> None:
    rest = changes.Rest()
    first: changes.Difference = {"/a": (1, 1)}
    second: changes.Difference = {"/a": (2, 2)}
    assert not rest.is_over(first, 2_000, 0.0)
    assert not rest.is_over(second, 2_000, 1.5)
    assert not rest.is_over(second, 2_000, 3.4)
    assert rest.is_over(second, 2_000, 3.5)
    assert not rest.is_over({}, 2_000, 9.0)
    assert not rest.is_over(second, 2_000, 9.5)
    assert rest.is_over(first, 0, 10.0)


# -- in a house --------------------------------------------------------------------------------------


def told() -> QuestDefinition:
    wanted = {"paths": InputDefinition({"type": "array"})}
    return QuestDefinition("told", (step("a"),), inputs=wanted)


def watch(house: Standing, **fields: Any) -> ScheduleView:
    inputs = {"definition": encode_definition(told()), "inputs": b'{"paths":"{{ change.paths }}"}'}
    assert add(house, "docs", **{"trigger": BOX, "overlap": "queue", **inputs, **fields}) == Done()
    return view(house, "docs")


def paths(house: Standing) -> list[list[str]]:
    found = [house.store.events(head.quest, 0)[0] for head in quests(house)]
    submitted = [event_of(record) for record in found]
    return [
        decode_json(event.inputs)["paths"]
        for event in submitted
        if isinstance(event, QuestSubmitted) and isinstance(event.inputs, bytes)
    ]


def looks(house: Standing) -> bool:
    return any(isinstance(timer.message, LookAtFiles) for timer in house.timers.armed())


def test_files_that_change_and_then_rest_submit_one_quest_with_their_paths() -> None:
    house = Standing()
    house.files.write("/box/old.md", 1, 1)
    assert watch(house).files == 1
    house.files.write("/box/a.md", 1, 1)
    house.wait(1.5)
    house.files.write("/box/b.md", 1, 1)
    house.files.write("/box/b.txt", 1, 1)
    house.wait(1.5)
    assert view(house, "docs").changing
    assert paths(house) == []
    house.wait(3)
    assert paths(house) == [["/box/a.md", "/box/b.md"]]
    assert [head.key for head in quests(house)] == [f"schedule:{view(house, 'docs').id}:change-3"]
    assert not view(house, "docs").changing


def test_what_is_as_it_was_when_it_rests_is_no_change() -> None:
    house = Standing()
    watch(house)
    house.files.write("/box/a.md", 1, 1)
    house.wait(1.5)
    house.files.remove("/box/a.md")
    house.wait(9)
    assert quests(house) == []


@pytest.mark.parametrize(
    "lived_s", [0.0, 0.002, 0.5, 1.9, 2.0, 2.002, 2.004, 2.006, 2.01, 3.0, 4.0]
)
def test_the_next_daemon_finds_what_changed_and_doubles_nothing(lived_s: float) -> None:
    files = MemoryFiles()
    first = Standing(files=files)
    watch(first)
    files.write("/box/a.md", 1, 1)
    first.wait(lived_s)
    second = Standing(store=first.store.copy(), files=files)
    second.clock.advance(first.clock.monotonic_us)
    second.wait(9)
    assert paths(second) == [["/box/a.md"]]


def test_what_changed_while_no_daemon_was_there_counts() -> None:
    files = MemoryFiles()
    files.write("/box/a.md", 1, 1)
    first = Standing(files=files)
    watch(first)
    first.wait(5)
    files.remove("/box/a.md")
    files.write("/box/b.md", 1, 1)
    second = Standing(store=first.store.copy(), files=files)
    second.wait(9)
    assert paths(second) == [["/box/a.md", "/box/b.md"]]


def test_a_folder_that_cannot_be_read_for_a_while_is_told_and_changes_nothing() -> None:
    house = Standing()
    house.files.write("/box/a.md", 1, 1)
    watch(house)
    house.files.blind.add("/box")
    house.wait(9)
    assert view(house, "docs").troubles == ("/box: Permission denied",)
    house.files.blind.clear()
    house.wait(9)
    assert (view(house, "docs").troubles, quests(house)) == ((), [])


def test_a_paused_schedule_does_not_look_and_goes_on_from_what_is_there() -> None:
    house = Standing()
    watch(house)
    house.ask(ctl.PauseSchedule("docs"))
    house.files.write("/box/a.md", 1, 1)
    house.wait(9)
    assert not looks(house)
    assert house.ask(ctl.ResumeSchedule("docs")) == Done()
    house.wait(9)
    assert quests(house) == []
    house.files.write("/box/b.md", 1, 1)
    house.wait(9)
    assert paths(house) == [["/box/b.md"]]


def test_so_many_files_are_watched_and_one_more_is_refused_or_stops_the_watch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in ("asking", "lookout"):
        monkeypatch.setattr(f"questd.actors.schedule.{module}.FILES_MAX", 2)
    house = Standing()
    for number in range(3):
        house.files.write(f"/box/{number}.md", 1, 1)
    refused = add(house, "docs", trigger=BOX)
    assert isinstance(refused, Error)
    whole = "FILES_MAX: there are more than 5000 files, or too many others beside them: watch fewer"
    assert refused.message == whole
    house.files.remove("/box/0.md")
    add(house, "docs", trigger=BOX)
    house.files.write("/box/3.md", 1, 1)
    house.wait(9)
    assert view(house, "docs").troubles[0].startswith("FILES_MAX")
    house.files.remove("/box/1.md")
    house.wait(9)
    assert len(quests(house)) == 1


def test_so_many_schedules_wait_for_files_and_one_more_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asking, "WATCHERS_MAX", 1)
    house = Standing()
    assert add(house, "one", trigger=BOX) == Done()
    refused = add(house, "two", trigger=BOX)
    assert isinstance(refused, Error)
    assert refused.message == "WATCHERS_MAX: 1 schedules wait for files already"
    assert add(house, "one", trigger=BOX) == Done(changed=False)
    assert add(house, "two") == Done()


LONG = "/" + "x" * checking.PATTERN_MAX


@pytest.mark.parametrize(
    ("trigger", "fault"),
    [
        (FilesChanged(()), "on_change: 0 patterns; 1 to 50 (PATTERNS_MAX) are allowed"),
        (FilesChanged(("/a",) * 51), "on_change: 51 patterns; 1 to 50 (PATTERNS_MAX) are allowed"),
        (FilesChanged(("src/*",)), "on_change: 'src/*' is not an absolute path"),
        (FilesChanged((LONG,)), "has more than 1000 characters (PATTERN_MAX)"),
        (
            FilesChanged(("/a",), 3_600_001),
            "debounce: 3600001 ms; 0 to 3600000 (DEBOUNCE_MAX_MS) are allowed",
        ),
        (FilesChanged(("/a",), -1), "-1 ms; 0 to 3600000 (DEBOUNCE_MAX_MS) are allowed"),
    ],
)
def test_what_cannot_be_watched_is_refused(trigger: FilesChanged, fault: str) -> None:
    reply = add(Standing(), trigger=trigger)
    assert isinstance(reply, Error)
    assert fault in reply.message


def test_inputs_may_name_the_change_and_not_a_quest() -> None:
    assert add(Standing(), trigger=BOX, inputs=b'{"x":"{{ change.count }}"}') == Done()
    reply = add(Standing(), trigger=BOX, inputs=b'{"x":"{{ quest.id }}"}')
    assert isinstance(reply, Error)
    assert "may name change, due, schedule" in reply.message


def test_a_schedule_by_the_clock_may_become_one_by_files_and_back() -> None:
    house = Standing()
    house.files.write("/box/a.md", 1, 1)
    add(house, "docs")
    definition = encode_definition(quest())
    assert house.ask(ctl.ChangeSchedule("docs", ScheduleSpec(BOX), definition)) == Done()
    house.wait(9)
    assert (quests(house), view(house, "docs").files, looks(house)) == ([], 1, True)
    assert house.ask(ctl.RemoveSchedule("docs")) == Done()
    assert not looks(house)
