"""JSON Schema in JSON Schema: the keywords of draft 2020-12, for the inputs of a document.

Written out, because editors would have to fetch the official one from the network, and check nothing at all when they cannot. It leaves
out what needs ``$dynamicRef``; whether a schema is one is decided where documents are loaded.
"""

from typing import Any, Final

_ANY: Final[dict[str, Any]] = {"$ref": "#/$defs/schema"}
_SOME: Final[dict[str, Any]] = {"type": "array", "items": _ANY, "minItems": 1}
_BY_NAME: Final[dict[str, Any]] = {"type": "object", "additionalProperties": _ANY}
_COUNT: Final[dict[str, Any]] = {"type": "integer", "minimum": 0}
_NUMBER: Final[dict[str, Any]] = {"type": "number"}
_TEXT: Final[dict[str, Any]] = {"type": "string"}
_TEXTS: Final[dict[str, Any]] = {"type": "array", "items": _TEXT, "uniqueItems": True}
_TRUTH: Final[dict[str, Any]] = {"type": "boolean"}
_TYPE: Final[dict[str, Any]] = {
    "enum": ["string", "integer", "number", "boolean", "object", "array", "null"]
}
_KINDS: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "texts": (
        _TEXT,
        "title description $comment $ref $anchor format pattern contentEncoding contentMediaType",
    ),
    "counts": (
        _COUNT,
        "minLength maxLength minItems maxItems minContains maxContains minProperties maxProperties",
    ),
    "numbers": (_NUMBER, "minimum maximum exclusiveMinimum exclusiveMaximum"),
    "truths": (_TRUTH, "uniqueItems deprecated readOnly writeOnly"),
    "schemas": (
        _ANY,
        "items contains additionalProperties propertyNames unevaluatedItems unevaluatedProperties not if then else contentSchema",
    ),
    "lists": (_SOME, "allOf anyOf oneOf prefixItems"),
    "names": (_BY_NAME, "properties patternProperties dependentSchemas $defs"),
}
SCHEMA_OF_SCHEMAS: Final[dict[str, Any]] = {
    "type": ["object", "boolean"],
    "properties": {
        "type": {
            "anyOf": [_TYPE, {"type": "array", "items": _TYPE, "minItems": 1, "uniqueItems": True}]
        },
        "enum": {"type": "array"},
        "const": {},
        "default": {},
        "examples": {"type": "array"},
        "required": _TEXTS,
        "dependentRequired": {"type": "object", "additionalProperties": _TEXTS},
        "multipleOf": {"type": "number", "exclusiveMinimum": 0},
        **{word: kind for kind, words in _KINDS.values() for word in words.split()},
    },
}
