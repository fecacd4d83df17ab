"""What a step's expressions see, and what comes out of them.

Results travel as JSON text and are decoded only here, and only those that an expression names. What is kept by
digest has to be fetched first: ``missing`` says what, and the actor that renders asks the journal for it.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import Struct

from questd.actors.graph import CompiledStep
from questd.messages.exchange import ToolSpec
from questd.messages.failure import AUTH, INTERNAL, VALIDATION, Failure
from questd.messages.payload import NULL, BlobRef, Payload, decode_json, encode_json
from questd.runtime.errors import BadExpression, SecretUnavailable
from questd.runtime.expressions import Template

IMPLICIT_PARAMETER = "input"


class TextMissing(Exception):
    """A payload's text is not where its digest says."""

    def __init__(self, payload: BlobRef) -> None:
        super().__init__(f"the journal has no text {payload.digest} ({payload.size} bytes)")


class StepFacts(Struct, frozen=True):
    """One finished step as expressions see it."""

    key: str
    result: Payload
    status: str
    error: Failure | None
    attempts: int
    agent: str | None
    tool: str | None
    failed_items: tuple[tuple[int, Failure], ...] = ()
    former: tuple[Payload, ...] = ()
    """Results of earlier rounds, where they are named."""


class Scope(Struct, frozen=True):
    """Where in its step a task stands: ``round`` and ``feedback``; of an item ``item`` and ``index``; ``result`` of one that is judged."""

    round: int = 1
    feedback: Payload = NULL
    item: Payload | None = None
    index: int = 0
    result: Payload | None = None


FIRST_ROUND: Final = Scope()
_NO_SECRETS: Final[Mapping[str, str]] = {}
_FIRST_EXTRAS: Final[Mapping[str, Any]] = {"round": 1, "feedback": None}


class Material(Struct, frozen=True):
    """All that a rendering may need: the steps that are named or depended on, the quest's inputs, and the task's own place."""

    steps: tuple[StepFacts, ...]
    inputs: Payload
    scope: Scope = FIRST_ROUND


Texts = Mapping[str, bytes]
"""Payload texts by digest."""


def missing(payloads: Iterable[Payload]) -> tuple[str, ...]:
    """Digests of payloads that are kept elsewhere."""
    return tuple(dict.fromkeys(p.digest for p in payloads if isinstance(p, BlobRef)))


def text_of(payload: Payload, texts: Texts) -> bytes:
    """The JSON text of a payload. TextMissing when the journal does not have it."""
    if isinstance(payload, bytes):
        return payload
    try:
        return texts[payload.digest]
    except KeyError:
        raise TextMissing(payload) from None


def payloads_of(material: Material, template_inputs: bool) -> list[Payload]:
    """The payloads that a rendering will read."""
    payloads: list[Payload] = [facts.result for facts in material.steps]
    for facts in material.steps:
        payloads += facts.former
    if template_inputs:
        payloads.append(material.inputs)
    payloads.append(material.scope.feedback)
    if material.scope.result is not None:
        payloads.append(material.scope.result)
    if material.scope.item is not None:
        payloads.append(material.scope.item)
    return payloads


def render_template(template: Template, material: Material, texts: Texts) -> Any:
    """Any JSON value. BadExpression when a name has no such value."""
    return template.render(
        steps=_step_values(material, template.steps, texts),
        inputs=_inputs(template.inputs, material, texts),
        extras=_extras(material, texts),
    )


def render_arguments(
    step: CompiledStep,
    tool: ToolSpec,
    material: Material,
    texts: Texts,
    secrets: Mapping[str, str] = _NO_SECRETS,
) -> bytes:
    """The tool's arguments as a JSON object. BadExpression when they cannot be rendered or do not fit the tool.

    ``secrets``: values in the place of references, by input. Here and nowhere else they become part of anything.
    """
    inputs = _inputs(step.inputs, material, texts)
    rendered = step.render(
        steps=_step_values(material, step.steps, texts),
        inputs={**inputs, **secrets} if secrets else inputs,
        extras=_extras(material, texts),
    )
    if rendered is None:
        return _implicit_arguments(step, tool, material, texts)
    fault = _misfit(tool, rendered)
    if fault is not None:
        raise BadExpression(fault)
    return encode_json(rendered)


def given_to(step: CompiledStep, material: Material, texts: Texts) -> bytes:
    """What the step was given, as on_error: continue_with_input passes it on.

    The implicit input, else a lone argument's value, else all arguments.
    """
    rendered = step.render(
        steps=_step_values(material, step.steps, texts),
        inputs=_inputs(step.inputs, material, texts),
        extras=_extras(material, texts),
    )
    if rendered is None:
        return implicit_input(step.dependencies, material, texts)
    if len(rendered) == 1:
        return encode_json(next(iter(rendered.values())))
    return encode_json(rendered)


def implicit_input(keys: Iterable[str], material: Material, texts: Texts) -> bytes:
    """An item itself; else the only dependency's result, or {KEY: result} of several; null without any."""
    if material.scope.item is not None:
        return text_of(material.scope.item, texts)
    by_key = {facts.key: facts for facts in material.steps}
    results = [(key, text_of(by_key[key].result, texts)) for key in keys]
    if not results:
        return b"null"
    if len(results) == 1:
        return results[0][1]
    return json_object(results)


def json_object(members: Iterable[tuple[str, bytes]]) -> bytes:
    """A JSON object of texts that are JSON already."""
    return b"{" + b",".join(encode_json(key) + b":" + text for key, text in members) + b"}"


def _implicit_arguments(
    step: CompiledStep, tool: ToolSpec, material: Material, texts: Texts
) -> bytes:
    if not step.dependencies and material.scope.item is None:
        return b"{}"
    parameter = _implicit_parameter(tool)
    if parameter is None:
        return b"{}"
    return json_object([(parameter, implicit_input(step.dependencies, material, texts))])


def _implicit_parameter(tool: ToolSpec) -> str | None:
    names = [parameter.name for parameter in tool.parameters]
    if IMPLICIT_PARAMETER in names:
        return IMPLICIT_PARAMETER
    required = [parameter.name for parameter in tool.parameters if parameter.required]
    return required[0] if len(required) == 1 else None


def _misfit(tool: ToolSpec, arguments: Mapping[str, Any]) -> str | None:
    known = {parameter.name: parameter.required for parameter in tool.parameters}
    unknown = [] if tool.any_parameters else [name for name in arguments if name not in known]
    absent = [name for name, required in known.items() if required and name not in arguments]
    if not unknown and not absent:
        return None
    faults = [f"unknown argument {name!r}" for name in unknown]
    faults += [f"missing argument {name!r}" for name in absent]
    parameters = ", ".join(known) or "none"
    return f"{'; '.join(faults)}; parameters of {tool.name}: {parameters}"


def _step_values(
    material: Material, keys: Iterable[str], texts: Texts
) -> dict[str, dict[str, Any]]:
    by_key = {facts.key: facts for facts in material.steps}
    return {key: _step_value(by_key[key], texts) for key in keys}


def _step_value(facts: StepFacts, texts: Texts) -> dict[str, Any]:
    results = [
        _value(each, texts, f"the result of `{facts.key}`")
        for each in (*facts.former, facts.result)
    ]
    return {
        "result": results[-1],
        "status": facts.status,
        "error": _error_value(facts),
        "attempts": facts.attempts,
        "agent": facts.agent,
        "tool": facts.tool,
        "rounds": [{"result": result} for result in results],
    }


def _error_value(facts: StepFacts) -> dict[str, Any] | None:
    error = facts.error
    if error is None:
        return None
    value: dict[str, Any] = {"kind": error.kind, "message": error.message}
    if facts.failed_items:
        value["items"] = [
            {"index": number, "kind": failure.kind, "message": failure.message}
            for number, failure in facts.failed_items
        ]
    return value


def _extras(material: Material, texts: Texts) -> Mapping[str, Any]:
    scope = material.scope
    if scope is FIRST_ROUND:
        return _FIRST_EXTRAS
    extras = {"round": scope.round, "feedback": _value(scope.feedback, texts, "the feedback")}
    if scope.result is not None:
        extras["result"] = _value(scope.result, texts, "the result")
    if scope.item is not None:
        extras["item"] = _value(scope.item, texts, "the item")
        extras["index"] = scope.index
    return extras


def _value(payload: Payload, texts: Texts, what: str) -> Any:
    """BadExpression where no value can stand for the text: 1e999 is JSON too, and an agent may say it."""
    try:
        return decode_json(text_of(payload, texts))
    except (ValueError, RecursionError) as error:
        raise BadExpression(f"{what} cannot be read as a value: {error}") from None


def _inputs(names: Iterable[str], material: Material, texts: Texts) -> dict[str, Any]:
    names = tuple(names)
    if not names:
        return {}
    values = _value(material.inputs, texts, "the quest's inputs")
    return {name: values[name] for name in names}


def rendering_failure(error: BadExpression | TextMissing | SecretUnavailable) -> Failure:
    """The failure of a task or quest whose arguments or output cannot be made.

    That a secret is not there may change: whoever retries failures of the kind ``auth`` may try again.
    """
    if isinstance(error, SecretUnavailable):
        return Failure(AUTH, str(error))
    kind = VALIDATION if isinstance(error, BadExpression) else INTERNAL
    return Failure(kind, str(error), None, False)
