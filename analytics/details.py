"""``events.detail``: the fields of an event that have no column of their own."""

from typing import Any, Final

import msgspec

from questd.messages import events as ev

NOT_DETAILS: Final = frozenset(
    {
        "task",
        "epoch",
        "inputs",
        "secrets",
        "result",
        "output",
        "lines",
        "failure",
        "items",
        "steps",
        "feedback",
    }
)
"""Fields that are columns of their own, payloads, or need a form of their own in ``events.detail``."""

_Details = tuple[tuple[str, object], ...]
_DETAILS: dict[type[ev.Event], _Details] = {}


def detail_of(event: ev.Event) -> dict[str, Any]:
    """The fields of an event that have no column of their own and are not what they are by default."""
    kind = type(event)
    fields = _DETAILS.get(kind)
    if fields is None:
        fields = _DETAILS[kind] = tuple(
            (field.name, field.default)
            for field in msgspec.structs.fields(kind)
            if field.name not in NOT_DETAILS
        )
    detail: dict[str, Any] = {}
    for name, default in fields:
        value = getattr(event, name)
        if value != default:
            detail[name] = value
    match event:
        case ev.AttemptStarted() | ev.AttemptCompleted():
            return detail
        case (
            ev.AttemptFailed()
            | ev.TaskFailed()
            | ev.TaskFellBack()
            | ev.QuestStopping()
            | ev.QuestFailed()
        ):
            detail["failure"] = msgspec.structs.asdict(event.failure)
        case ev.AttemptLogged():
            detail["line_count"] = len(event.lines)
        case ev.TaskPlanned():
            detail["steps"] = [step.key for step in event.steps]
        case ev.TaskExpanded():
            detail["item_count"] = len(event.items)
        case _:
            return detail
    return detail
