"""From text to a checked ``QuestDefinition``, or to ``InvalidDocument`` with every fault at once.

Text → tree (places) → fields (shapes) → definition → checks (meaning). Each stage tells all it
finds; a later one is silent about what an earlier one refused. The document is a stranger's: size,
depth, nodes and characters are bounded.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from questd.actors.graph.checks import check
from questd.actors.graph.growing import Ground, check_planned
from questd.actors.graph.problems import At
from questd.documents.faults import Fault, InvalidDocument, fault
from questd.documents.fields import (
    QUEST_FIELDS,
    QUEST_LATER,
    STEP_FIELDS,
    STEP_LATER,
    read_boolean,
    read_fields,
)
from questd.documents.json_text import read_json
from questd.documents.sheet import Sheet, say
from questd.documents.tree import Node, TreeBuilder, Unreadable, keys_at, place_of, plain
from questd.documents.yaml_text import read_yaml
from questd.messages.definition import (
    Awaited,
    Fallback,
    InputDefinition,
    QuestDefinition,
    QuestLimits,
    Repeat,
    RetryPolicy,
    StepDefinition,
)

DOCUMENT_MAX_BYTES = 8 * 1024 * 1024
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")
PLAN_TEXT_FIELDS = {"steps": QUEST_FIELDS["steps"]}
_OTHER_KINDS = frozenset({"ask"})
_WAITS = ("wait_for", "sleep")


def load_file(path: str | Path) -> QuestDefinition:
    """The definition in a file. InvalidDocument also when the file cannot be read."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(DOCUMENT_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InvalidDocument(
            [Fault("", 0, 0, f"cannot be read: {reason}")], source=str(path)
        ) from error
    return load(data, name_hint=str(path))


def load(text: bytes | str, *, name_hint: str | None = None) -> QuestDefinition:
    """The definition that a text says.

    ``name_hint``: the file's name; ``.json`` or ``.yaml`` decides, else the content.

    InvalidDocument carries every fault.
    """
    source = name_hint or ""
    try:
        builder = _parse(_decode(text), source)
        tree = _root(builder)
    except Unreadable as error:
        raise InvalidDocument([*error.before, error.fault], source=source) from error
    sheet = Sheet(builder.settled)
    sheet.faults.extend(builder.faults)
    definition = _read_quest(sheet, tree)
    if definition is not None:
        for problem in check(definition, settled=sheet.settled):
            at = _in_the_text(problem.at, tree)
            sheet.faults.append(fault(at, place_of(tree, at), problem.message, problem.hint))
    if sheet.faults or definition is None:
        raise InvalidDocument(sheet.faults, source=source)
    return definition


def load_plan(text: bytes, ground: Ground) -> tuple[StepDefinition, ...]:
    """The steps that a planning step returned, read and checked as those of a document are, as part of the quest that they are to join.

    InvalidDocument carries every fault, with its place in the text.
    """
    try:
        builder = _told(read_json, _decode(text))
        tree = _root(builder)
    except Unreadable as error:
        raise InvalidDocument([*error.before, error.fault]) from error
    sheet = Sheet(builder.settled)
    sheet.faults.extend(builder.faults)
    into = ground.definition
    steps = _read_plan(sheet, tree, into.default_retry or RetryPolicy())
    first = len(into.steps)
    whole = replace(into, steps=(*into.steps, *steps))
    checked = replace(into, steps=(*into.steps, *(replace(each, repeat=None) for each in steps)))
    problems = check(checked, settled=[_moved(at, first) for at in sheet.settled])
    problems += check_planned(whole, ground)  # which refuses a loop as such
    for problem in problems:
        at = _in_the_text(_moved(problem.at, -first), tree)
        sheet.faults.append(fault(at, place_of(tree, at), problem.message, problem.hint))
    if sheet.faults:
        raise InvalidDocument(sheet.faults)
    return steps


def _read_plan(sheet: Sheet, tree: Node, base: RetryPolicy) -> tuple[StepDefinition, ...]:
    if tree.mapping is None:
        sheet.refuse((), tree.place, f"must be a mapping with steps, not {say(tree)}")
        return ()
    found = read_fields(sheet, tree, (), PLAN_TEXT_FIELDS)
    if "steps" not in tree.mapping:
        sheet.refuse(("steps",), tree.place, "is missing")
    return _read_steps(sheet, found.get("steps"), base)


def _moved(at: At, by: int) -> At:
    """The same step's place, where it stands behind so many others."""
    if len(at) > 1 and at[0] == "steps" and isinstance(at[1], int):
        return ("steps", at[1] + by, *at[2:])
    return at


def _decode(text: bytes | str) -> str:
    try:
        data = text.encode() if isinstance(text, str) else text
    except UnicodeEncodeError as error:
        raise Unreadable(Fault("", 1, 1, "contains half of a surrogate pair")) from error
    if len(data) > DOCUMENT_MAX_BYTES:
        message = f"is larger than {DOCUMENT_MAX_BYTES} bytes"
        raise Unreadable(Fault("", 1, 1, message, "pass data as inputs, not in the document"))
    try:
        decoded = data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line, column = _line_and_column(data[: error.start].decode())
        message = f"is not UTF-8 (byte 0x{data[error.start]:02x})"
        raise Unreadable(Fault("", line, column, message, "save it as UTF-8")) from error
    if (control := _CONTROL.search(decoded)) is not None:
        place = _line_and_column(decoded[: control.start()])
        message = f"contains the control character U+{ord(control[0]):04X}"
        raise Unreadable(Fault("", *place, message, "remove it"))
    return decoded


def _line_and_column(before: str) -> tuple[int, int]:
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _parse(text: str, source: str) -> TreeBuilder:
    extension = Path(source).suffix.lower()
    if extension == ".json":
        return _told(read_json, text)
    if extension in (".yaml", ".yml") or text.lstrip()[:1] != "{":
        return _told(read_yaml, text)
    try:
        return _told(read_json, text)
    except Unreadable as json_error:
        try:  # YAML may begin so too
            return _told(read_yaml, text)
        except Unreadable:
            raise json_error from None


def _told(read: Callable[[str, TreeBuilder], None], text: str) -> TreeBuilder:
    builder = TreeBuilder()
    try:
        read(text, builder)
    except Unreadable as error:
        error.before = builder.faults
        raise
    return builder


def _root(builder: TreeBuilder) -> Node:
    root = builder.root
    if root is None or (root.value is None and not builder.faults):
        raise Unreadable(Fault("", 1, 1, "is empty", "a quest needs a name and steps"))
    return root


def _read_quest(sheet: Sheet, tree: Node) -> QuestDefinition | None:
    written = tree.mapping
    if written is None:
        sheet.refuse((), tree.place, f"must be a mapping with name and steps, not {say(tree)}")
        return None
    found = read_fields(sheet, tree, (), QUEST_FIELDS, QUEST_LATER)
    defaults = found.pop("defaults", {})
    retry = defaults.get("default_retry")
    if retry is not None:
        defaults["default_retry"] = RetryPolicy(**retry)
    base = defaults.get("default_retry") or RetryPolicy()
    found.update(defaults)
    if "limits" in found:
        found["limits"] = QuestLimits(**found["limits"])
    for name in ("name", "steps"):
        if name not in written:
            sheet.refuse((name,), tree.place, "is missing")
    found["steps"] = _read_steps(sheet, found.get("steps"), base)
    if "inputs" in found:
        found["inputs"] = _read_inputs(sheet, found["inputs"])
    found.setdefault("name", "")
    return QuestDefinition(**found)


def _read_steps(sheet: Sheet, node: Node | None, base: RetryPolicy) -> tuple[StepDefinition, ...]:
    if node is None:
        return ()
    if node.items is None:
        sheet.refuse(("steps",), node.place, f"must be a list of steps, not {say(node)}")
        return ()
    return tuple(_read_step(sheet, n, inner, base) for n, inner in enumerate(node.items))


def _read_step(sheet: Sheet, number: int, node: Node, base: RetryPolicy) -> StepDefinition:
    at: At = ("steps", number)
    found = read_fields(sheet, node, at, STEP_FIELDS, STEP_LATER)
    written = node.mapping
    if written is None:
        return StepDefinition(key="")
    if "needs" in written and "dependencies" in written:
        message = "is the same as dependencies, which is given too"
        sheet.refuse((*at, "needs"), written["needs"].place, message, "keep one")
    _check_given(sheet, at, written)
    unread = any((*at, kind) in sheet.settled for kind in ("capability", "use", *_WAITS))
    if unread or not _OTHER_KINDS.isdisjoint(written):
        sheet.settled.add((*at, "agent"))
    _take_signal(sheet, at, node, found)
    if "retry" in found:
        found["retry"] = replace(base, **found["retry"])
    if "repeat" in found:
        found["repeat"] = _read_repeat(found["repeat"])
    found["fallback"] = tuple(Fallback(**other) for other in found.get("fallback", ()))
    for place in range(len(found["fallback"])):
        if (*at, "fallback", place, "capability") in sheet.settled:
            sheet.settled.add((*at, "fallback", place, "agent"))
    found.setdefault("key", "")
    return StepDefinition(**found)


def _read_repeat(found: dict[str, Any]) -> Repeat | None:
    """None where its ``until`` was refused."""
    return Repeat(**found) if "until" in found else None


def _check_given(sheet: Sheet, at: At, written: Mapping[str, Node]) -> None:
    """A tool has arguments, a template has inputs."""
    if "use" in written and "with" in written:
        message = "is for a step that calls a tool"
        sheet.refuse((*at, "with"), written["with"].place, message, "write inputs for a template's")
    if "inputs" in written and "use" not in written:
        message = "is for a step that uses a template"
        sheet.refuse((*at, "inputs"), written["inputs"].place, message, "write with for a tool's")


def _take_signal(sheet: Sheet, at: At, node: Node, found: dict[str, Any]) -> None:
    """The signal with its default; a default alone is of no use."""
    given = "default" in found
    default, signal = found.pop("default", None), found.pop("signal", None)
    if signal is not None:
        found["wait_for"] = Awaited(signal, required=not given, default=default)
    elif given and "wait_for" not in node.keys:
        sheet.refuse((*at, "default"), node.keys["default"], "goes with wait_for only", "remove it")


def _read_inputs(sheet: Sheet, node: Node) -> dict[str, InputDefinition] | None:
    if (written := node.mapping) is None:
        sheet.refuse(("inputs",), node.place, f"must be a mapping, not {say(node)}")
        return None
    return {name: _read_input(sheet, name, inner) for name, inner in written.items()}


def _read_input(sheet: Sheet, name: str, node: Node) -> InputDefinition:
    at: At = ("inputs", name)
    if node.mapping is None:
        hint = f"write {{type: {node.value}}}" if isinstance(node.value, str) else ""
        sheet.refuse(at, node.place, f"must be JSON Schema, not {say(node)}", hint)
        return InputDefinition()
    secret = False
    if "secret" in node.mapping:
        secret = read_boolean(sheet, node.mapping["secret"], (*at, "secret")) is True
    schema: dict[str, Any] = plain(node)
    schema.pop("secret", None)
    if "default" not in schema:
        return InputDefinition(schema, secret=secret)
    default = schema.pop("default")
    return InputDefinition(schema, required=False, default=default, secret=secret)


def _in_the_text(at: At, tree: Node) -> At:
    """The definition does not know whether ``needs`` was written for dependencies."""
    if len(at) < 3 or at[2] != "dependencies":
        return at
    alias: At = (*at[:2], "needs", *at[3:])
    return alias if "needs" in keys_at(tree, at[:2]) else at
