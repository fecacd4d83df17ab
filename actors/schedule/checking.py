"""What a schedule submits: may it be kept so, and what is it for one occasion? Pure but for the plans that it compiles.

Takes long for a large definition, so it is done on the journal's reader thread. What is refused here is what a submit would be
refused for, so that it is said when a schedule is added, and not each time it fires.
"""

import re
from typing import Any, Final

from msgspec import Struct

from questd.actors.control.submitting import checked_inputs, compiled, merged_labels, refusal_of
from questd.actors.graph.checks import NAME_MAX
from questd.actors.quest.plans import PlanCache, ReadyPlan
from questd.actors.schedule.cron import fault_of_cron, moment
from questd.messages.control import AddSchedule, ChangeSchedule, Error, Submit
from questd.messages.heads import TERMINAL
from questd.messages.payload import decode_json, encode_json
from questd.messages.schedules import AfterQuest, Cron, FilesChanged, ScheduleSpec, Trigger
from questd.runtime.errors import BadExpression
from questd.runtime.expressions import Names, compile_value
from questd.runtime.files import fault_of_pattern

INPUTS_MAX_BYTES: Final = 65_536
PATTERNS_MAX: Final = 50
PATTERN_MAX: Final = 1_000
DEBOUNCE_MAX_MS: Final = 3_600_000
LABEL: Final = "schedule"
"""The label of each quest that a schedule submits: its value is the schedule's name."""
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,127}")


class Checked(Struct, frozen=True):
    """It may be kept so."""

    request: AddSchedule | ChangeSchedule
    ready: ReadyPlan
    mark: int


def check_schedule(
    request: AddSchedule | ChangeSchedule, plans: PlanCache, now_us: int, mark: int
) -> Checked | Error:
    """Everything that is wrong with it, or what is needed to keep it. ``mark``: the newest seq of the journal."""
    ready = compiled(plans, request.definition)
    if isinstance(ready, Error):
        return ready
    return _fault_of(request, ready, now_us) or Checked(request, ready, mark)


def _fault_of(request: AddSchedule | ChangeSchedule, ready: ReadyPlan, now_us: int) -> Error | None:
    spec = request.spec
    if not _NAME.fullmatch(request.name):
        said = "a name begins with a letter or _, and has up to 128 letters, digits, _ and -"
        return Error("invalid", f"schedule {request.name!r}: {said}")
    fault = _fault_of_trigger(spec.trigger, now_us)
    if fault is not None:
        return Error("invalid", fault)
    if len(spec.inputs) > INPUTS_MAX_BYTES:
        said = f"{len(spec.inputs)} bytes; {INPUTS_MAX_BYTES} are allowed"
        return Error("invalid", f"INPUTS_MAX_BYTES: inputs of {said}: give a path or an address")
    known = isinstance(spec.trigger, Cron)
    told = example_of(spec.trigger)
    submit = submit_for(spec, request.name, ready.data, "example", now_us, told)
    if isinstance(submit, Error):
        return submit
    refused = refusal_of(submit)
    # What a quest gives that has not ended yet is not known: such inputs are looked at when it has.
    inputs = checked_inputs(submit.inputs, ready) if known else None
    labels = merged_labels(ready.plan.definition, submit)
    return refused or next((one for one in (inputs, labels) if isinstance(one, Error)), None)


def _fault_of_trigger(trigger: Trigger, now_us: int) -> str | None:
    if isinstance(trigger, Cron):
        return fault_of_cron(trigger, now_us)
    if isinstance(trigger, FilesChanged):
        return _fault_of_files(trigger)
    unknown = [status for status in trigger.statuses if status not in TERMINAL]
    if unknown or not trigger.statuses:
        return f"status {', '.join(unknown) or 'none'}: a quest ends {', '.join(sorted(TERMINAL))}"
    names = [name for name in (trigger.name, trigger.project) if name is not None]
    fits = all(0 < len(name) <= NAME_MAX and name.isprintable() for name in names)
    return None if fits else f"a name has 1 to {NAME_MAX} printable characters"


def example_of(trigger: Trigger) -> dict[str, Any] | None:
    """What ``submit_for`` is told of an occasion that has not come."""
    match trigger:
        case Cron():
            return None
        case AfterQuest():
            return {"quest": {}}
        case FilesChanged():
            return {"change": {}}


def _fault_of_files(trigger: FilesChanged) -> str | None:
    patterns = trigger.patterns
    if not 0 < len(patterns) <= PATTERNS_MAX:
        return (
            f"on_change: {len(patterns)} patterns; 1 to {PATTERNS_MAX} (PATTERNS_MAX) are allowed"
        )
    if not 0 <= trigger.debounce_ms <= DEBOUNCE_MAX_MS:
        return f"debounce: {trigger.debounce_ms} ms; 0 to {DEBOUNCE_MAX_MS} (DEBOUNCE_MAX_MS) are allowed"
    for pattern in patterns:
        fault = fault_of_pattern(pattern)
        if fault is None and len(pattern) > PATTERN_MAX:
            fault = f"has more than {PATTERN_MAX} characters (PATTERN_MAX)"
        if fault is not None:
            return f"on_change: {pattern[:200]!r} {fault}"
    return None


def submit_for(
    spec: ScheduleSpec,
    name: str,
    definition: bytes,
    key: str,
    due_us: int,
    told: dict[str, Any] | None = None,
) -> Submit | Error:
    """The submit of one occasion. An error when its inputs cannot be rendered.

    ``told``: what inputs may say of the quest that has ended, or the change of files; where that is empty nothing is said, it is an example.
    """
    given: dict[str, Any] = {"due": moment(due_us), "schedule": name, **(told or {})}
    try:
        values = decode_json(spec.inputs)
        if not isinstance(values, dict):
            return Error("invalid", "inputs are not a JSON object")
        template = compile_value(values, Names(frozenset(), frozenset(given)))
        example = told is not None and not all(told.values())
        inputs = b"{}" if example else encode_json(template.render(steps={}, inputs=given))
    except BadExpression as error:
        said = f"a text in {{{{ }}}} of a schedule's inputs may name {', '.join(sorted(given))}"
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
