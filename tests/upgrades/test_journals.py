"""Every golden journal is read as it was meant when it was written, and what is open in it is finished today."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest

from questd.actors.quest.plans import PlanCache
from questd.messages import control as ctl
from questd.messages import events as ev
from questd.runtime.journal.reader import SqliteReader
from questd.runtime.journal.verify import verify
from questd.views.quests import QuestFold
from tests.system.rules import check_completions, check_numbers
from tests.upgrades.golden import (
    JOURNALS,
    KEPT,
    copy_of,
    digest_of,
    history_of,
    ordered,
    read,
    shows_of,
    sums,
)
from tests.upgrades.make import FILES
from tests.upgrades.past import Present

goldens = pytest.mark.parametrize("golden", KEPT, ids=lambda path: path.name)
STATES = {"completed", "failed", "cancelled", "waiting", "running"}


def test_no_golden_journal_was_changed() -> None:
    kept = {f"{golden.name}/{name}" for golden in KEPT for name in FILES}
    assert sums() == {name: digest_of(JOURNALS / name) for name in kept}


LATER = {
    "v1": {
        "task.allowed",
        "task.skipped",
        "task.fell_back",
        "task.expanded",
        "task.gathered",
        "task.planned",
        "task.accepted",
        "task.sent_back",
    }
    | {"signal.received", "task.signalled", "task.defaulted", "task.woke"}
}
"""Kinds of events that there were not when the journal was made."""


@goldens
def test_a_golden_journal_holds_what_a_journal_can_hold(golden: Path, tmp_path: Path) -> None:
    with SqliteReader(copy_of(golden, tmp_path)) as reader:
        heads = list(reader.heads())
        kinds = {record.kind for record in reader.follow(0)}
    assert {head.status for head in heads} == STATES
    assert any(head.key for head in heads)
    assert any(head.labels for head in heads)
    assert any(head.wants for head in heads)
    every = {each.__struct_config__.tag for each in ev.Event.__args__}
    assert kinds == every - LATER[golden.name]


@goldens
def test_a_golden_journal_is_whole(golden: Path, tmp_path: Path) -> None:
    assert verify(copy_of(golden, tmp_path)) == []


@goldens
def test_every_quest_is_shown_as_its_version_showed_it(golden: Path, tmp_path: Path) -> None:
    now = shows_of(copy_of(golden, tmp_path))
    before = read(golden / "shows.json")
    assert now.keys() == before.keys()
    for quest, view in before.items():
        assert of_before(json.loads(json.dumps(now[quest])), view) == view, quest


@goldens
def test_the_history_is_what_its_version_made_of_it(golden: Path, tmp_path: Path) -> None:
    now = history_of(copy_of(golden, tmp_path), tmp_path)
    for table, rows in read(golden / "history.json").items():
        columns = rows[0].keys() if rows else ()
        known = [{name: row[name] for name in columns} for row in now[table]]
        assert ordered(known) == ordered(rows), table


def of_before(now: Any, before: Any) -> Any:
    """What is said now without what nobody said then: later versions say more."""
    if type(now) is not type(before):
        return now
    if isinstance(before, dict):
        known = cast("Any", before).items()
        return {name: of_before(now[name], each) for name, each in known if name in now}
    if isinstance(before, list):
        pairs = zip(now, cast("Any", before), strict=True)
        return [of_before(*pair) for pair in pairs]
    return now


@goldens
def test_every_quest_folds_to_its_head(golden: Path, tmp_path: Path) -> None:
    with SqliteReader(copy_of(golden, tmp_path)) as reader:
        for head in reader.heads():
            definition = reader.definition(head.definition)
            assert definition is not None
            assert PlanCache().load(definition, trusted=False).plan.digest == head.definition
            fold = QuestFold(head.quest, definition, head.definition)
            fold.apply(reader.events(head.quest))
            state = fold.state
            assert (state.version, state.status) == (head.version, head.status)
            assert (state.version_label, state.labels) == (head.template_version, head.labels)
            assert (state.project, state.created_us) == (head.project, head.created_us)


@goldens
def test_quest_show_says_the_same_in_a_process_of_its_own(golden: Path, tmp_path: Path) -> None:
    data = copy_of(golden, tmp_path)
    shows = read(golden / "shows.json")
    quest = next(each for each, view in shows.items() if view["status"] == "waiting")
    words = ["show", quest, "--data", str(data), "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "questd", *words], capture_output=True, text=True, check=True
    )
    assert of_before(json.loads(done.stdout), shows[quest]) == shows[quest]


@goldens
def test_a_daemon_of_today_finishes_what_is_open(golden: Path, place: Present) -> None:
    copy_of(golden, place.folder)
    with SqliteReader(place.data) as reader:
        open_quests = [head.quest for head in reader.heads(open_only=True)]
        done = completed_tasks(reader, open_quests)
    place.gate.touch()
    place.start_daemon(limits={"reattach_grace_s": 0.2})
    for name in ("golden", "payer", "absent"):
        place.start_named(name)
    place.start_named("golden", CAPABILITIES="gold,rare")
    for quest in open_quests:
        if place.head(quest).status == "waiting" and "breakpoint.opened" in place.kinds(quest):
            answered = place.ask(ctl.ResolveTask(quest, "retry", "ann"))
            assert isinstance(answered, ctl.Done), answered
    heads = place.await_end(open_quests)
    cancelled = {quest for quest in open_quests if "quest.cancel_requested" in place.kinds(quest)}
    for quest, head in heads.items():
        assert head.status == ("cancelled" if quest in cancelled else "completed"), quest
        check_numbers(place.records(quest))
        check_completions([(r.n, ev.decode_event(r.body)) for r in place.records(quest)])
    again = {(call["quest"], call["task"]) for call in place.calls()} & done
    assert not again, "completed before, and called again"


def completed_tasks(reader: SqliteReader, quests: list[str]) -> set[tuple[str, str]]:
    """Which tasks were completed already."""
    kinds = {"attempt.completed", "task.completed"}
    return {
        (quest, getattr(ev.decode_event(record.body), "task", ""))
        for quest in quests
        for record in reader.events(quest)
        if record.kind in kinds
    }
