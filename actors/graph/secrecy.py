"""Secret inputs: what stands for them, and where a document may name them. Pure.

A quest is given a *reference*, never the secret: it is what the journal, hashes, history and every answer hold. The value is put
in its place only where the arguments of an attempt are made. So an expression may name a secret only there, and only as it is:
what is made of a secret (its half, its upper case) could not be recognised in what a tool says, and so not be taken out again.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from questd.actors.graph.compiled import CompiledQuest, CompiledStep
from questd.actors.graph.plain import walk
from questd.actors.graph.problems import At, Problems
from questd.messages.definition import InputDefinition, QuestDefinition
from questd.runtime.expressions import Names, Template, compile_value

REFERENCE_MAX: Final = 4_096
SECRETS_MAX: Final = 32
"""Whatever a tool says is searched for every one of them."""
REFERENCES: Final = "env:NAME, file:/PATH or secret:NAME"
_REFERENCE: Final = re.compile(
    r"env:[A-Za-z_][A-Za-z0-9_]{0,254}|file:/[^\x00-\x1f\x7f]+|secret:[A-Za-z_][A-Za-z0-9_.-]{0,127}"
)
_SAID_OF_A_SECRET: Final = frozenset({"type", "title", "description", "deprecated"})
_GIVEN_THERE: Final = frozenset({"prompt", "arguments"})


def is_reference(value: object) -> bool:
    """Does it say where a secret is?"""
    return (
        isinstance(value, str)
        and len(value) <= REFERENCE_MAX
        and _REFERENCE.fullmatch(value) is not None
    )


def check_reference(at: At, value: object, problems: Problems) -> None:
    """A value that is no reference may be the secret itself: it is not repeated."""
    if not is_reference(value):
        message = "is secret: it takes a reference to the value, not the value itself"
        problems.add(at, message, f"write {REFERENCES}")


def check_number(inputs: Mapping[str, InputDefinition], problems: Problems) -> None:
    """More of them could not be looked for."""
    count = sum(declared.secret for declared in inputs.values())
    if count > SECRETS_MAX:
        problems.add(("inputs",), f"{count} are secret; at most {SECRETS_MAX} may be")


def check_secret(at: At, declared: InputDefinition, problems: Problems) -> None:
    """What the document says of a secret input."""
    for word in declared.schema:
        if word not in _SAID_OF_A_SECRET:
            problems.add((*at, word), "cannot be said of a secret: only its tool sees its value")
    if declared.schema.get("type", "string") != "string":
        problems.add((*at, "type"), "a secret is a string")
    if not declared.required:
        check_reference((*at, "default"), declared.default, problems)


def secrets_of(
    declared: Mapping[str, InputDefinition] | None, values: Mapping[str, Any]
) -> dict[str, str]:
    """The references among checked inputs, by name."""
    return {name: values[name] for name, one in (declared or {}).items() if one.secret}


def check_secrecy(definition: QuestDefinition, compiled: CompiledQuest, problems: Problems) -> None:
    """No secret where anything but a tool's arguments is made of it, and none that is not passed on as it is."""
    secrets = frozenset(n for n, one in (definition.inputs or {}).items() if one.secret)
    if not secrets:
        return
    for field in compiled.__struct_fields__:
        if field != "steps":
            for template in _templates_in(getattr(compiled, field)):
                _refuse_all((field,), template, secrets, problems)
    for step in compiled.steps.values():
        _check_step(definition, step, compiled.names, secrets, problems)


def _check_step(
    definition: QuestDefinition,
    step: CompiledStep,
    names: Names,
    secrets: frozenset[str],
    problems: Problems,
) -> None:
    at: At = ("steps", step.number)
    if definition.steps[step.number].use is not None:
        # The child would be given the value, and keep it.
        for place, text in walk(definition.steps[step.number].arguments, (*at, "inputs")):
            if isinstance(text, str) and "{{" in text:
                _refuse_all(place, compile_value(text, names), secrets, problems)
        return
    for field in step.__struct_fields__:
        if field not in _GIVEN_THERE:
            for template in _templates_in(getattr(step, field)):
                _refuse_all((*at, field), template, secrets, problems)
    if step.prompt is not None:
        _refuse_worked((*at, "prompt"), step.prompt, secrets, problems)
    if step.arguments is not None and secrets.intersection(step.arguments.worked):
        for place, text in walk(definition.steps[step.number].arguments, (*at, "with")):
            if isinstance(text, str) and "{{" in text:
                _refuse_worked(place, compile_value(text, names), secrets, problems)


def _templates_in(value: object) -> Iterator[Template]:
    """Whatever a compiled step holds beside its arguments, however deep."""
    match value:
        case Template():
            yield value
        case Struct():
            for field in value.__struct_fields__:
                yield from _templates_in(getattr(value, field))
        case tuple():
            for each in value:  # pyright: ignore[reportUnknownVariableType]
                yield from _templates_in(each)  # pyright: ignore[reportUnknownArgumentType]
        case _:
            pass


def _refuse_all(at: At, template: Template, secrets: frozenset[str], problems: Problems) -> None:
    for name in secrets.intersection(template.inputs):
        problems.add(at, f"names the secret {name}", "only a prompt and with may")


def _refuse_worked(at: At, template: Template, secrets: frozenset[str], problems: Problems) -> None:
    for name in secrets.intersection(template.worked):
        hint = f"write {{{{ {name} }}}}, and let the tool do the rest"
        problems.add(at, f"makes something of the secret {name}, which is only passed on", hint)
