"""The fields of a document: how each is read, what it becomes, what JSON Schema says of it.

One table a mapping, so that reading, "did you mean" and the schema for editors cannot differ. Only
shapes are decided here; whether a value is allowed (bounds, names, references) is for the checks of
``actors.graph``.
"""

from collections.abc import Callable, Mapping
from typing import Any, get_args

from msgspec import Struct

from questd.actors.graph.checks import ATTEMPTS_MAX, BACKOFF_MAX, NAME_MAX, PARALLEL_MAX, STEPS_MAX
from questd.actors.graph.durations import DURATION_PATTERN, parse_duration
from questd.actors.graph.problems import At, nearest_name, shorten
from questd.documents.sheet import ABSENT, Sheet, is_nested, say
from questd.documents.tree import Node, plain
from questd.messages.definition import (
    COST_MAX,
    ROUNDS_MAX,
    STEP_KEY_PATTERN,
    TEMPLATE_PATTERN,
    TOKENS_MAX,
    OnError,
    OnExhausted,
    Partial,
)


class Kind(Struct, frozen=True):
    """``read`` gives the value of a node, or refuses it on the sheet and gives ABSENT."""

    read: Callable[[Sheet, Node, At], Any]
    schema: dict[str, Any]


class Field(Struct, frozen=True):
    """``attribute``: its name in the definition."""

    attribute: str
    kind: Kind
    description: str


Fields = Mapping[str, Field]


def read_text(sheet: Sheet, node: Node, at: At) -> Any:
    """Text; anything else should have been quoted."""
    if isinstance(node.value, str):
        return node.value
    hint = "" if node.value is None or is_nested(node) else f'to mean text, write "{node.text}"'
    return sheet.refuse(at, node.place, f"must be text, not {say(node)}", hint)


def read_as_written(sheet: Sheet, node: Node, at: At) -> Any:
    """Text, or a number or boolean as it was written."""
    if node.value is None or is_nested(node):
        return sheet.refuse(at, node.place, f"must be text, not {say(node)}")
    return node.value if isinstance(node.value, str) else node.text


def read_boolean(sheet: Sheet, node: Node, at: At) -> Any:
    """True or false, and not one of the eleven words of YAML 1.1."""
    if isinstance(node.value, bool):
        return node.value
    return sheet.refuse(at, node.place, f"must be true or false, not {say(node)}")


def read_condition(sheet: Sheet, node: Node, at: At) -> Any:
    """A bare expression; true and false are expressions too."""
    if isinstance(node.value, bool):
        return "true" if node.value else "false"
    return read_text(sheet, node, at)


def read_integer(sheet: Sheet, node: Node, at: At) -> Any:
    """A whole number."""
    if isinstance(node.value, int) and not isinstance(node.value, bool):
        return node.value
    return sheet.refuse(at, node.place, f"must be a whole number, not {say(node)}")


def read_number(sheet: Sheet, node: Node, at: At) -> Any:
    """A number, as a float."""
    if isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return float(node.value)
    return sheet.refuse(at, node.place, f"must be a number, not {say(node)}")


def read_duration(sheet: Sheet, node: Node, at: At) -> Any:
    """Milliseconds."""
    if isinstance(node.value, int) and not isinstance(node.value, bool):
        hint = f"write {node.value}s or {node.value}ms"
        return sheet.refuse(at, node.place, "is a number without a unit", hint)
    if not isinstance(node.value, str):
        return sheet.refuse(at, node.place, f"must be a duration, as in 30s, not {say(node)}")
    try:
        return parse_duration(node.value)
    except ValueError as error:
        return sheet.refuse(at, node.place, f"{shorten(node.value, 40)} {error}")


def read_texts(sheet: Sheet, node: Node, at: At) -> Any:
    """A list of texts."""
    if node.items is None:
        hint = "write it in brackets: […]" if isinstance(node.value, str) else ""
        return sheet.refuse(at, node.place, f"must be a list, not {say(node)}", hint)
    found = [read_text(sheet, inner, (*at, n)) for n, inner in enumerate(node.items)]
    return tuple(text for text in found if text is not ABSENT)


def read_text_or_texts(sheet: Sheet, node: Node, at: At) -> Any:
    """One text, or a list of them."""
    if node.items is not None:
        if not node.items:
            return sheet.refuse(at, node.place, "is an empty list")
        return read_texts(sheet, node, at)
    text = read_text(sheet, node, at)
    return text if text is ABSENT else (text,)


def read_labels(sheet: Sheet, node: Node, at: At) -> Any:
    """Texts by name; a number keeps the look it was given."""
    if (written := node.mapping) is None:
        return sheet.refuse(at, node.place, f"must be a mapping, not {say(node)}")
    found = {n: read_as_written(sheet, inner, (*at, n)) for n, inner in written.items()}
    return {name: text for name, text in found.items() if text is not ABSENT}


def read_arguments(sheet: Sheet, node: Node, at: At) -> Any:
    """Any plain values by name."""
    if node.mapping is None:
        return sheet.refuse(at, node.place, f"must be a mapping of arguments, not {say(node)}")
    return plain(node)


def leave(sheet: Sheet, node: Node, at: At) -> Any:
    """The node itself, for who reads it with more knowledge."""
    del sheet, at
    return node


def read_anything(sheet: Sheet, node: Node, at: At) -> Any:
    """Any plain value."""
    del sheet, at
    return plain(node)


def read_expression(sheet: Sheet, node: Node, at: At) -> Any:
    """A bare expression, as text."""
    if node.items is not None:
        return sheet.refuse(at, node.place, "must be an expression, not a list", 'quote it: "[…]"')
    return read_text(sheet, node, at)


def one_of(words: tuple[str, ...]) -> Kind:
    """One of these words."""

    def read(sheet: Sheet, node: Node, at: At) -> Any:
        if node.value in words and isinstance(node.value, str):
            return node.value
        near = nearest_name(node.value, words) if isinstance(node.value, str) else None
        hint = f"did you mean {near}?" if near else ""
        message = f"must be one of {', '.join(words)}, not {say(node)}"
        return sheet.refuse(at, node.place, message, hint)

    return Kind(read, {"enum": list(words)})


def read_fields(sheet: Sheet, node: Node, at: At, fields: Fields, later: str = "") -> Any:
    """A mapping with only these fields; gives values by attribute.

    ``later``: names that are not supported yet.
    """
    if (written := node.mapping) is None:
        return sheet.refuse(at, node.place, f"must be a mapping, not {say(node)}")
    found: dict[str, Any] = {}
    postponed = later.split()
    for name, inner in written.items():
        field = fields.get(name)
        if field is None:
            _refuse_field(sheet, node, (*at, name), fields, postponed)
        elif (value := field.kind.read(sheet, inner, (*at, name))) is not ABSENT:
            found[field.attribute] = value
    return found


def _refuse_field(sheet: Sheet, node: Node, at: At, fields: Fields, postponed: list[str]) -> None:
    name = str(at[-1])
    place = node.keys[name]
    if name in postponed:
        sheet.refuse(at, place, f"{name} is not yet supported", "remove it")
        return
    # Fifty suggestions are enough to find a habit; each costs a comparison with every field.
    near = nearest_name(name, list(fields)) if len(sheet.faults) < 50 else None
    hint = f"did you mean {near}?" if near else f"known: {', '.join(fields)}"
    sheet.refuse(at, place, f"there is no field {shorten(name, 40)}", hint)
    if near is not None and near not in node.keys:
        sheet.settled.add((*at[:-1], near))


TEXT = Kind(read_text, {"type": "string"})
NAME = Kind(read_text, {"type": "string", "minLength": 1, "maxLength": NAME_MAX})
KEY = Kind(read_text, {"type": "string", "pattern": f"^{STEP_KEY_PATTERN}$"})
AS_WRITTEN = Kind(read_as_written, {"type": ["string", "number"]})
BOOLEAN = Kind(read_boolean, {"type": "boolean"})
ANYTHING = Kind(read_anything, {})
LEFT = Kind(leave, {})
DURATION = Kind(read_duration, {"type": "string", "pattern": f"^{DURATION_PATTERN}$"})
TEXTS = Kind(read_texts, {"type": "array", "items": {"type": "string"}})
CONDITION = Kind(read_condition, {"type": ["string", "boolean"]})
KEYS = Kind(read_texts, {"type": "array", "items": KEY.schema, "uniqueItems": True})
NAMES = Kind(
    read_text_or_texts,
    {"anyOf": [NAME.schema, {"type": "array", "items": NAME.schema, "minItems": 1}]},
)
LABELS = Kind(
    read_labels,
    {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}},
)
ARGUMENTS = Kind(read_arguments, {"type": "object"})
ON_ERROR = one_of(get_args(OnError))
ON_EXHAUSTED = one_of(get_args(OnExhausted))
TEMPLATE = Kind(
    read_text, {"type": "string", "pattern": f"^{TEMPLATE_PATTERN}(@{TEMPLATE_PATTERN})?$"}
)
EXPRESSION = Kind(read_expression, {"type": "string"})
PRIORITY = Kind(read_integer, {"type": "integer", "minimum": 1, "maximum": 10})


PARTIAL = one_of(get_args(Partial))


def _integer(low: int, high: int) -> Kind:
    return Kind(read_integer, {"type": "integer", "minimum": low, "maximum": high})


def _number(low: float, high: float) -> Kind:
    return Kind(read_number, {"type": "number", "minimum": low, "maximum": high})


def _object(fields: Fields, required: tuple[str, ...] = ()) -> Kind:
    def read(sheet: Sheet, node: Node, at: At) -> Any:
        found = read_fields(sheet, node, at, fields)
        absent = [
            name for name in required if node.mapping is not None and name not in node.mapping
        ]
        for name in absent:
            sheet.refuse((*at, name), node.place, "is missing")
        return ABSENT if absent else found

    return Kind(read, object_schema(fields, required))


def read_plan(sheet: Sheet, node: Node, at: At) -> Any:
    """How many steps at most; it must be said."""
    found = read_fields(sheet, node, at, PLAN_FIELDS)
    if found is ABSENT or "max_steps" in found or (*at, "max_steps") in sheet.settled:
        return ABSENT if found is ABSENT else found.get("max_steps", ABSENT)
    return sheet.refuse((*at, "max_steps"), node.place, "is missing")


def _list_of(fields: Fields) -> Kind:
    def read(sheet: Sheet, node: Node, at: At) -> Any:
        if node.items is None:
            return sheet.refuse(at, node.place, f"must be a list, not {say(node)}")
        found = [read_fields(sheet, each, (*at, n), fields) for n, each in enumerate(node.items)]
        return [values for values in found if values is not ABSENT]

    return Kind(read, {"type": "array", "items": object_schema(fields)})


def object_schema(fields: Fields, required: tuple[str, ...] = ()) -> dict[str, Any]:
    """JSON Schema of a mapping with these fields and no others."""
    properties = {
        name: {"description": field.description, **field.kind.schema}
        for name, field in fields.items()
    }
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    if required:
        schema["required"] = list(required)
    return {**schema, "additionalProperties": False}


COST = Kind(read_number, {"type": "number", "exclusiveMinimum": 0, "maximum": COST_MAX})
RETRY_FIELDS: Fields = {
    "attempts": Field(
        "attempts", _integer(1, ATTEMPTS_MAX), "How often in all, the first included."
    ),
    "delay": Field("delay_ms", DURATION, "Before the second attempt."),
    "backoff": Field(
        "backoff", _number(1, BACKOFF_MAX), "What each further delay is multiplied by."
    ),
    "max_delay": Field("max_delay_ms", DURATION, "No delay is longer."),
    "jitter": Field("jitter", _number(0, 1), "The part of a delay that is left to chance."),
    "no_retry_on": Field("no_retry_on", TEXTS, "Kinds of failure that are final."),
}
LIMITS_FIELDS: Fields = {
    "parallel": Field("parallel", _integer(1, PARALLEL_MAX), "Tasks that may run at once."),
    "steps": Field("steps", _integer(1, STEPS_MAX), "Steps that the quest may have."),
    "rounds": Field("rounds", _integer(1, ROUNDS_MAX), "How often its loops may send it back."),
    "tokens": Field("tokens", _integer(1, TOKENS_MAX), "Tokens that its attempts may use."),
    "cost": Field("cost", COST, "The same of cost, in the currency that the agents report."),
}
RETRY = _object(RETRY_FIELDS)
LIMITS = _object(LIMITS_FIELDS)
DEFAULTS_FIELDS: Fields = {
    "timeout": Field("default_timeout_ms", DURATION, "One attempt's, where its step has none."),
    "retry": Field("default_retry", RETRY, "The retries of a step that says nothing else."),
}
DEFAULTS = _object(DEFAULTS_FIELDS)

PLAN_FIELDS: Fields = {
    "max_steps": Field("max_steps", _integer(1, STEPS_MAX), "How many further steps at most."),
}
FALLBACK_FIELDS: Fields = {
    "agent": Field("agent", NAME, "Who does it instead."),
    "capability": Field("capabilities", NAMES, "What who does it instead must be able to do."),
    "tool": Field("tool", NAME, "Which of the agent's tools."),
    "timeout": Field("timeout_ms", DURATION, "One attempt's; the step's where there is none."),
}
PLAN = Kind(read_plan, object_schema(PLAN_FIELDS, ("max_steps",)))
FALLBACKS = _list_of(FALLBACK_FIELDS)
REPEAT_FIELDS: Fields = {
    "until": Field("until", CONDITION, "An expression: the step's result stands if it holds."),
    "back_to": Field("back_to", KEY, "Where the next round begins: this step, or one before it."),
    "max_rounds": Field("max_rounds", _integer(1, ROUNDS_MAX), "How many, the first included."),
    "feedback": Field("feedback", ANYTHING, "What the next round is told; else the result."),
    "on_exhausted": Field("on_exhausted", ON_EXHAUSTED, "What follows when no round is left."),
}
REPEAT = _object(REPEAT_FIELDS, required=("until",))
STEP_FIELDS: Fields = {
    "key": Field("key", KEY, "The step's own name in this document."),
    "agent": Field("agent", NAME, "Who does it."),
    "capability": Field(
        "capabilities", NAMES, "What who does it must be able to do; of a list, all."
    ),
    "tool": Field("tool", NAME, "Which of the agent's tools."),
    "prompt": Field("prompt", TEXT, "The argument prompt, as text with {{ expressions }}."),
    "with": Field("arguments", ARGUMENTS, "The tool's arguments by name."),
    "dependencies": Field("dependencies", KEYS, "Keys of steps that must be done before."),
    "needs": Field("dependencies", KEYS, "The same as dependencies."),
    "parallel": Field("parallel", BOOLEAN, "false: nothing else of this quest runs meanwhile."),
    "timeout": Field(
        "timeout_ms", DURATION, "The longest that one attempt may take, or a wait_for may wait."
    ),
    "heartbeat_timeout": Field(
        "heartbeat_timeout_ms", DURATION, "The longest silence of the tool."
    ),
    "total_timeout": Field("total_timeout_ms", DURATION, "The step with its retries and waits."),
    "retry": Field("retry", RETRY, "What is not given here is as in defaults.retry."),
    "on_error": Field("on_error", ON_ERROR, "What the quest does when the step has failed."),
    "idempotent": Field("idempotent", BOOLEAN, "false: a lost attempt waits for a decision."),
    "priority": Field("priority", PRIORITY, "10 goes first."),
    "when": Field("when", CONDITION, "An expression: the step is skipped unless it holds."),
    "allow_skipped": Field(
        "allow_skipped", BOOLEAN, "true: runs although something that it depends on was skipped."
    ),
    "use": Field("use", TEMPLATE, "A stored template, name or name@version: a quest of its own."),
    "inputs": Field("arguments", ARGUMENTS, "What the template that is used is given."),
    "fallback": Field("fallback", FALLBACKS, "Who does it, in order, when who should has failed."),
    "for_each": Field("for_each", EXPRESSION, "An expression that gives a list: a task for each."),
    "max_parallel": Field("max_parallel", _integer(1, PARALLEL_MAX), "Items at once."),
    "partial": Field("partial", PARTIAL, "continue: goes on without the items that fail."),
    "plan": Field("plan_steps", PLAN, "Its result is a plan: {steps: […]}, which join the quest."),
    "repeat": Field("repeat", REPEAT, "Sends the quest back unless its result stands."),
    "wait_for": Field("signal", NAME, "Instead of an agent: the signal that the step waits for."),
    "default": Field(
        "default", ANYTHING, "With wait_for: the result when no signal has come within timeout."
    ),
    "sleep": Field("sleep_ms", DURATION, "Instead of an agent: how long the step does nothing."),
}
STEP_LATER = "compensate breakpoint gate ask route labels affinity"
QUEST_FIELDS: Fields = {
    "name": Field("name", NAME, "What the quest is called."),
    "description": Field("description", TEXT, "What it is for."),
    "version": Field("version", AS_WRITTEN, "Kept as it is written."),
    "project": Field("project", NAME, "Fairness, limits and statistics are per project."),
    "labels": Field("labels", LABELS, "Filterable texts by name."),
    "priority": Field("priority", PRIORITY, "10 goes first."),
    "deadline": Field("deadline", TEXT, "When it is due: a duration after submit, or RFC 3339."),
    "total_timeout": Field("total_timeout_ms", DURATION, "The quest as a whole."),
    "limits": Field("limits", LIMITS, "Bounds of this quest."),
    "defaults": Field("defaults", DEFAULTS, "What steps have that say nothing else."),
    "inputs": Field("inputs", LEFT, "JSON Schema by input, each with an optional default."),
    "steps": Field("steps", LEFT, "The steps, in any order that reads well."),
    "output": Field("output", ANYTHING, "The quest's result; any value with {{ expressions }}."),
}
QUEST_LATER = "concurrency rate hooks decide"
