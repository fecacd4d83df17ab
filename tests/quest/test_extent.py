"""How far a quest may go: so many events, and so many bytes of what they bring; then it fails by name."""

from questd.actors.quest import commands as cmd
from questd.actors.quest.extent import EVENTS_MAX, WEIGHT_MAX_BYTES
from questd.messages import events as ev
from questd.messages.definition import Awaited
from questd.messages.payload import BlobRef
from tests.quest.making import T0_US, Life, kinds, quest, step


def with_events(life: Life, count: int) -> Life:
    """A quest as after so many events: its tools have logged, as far as its state can tell."""
    life.state.version = count
    return life


def failure_of(life: Life) -> tuple[str, str]:
    assert life.state.failure is not None
    return life.state.failure.kind, life.state.failure.message


def test_a_quest_may_have_so_many_events_and_no_more() -> None:
    life = with_events(quest(step("a"), step("b", "a")), EVENTS_MAX - 3)
    epoch = life.start("a")
    made = life.when(cmd.CompleteAttempt(epoch, b"1"))
    assert kinds(made) == ["attempt.completed"]
    made = life.when(cmd.StartAttempt("b", "x", "x1", "t", True, None))
    assert kinds(made) == ["attempt.started", "quest.stopping"]
    assert failure_of(life) == (
        "too_large",
        "the quest has 1000000 events; 1000000 are allowed",
    )


def test_what_runs_then_may_end_and_its_result_is_kept() -> None:
    life = with_events(quest(step("a")), EVENTS_MAX - 1)
    life.start("a")
    assert life.state.phase == "stopping"
    made = life.when(cmd.CompleteAttempt(EVENTS_MAX, b'"done"'))
    assert kinds(made) == ["attempt.completed", "quest.failed"]
    assert life.status_of("a") == "completed"


def test_a_quest_that_ends_with_its_last_event_has_ended() -> None:
    life = with_events(quest(step("a")), EVENTS_MAX - 3)
    epoch = life.start("a")
    life.when(cmd.CompleteAttempt(epoch, b"1"))
    assert kinds(life.finish()) == ["quest.completed"]


def test_a_quest_may_hold_so_many_bytes_and_no_more() -> None:
    life = quest(step("a"), step("b", "a"), step("c", "b"))
    most = BlobRef("0" * 64, WEIGHT_MAX_BYTES - 7)
    life.when(cmd.CompleteAttempt(life.start("a"), most))
    made = life.when(cmd.CompleteAttempt(life.start("b"), b'"12345"'))
    assert kinds(made) == ["attempt.completed"]
    made = life.when(cmd.CompleteAttempt(life.start("c"), b"1"))
    assert kinds(made) == ["attempt.completed", "quest.stopping", "quest.failed"]
    assert failure_of(life) == (
        "too_large",
        "the quest holds 1073741825 bytes; 1073741824 are allowed",
    )


LINE = ev.LogLine(T0_US, "12345", b'{"a":1}')


def test_lines_of_a_log_count() -> None:
    life = quest(step("a"))
    life.when(cmd.LogAttempt(life.start("a"), (LINE, LINE)))
    assert life.state.weight == 24


def test_signals_count() -> None:
    life = quest(step("w", wait_for=Awaited("go")))
    life.when(cmd.ReceiveSignal("go", b"123", "ann"))
    assert life.state.weight == 3


def test_items_count_and_so_does_the_list_of_their_results() -> None:
    life = quest(step("a", for_each="[1]"), step("b", "a", for_each="[]"))
    life.expand("a", b"12", b"3")
    life.run("a[0]", "a[1]")
    before = life.state.weight
    life.when(cmd.GatherTask("a", b"[1,2]"))
    assert life.state.weight == before + 5
    assert before >= 3


def test_it_weighs_the_same_when_it_is_folded_anew() -> None:
    life = quest(step("a"), step("b", "a"))
    life.when(cmd.CompleteAttempt(life.start("a"), b"1234"))
    assert life.folded().weight == life.state.weight == 4
