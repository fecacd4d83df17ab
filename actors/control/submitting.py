"""What a submit says beside its definition: may it be written down? Pure."""

from typing import Final

from msgspec import Struct

from questd.actors.graph import (
    DURATION_MAX_MS,
    check_inputs,
    format_duration,
    parse_deadline,
    secrets_of,
)
from questd.actors.graph.checks import LABELS_MAX, NAME_MAX, PRIORITIES
from questd.actors.graph.plain import text_fault
from questd.actors.quest.commands import SubmitQuest
from questd.actors.quest.plans import BadDefinition, PlanCache, ReadyPlan
from questd.messages.control import Error, Submit
from questd.messages.definition import QuestDefinition
from questd.messages.payload import PAYLOAD_MAX_BYTES, decode_json, encode_json

KEY_MAX: Final = 500
MOMENT_MAX_US: Final = 2**53 - 1


def refusal_of(submit: Submit) -> Error | None:
    """Everything that is wrong with its own fields, at once."""
    if len(submit.inputs) > PAYLOAD_MAX_BYTES:
        message = f"inputs of {len(submit.inputs)} bytes; {PAYLOAD_MAX_BYTES} are allowed"
        return Error("invalid", message)
    faults = [*_faults_of_texts(submit), *_faults_of_numbers(submit)]
    return Error("invalid", faults[0], details=tuple(faults)) if faults else None


def compiled(plans: PlanCache, data: bytes) -> ReadyPlan | Error:
    """The plan of a definition that may run. Takes long for a large one."""
    try:
        return plans.load(data, trusted=False)
    except BadDefinition as error:
        return Error("invalid", "the definition may not run", details=error.problems)
    except ValueError as error:  # msgspec: the bytes are no definition
        return Error("invalid", f"not a definition: {error}")


def _faults_of_texts(submit: Submit) -> list[str]:
    faults: list[str] = []
    if submit.key is not None and not fits(submit.key, KEY_MAX):
        faults.append(f"key: an idempotency key has 1 to {KEY_MAX} printable characters")
    if submit.project is not None and not fits(submit.project, NAME_MAX):
        faults.append(f"project: has 1 to {NAME_MAX} printable characters")
    if len(submit.labels) > LABELS_MAX:
        faults.append(f"labels: has {len(submit.labels)} labels; {LABELS_MAX} are allowed")
        return faults
    for name, value in submit.labels.items():
        if not fits(name, NAME_MAX) or "=" in name:
            faults.append(
                f"labels: a name has 1 to {NAME_MAX} printable characters, none of them ="
            )
        elif len(value) > NAME_MAX or text_fault(value):
            faults.append(f"labels.{name}: is text of at most {NAME_MAX} characters")
    return faults


def _faults_of_numbers(submit: Submit) -> list[str]:
    faults: list[str] = []
    if submit.priority is not None and submit.priority not in PRIORITIES:
        lowest, highest = PRIORITIES.start, PRIORITIES.stop - 1
        faults.append(f"priority: {submit.priority} is not between {lowest} and {highest}")
    if submit.deadline_us is not None and not 0 < submit.deadline_us <= MOMENT_MAX_US:
        faults.append(f"deadline: is not between 1 and {MOMENT_MAX_US} µs since 1970")
    total_ms = submit.total_timeout_ms
    if total_ms is not None and not 0 < total_ms <= DURATION_MAX_MS:
        longest = format_duration(DURATION_MAX_MS)
        faults.append(f"total_timeout: must be longer than 0s and not longer than {longest}")
    return faults


def merged_labels(definition: QuestDefinition, submit: Submit) -> dict[str, str] | Error:
    """The document's labels, and those of the submit in their place or beside them: together as many as a quest may have."""
    labels = {**definition.labels, **submit.labels}
    if len(labels) <= LABELS_MAX:
        return labels
    message = (
        f"labels: has {len(labels)} labels with those of the document; {LABELS_MAX} are allowed"
    )
    return Error("invalid", message)


def fits(name: str, most: int) -> bool:
    """Is it neither empty nor too long, and can it be shown?"""
    return 0 < len(name) <= most and name.isprintable()


class CheckedInputs(Struct, frozen=True):
    """Inputs with defaults, as JSON text, and the references among them."""

    text: bytes
    secrets: dict[str, str]


def checked_inputs(text: bytes, ready: ReadyPlan) -> CheckedInputs | Error:
    """The inputs with defaults, or everything that is wrong with them."""
    try:
        values = decode_json(text)
    except (ValueError, RecursionError) as error:
        return Error("invalid", f"inputs are not JSON: {error}")
    if not isinstance(values, dict):
        return Error("invalid", "inputs are not a JSON object")
    definition = ready.plan.definition
    complete, problems = check_inputs(definition.inputs, ready.compiled.inputs, values)
    if problems:
        details = tuple(str(problem) for problem in problems)
        return Error("invalid", "the inputs do not fit", details=details)
    return CheckedInputs(encode_json(complete), secrets_of(definition.inputs, complete))


def submission_of(
    submit: Submit, ready: ReadyPlan, now_us: int, uses: dict[str, str] | None = None
) -> SubmitQuest | Error:
    """The command that begins the quest, or what is wrong first. ``uses``: the templates that it may come to use, by name."""
    definition = ready.plan.definition
    checked = checked_inputs(submit.inputs, ready)
    if isinstance(checked, Error):
        return checked
    labels = merged_labels(definition, submit)
    if isinstance(labels, Error):
        return labels
    return SubmitQuest(
        inputs=checked.text,
        project=submit.project or definition.project,
        labels=labels,
        priority=submit.priority or definition.priority,
        deadline_us=_deadline_of(submit, definition, now_us),
        total_timeout_ms=submit.total_timeout_ms or definition.total_timeout_ms,
        key=submit.key,
        secrets=checked.secrets,
        uses=uses or None,
    )


def _deadline_of(submit: Submit, definition: QuestDefinition, now_us: int) -> int | None:
    """When the quest is due: as the submit says, else as the document does."""
    if submit.deadline_us is None and definition.deadline is not None:
        return parse_deadline(definition.deadline, now_us)
    return submit.deadline_us
