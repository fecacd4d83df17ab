"""Whether every quest came to what it should, from the files alone: journal, ledger of the tools, history."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from questd.analytics.database import open_for_reading
from questd.messages import events as ev
from questd.messages.heads import TERMINAL
from questd.messages.payload import BlobRef, Payload
from questd.runtime.journal.reader import SqliteReader
from questd.runtime.journal.sqlite import SqliteStore
from questd.runtime.journal.verify import verify
from tests.analytics.reading import build, tables_of
from tests.soak.work import Errand
from tests.system.lines import objects_in
from tests.system.rules import check_calls, check_completions, check_numbers

Call = dict[str, Any]
ENDS = (ev.QuestCompleted, ev.QuestFailed, ev.QuestCancelled)


class Verdict(Struct):
    """What was found. ``wrong`` is empty when all is right."""

    quests: int = 0
    events: int = 0
    calls: int = 0
    attempts: int = 0
    lost: int = 0
    refused: int = 0
    wrong: list[str] = []


def calls_of(ledger: Path) -> dict[str, list[Call]]:
    """Calls of the tools by quest."""
    found: dict[str, list[Call]] = {}
    for call in objects_in(ledger):
        found.setdefault(call["quest"], []).append(call)
    return found


def judge(data: Path, ledger: Path, errands: Mapping[str, Errand]) -> Verdict:
    """``errands``: by the id that the client was given. The daemon has ended."""
    verdict = Verdict(wrong=[str(finding) for finding in verify(data)])
    calls = calls_of(ledger)
    with SqliteStore.open_reader(data) as reader:
        heads = {head.quest: head for head in reader.heads()}
        if set(heads) != set(errands):
            verdict.wrong.append(f"{len(heads)} quests, {len(errands)} were acknowledged")
        for quest, errand in errands.items():
            try:
                assert heads[quest].status in TERMINAL, heads[quest]
                judge_quest(reader, quest, errand, calls.get(quest, []), verdict)
            except (AssertionError, KeyError) as error:
                verdict.wrong.append(f"{quest} ({errand.key}): {error!r}"[:1_500])
    verdict.quests, verdict.calls = len(heads), sum(map(len, calls.values()))
    return verdict


def judge_quest(
    reader: SqliteReader, quest: str, errand: Errand, calls: list[Call], verdict: Verdict
) -> None:
    """AssertionError when a rule of the system is broken, or the output is not what it should be."""
    records = reader.events(quest)
    story = [(record.n, ev.decode_event(record.body)) for record in records]
    kinds = Counter(record.kind for record in records)
    verdict.events += len(records)
    verdict.attempts += kinds["attempt.started"]
    verdict.lost += kinds["attempt.lost"]
    verdict.refused += kinds["attempt.refused"]
    check_numbers(records)
    check_completions(story)
    check_calls(story, {record.n: record.at_us for record in records}, calls)
    ends = [event for _, event in story if isinstance(event, ENDS)]
    assert len(ends) == 1, ends
    end = ends[0]
    assert isinstance(end, ev.QuestCompleted), end
    output = json.loads(text_of(reader, end.output))
    assert output == errand.output, f"{output} instead of {errand.output}"
    done = {task for _, event in story if (task := completed_task(event))}
    assert done == {step.key for step in errand.definition.steps}, done


def completed_task(event: ev.Event) -> str | None:
    return event.task if isinstance(event, ev.AttemptCompleted) else None


def text_of(reader: SqliteReader, payload: Payload) -> bytes:
    if isinstance(payload, BlobRef):
        text = reader.blob(payload.digest)
        assert text is not None, payload
        return text
    return bytes(payload)


def compare_history(data: Path, scratch: Path) -> list[str]:
    """What differs between the history as it was built over all deaths, and one that is built in one go."""
    kept = open_for_reading(data / "history.duckdb")
    try:
        shown = tables_of(kept)
    finally:
        kept.close()
    with SqliteStore.open_reader(data) as reader:
        database = build(reader, scratch / "fresh.duckdb")
        cursor = database.cursor()
        fresh = tables_of(cursor)
        cursor.close()
        database.close()
    return [
        f"history.{name}: {len(shown[name])} rows, {len(rows)} in a fresh one, "
        f"{len(set(shown[name]) ^ set(rows))} differ"
        for name, rows in fresh.items()
        if shown[name] != rows
    ]
