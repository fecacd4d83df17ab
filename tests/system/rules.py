"""What must hold after every test, whatever was killed: the rules of SEMANTICS, checked in journal and ledger."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from questd.messages import events as ev
from questd.messages.heads import TERMINAL
from tests.system.place import Place

ENDS = {"quest.completed", "quest.failed", "quest.cancelled"}


def check(place: Place, quests: Iterable[str]) -> None:
    """AssertionError with the quest and its events when a rule is broken."""
    calls: dict[str, list[dict[str, Any]]] = {}
    for call in place.calls():
        calls.setdefault(call["quest"], []).append(call)
    heads = place.heads()
    for quest in quests:
        records = place.records(quest)
        story = [(record.n, ev.decode_event(record.body)) for record in records]
        at_us = {record.n: record.at_us for record in records}
        try:
            check_numbers(records)
            check_completions(story)
            check_calls(story, at_us, calls.get(quest, []))
            status = heads[quest].status
            ended = sum(record.kind in ENDS for record in records)
            assert ended == (status in TERMINAL), (ended, status)
            assert ended or heads[quest].waits or status == "running", "it waits for nothing"
        except AssertionError as error:
            raise AssertionError(f"{quest}: {error}\n{story}\n{calls.get(quest)}") from None


def check_numbers(records: list[ev.Record]) -> None:
    assert [record.n for record in records] == list(range(1, len(records) + 1)), "gaps"
    times = [record.at_us for record in records]
    assert times == sorted(times), "time went back"


def check_completions(story: list[tuple[int, ev.Event]]) -> None:
    """One completion a task, by an attempt of it; nothing of a task after it but what is refused."""
    done: Counter[str] = Counter()
    started: dict[int, str] = {}
    for n, event in story:
        match event:
            case ev.AttemptStarted(task):
                assert not done[task], f"{task} was started again after it was completed"
                started[n] = task
            case ev.AttemptCompleted(task, epoch):
                assert started[epoch] == task, f"{epoch} is no attempt of {task}"
                done[task] += 1
            case ev.TaskCompleted(task):
                done[task] += 1
            case _:
                pass
    assert all(count == 1 for count in done.values()), f"completed twice: {done}"


def check_calls(
    story: list[tuple[int, ev.Event]], at_us: dict[int, int], calls: list[dict[str, Any]]
) -> None:
    """No call before its attempt is in the journal, none twice for one attempt, none after the task's completion."""
    begun = {(e.task, e.attempt): at_us[n] for n, e in story if isinstance(e, ev.AttemptStarted)}
    ended = {
        event.task: at_us[n]
        for n, event in story
        if isinstance(event, ev.AttemptCompleted | ev.TaskCompleted)
    }
    keys: dict[str, str] = {}
    for call in calls:
        task = call["task"]
        assert (task, call["attempt"]) in begun, f"no attempt of the journal: {call}"
        assert call["at_us"] >= begun[task, call["attempt"]], f"before it was on disk: {call}"
        assert call["at_us"] <= ended.get(task, call["at_us"]), f"after it was done: {call}"
        assert keys.setdefault(task, call["key"]) == call["key"], f"another key: {call}"
    assert len(set(keys.values())) == len(keys), "two tasks share a key"
    twice = Counter((call["task"], call["attempt"]) for call in calls)
    assert all(count == 1 for count in twice.values()), f"one attempt was called twice: {twice}"
