"""Inputs against their JSON Schemas: the schemas when a definition is checked, values on submit.

Plain types are decided here. Anything more goes to jsonschema_rs, imported only then. A schema may refer only to itself: nothing is
ever fetched. Its patterns are tried with a bounded number of steps: a value may not hold up whoever checks it.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import islice
from typing import Any, Final

from questd.actors.graph.plain import walk
from questd.actors.graph.problems import At, Problem, Problems, shorten
from questd.actors.graph.secrecy import REFERENCES, check_number, check_reference, check_secret
from questd.messages.definition import InputDefinition

INPUTS_MAX = 1_000
PATTERN_STEPS_MAX = 100_000
"""What does not match within so many steps of backtracking does not match."""
_PROBLEMS_OF_ONE_MAX = 20
_META_SCHEMA: Final = "https://json-schema.org/draft/2020-12/schema"
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
    check_number(inputs, problems)
    for name, declared in inputs.items():
        at: At = ("inputs", name)
        if declared.secret:
            check_secret(at, declared, problems)
            continue
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
            if wanted.secret:
                check_reference(("inputs", name), values[name], problems)
                continue
            for below, message in _value_faults(wanted.schema, values[name]):
                problems.add(("inputs", name, *below), message)
        elif wanted.required:
            value = REFERENCES if wanted.secret else "…"
            problems.add(("inputs", name), "is missing", f"give it a value: -i {name}={value}")
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
    foreign = list(_foreign_references(schema))
    yield from foreign
    faults = {(_place(fault), _message(fault)) for fault in _errors(_meta_schema(), schema)}
    for place, message in sorted(faults, key=str):
        yield place, f"is not JSON Schema: {message}"
    if not foreign and not faults:
        yield from _compile_faults(schema)


def _compile_faults(schema: Mapping[str, Any]) -> Iterator[tuple[At, str]]:
    """What only shows when it is put to use: patterns, and references to nothing."""
    try:
        _validator(schema)
    except ValueError as error:
        yield _place(error), f"is not JSON Schema: {_message(error)}"


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
    try:
        validator = _validator(schema)
    except ValueError as error:
        yield (), f"its schema cannot be applied: {_message(error)}"
        return
    for fault in _errors(validator, value):
        yield _place(fault), _message(fault)


def _validator(schema: Mapping[str, Any]) -> Any:
    """ValueError, with ``instance_path`` and ``message``, for what is no schema."""
    from jsonschema_rs import Draft202012Validator, FancyRegexOptions  # noqa: PLC0415

    patterns = FancyRegexOptions(backtrack_limit=PATTERN_STEPS_MAX)
    return Draft202012Validator(dict(schema), offline=True, pattern_options=patterns)


@cache
def _meta_schema() -> Any:
    return _validator({"$ref": _META_SCHEMA})


def _errors(validator: Any, value: Any) -> Iterator[Any]:
    return islice(validator.iter_errors(value), _PROBLEMS_OF_ONE_MAX)


def _message(fault: Any) -> str:
    """Of "none of these fits" it tells the one that nearly does."""
    branches = getattr(getattr(fault, "kind", None), "context", None)
    if branches:
        nearest = min(branches, key=len)
        if nearest:
            return _message(nearest[0])
    return _cut(getattr(fault, "message", str(fault)))


def _has_type(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES[kind])


def _place(fault: Any) -> At:
    path: Iterable[object] = getattr(fault, "instance_path", ())
    return tuple(part if isinstance(part, int) else str(part) for part in path)


def _cut(message: str) -> str:
    return message if len(message) <= 200 else message[:199] + "…"
