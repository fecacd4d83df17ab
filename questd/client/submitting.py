"""What goes into a submit: the definition, the inputs checked as the daemon will check them, the times.

Pure but for the file that it is told to read. Refuses here what the daemon would refuse, so that it is said before one is started.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from questd.actors.graph import check_inputs, parse_deadline, required_inputs
from questd.client.errors import InvalidInput
from questd.client.filters import duration_ms
from questd.documents.reading import load_file
from questd.messages.control import Submit
from questd.messages.definition import QuestDefinition, encode_definition
from questd.messages.payload import PAYLOAD_MAX_BYTES, encode_json

if TYPE_CHECKING:
    from questd.builder import Quest


def definition_of(quest: "str | Path | QuestDefinition | Quest") -> QuestDefinition:
    """The definition of a file, of a built quest, or itself. InvalidDocument with every fault."""
    if isinstance(quest, QuestDefinition):
        return quest
    if isinstance(quest, str | Path):
        return load_file(quest)
    return quest.definition()


def inputs_of(definition: QuestDefinition, values: Mapping[str, Any]) -> bytes:
    """The inputs as a JSON object, defaults filled in. InvalidInput with everything that is wrong with them."""
    complete, problems = check_inputs(definition.inputs, required_inputs(definition), values)
    if problems:
        raise InvalidInput(
            f"the inputs do not fit {definition.name}:", tuple(str(problem) for problem in problems)
        )
    try:
        text = encode_json(complete)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInput(f"the inputs are no plain JSON data: {error}") from None
    if len(text) > PAYLOAD_MAX_BYTES:
        raise InvalidInput(
            f"the inputs have {len(text)} bytes, {PAYLOAD_MAX_BYTES} are allowed: "
            "give the tools a path or an address instead"
        )
    return text


def submit_of(
    definition: QuestDefinition,
    inputs: Mapping[str, Any],
    *,
    now_us: int,
    key: str | None = None,
    project: str | None = None,
    labels: Mapping[str, str] | None = None,
    priority: int | None = None,
    deadline: str | None = None,
    timeout: str | None = None,
) -> Submit:
    """The request. ``deadline``: a duration from now or RFC 3339; ``timeout``: the quest's total timeout, a duration."""
    if priority is not None and not 1 <= priority <= 10:
        raise InvalidInput(f"priority {priority}: it is 1 to 10, 10 first")
    return Submit(
        definition=encode_definition(definition),
        inputs=inputs_of(definition, inputs),
        key=key,
        project=project,
        labels=dict(labels or {}),
        priority=priority,
        deadline_us=None if deadline is None else _deadline_us(deadline, now_us),
        total_timeout_ms=None if timeout is None else duration_ms("timeout", timeout),
    )


def _deadline_us(text: str, now_us: int) -> int:
    try:
        return parse_deadline(text, now_us)
    except ValueError as error:
        raise InvalidInput(f"deadline {text!r} {error}") from None
