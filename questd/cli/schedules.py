"""``quest schedule``: add, list, show, change, pause, resume, backfill, remove."""

import argparse
import re
from typing import Any, Final

from questd.cli.codes import DONE
from questd.cli.inputs import input_values, pairs
from questd.cli.marks import clock
from questd.cli.opening import client_of, definition_at
from questd.cli.output import Out, one_line, table
from questd.client.client import Client
from questd.messages.definition import QuestDefinition
from questd.views.schedules import OccasionShape, ScheduleShape

_RENDERED: Final = re.compile(r"^[^=]*=\s*\{\{.*\}\}\s*$", re.DOTALL)


def add(options: argparse.Namespace, out: Out) -> int:
    """Says when it fires next."""
    with client_of(options) as client:
        changed = client.schedule_add(options.name, *_what(options), **_when(options))
        said = "added" if changed else "was there just so"
        return _tell(client, options.name, said, out, changed=changed)


def change(options: argparse.Namespace, out: Out) -> int:
    """Says when it fires next."""
    with client_of(options) as client:
        changed = client.schedule_change(options.name, *_what(options), **_when(options))
        said = "changed" if changed else "was just so already"
        return _tell(client, options.name, said, out, changed=changed)


def pause(options: argparse.Namespace, out: Out) -> int:
    """Until it is resumed."""
    with client_of(options) as client:
        changed = client.schedule_pause(options.name)
        said = "paused" if changed else "was paused already"
        return _tell(client, options.name, said, out, changed=changed)


def resume(options: argparse.Namespace, out: Out) -> int:
    """Says when it fires next."""
    with client_of(options) as client:
        changed = client.schedule_resume(options.name)
        said = "resumed" if changed else "was not paused"
        return _tell(client, options.name, said, out, changed=changed)


def remove(options: argparse.Namespace, out: Out) -> int:
    """Its quests go on."""
    with client_of(options) as client:
        changed = client.schedule_remove(options.name)
    if out.as_json:
        out.document({"name": options.name, "changed": changed})
    else:
        out.say(f"{options.name} is removed; its quests go on")
    return DONE


def backfill(options: argparse.Namespace, out: Out) -> int:
    """How many due times the range has; those that have a quest get no other one."""
    with client_of(options) as client:
        count = client.schedule_backfill(options.name, since=options.since, until=options.until)
    if out.as_json:
        out.document({"name": options.name, "due_times": count})
    else:
        out.say(f"{options.name}: {count} due times; each that has no quest yet gets one")
    return DONE


def _what(options: argparse.Namespace) -> tuple[QuestDefinition, dict[str, Any]]:
    """A value that is all ``{{ … }}`` is of whatever type it will be rendered to."""
    definition = definition_at(options.document, options)
    rendered = [given for given in options.inputs if _RENDERED.search(given)]
    plain = [given for given in options.inputs if given not in rendered]
    values = input_values(plain, definition.inputs) | input_values(rendered, None)
    return definition, values


def _when(options: argparse.Namespace) -> dict[str, Any]:
    names = ("cron", "zone", "after", "after_project", "overlap", "catch_up", "debounce")
    own = ("project", "priority", "timeout")
    labels = pairs("--label", options.labels)
    status = tuple(options.status.split(","))
    return {name: getattr(options, name) for name in (*names, *own)} | {
        "labels": labels,
        "status": status,
        "on_change": tuple(options.on_change),
    }


def _tell(client: Client, name: str, said: str, out: Out, *, changed: bool) -> int:
    shape = client.schedule_show(name)
    if out.as_json:
        out.document({"name": name, "changed": changed, "next": shape.next})
    else:
        comes = f"; next {clock(shape.next[0])}" if shape.next else ""
        out.say(f"{name} {said}{comes}")
    return DONE


def list_schedules(options: argparse.Namespace, out: Out) -> int:
    """One row a schedule."""
    with client_of(options) as client:
        found = client.schedule_list()
    if out.as_json:
        out.document({"schedules": found})
    elif found:
        columns = ("NAME", "WHEN", "ZONE", "DOCUMENT", "OVERLAP", "NEXT", "RUNNING")
        out.draw(table(columns, map(_row, found), right=("RUNNING",)))
    else:
        out.say('there is no schedule: quest schedule add NAME FILE --cron "0 3 * * *"')
    return DONE


def _row(one: ScheduleShape) -> tuple[str, ...]:
    document = f"{one.document} {one.version}".strip()
    return (
        one.name,
        one_line(when_text(one), 60),
        one.zone or "",
        one_line(document, 40),
        one.overlap,
        _next(one),
        str(len(one.running)),
    )


def _next(one: ScheduleShape) -> str:
    if one.fault is not None:
        return "parked"
    if one.paused:
        return "paused"
    return clock(one.next[0]) if one.next else ""


def when_text(one: ScheduleShape) -> str:
    """The expression, or whose end or which files it waits for."""
    if one.on_change is not None:
        return f"on change of {' '.join(one.on_change.patterns)}"
    if one.after is None:
        return one.cron or ""
    where = f" in {one.after.project}" if one.after.project else ""
    return f"after {one.after.name or '*'} {'|'.join(one.after.status)}{where}"


def show(options: argparse.Namespace, out: Out) -> int:
    """One on one screen: when it fires, what waits, what it did last."""
    with client_of(options) as client:
        shape = client.schedule_show(options.name)
    if out.as_json:
        out.document(shape)
        return DONE
    out.text("  ".join((shape.name, when_text(shape), shape.zone or "")).rstrip())
    for name, value in _facts(shape):
        out.text(f"  {name:<9} {one_line(value)}")
    if isinstance(shape.recent, tuple) and shape.recent:
        out.text("")
        columns = ("DUE", "WHY", "STATUS", "QUEST")
        out.draw(table(columns, map(_occasion, shape.recent)))
    return DONE


def _facts(one: ScheduleShape) -> list[tuple[str, str]]:
    facts = [
        ("runs", f"{one.document} {one.version}".strip()),
        ("overlap", one.overlap),
        ("catch-up", one.catch_up or ""),
        ("next", ", ".join(map(clock, one.next)) or _next(one)),
        *_files(one),
        ("running", ", ".join(one.running)),
        ("put off", clock(one.put_off) if one.put_off else ""),
        ("backlog", f"{one.backlog} still to come" if one.backlog else ""),
        ("fault", one.fault or ""),
    ]
    return [(name, value) for name, value in facts if value]


def _files(one: ScheduleShape) -> list[tuple[str, str]]:
    if one.on_change is None:
        return []
    moving = ", some of which are changing" if one.on_change.changing else ""
    troubles = [("trouble", trouble) for trouble in one.on_change.troubles]
    return [("files", f"{one.on_change.files}{moving}"), *troubles]


def _occasion(one: OccasionShape) -> tuple[str, ...]:
    to = f" … {clock(one.until)}" if isinstance(one.until, str) else ""
    status = f"{one.status}: {one.reason}" if one.reason else one.status
    return (f"{clock(one.due)}{to}", one.why, one_line(status, 80), one.quest or "")
