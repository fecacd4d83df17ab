"""A direct call: one tool on one agent, without a document. It is a quest of one step, so it is as durable as any.

The arguments are one input of the quest, and the step names its parts: whatever they hold, they are never rendered as templates.
"""

import json
from collections.abc import Mapping
from typing import Any

from questd.actors.graph import check
from questd.client.errors import InvalidInput
from questd.messages.definition import InputDefinition, QuestDefinition, StepDefinition

NAME = "call"
"""Of the quest and of its step."""


def call_of(
    agent: str | None,
    tool: str | None,
    arguments: Mapping[str, Any],
    capabilities: tuple[str, ...] = (),
) -> tuple[QuestDefinition, dict[str, Any]]:
    """The quest that makes the call (its output is the tool's result), and its inputs. InvalidInput with every fault."""
    if agent is None and not capabilities:
        raise InvalidInput("say whom to call: an agent, or a capability")
    named = {name: f"{{{{ inputs.arguments[{json.dumps(name)}] }}}}" for name in arguments}
    step = StepDefinition(NAME, agent, capabilities, tool, arguments=named or None)
    declared = {"arguments": InputDefinition({"type": "object"})} if named else {}
    definition = QuestDefinition(NAME, (step,), inputs=declared)
    problems = check(definition)
    if problems:
        raise InvalidInput("the call cannot be made:", tuple(str(problem) for problem in problems))
    return definition, {"arguments": dict(arguments)} if named else {}
