"""From a definition back to text.

Loading the text gives the same definition, and exporting that the same text.

Only what differs from the defaults is written. YAML is written so that readers of 1.1 and 1.2 agree
on it: a text that either would take for something else is quoted.
"""

import json
import re
from typing import Any

import yaml

from questd.actors.graph.durations import format_duration
from questd.messages.definition import (
    Fallback,
    InputDefinition,
    QuestDefinition,
    QuestLimits,
    Repeat,
    RetryPolicy,
    StepDefinition,
)

FIELDS_AS_THEY_ARE = (
    *("when", "allow_skipped", "for_each", "max_parallel", "partial"),
    *("on_error", "idempotent", "priority"),
)

# json.dumps leaves these as they are; a document may not hold them unescaped.
_UNSHOWN = re.compile("[\x7f-\x9f\ufeff\ufffe\uffff]")


def to_yaml(definition: QuestDefinition) -> str:
    """The document as YAML."""
    return yaml.dump(
        as_document(definition),
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=100,
    )


def to_json(definition: QuestDefinition) -> str:
    """The document as JSON."""
    text = json.dumps(as_document(definition), indent=2, ensure_ascii=False, allow_nan=False)
    return _UNSHOWN.sub(lambda match: f"\\u{ord(match[0]):04x}", text) + "\n"


def as_document(definition: QuestDefinition) -> dict[str, Any]:
    """The document as plain data, in the order in which people write it."""
    plain = QuestDefinition(name="", steps=())
    document: dict[str, Any] = {"name": definition.name}
    if definition.description:
        document["description"] = definition.description
    document["version"] = definition.version
    for field in ("project", "labels", "priority", "deadline"):
        if (value := getattr(definition, field)) != getattr(plain, field):
            document[field] = value
    _put_length(document, "total_timeout", definition.total_timeout_ms)
    if definition.limits != QuestLimits():
        document["limits"] = _limits(definition.limits)
    if defaults := _defaults(definition):
        document["defaults"] = defaults
    if definition.inputs is not None:
        document["inputs"] = {name: _input(one) for name, one in definition.inputs.items()}
    base = definition.default_retry or RetryPolicy()
    document["steps"] = [_step(step, base) for step in definition.steps]
    if definition.output is not None:
        document["output"] = definition.output
    return document


def _put_length(document: dict[str, Any], name: str, length_ms: int | None) -> None:
    if length_ms is not None:
        document[name] = format_duration(length_ms)


def _limits(limits: QuestLimits) -> dict[str, Any]:
    written: dict[str, Any] = {} if limits.parallel is None else {"parallel": limits.parallel}
    written["steps"] = limits.steps
    if limits.rounds != QuestLimits().rounds:
        written["rounds"] = limits.rounds
    if limits.tokens is not None:
        written["tokens"] = limits.tokens
    if limits.cost is not None:
        written["cost"] = limits.cost
    return written


def _defaults(definition: QuestDefinition) -> dict[str, Any]:
    defaults: dict[str, Any] = {}
    _put_length(defaults, "timeout", definition.default_timeout_ms)
    if definition.default_retry is not None:
        defaults["retry"] = _retry(definition.default_retry, RetryPolicy())
    return defaults


def _input(declared: InputDefinition) -> dict[str, Any]:
    written = {**declared.schema, "secret": True} if declared.secret else declared.schema
    return written if declared.required else {**written, "default": declared.default}


def _retry(policy: RetryPolicy, base: RetryPolicy) -> dict[str, Any]:
    """What differs from ``base``, which it inherits from; and ``attempts``, since it says most."""
    retry: dict[str, Any] = {"attempts": policy.attempts}
    if policy.delay_ms != base.delay_ms:
        retry["delay"] = format_duration(policy.delay_ms)
    if policy.backoff != base.backoff:
        retry["backoff"] = policy.backoff
    if policy.max_delay_ms != base.max_delay_ms:
        retry["max_delay"] = format_duration(policy.max_delay_ms)
    if policy.jitter != base.jitter:
        retry["jitter"] = policy.jitter
    if policy.no_retry_on != base.no_retry_on:
        retry["no_retry_on"] = _Inline(policy.no_retry_on)
    return retry


def _step(step: StepDefinition, base: RetryPolicy) -> dict[str, Any]:
    plain = StepDefinition(key="")
    written: dict[str, Any] = {"key": step.key}
    _put_who(written, step)
    arguments = "with" if step.use is None else "inputs"
    for field, attribute in (
        ("use", "use"),
        ("tool", "tool"),
        ("prompt", "prompt"),
        (arguments, "arguments"),
    ):
        if (value := getattr(step, attribute)) is not None:
            written[field] = value
    if step.dependencies:
        written["dependencies"] = _Inline(step.dependencies)
    if not step.parallel:
        written["parallel"] = False
    _put_wait(written, step)
    for field in ("timeout", "heartbeat_timeout", "total_timeout"):
        _put_length(written, field, getattr(step, f"{field}_ms"))
    if step.retry is not None:
        written["retry"] = _retry(step.retry, base)
    for field in FIELDS_AS_THEY_ARE:
        if (value := getattr(step, field)) != getattr(plain, field):
            written[field] = value
    if step.plan_steps is not None:
        written["plan"] = {"max_steps": step.plan_steps}
    if step.fallback:
        written["fallback"] = [_fallback(other) for other in step.fallback]
    if step.repeat is not None:
        written["repeat"] = _repeat(step.repeat)
    return written


def _put_who(written: dict[str, Any], asked: StepDefinition | Fallback) -> None:
    if asked.agent is not None:
        written["agent"] = asked.agent
    if asked.capabilities:
        one = len(asked.capabilities) == 1
        written["capability"] = asked.capabilities[0] if one else _Inline(asked.capabilities)


def _put_wait(written: dict[str, Any], step: StepDefinition) -> None:
    awaited = step.wait_for
    if awaited is not None:
        written["wait_for"] = awaited.signal
        if not awaited.required:
            written["default"] = awaited.default
    _put_length(written, "sleep", step.sleep_ms)


def _fallback(other: Fallback) -> dict[str, Any]:
    written: dict[str, Any] = {}
    _put_who(written, other)
    if other.tool is not None:
        written["tool"] = other.tool
    _put_length(written, "timeout", other.timeout_ms)
    return written


def _repeat(repeat: Repeat) -> dict[str, Any]:
    plain, written = Repeat(""), {"until": repeat.until}
    for field in ("back_to", "max_rounds", "feedback", "on_exhausted"):
        if (value := getattr(repeat, field)) != getattr(plain, field):
            written[field] = value
    return written


class _Inline(list[str]):
    """A list that YAML writes in brackets, on one line."""


def _ignore_aliases(dumper: Any, data: object) -> bool:
    del dumper, data
    return True


_base: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_Dumper: Any = type("_Dumper", (_base,), {"ignore_aliases": _ignore_aliases})


def _represent_inline(dumper: Any, data: _Inline) -> Any:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=True)


def _represent_text(dumper: Any, data: str) -> Any:
    # A block shows many lines as they are; the emitter quotes where a block cannot hold them.
    style = "|" if "\n" in data.strip("\n") and _fits_block(data) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", data, style=style)


def _fits_block(text: str) -> bool:
    lines = text.split("\n")
    ragged = any(line != line.rstrip() for line in lines)
    return not ragged and text[:1] not in (" ", "\n") and text.replace("\n", "").isprintable()


_Dumper.add_representer(_Inline, _represent_inline)
_Dumper.add_representer(str, _represent_text)
_Dumper.add_implicit_resolver(
    "tag:questd,2026:core",
    re.compile(
        r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"
        r"|[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
        r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
    ),
    list("0123456789+-."),
)
