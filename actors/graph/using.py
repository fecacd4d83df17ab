"""Steps that use a template: what they may say, and which templates a definition names."""

import re
from typing import Final

from questd.actors.graph.problems import At, Problems, shorten
from questd.messages.definition import TEMPLATE_PATTERN, QuestDefinition, StepDefinition

_REFERENCE = re.compile(f"{TEMPLATE_PATTERN}(@{TEMPLATE_PATTERN})?")
_NAME = re.compile(TEMPLATE_PATTERN)
OF_ATTEMPTS_ON_AGENTS: Final = {
    "agent": "agent",
    "capability": "capabilities",
    "tool": "tool",
    "prompt": "prompt",
    "heartbeat_timeout": "heartbeat_timeout_ms",
    "fallback": "fallback",
}
"""Fields of a step, and their names in the definition, that say how an agent does it."""


def arguments_field(step: StepDefinition) -> str:
    """What the document calls the step's arguments."""
    return "with" if step.use is None else "inputs"


def check_use(at: At, step: StepDefinition, problems: Problems) -> None:
    """A step that uses a template says nothing of agents: the template's own steps do."""
    assert step.use is not None
    if not _REFERENCE.fullmatch(step.use):
        hint = "write name or name@version, as in code-review@1.0.0"
        problems.add((*at, "use"), f"{shorten(step.use)} cannot be a template", hint)
    for field, attribute in OF_ATTEMPTS_ON_AGENTS.items():
        if getattr(step, attribute):
            message = "is said of a step that uses a template, whose own steps say who does them"
            problems.add((*at, field), message, "remove it, or use")
    if not step.idempotent:
        message = "is said of a step that uses a template: no attempt of it is ever lost"
        problems.add((*at, "idempotent"), message, "remove it")


def may_be_template(definition: QuestDefinition) -> str | None:
    """Why a definition cannot be stored under its name and version; None when it can."""
    rule = "letters, digits, _ . and -, at most 100, not first . or -"
    for field in ("name", "version"):
        if not _NAME.fullmatch(getattr(definition, field)):
            return f"{field}: {shorten(getattr(definition, field))} cannot be a template's {field}: {rule}"
    return None


def used_by(definition: QuestDefinition) -> tuple[str, ...]:
    """The templates that its steps name, each once, in document order."""
    return tuple(dict.fromkeys(step.use for step in definition.steps if step.use is not None))
