"""``list``, ``show``, ``watch``, ``logs`` and ``output``: all of them also without a daemon."""

import argparse
import json
from typing import Any

from msgspec import UNSET

from questd.cli.codes import DONE, FAILED, OF_STATUS
from questd.cli.inputs import pairs
from questd.cli.items import folded, items_table, items_text
from questd.cli.marks import MARKS, between, clock, length, status_text, usage_text, waiting_text
from questd.cli.opening import client_of
from questd.cli.output import Out, one_line, table
from questd.client.client import Client
from questd.client.errors import QuestFailed
from questd.messages.address import step_of
from questd.views.events import EventView
from questd.views.shapes import ErrorView, QuestList, QuestRow, QuestView, StepView, WaitView

STEPS_SHOWN = 200
VALUE_SHOWN = 200


def listed(options: argparse.Namespace, client: Client, *, payloads: bool) -> QuestList:
    """The page that the filters ask for."""
    return client.list(
        status=[one for given in options.status for one in given.split(",") if one],
        template=options.template,
        project=options.project,
        labels=pairs("--label", options.labels),
        since=options.since,
        text=options.text,
        waiting_longer_than=options.waiting_longer_than,
        limit=options.limit,
        after=options.after,
        payloads=payloads,
    )


def list_quests(options: argparse.Namespace, out: Out) -> int:
    """A table, newest first."""
    with client_of(options) as client:
        page = listed(options, client, payloads=out.as_json)
    if out.as_json:
        out.document(page)
        return DONE
    if not page.quests:
        out.say("no quests")
        return DONE
    columns = ("ID", "QUEST", "STATUS", "BEGUN", "TOOK", "")
    out.draw(table(columns, map(_row, page.quests), right=("TOOK",)))
    if page.next:
        out.say(f"more: --after {page.next}", style="dim")
    return DONE


def _row(row: QuestRow) -> tuple[Any, ...]:
    took = length(between(row.started_at, row.finished_at))
    return row.id, row.name, status_text(row.status), clock(row.created_at), took, _remark(row)


def _remark(row: QuestRow | QuestView) -> str:
    if row.error is not None:
        return one_line(error_text(row.error), 80)
    if row.waiting_for:
        return one_line(wait_text(row.waiting_for[0]), 80)
    return f"failed: {', '.join(row.failed_steps)}" if row.failed_steps else ""


def error_text(error: ErrorView) -> str:
    """Where, of what kind, and why."""
    at = f"{error.task}: " if error.task else ""
    return f"{at}{error.kind}: {error.message}"


def wait_text(wait: WaitView) -> str:
    """Who waits, for what, how long by now and until when."""
    until = f", until {clock(wait.until)}" if wait.until else ""
    for_long = length(between(wait.since, None))
    return f"{wait.task} {waiting_text(wait.what, wait.name)} (for {for_long}{until})"


def show(options: argparse.Namespace, out: Out) -> int:
    """Everything about one quest on one screen; all of its values with --json."""
    with client_of(options) as client:
        view = client.show(options.quest)
    if out.as_json:
        out.document(view)
    elif options.items is not None:
        out.draw(items_table(view, options.items))
    else:
        draw_quest(view, out)
    return DONE


def draw_quest(view: QuestView, out: Out) -> None:
    """Facts, steps, then what it gave or why not."""
    from rich.text import Text  # noqa: PLC0415

    title = Text.assemble((view.name, "bold"), f" {view.version}  ", (view.id, "dim"), "  ")
    took = length(between(view.started_at, view.finished_at))
    out.draw(title + status_text(view.status) + Text(f"  {took}", style="dim"))
    for name, value in _facts(view):
        out.draw(Text.assemble((f"  {name:<9} ", "dim"), one_line(value)))
    out.draw("", steps_table(view), "")
    if view.error is not None:
        out.draw(Text.assemble(("✗ ", "bold red"), one_line(error_text(view.error), 2_000)))
    for wait, count in folded(view.waiting_for)[:STEPS_SHOWN]:
        more = f" and {count - 1} more items" if count > 1 else ""
        out.draw(Text.assemble(("? ", "bold yellow"), one_line(f"{wait_text(wait)}{more}", 2_000)))
    if view.status == "completed":
        out.value(view.output)


def _facts(view: QuestView) -> list[tuple[str, str]]:
    labels = ", ".join(f"{name}={value}" for name, value in view.labels.items())
    inputs = [
        f"{name}={value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in view.inputs.items()
    ]
    facts = [
        ("project", view.project if view.project != "default" else ""),
        ("labels", labels),
        ("begun", clock(view.created_at)),
        ("ended", clock(view.finished_at)),
        *(("input", one_line(text, VALUE_SHOWN)) for text in inputs),
        ("failed", ", ".join(view.failed_steps)),
        ("used", "" if view.usage is UNSET else usage_text(view.usage)),
    ]
    return [(name, value) for name, value in facts if value]


def steps_table(view: QuestView) -> Any:
    """One row a step, as many as fit a person's patience."""
    waits = {step_of(wait.task): wait for wait in reversed(view.waiting_for)}
    rows = [_step_row(key, step, waits.get(key)) for key, step in view.steps.items()]
    left_out = len(rows) - STEPS_SHOWN
    if left_out > 0:
        rows[STEPS_SHOWN:] = [("", f"… {left_out} more", "", "", "", "")]
    return table(("", "STEP", "AGENT", "TOOK", "TRIES", ""), rows, right=("TOOK", "TRIES"))


def _step_row(key: str, step: StepView, wait: WaitView | None) -> tuple[Any, ...]:
    from rich.text import Text  # noqa: PLC0415

    mark, style = MARKS[step.status]
    took = step.duration_ms or (
        between(step.started_at, None) if step.status == "running" else step.duration_ms
    )
    remark = items_text(step)
    if step.error is not None:
        remark = f"{step.error.kind}: {step.error.message}"
    elif wait is not None:
        waiting = waiting_text(wait.what, wait.name)
        remark = f"{remark}; {waiting}" if remark else waiting
    elif not remark and step.quest is not UNSET and step.status == "running":
        remark = f"quest show {step.quest}"
    who = ".".join(part for part in (step.agent, step.tool) if part)
    tries = str(step.attempts) if step.attempts else ""
    return Text(mark, style=style), key, who, length(took), tries, one_line(remark, 100)


def watch(options: argparse.Namespace, out: Out) -> int:
    """One line an event, until the quest has ended; its exit code says how."""
    with client_of(options) as client:
        last = ""
        for event in client.watch(options.quest, after=options.after):
            last = event.kind
            if out.as_json:
                out.line(event.flat())
            else:
                out.text(event_line(event))
    ends = {
        "quest.completed": "completed",
        "quest.failed": "failed",
        "quest.cancelled": "cancelled",
    }
    return OF_STATUS.get(ends.get(last, ""), DONE)


def event_line(event: EventView) -> str:
    """Number, time, kind, task and what else is short enough."""
    told = [
        f"{name}={one_line(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), 60)}"
        for name, value in event.fields.items()
        if name not in ("task", "lines", "instance", "epoch", "definition")
        and value not in (None, "", 0, {}, (), [])
    ]
    task = str(event.fields.get("task", ""))
    return f"{event.n:>5}  {clock(event.at)}  {event.kind:<20} {task:<20} {' '.join(told)}".rstrip()


def logs(options: argparse.Namespace, out: Out) -> int:
    """One line a line that a tool wrote."""
    with client_of(options) as client:
        for line in client.logs(options.quest, task=options.task, follow=options.follow):
            if out.as_json:
                out.line(line)
            else:
                fields = " ".join(f"{name}={value}" for name, value in line.fields.items())
                text = f"{clock(line.at)}  {line.task:<20}  {one_line(line.text, 2_000)}"
                out.text(f"{text}  {one_line(fields, 2_000)}".rstrip())
    return DONE


def output(options: argparse.Namespace, out: Out) -> int:
    """The result as it is: a text verbatim, anything else as JSON."""
    with client_of(options) as client:
        try:
            value = client.output(options.quest, step=options.step)
        except QuestFailed as error:
            out.fault(str(error))
            return OF_STATUS.get(error.view.status, FAILED)
    if out.as_json:
        out.document(value)
    else:
        out.value(value)
    return DONE
