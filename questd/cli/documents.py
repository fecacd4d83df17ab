"""``validate`` and ``graph``."""

import argparse
from typing import Any

from msgspec import structs

from questd.cli.codes import DONE, USAGE
from questd.cli.opening import definition_at
from questd.cli.output import Out
from questd.cli.telling import tell_document
from questd.client.errors import InvalidInput
from questd.documents import (
    InvalidDocument,
    document_schema,
    draw_mermaid,
    draw_svg,
    draw_text,
)
from questd.messages.definition import QuestDefinition


def validate(options: argparse.Namespace, out: Out) -> int:
    """Every fault of every document; 2 when there is one. ``--schema``: what editors check them by."""
    if options.schema:
        out.document(document_schema())
    elif not options.documents:
        raise InvalidInput("say what to look at: quest validate FILE, or quest validate --schema")
    if not options.documents:
        return DONE
    reports = [_report(name, options, out) for name in options.documents]
    if out.as_json:
        out.document(reports[0] if len(reports) == 1 else reports)
    return DONE if all(report["valid"] for report in reports) else USAGE


def _report(name: str, options: argparse.Namespace, out: Out) -> dict[str, Any]:
    try:
        found = definition_at(name, options)
    except InvalidDocument as error:
        if not out.as_json:
            tell_document(error, out)
        faults = [structs.asdict(fault) for fault in error.faults]
        return {"document": name, "valid": False, "faults": faults}
    if not out.as_json:
        count = "1 step" if len(found.steps) == 1 else f"{len(found.steps)} steps"
        out.text(f"{name} is valid: {found.name} {found.version}, {count}")
        for sentence in _needs(found):
            out.text(f"  {sentence}")
    return {
        "document": name,
        "valid": True,
        "faults": [],
        "name": found.name,
        "version": found.version,
    }


def _needs(definition: QuestDefinition) -> list[str]:
    """What it takes to run it."""
    from questd.actors.graph import required_inputs  # noqa: PLC0415
    from questd.actors.graph.using import used_by  # noqa: PLC0415

    declared = definition.inputs
    names = required_inputs(definition) if declared is None else declared
    asked = [each for step in definition.steps for each in step.choices]
    agents = dict.fromkeys(each.agent for each in asked if each.agent)
    tags = dict.fromkeys(tag for each in asked for tag in each.capabilities)
    used = used_by(definition)
    signals = dict.fromkeys(step.wait_for.signal for step in definition.steps if step.wait_for)
    told = {"inputs": names, "agents": agents, "capabilities": tags}
    told |= {"templates": used, "signals": signals}
    return [f"{what}: {', '.join(found)}" for what, found in told.items() if found]


def graph(options: argparse.Namespace, out: Out) -> int:
    """The drawing on stdout; with --json the graph as data."""
    definition = definition_at(options.document, options)
    if out.as_json:
        out.document(_data(definition))
    else:
        drawings = {"text": draw_text, "mermaid": draw_mermaid, "svg": draw_svg}
        out.text(drawings[options.format](definition))
    return DONE


def _data(definition: QuestDefinition) -> dict[str, Any]:
    from questd.actors.graph import graph_of  # noqa: PLC0415

    levels = graph_of(definition.steps).levels
    level_of = {number: level for level, numbers in enumerate(levels, 1) for number in numbers}
    steps = [
        {
            "key": step.key,
            "level": level_of[number],
            "agent": step.agent,
            "capabilities": step.capabilities,
            "tool": step.tool,
            "use": step.use,
            "dependencies": step.dependencies,
            "parallel": step.parallel,
            "wait_for": None if step.wait_for is None else step.wait_for.signal,
            "sleep_ms": step.sleep_ms,
        }
        for number, step in enumerate(definition.steps)
    ]
    return {"name": definition.name, "version": definition.version, "steps": steps}
