"""The shapes of docs/interface.md, as Structs whose fields are the JSON's, in its order.

A field that is ``UNSET`` is left out of the JSON. Times are text (times.py), spans are milliseconds.
"""

from typing import Any

from msgspec import UNSET, Struct, UnsetType

from questd.messages.heads import QuestStatus, TaskStatus


class ErrorView(Struct, frozen=True):
    """Why something failed; ``task`` is the one that did, if it was one."""

    kind: str
    message: str
    task: str | None = None


class WaitView(Struct, frozen=True):
    """Why one task does not move."""

    task: str
    what: str
    name: str
    since: str
    until: str | None = None


class TaskView(Struct, frozen=True):
    """One unit of a step that has several."""

    status: TaskStatus
    attempts: int
    agent: str | None
    tool: str | None
    started_at: str | None
    finished_at: str | None
    duration_ms: float | None
    result: Any
    error: ErrorView | None


class UsageView(Struct, frozen=True):
    """What its attempts have used, and what they may use by now (null: no bound). Cost is in the currency that the agents report."""

    tokens: int
    cost: float
    tokens_limit: int | None
    cost_limit: float | None


class StepView(Struct, frozen=True):
    """``attempts``: started so far, over all rounds. ``rounds``: begun so far. ``tasks`` only where there is more than one.

    ``quest``: the child that a step with ``use`` is, once it was begun.
    """

    status: TaskStatus
    attempts: int
    rounds: int
    agent: str | None
    tool: str | None
    started_at: str | None
    finished_at: str | None
    duration_ms: float | None
    result: Any
    error: ErrorView | None
    tasks: dict[str, TaskView] | UnsetType = UNSET
    quest: str | UnsetType = UNSET


class QuestRow(Struct, frozen=True):
    """A quest in a list: what ``show`` says, without its steps."""

    id: str
    name: str
    version: str
    project: str
    labels: dict[str, str]
    status: QuestStatus
    inputs: Any
    output: Any
    error: ErrorView | None
    created_at: str
    started_at: str | None
    finished_at: str | None
    waiting_for: tuple[WaitView, ...]
    failed_steps: tuple[str, ...]


class QuestView(Struct, frozen=True):
    """A quest as ``show`` and ``run --json`` give it. ``usage`` where something was reported, or is bounded."""

    id: str
    name: str
    version: str
    project: str
    labels: dict[str, str]
    status: QuestStatus
    inputs: Any
    output: Any
    error: ErrorView | None
    created_at: str
    started_at: str | None
    finished_at: str | None
    waiting_for: tuple[WaitView, ...]
    failed_steps: tuple[str, ...]
    steps: dict[str, StepView]
    usage: UsageView | UnsetType = UNSET


class QuestList(Struct, frozen=True):
    """One page of ``list``; ``next`` goes into ``--after`` for the page behind it."""

    quests: tuple[QuestRow, ...]
    next: str | None


class AwaitedView(Struct, frozen=True):
    """A signal that a quest waits for."""

    id: str
    task: str
    signal: str
    since: str
    until: str | None


def awaited_of(quest: str, waits: tuple[WaitView, ...]) -> tuple[AwaitedView, ...]:
    """Those of a quest's waits that are for signals."""
    return tuple(
        AwaitedView(quest, wait.task, wait.name, wait.since, wait.until)
        for wait in waits
        if wait.what == "signal"
    )


class SentView(Struct, frozen=True):
    """A signal that was accepted: "taken" by a step, "kept" for one, or "received before"; ``created`` is false in that case."""

    id: str
    signal: str
    created: bool
    state: str


class SubmittedView(Struct, frozen=True):
    """``created`` is false when the idempotency key was known."""

    id: str
    created: bool
