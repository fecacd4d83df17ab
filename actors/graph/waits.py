"""Steps that only wait: what goes with that, and what does not. Pure.

A field that would be without meaning is refused rather than passed over: who writes ``retry`` at a wait means something by it.
"""

from questd.actors.graph.problems import At, Problems
from questd.actors.graph.using import arguments_field
from questd.messages.definition import StepDefinition
from questd.messages.payload import INLINE_MAX_BYTES, encode_json

DEFAULT_MAX_BYTES = INLINE_MAX_BYTES
"""JSON text of a ``default``: it stands in the event that says that it was taken."""

_OF_AGENTS = {
    "agent": "agent",
    "capabilities": "capability",
    "tool": "tool",
    "prompt": "prompt",
    "arguments": "with",
    "parallel": "parallel",
    "heartbeat_timeout_ms": "heartbeat_timeout",
    "retry": "retry",
    "idempotent": "idempotent",
    "priority": "priority",
    "fallback": "fallback",
    "for_each": "for_each",
    "plan_steps": "plan",
    "repeat": "repeat",
}
"""Attributes that say how an agent is asked, or how often, and what they are called in a document."""
_PLAIN = StepDefinition("")


def check_wait(at: At, step: StepDefinition, problems: Problems) -> None:
    """Of a step with ``wait_for`` or ``sleep``."""
    kind = "sleep" if step.wait_for is None else "wait_for"
    if step.wait_for is not None and step.sleep_ms is not None:
        problems.add((*at, "sleep"), "a step waits for a signal or sleeps, not both", "keep one")
    if step.use is not None:
        problems.add(
            (*at, "use"), f"a step with {kind} is no quest of its own", "make it two steps"
        )
    for attribute, field in {**_OF_AGENTS, "arguments": arguments_field(step)}.items():
        if getattr(step, attribute) != getattr(_PLAIN, attribute):
            problems.add((*at, field), f"does not go with {kind}: no agent is asked", "remove it")
    if kind == "sleep" and step.timeout_ms is not None:
        problems.add((*at, "timeout"), "does not go with sleep", "use total_timeout")
    _check_default(at, step, problems)


def _check_default(at: At, step: StepDefinition, problems: Problems) -> None:
    awaited = step.wait_for
    if awaited is None or awaited.required:
        return
    if step.timeout_ms is None:
        problems.add((*at, "default"), "is never taken without a timeout", "add timeout")
    try:
        size = len(encode_json(awaited.default))
    except (TypeError, ValueError):
        return  # no plain data: told already
    if size > DEFAULT_MAX_BYTES:
        message = f"takes {size} bytes as JSON; {DEFAULT_MAX_BYTES} are allowed"
        problems.add((*at, "default"), message)
