"""Inputs against their JSON Schemas: the schemas when a definition is checked, values on submit.

Plain types are decided here. Anything more goes to jsonschema, imported only then: it takes 100 ms
and the daemon must not wait for it because somebody asked for a string. A schema may refer only to
itself: nothing is ever fetched.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from questd.actors.graph.plain import walk
from questd.actors.graph.problems import At, Problem, Problems, shorten
from questd.messages.definition import InputDefinition

INPUTS_MAX = 1_000
_PROBLEMS_OF_ONE_MAX = 20
_ANNOTATIONS = frozenset({"type", "title", "description", "examples", "deprecated"})
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list, tuple),
    "null": (type(None),),
}


def check_declared(inputs: Mapping[str, InputDefinition], problems: Problems) -> None:
    """Each schema must be one, and each default must fit it."""
    for name, declared in inputs.items():
        at: At = ("inputs", name)
        faults = list(_schema_faults(declared.schema))
        for below, message in faults:
            problems.add((*at, *below), message)
        if not faults and not declared.required:
            for below, message in _value_faults(declared.schema, declared.default):
                problems.add((*at, "default", *below), message)


def check_inputs(
    declared: Mapping[str, InputDefinition] | None,
    named: Iterable[str],
    values: Mapping[str, Any],
) -> tuple[dict[str, Any], list[Problem]]:
    """The values with defaults filled in, in the order declared, and what is wrong with them.

    ``declared`` is the definition's ``inputs``; where it is None, ``named`` (the inputs its
    expressions name) are the required ones, of any type.
    """
    if declared is None:
        declared = {name: InputDefinition() for name in named}
    problems = Problems()
    for name in values:
        if name not in declared:
            hint = problems.nearest(name, declared) or _known(declared)
            problems.add(("inputs", name), "this quest has no such input", hint)
    complete: dict[str, Any] = {}
    for name, wanted in declared.items():
        if name in values:
            complete[name] = values[name]
            for below, message in _value_faults(wanted.schema, values[name]):
                problems.add(("inputs", name, *below), message)
        elif wanted.required:
            problems.add(("inputs", name), "is missing", f"give it a value: -i {name}=…")
        else:
            complete[name] = wanted.default
    return complete, problems.found()


def _known(declared: Mapping[str, InputDefinition]) -> str:
    return f"it has: {', '.join(islice(declared, 20))}" if declared else "it has none"


def _is_plain(schema: Mapping[str, Any]) -> bool:
    kind = schema.get("type", "null")
    return isinstance(kind, str) and kind in _TYPES and _ANNOTATIONS.issuperset(schema)


def _schema_faults(schema: Mapping[str, Any]) -> Iterator[tuple[At, str]]:
    if _is_plain(schema):
        return
    from jsonschema import Draft202012Validator, exceptions  # noqa: PLC0415

    untyped: Any = exceptions
    checker = Draft202012Validator.FORMAT_CHECKER
    validator = Draft202012Validator(Draft202012Validator.META_SCHEMA, format_checker=checker)
    for found in islice(validator.iter_errors(schema), _PROBLEMS_OF_ONE_MAX):
        # Of "none of these fits" it tells the one that nearly does.
        fault = untyped.best_match((found,))
        yield _place(fault.absolute_path), f"is not JSON Schema: {_cut(fault.message)}"
    yield from _foreign_references(schema)


def _foreign_references(schema: Mapping[str, Any]) -> Iterator[tuple[At, str]]:
    for at, value in walk(schema, ()):
        is_reference = bool(at) and at[-1] in ("$ref", "$dynamicRef")
        if is_reference and isinstance(value, str) and not value.startswith("#"):
            yield at, "a schema may refer only to itself (#/…)"


def _value_faults(schema: Mapping[str, Any], value: Any) -> Iterator[tuple[At, str]]:
    if _is_plain(schema):
        kind = schema.get("type")
        if kind is not None and not _has_type(value, kind):
            yield (), f"{shorten(value)} is not of type {kind}"
        return
    from jsonschema import Draft202012Validator  # noqa: PLC0415
    from referencing import Registry  # noqa: PLC0415
    from referencing.exceptions import Unresolvable  # noqa: PLC0415

    # Without a registry of its own jsonschema would fetch what $ref names.
    validator = Draft202012Validator(schema, registry=Registry())
    try:
        for fault in islice(validator.iter_errors(value), _PROBLEMS_OF_ONE_MAX):
            yield _place(fault.absolute_path), _cut(fault.message)
    except Unresolvable as error:
        yield (), f"its schema refers to nothing: {_cut(str(error))}"
    except (RecursionError, re.error) as error:
        yield (), f"its schema cannot be applied: {type(error).__name__}"


def _has_type(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES[kind])


def _place(path: Iterable[object]) -> At:
    return tuple(part if isinstance(part, int) else str(part) for part in path)


def _cut(message: str) -> str:
    return message if len(message) <= 200 else message[:199] + "…"
