"""Events of another schema: earlier ones are raised to this one, later ones are refused by name."""

from typing import Any

import msgspec
import pytest

from questd.messages.events import (
    EVENT_SCHEMA_VERSION,
    AttemptLost,
    CancelRequested,
    Event,
    Record,
    encode_event,
    kind_of,
)
from questd.messages.upcasting import UPCASTERS, NewerEvent, Upcaster, event_of, raised
from questd.runtime.errors import BadFrame
from questd.views.decoding import shown_event
from tests.golden.samples import EVENTS, QUEST, T_US

OLDER = EVENT_SCHEMA_VERSION - 1
NEWER = EVENT_SCHEMA_VERSION + 1


def record(body: bytes, schema: int, kind: str = "made.up") -> Record:
    return Record(7, QUEST, 3, T_US, kind, schema, body)


def test_a_made_up_old_event_is_raised() -> None:
    """Once upon a time an attempt was forgotten, and the reason stood first."""

    def forgotten(array: list[Any]) -> list[Any]:
        _, reason, task, epoch = array
        return ["attempt.lost", task, epoch, reason]

    body = msgspec.msgpack.encode(["attempt.forgotten", "its host burned", "audit", 3])
    upcasters = {OLDER: {"attempt.forgotten": forgotten}}
    assert event_of(record(body, OLDER), upcasters) == AttemptLost("audit", 3, "its host burned")


def test_a_tag_that_nobody_changed_needs_no_upcaster() -> None:
    event = CancelRequested("not needed", "ann")
    assert event_of(record(encode_event(event), OLDER), {OLDER: {"another": list}}) == event


def test_an_event_is_raised_from_schema_to_schema_in_order() -> None:
    upcasters: dict[int, dict[str, Upcaster]] = {
        1: {"a": lambda array: ["b", *array[1:], "from 1"]},
        2: {"b": lambda array: [*array, "from 2"], "a": lambda _: ["never"]},
        4: {"b": lambda array: ["c", *array[1:]]},
    }
    assert raised(["a"], 1, 5, upcasters) == ["c", "from 1", "from 2"]
    assert raised(["b"], 2, 4, upcasters) == ["b", "from 2"]
    assert raised(["b"], 4, 4, upcasters) == ["b"]


def test_every_upcaster_is_of_an_earlier_schema() -> None:
    assert all(1 <= schema < EVENT_SCHEMA_VERSION for schema in UPCASTERS)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_of_this_schema_is_decoded_as_it_is(event: Event) -> None:
    kept = record(encode_event(event), EVENT_SCHEMA_VERSION, kind_of(event))
    assert event_of(kept) == event


def test_an_event_of_a_newer_schema_is_refused_by_name_also_if_it_could_be_read() -> None:
    newer = record(encode_event(CancelRequested("not needed", "ann")), NEWER)
    with pytest.raises(NewerEvent, match=rf"event 3 of {QUEST} has schema {NEWER}.*newer questd"):
        event_of(newer)
    with pytest.raises(BadFrame, match=rf"has schema {NEWER}, this program knows"):
        shown_event(newer)


def test_an_event_that_is_none_is_shown_as_a_fault_and_not_as_a_bug() -> None:
    with pytest.raises(BadFrame, match=rf"event 3 of {QUEST} \(made.up\) cannot be read"):
        shown_event(record(b"\x91\xa4what", EVENT_SCHEMA_VERSION))
