"""Rows follow from the journal alone."""

import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from questd.actors.agent.edge import NUMBER_MAX
from questd.analytics.database import Database, open_database
from questd.analytics.projection import Projector
from questd.messages import events as ev
from questd.messages.definition import Awaited, QuestDefinition, StepDefinition
from questd.messages.failure import Failure
from questd.messages.payload import hold
from questd.runtime.journal.memory import MemoryStore
from tests.analytics.making import START_US, Writer, memory_store, random_journal
from tests.analytics.reading import build, one, rows, tables_of


def project_in_pieces(
    store: MemoryStore, database: Database, rng: random.Random, *, remembered_steps: int
) -> None:
    """Cut the journal at random, forgetting the projector now and then, as a restart does."""
    projector = Projector(store, 0, remembered_steps=remembered_steps)
    while records := store.follow(database.watermark, rng.choice([1, 2, 7, 50])):
        for record in records:
            projector.apply(record)
        database.write(projector.take())
        if rng.random() < 0.2:
            projector = Projector(store, database.watermark, remembered_steps=remembered_steps)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), remembered_steps=st.sampled_from([0, 8, 1_000]))
def test_however_the_journal_is_cut_into_batches_the_tables_are_the_same(
    seed: int, remembered_steps: int
) -> None:
    store = memory_store()
    random_journal(seed, store)
    with tempfile.TemporaryDirectory() as folder:
        whole = build(store, Path(folder) / "whole.duckdb")
        pieces = open_database(Path(folder) / "pieces.duckdb", store.journal_id, store.last_seq())
        project_in_pieces(store, pieces, random.Random(seed), remembered_steps=remembered_steps)
        assert tables_of(pieces.cursor()) == tables_of(whole.cursor())
        whole.close()
        pieces.close()


@pytest.fixture
def writer() -> Writer:
    return Writer(memory_store())


def history(writer: Writer, tmp_path: Path) -> Database:
    return build(writer.store, tmp_path / "history.duckdb")


def test_a_quest_that_goes_well_is_told_with_all_its_times(writer: Writer, tmp_path: Path) -> None:
    writer.submit("q_1", labels={"team": "core"})
    for task in "abcd":
        epoch = writer.attempt("q_1", task)
        done = ev.AttemptCompleted(task, epoch, b'{"ok":true}', 400, 10, 0.5, "m")
        writer.append("q_1", done)
    writer.append("q_1", ev.QuestCompleted(b'"out"'))
    database = history(writer, tmp_path)
    quest = "status, queue_us, duration_us, attempts, retries, result, labels->>'team', step_count"
    assert one(database, f"SELECT {quest} FROM quests") == (
        *("completed", 1_000, 9_000, 4, 0, '"out"', "core", 4),
    )
    columns = "step, status, queue_us, duration_us, result, agent, attempts"
    assert rows(database, f"SELECT {columns} FROM tasks ORDER BY seq, place") == [
        ("a", "completed", 1_000, 1_000, '{"ok":true}', "x", 1),
        ("b", "completed", 1_000, 1_000, '{"ok":true}', "x", 1),
        ("c", "completed", 3_000, 1_000, '{"ok":true}', "x", 1),
        ("d", "completed", 1_000, 1_000, '{"ok":true}', "x", 1),
    ]
    assert one(database, "SELECT sum(tokens), sum(cost_total) FROM usage") == (40, 2.0)
    assert one(database, "FROM agents")[4:] == (4, 4, 0, 0, 0, 4_000)
    database.close()


def test_failed_attempts_used_something_too_and_a_familys_usage_counts_once(
    writer: Writer, tmp_path: Path
) -> None:
    writer.submit("q_1")
    epoch = writer.attempt("q_1", "a")
    failure = Failure("exception", "broken", "a")
    writer.append("q_1", ev.AttemptFailed("a", epoch, failure, 1, 5, 30, 0.25, "m"))
    child = ev.AttemptStarted("b", 1, "quest", "quest", "leaf")
    writer.append("q_1", child)
    n = writer.store.head("q_1").version  # type: ignore[union-attr]
    writer.append("q_1", ev.AttemptCompleted("b", n, b"1", 5, 12, 0.5))
    writer.submit("q_1.5")
    epoch = writer.attempt("q_1.5", "a")
    writer.append("q_1.5", ev.AttemptCompleted("a", epoch, b"1", 5, 12, 0.5))
    database = history(writer, tmp_path)
    columns = "status, tokens, cost_total, model"
    assert one(database, f"SELECT {columns} FROM attempts WHERE task = 'a' AND quest = 'q_1'") == (
        *("failed", 30, 0.25, "m"),
    )
    assert one(database, "SELECT sum(tokens), sum(cost_total) FROM usage") == (42, 0.75)
    assert rows(database, "SELECT quest, tokens, cost_total FROM quest_usage ORDER BY seq") == [
        ("q_1", 42, 0.75),
        ("q_1.5", 12, 0.5),
    ]
    database.close()


def test_an_agent_that_reports_absurd_numbers_breaks_no_statistics(
    writer: Writer, tmp_path: Path
) -> None:
    writer.submit("q_1")
    epoch = writer.attempt("q_1", "a")
    writer.append("q_1", ev.AttemptCompleted("a", epoch, b"1", tokens=NUMBER_MAX))
    database = history(writer, tmp_path)
    again = "SELECT attempts.* REPLACE (-i AS seq) FROM attempts, range(1, 1100) AS more(i)"
    rows(database, f"INSERT INTO attempts {again}")
    for view in ("quest_usage", "agent_stats", "tool_stats", "costliest"):
        assert one(database, f"SELECT tokens FROM {view}") == (2**63 - 1,)
    database.close()


def test_steps_are_there_before_they_run_and_cancelled_with_their_quest(
    writer: Writer, tmp_path: Path
) -> None:
    writer.submit("q_1")
    writer.submit("q_2")
    epoch = writer.attempt("q_2", "a")
    failure = Failure("exception", "broken", "a")
    writer.append("q_2", ev.AttemptFailed("a", epoch, failure), ev.TaskFailed("a", failure))
    writer.append("q_2", ev.QuestStopping(failure), ev.QuestFailed(failure))
    database = history(writer, tmp_path)
    found = rows(
        database, "SELECT quest, list(status ORDER BY place) FROM steps GROUP BY 1 ORDER BY 1"
    )
    assert found == [
        ("q_1", ["ready", "pending", "pending", "pending"]),
        ("q_2", ["failed", "cancelled", "cancelled", "cancelled"]),
    ]
    failed = one(database, "SELECT failure_kind, failure_task FROM quests WHERE status = 'failed'")
    assert failed == ("exception", "a")
    database.close()


def test_a_retried_task_shows_each_attempt_and_the_wait_between(
    writer: Writer, tmp_path: Path
) -> None:
    writer.submit("q_1")
    epoch = writer.attempt("q_1", "a")
    retry_at_us = writer.now_us + 2_000
    writer.append("q_1", ev.AttemptFailed("a", epoch, Failure("timeout", "slow"), retry_at_us))
    writer.now_us += 9_000
    epoch = writer.attempt("q_1", "a", 2)
    writer.append("q_1", ev.AttemptCompleted("a", epoch, b"1"))
    database = history(writer, tmp_path)
    attempts = "SELECT attempt, status, queue_us, failure_kind FROM attempts ORDER BY seq"
    assert rows(database, attempts) == [
        (1, "failed", 1_000, "timeout"),
        (2, "completed", 9_000, None),
    ]
    assert one(database, "SELECT kind, wait_us, task FROM waits") == ("retry", 10_000, "a")
    task = "SELECT status, attempts, failure_kind, duration_us FROM tasks WHERE task = 'a'"
    assert one(database, task) == ("completed", 2, None, 12_000)
    database.close()


def test_a_lost_attempt_whose_result_still_comes_is_completed(
    writer: Writer, tmp_path: Path
) -> None:
    writer.submit("q_1")
    epoch = writer.attempt("q_1", "a")
    writer.append("q_1", ev.AttemptLost("a", epoch, "closed"))
    writer.append("q_1", ev.AttemptCompleted("a", epoch, b"1"))
    database = history(writer, tmp_path)
    found = one(database, "SELECT status, failure_kind, duration_us FROM attempts")
    assert found == ("completed", None, 2_000)
    assert one(database, "SELECT lost, completed FROM agents") == (1, 1)
    database.close()


def test_a_breakpoint_is_a_wait_with_an_answer(writer: Writer, tmp_path: Path) -> None:
    writer.submit("q_1")
    epoch = writer.attempt("q_1", "a")
    opened = ev.BreakpointOpened("a", "lost_attempt", "again?", ("retry", "fail"))
    n = writer.append("q_1", ev.AttemptLost("a", epoch, "closed"), opened) + 1
    database = history(writer, tmp_path)
    assert one(database, "SELECT status FROM tasks WHERE task = 'a'") == ("waiting",)
    assert one(database, "SELECT status FROM quests") == ("waiting",)
    database.close()
    writer.append("q_1", ev.BreakpointResolved(n, "a", "retry", "ann"))
    database = history(writer, tmp_path)
    found = one(database, "SELECT status, choice, actor, wait_us, choices->>0 FROM breakpoints")
    assert found == ("resolved", "retry", "ann", 1_000, "retry")
    assert one(database, "SELECT kind, wait_us FROM waits") == ("breakpoint", 1_000)
    database.close()


@pytest.mark.parametrize(("size", "kept"), [(100, True), (60_000, True), (65_535, False)])
def test_payloads_above_64_kib_leave_their_size_and_digest(
    writer: Writer, tmp_path: Path, size: int, kept: bool
) -> None:
    text = b'"' + b"x" * size + b'"'
    writer.submit("q_1", inputs=text)
    writer.append("q_1", ev.QuestCompleted(hold(text)[0]))
    database = history(writer, tmp_path)
    found = one(database, "SELECT inputs, inputs_size, inputs_digest IS NULL, result FROM quests")
    expected = text.decode() if kept else None
    assert found == (expected, size + 2, size < 4_096, expected)
    database.close()


def test_text_that_is_neither_json_nor_utf8_does_not_stop_the_history(
    writer: Writer, tmp_path: Path
) -> None:
    writer.submit("q_1", inputs=b'{"a": \xff\x00 \\ud800')
    database = history(writer, tmp_path)
    (inputs,) = one(database, "SELECT inputs FROM quests")
    assert inputs == '{"a": \ufffd\x00 \\ud800'
    database.close()


def test_an_event_that_nobody_knows_is_kept_as_undecoded(writer: Writer, tmp_path: Path) -> None:
    from questd.runtime.journal.store import Append, NewEvent
    from tests.analytics.making import make_head

    writer.submit("q_1")
    unknown = NewEvent(START_US, "quest.danced", b"\x91\xacquest.danced")
    writer.store.commit([Append("q_1", 2, (unknown,), make_head("q_1", 3))])
    database = history(writer, tmp_path)
    kind, detail = one(database, "SELECT kind, detail->>'undecoded' FROM events WHERE n = 3")
    assert kind == "quest.danced"
    assert "quest.danced" in detail
    database.close()


def test_equal_definitions_are_kept_once_with_their_graph(writer: Writer, tmp_path: Path) -> None:
    writer.submit("q_1")
    database = history(writer, tmp_path)
    database.close()
    writer.submit("q_2")
    writer.submit("q_3")
    database = history(writer, tmp_path)
    assert one(database, "SELECT count(*), min(seq) FROM definitions") == (1, 1)
    edges = rows(database, "SELECT step, depends_on FROM dependencies ORDER BY ALL")
    assert edges == [("b", "a"), ("c", "a"), ("d", "b"), ("d", "c")]
    assert one(database, "SELECT count(*) FROM definition_steps") == (4,)
    database.close()


def test_a_signal_that_nobody_is_left_to_take_is_dropped_at_once(
    writer: Writer, tmp_path: Path
) -> None:
    awaited = Awaited("go")
    steps = (
        StepDefinition("a", wait_for=awaited, when="false"),
        StepDefinition("b", wait_for=awaited, dependencies=("c",)),
        StepDefinition("c", agent="x"),
    )
    writer.submit("q_1", QuestDefinition("two", steps))
    first = writer.append("q_1", ev.SignalReceived("go", b"1", "ann"))
    writer.append("q_1", ev.SignalReceived("go", b"2", "bob"))
    writer.append("q_1", ev.TaskSkipped("a", "when: false"))
    epoch = writer.attempt("q_1", "c")
    writer.append("q_1", ev.AttemptCompleted("c", epoch, b"1"), ev.TaskSignalled("b", first, b"1"))
    database = history(writer, tmp_path)
    columns = "payload, status, task, kept_us"
    assert rows(database, f"SELECT {columns} FROM signals ORDER BY seq") == [
        ("1", "taken", "b", 4_000),
        ("2", "dropped", None, 1_000),
    ]
    database.close()


def test_a_late_plan_ends_the_question_whether_to_make_it_again(
    writer: Writer, tmp_path: Path
) -> None:
    writer.submit("q_1", QuestDefinition("p", (StepDefinition("a", agent="x", plan_steps=9),)))
    epoch = writer.attempt("q_1", "a")
    opened = ev.BreakpointOpened("a", "lost_attempt", "again?", ("retry", "complete", "fail"))
    writer.append("q_1", ev.AttemptLost("a", epoch, "gone"), opened)
    writer.append("q_1", ev.AttemptCompleted("a", epoch, b"[]"))
    database = history(writer, tmp_path)
    assert one(database, "SELECT status, wait_us FROM breakpoints") == ("dropped", 1_000)
    assert one(database, "SELECT kind, wait_us FROM waits") == ("breakpoint", 1_000)
    assert one(database, "SELECT status FROM tasks") == ("running",)
    database.close()


def test_what_is_skipped_behind_a_skipped_step_has_not_waited(
    writer: Writer, tmp_path: Path
) -> None:
    steps = (
        StepDefinition("a", agent="x", when="false"),
        StepDefinition("b", wait_for=Awaited("go"), dependencies=("a",)),
        StepDefinition("c", sleep_ms=5, dependencies=("a",), allow_skipped=True),
    )
    writer.submit("q_1", QuestDefinition("three", steps))
    skipped = ev.TaskSkipped("a", "when: false"), ev.TaskSkipped("b", "a was skipped")
    writer.append("q_1", *skipped)
    database = history(writer, tmp_path)
    assert rows(database, "SELECT task, kind FROM waits") == [("c", "timer")]
    assert one(database, "SELECT status FROM tasks WHERE task = 'b'") == ("skipped",)
    database.close()
