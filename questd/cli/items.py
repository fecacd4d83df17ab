"""Steps with items, on one line each; the items themselves when they are asked for."""

from collections.abc import Iterable
from typing import Any

from msgspec import UnsetType

from questd.cli.marks import MARKS, length
from questd.cli.output import one_line, table
from questd.client.errors import NotFound
from questd.messages.address import round_of, step_of
from questd.views.shapes import QuestView, StepView, TaskView, WaitView


def items_text(step: StepView) -> str:
    """How many items are done in its latest round, what became of the others, and which round that is; nothing where there is one of each."""
    if isinstance(step.tasks, UnsetType):
        return ""
    last = max(map(round_of, step.tasks))
    items = [each for name, each in step.tasks.items() if "[" in name and round_of(name) == last]
    counts: dict[str, int] = {}
    for task in items:
        counts[task.status] = counts.get(task.status, 0) + 1
    told = [f"{counts.pop('completed', 0)} of {len(items)} items"] if items else []
    told += [f"{count} {status}" for status, count in counts.items() if status != "pending"]
    told += [f"round {last}"] if last > 1 else []
    return ", ".join(told)


def items_table(view: QuestView, key: str) -> Any:
    """One row an item. NotFound when the step has none."""
    step = view.steps.get(key)
    if step is None:
        raise NotFound(f"{view.id} has no step {key!r}; it has {', '.join(view.steps)}")
    if isinstance(step.tasks, UnsetType):
        raise NotFound(f"{key} of {view.id} has no items")
    rows = [_item_row(name, task) for name, task in step.tasks.items()]
    return table(("", "ITEM", "AGENT", "TOOK", "TRIES", ""), rows, right=("TOOK", "TRIES"))


def _item_row(name: str, task: TaskView) -> tuple[Any, ...]:
    from rich.text import Text  # noqa: PLC0415

    mark, style = MARKS[task.status]
    who = ".".join(part for part in (task.agent, task.tool) if part)
    remark = f"{task.error.kind}: {task.error.message}" if task.error is not None else ""
    tries = str(task.attempts) if task.attempts else ""
    return (
        Text(mark, style=style),
        name,
        who,
        length(task.duration_ms),
        tries,
        one_line(remark, 100),
    )


def folded(waits: Iterable[WaitView]) -> list[tuple[WaitView, int]]:
    """Items of one step that wait for the same are told once, with how many there are."""
    groups: dict[tuple[str, ...], list[WaitView]] = {}
    for wait in waits:
        step = step_of(wait.task)
        # Every question to a person is one of its own, and says which task it is about.
        alone = wait.task if step == wait.task or wait.what == "breakpoint" else step
        groups.setdefault((alone, wait.what, wait.name), []).append(wait)
    return [(group[0], len(group)) for group in groups.values()]
