"""Asking a person on a terminal what a quest waits for."""

import sys
from typing import Any, Final

from msgspec import Struct

from questd.actors.quest.state import QuestState
from questd.actors.quest.task import Waiting
from questd.cli.inputs import json_or_text
from questd.cli.output import Out

TRIES: Final = 5
MEANINGS: Final = {
    "retry": "run it again",
    "complete": "give its result yourself",
    "fail": "let it fail",
    "again": "one round more",
    "accept": "go on with the result as it is",
    "more": "as much again as the document gives",
}


class Question(Struct, frozen=True):
    """What a task waits for, and what may be answered."""

    task: str
    question: str
    options: tuple[str, ...]


class Answer(Struct, frozen=True):
    """``result`` with choice "complete"."""

    choice: str
    result: Any = None


def questions_of(state: QuestState) -> list[Question]:
    """In document order."""
    return [
        Question(task.key, task.state.question, task.state.options)
        for task in state.tasks
        if isinstance(task.state, Waiting)
    ]


def can_ask() -> bool:
    """Whether there is a person: both to read and to answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask_choice(question: Question, out: Out) -> Answer | None:
    """The answer; None when there is nobody, or nobody wants to."""
    if not can_ask():
        return None
    from rich.text import Text  # noqa: PLC0415

    out.errors.print()
    out.errors.print(Text.assemble(("? ", "bold yellow"), (question.question, "bold")))
    for number, option in enumerate(question.options, 1):
        meaning = MEANINGS.get(option, "")
        out.errors.print(Text.assemble(f"  {number} ", (option, "cyan"), f"  {meaning}"))
    for _ in range(TRIES):
        choice = _chosen(
            _read(f"1-{len(question.options)}, or nothing to leave it open: "), question
        )
        if choice is None:
            return None
        if choice == "complete":
            given = _read(f"the result of {question.task} (JSON or text): ")
            return None if given is None else Answer(choice, json_or_text(given))
        if choice:
            return Answer(choice)
    return None


def _chosen(given: str | None, question: Question) -> str | None:
    """An option; "" for what is none; None for no answer."""
    if not given:
        return None
    if given.isdigit() and 1 <= int(given) <= len(question.options):
        return question.options[int(given) - 1]
    return given if given in question.options else ""


def _read(prompt: str) -> str | None:
    sys.stderr.write(prompt)
    sys.stderr.flush()
    line = sys.stdin.readline()
    return line.strip() if line else None
