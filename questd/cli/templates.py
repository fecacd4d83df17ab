"""``template list``, ``add``, ``show``, ``archive`` and ``remove``."""

import argparse
from typing import Any

from msgspec import structs

from questd.cli.codes import DONE
from questd.cli.opening import client_of, definition_at
from questd.cli.output import Out, one_line, table
from questd.messages.templates import TemplateRow
from questd.views.times import rfc3339


def list_templates(options: argparse.Namespace, out: Out) -> int:
    """One row a version."""
    with client_of(options) as client:
        rows = client.template_list(archived=getattr(options, "archived", False))
    if out.as_json:
        out.document({"templates": [_data(row) for row in rows]})
    elif rows:
        columns = ("NAME", "VERSION", "STEPS", "ADDED", "DESCRIPTION")
        out.draw(table(columns, map(_row, rows), right=("STEPS",)))
    else:
        out.say("no document is stored: quest template add FILE")
    return DONE


def _row(row: TemplateRow) -> tuple[str, ...]:
    hidden = "(archived) " if row.archived else ""
    added = rfc3339(row.added_us)[:16].replace("T", " ")
    text = hidden + one_line(row.description, 60)
    return (row.name, row.version, str(row.steps), added, text)


def _data(row: TemplateRow) -> dict[str, Any]:
    """As JSON: times as text."""
    data = structs.asdict(row)
    data["added_at"] = rfc3339(data.pop("added_us"))
    return data


def add(options: argparse.Namespace, out: Out) -> int:
    """In the order given, so that one may use those before it."""
    definitions = [definition_at(name, options) for name in options.documents]
    with client_of(options) as client:
        added = [client.template_add(definition) for definition in definitions]
    if out.as_json:
        out.document(
            {"templates": [{**_data(each.template), "created": each.created} for each in added]}
        )
        return DONE
    for each in added:
        label = f"{each.template.name}@{each.template.version}"
        out.text(label if each.created else f"{label} (was there already)")
    return DONE


def show(options: argparse.Namespace, out: Out) -> int:
    """The document."""
    from questd.documents.export import as_document, to_yaml  # noqa: PLC0415 - 80 ms

    with client_of(options) as client:
        definition = client.template_show(options.template)
    if out.as_json:
        out.document(as_document(definition))
    else:
        out.text(to_yaml(definition))
    return DONE


def archive(options: argparse.Namespace, out: Out) -> int:
    """Hidden from the list and from those that name no version."""
    with client_of(options) as client:
        changed = client.template_archive(options.template, archived=not options.undo)
    _tell(out, options.template, "shown again" if options.undo else "archived", changed=changed)
    return DONE


def remove(options: argparse.Namespace, out: Out) -> int:
    """Quests that were submitted before go on."""
    with client_of(options) as client:
        changed = client.template_remove(options.template)
    _tell(out, options.template, "removed", changed=changed)
    return DONE


def _tell(out: Out, template: str, done: str, *, changed: bool) -> None:
    if out.as_json:
        out.document({"template": template, "changed": changed})
    else:
        out.say(f"{template} is {done}" if changed else f"{template} was {done} before")
