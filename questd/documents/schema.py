"""JSON Schema of the document, for editors: made from the tables that the reader uses.

``schema.json`` beside this file is what ships; a test compares the two. To write it anew:
``python -c "from questd.documents.schema import write_schema; write_schema()"``.
"""

import json
from pathlib import Path
from typing import Any

from questd.actors.graph.checks import FALLBACKS_MAX, LABELS_MAX
from questd.actors.graph.inputs import INPUTS_MAX
from questd.actors.graph.using import OF_ATTEMPTS_ON_AGENTS
from questd.documents.draft import SCHEMA_OF_SCHEMAS
from questd.documents.fields import QUEST_FIELDS, STEP_FIELDS, object_schema
from questd.messages.definition import STEP_KEY_PATTERN

_SOMEBODY = [{"required": ["agent"]}, {"required": ["capability"]}]
SAID_OF_SECRETS = "true: what is given is a reference (env:NAME, file:/PATH, secret:NAME)."
SAID_OF_DEFAULTS = "What it is when it is not given; without a default it must be given."
_OF_WAITS = ("wait_for", "sleep", "default")
_NOT_WITH_WAITS = (
    *("agent", "capability", "tool", "prompt", "with", "use", "parallel", "heartbeat_timeout"),
    *("retry", "idempotent", "priority", "fallback", "for_each", "plan"),
)
SCHEMA_PATH = Path(__file__).parent / "schema.json"


def document_schema() -> dict[str, Any]:
    """The schema, draft 2020-12.

    It knows shapes and bounds; references, cycles and expressions are checked by loading.
    """
    quest = object_schema(QUEST_FIELDS, ("name", "steps"))
    properties = quest["properties"]
    properties["labels"]["maxProperties"] = LABELS_MAX
    properties["inputs"] |= {
        "type": "object",
        "propertyNames": {"pattern": f"^{STEP_KEY_PATTERN}$"},
        "additionalProperties": {"$ref": "#/$defs/input"},
        "maxProperties": INPUTS_MAX,
    }
    properties["steps"] |= {"type": "array", "items": {"$ref": "#/$defs/step"}, "minItems": 1}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "questd quest document",
        **quest,
        "$defs": {"step": _step_schema(), "input": _input_schema(), "schema": SCHEMA_OF_SCHEMAS},
    }


def _step_schema() -> dict[str, Any]:
    step = object_schema(STEP_FIELDS, ("key",))
    step["oneOf"] = [
        {"anyOf": _SOMEBODY, "not": _any_of("use", *_OF_WAITS)},
        {"required": ["use"], "not": _any_of(*OF_ATTEMPTS_ON_AGENTS, "with", *_OF_WAITS)},
        {"required": ["wait_for"], "not": _any_of("sleep", *_NOT_WITH_WAITS)},
        {"required": ["sleep"], "not": _any_of("wait_for", "default", "timeout", *_NOT_WITH_WAITS)},
    ]
    step["dependentRequired"] = {"default": ["timeout"], "inputs": ["use"]}
    step["properties"]["fallback"] |= {"maxItems": FALLBACKS_MAX}
    step["properties"]["fallback"]["items"]["anyOf"] = _SOMEBODY
    step["not"] = {"required": ["dependencies", "needs"]}
    return step


def _input_schema() -> dict[str, Any]:
    """JSON Schema with what is ours beside it."""
    own = {
        "default": {"description": SAID_OF_DEFAULTS},
        "secret": {"type": "boolean", "description": SAID_OF_SECRETS},
    }
    return {"type": "object", "allOf": [{"$ref": "#/$defs/schema"}], "properties": own}


def _any_of(*fields: str) -> dict[str, Any]:
    return {"anyOf": [{"required": [field]} for field in fields]}


def write_schema(path: str | Path = SCHEMA_PATH) -> None:
    """Write the file that ships."""
    text = json.dumps(document_schema(), indent=2, ensure_ascii=False)
    Path(path).write_text(text + "\n", encoding="utf-8")
