"""What a schedule submits: may it be kept so, and what is it for one occasion? Pure but for the plans that it compiles.

Takes long for a large definition, so it is done on the journal's reader thread. What is refused here is what a submit would be
refused for, so that it is said when a schedule is added, and not each time it fires.
"""

import re
from typing import Final

from msgspec import Struct

from questd.actors.control.submitting import checked_inputs, merged_labels, refusal_of
from questd.actors.quest.plans import BadDefinition, PlanCache, ReadyPlan
from questd.actors.schedule.cron import fault_of_cron, moment
from questd.messages.control import AddSchedule, ChangeSchedule, Error, Submit
from questd.messages.payload import decode_json, encode_json
from questd.messages.schedules import ScheduleSpec
from questd.runtime.errors import BadExpression
from questd.runtime.expressions import Names, compile_value

INPUTS_MAX_BYTES: Final = 65_536
LABEL: Final = "schedule"
"""The label of each quest that a schedule submits: its value is the schedule's name."""
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,127}")
_NAMED: Final = Names(frozenset(), frozenset({"due", "schedule"}))


class Checked(Struct, frozen=True):
    """It may be kept so."""

    request: AddSchedule | ChangeSchedule
    ready: ReadyPlan


def check_schedule(
    request: AddSchedule | ChangeSchedule, plans: PlanCache, now_us: int
) -> Checked | Error:
    """Everything that is wrong with it, or what is needed to keep it."""
    try:
        ready = plans.load(request.definition, trusted=False)
    except BadDefinition as error:
        return Error("invalid", "the definition may not run", details=error.problems)
    except ValueError as error:  # msgspec: the bytes are no definition
        return Error("invalid", f"not a definition: {error}")
    return _fault_of(request, ready, now_us) or Checked(request, ready)


def _fault_of(request: AddSchedule | ChangeSchedule, ready: ReadyPlan, now_us: int) -> Error | None:
    spec = request.spec
    if not _NAME.fullmatch(request.name):
        said = "a name begins with a letter or _, and has up to 128 letters, digits, _ and -"
        return Error("invalid", f"schedule {request.name!r}: {said}")
    fault = fault_of_cron(spec.trigger, now_us)
    if fault is not None:
        return Error("invalid", fault)
    if len(spec.inputs) > INPUTS_MAX_BYTES:
        said = f"{len(spec.inputs)} bytes; {INPUTS_MAX_BYTES} are allowed"
        return Error("invalid", f"INPUTS_MAX_BYTES: inputs of {said}: give a path or an address")
    submit = submit_for(spec, request.name, ready.data, "example", now_us)
    if isinstance(submit, Error):
        return submit
    refused = refusal_of(submit)
    inputs = checked_inputs(submit.inputs, ready)
    labels = merged_labels(ready.plan.definition, submit)
    return refused or next((one for one in (inputs, labels) if isinstance(one, Error)), None)


def submit_for(
    spec: ScheduleSpec, name: str, definition: bytes, key: str, due_us: int
) -> Submit | Error:
    """The submit of one occasion. An error when its inputs cannot be rendered."""
    try:
        values = decode_json(spec.inputs)
        if not isinstance(values, dict):
            return Error("invalid", "inputs are not a JSON object")
        template = compile_value(values, _NAMED)
        given = {"due": moment(due_us), "schedule": name}
        inputs = encode_json(template.render(steps={}, inputs=given))
    except BadExpression as error:
        said = "a text in {{ }} of a schedule's inputs may name `due` and `schedule`"
        return Error("invalid", f"inputs: {error}: {said}")
    except (ValueError, RecursionError) as error:
        return Error("invalid", f"inputs are not JSON: {error}")
    return Submit(
        definition=definition,
        inputs=inputs,
        key=key,
        project=spec.project,
        labels={**spec.labels, LABEL: name},
        priority=spec.priority,
        total_timeout_ms=spec.total_timeout_ms,
    )
