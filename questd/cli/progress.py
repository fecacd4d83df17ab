"""A quest while it runs: a picture that is redrawn on a terminal, one line an event elsewhere.

Pure of questions: it is given a followed quest and draws what is known of it.
"""

import time
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol

from msgspec import UNSET

from questd.actors.quest.core import waits_of
from questd.actors.quest.state import TERMINAL_PHASES, QuestState
from questd.actors.quest.task import Task
from questd.cli.marks import MARKS, length, status_text, usage_text, waiting_text
from questd.cli.output import Out, one_line, visible
from questd.client.following import Following
from questd.messages import events as ev
from questd.messages.address import step_of
from questd.messages.events import Record
from questd.messages.heads import Wait
from questd.views.decoding import shown_event
from questd.views.quests import step_status, usage_view

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

REFRESHES_S: Final = 8
MARGIN_LINES: Final = 8
FIRST: Final = ("waiting", "failed", "running", "retrying", "blocked", "ready", "completed")
"""Where there is no room for all steps, these come first."""


class Picture(Protocol):
    """Shows what has happened."""

    def show(self, records: Sequence[Record], missing: Sequence[str]) -> None:
        """New events, and who is missing now."""
        ...


def progress_for(following: Following, out: Out) -> AbstractContextManager[Picture]:
    """The way that fits the terminal, or its absence."""
    if out.live:
        return _live(following, out)
    return _lines(following, out)


# -- lines -----------------------------------------------------------------------------------------


@contextmanager
def _lines(following: Following, out: Out) -> Generator[Picture, None, None]:
    yield _Lines(following, out)


class _Lines:
    def __init__(self, following: Following, out: Out) -> None:
        self._following = following
        self._out = out
        self._begun: dict[str, int] = {}

    def show(self, records: Sequence[Record], missing: Sequence[str]) -> None:
        del missing  # told once, by who looks for it
        for record in records:
            sentence = self._sentence(shown_event(record), record.at_us)
            if sentence:
                self._out.say(sentence)

    def _sentence(self, event: ev.Event, at_us: int) -> str | None:
        match event:
            case ev.QuestStarted():
                state = self._following.fold.state
                return f"{state.id}  {state.name} {state.version_label}"
            case ev.AttemptStarted(task, attempt, agent, tool=tool):
                self._begun[task] = at_us
                again = f", attempt {attempt}" if attempt > 1 else ""
                return f"{task}: {agent}.{tool} works on it{again}"
            case ev.AttemptCompleted(task):
                return f"{task}: completed in {self._took(task, at_us)}"
            case ev.AttemptFailed(task, failure=failure, retry_at_us=retry_at_us):
                then = f"; again in {length((retry_at_us - at_us) / 1_000)}" if retry_at_us else ""
                return f"{task}: {failure.kind}: {failure.message}{then}"
            case ev.AttemptLost(task, reason=reason):
                return f"{task}: lost: {reason}"
            case ev.TaskSentBack(task, to):
                return f"{task}: goes back to {to}"
            case ev.TaskAccepted(task, exhausted) if exhausted:
                return f"{task}: goes on as it is, without another round"
            case ev.SignalReceived(name, _, actor):
                return f"signal {name} from {actor}"
            case ev.TaskSignalled(task):
                return f"{task}: has its signal"
            case ev.TaskDefaulted(task):
                return f"{task}: no signal came in time; its default counts"
            case ev.TaskWoke(task):
                return f"{task}: slept long enough"
            case ev.BreakpointOpened(task, question=question):
                return f"{task}: {question}"
            case ev.BreakpointResolved(task=task, choice=choice):
                return f"{task}: answered: {choice}"
            case _:
                return None

    def _took(self, task: str, at_us: int) -> str:
        return length((at_us - self._begun.get(task, at_us)) / 1_000)


# -- a picture ---------------------------------------------------------------------------------------


@contextmanager
def _live(following: Following, out: Out) -> Generator[Picture, None, None]:
    from rich.live import Live  # noqa: PLC0415 - 40 ms

    drawing = Drawing(following, out.errors.height)
    with Live(
        console=out.errors,
        get_renderable=drawing.render,
        refresh_per_second=REFRESHES_S,
        vertical_overflow="crop",
        redirect_stdout=False,
        redirect_stderr=False,
    ):
        yield drawing


class Drawing:
    """Draws from a thread of rich's while the quest is folded on another: what it reads changes only between events."""

    def __init__(self, following: Following, height: int) -> None:
        self._following = following
        self._rows = max(4, height - MARGIN_LINES)
        self._missing: Sequence[str] = ()
        self._spin = 0

    def show(self, records: Sequence[Record], missing: Sequence[str]) -> None:
        """What is missing now; the events are folded already."""
        del records
        self._missing = missing

    def render(self) -> "Group":
        """The whole picture at this moment."""
        from rich.console import Group  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        self._spin += 1
        state = self._following.fold.state
        now_us = time.time_ns() // 1_000
        title = Text.assemble(
            (visible(state.name), "bold"), f" {visible(state.version_label)}  ", (state.id, "dim")
        )
        if state.phase in TERMINAL_PHASES:
            title.append("  ").append(status_text(state.status))
        end_us = state.finished_us or now_us
        title.append(f"  {length((end_us - state.created_us) / 1_000)}", style="dim")
        if (used := usage_view(state)) is not UNSET:
            title.append(f"  {usage_text(used)}", style="dim")
        parts: list[Any] = [title, self._table(state, now_us)]
        parts += [Text(f" ! {visible(one)}", style="yellow") for one in self._missing]
        return Group(*parts)

    def _table(self, state: QuestState, now_us: int) -> "Table":
        from rich.table import Table  # noqa: PLC0415

        made = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1))
        for column in ("left", "left", "left", "right"):
            made.add_column(justify=column, no_wrap=True)
        made.add_column(overflow="ellipsis", no_wrap=True)
        waits = {step_of(wait.task): wait for wait in reversed(waits_of(state, 1_000))}
        shown, left_out = chosen(state, self._rows)
        for task in shown:
            made.add_row(*self._row(state, task, waits.get(task.key), now_us))
        if left_out:
            made.add_row("", f"… {left_out} more steps", "", "", counted(state))
        return made

    def _row(
        self, state: QuestState, task: Task, wait: Wait | None, now_us: int
    ) -> tuple[Any, ...]:
        from rich.text import Text  # noqa: PLC0415

        status = step_status(state, task, self._following.last_missing)
        mark, style = MARKS[status]
        if status == "running":
            mark = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"[self._spin % 10]
        took, remark = self._told(task, wait, now_us)
        who = f"{task.last.agent}.{task.last.tool}" if task.last else task.asked.agent or ""
        key = Text(visible(task.key), style="dim" if status == "pending" else "")
        dim = Text(visible(who), style="dim")
        return (
            Text(f" {mark}", style=style),
            key,
            dim,
            took,
            Text(one_line(remark, 160), style="dim"),
        )

    def _told(self, task: Task, wait: Wait | None, now_us: int) -> tuple[str, str]:
        """How long by now, and what there is to say."""
        step = task.state
        finished_us = getattr(step, "finished_us", None)
        failure = getattr(step, "failure", None)
        remark = f"{failure.kind}: {failure.message}" if failure else ""
        if task.first_started_us and finished_us:
            return length((finished_us - task.first_started_us) / 1_000), remark
        if task.items is not None and not finished_us:
            took = length((now_us - task.first_started_us) / 1_000) if task.attempts else ""
            return took, f"{task.items.count - task.items.left} of {task.items.count} items"
        if wait is not None:
            until = f" in {length(max(0, wait.until_us - now_us) / 1_000)}" if wait.until_us else ""
            waiting = waiting_text(wait.what, wait.name)
            after = f" after {remark}" if remark else ""
            return length(max(0, now_us - wait.since_us) / 1_000), f"{waiting}{until}{after}"
        if step.phase != "running":
            return "", remark
        told = self._following.progress.get(task.key)
        share = f"{told.fraction:.0%} " if told and told.fraction is not None else ""
        again = f"attempt {task.attempts}  " if task.attempts > 1 else ""
        text = f"{again}{share}{told.text if told else ''}"
        return length((now_us - task.first_started_us) / 1_000), text


def chosen(state: QuestState, most: int) -> tuple[list[Task], int]:
    """The steps to draw, each in its latest round, in document order, and how many are left out."""
    tasks = state.steps_now()
    if len(tasks) <= most:
        return tasks, 0
    rank = {status: place for place, status in enumerate(FIRST)}
    ranked = sorted(
        tasks, key=lambda task: (rank.get(step_status(state, task), len(rank)), task.number)
    )
    shown = sorted(ranked[: most - 1], key=lambda task: task.number)
    return shown, len(tasks) - len(shown)


def counted(state: QuestState) -> str:
    """How many steps are in which state."""
    counts: dict[str, int] = {}
    for task in state.steps_now():
        status = step_status(state, task)
        counts[status] = counts.get(status, 0) + 1
    return ", ".join(f"{count} {status}" for status, count in counts.items())
