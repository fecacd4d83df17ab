"""The bytes of this version decode for ever, and mean for ever what they meant.

Each file holds one family of one schema version: the bytes, and what each field was. A changed message gets a new file
(``python -m tests.golden.test_golden --write-missing`` writes what is not there and touches nothing else); an old one is never edited.
"""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from msgspec import Struct, structs

from questd.messages import control as ctl
from questd.messages import events as ev
from questd.messages import exchange as ex
from questd.messages import history as hi
from questd.messages import remote as rm
from questd.messages import schedules as sc
from questd.messages.definition import (
    QuestDefinition,
    decode_definition,
    definition_digest,
    encode_definition,
)
from questd.messages.heads import Wait, Want
from questd.messages.upcasting import event_of
from tests.golden import door_samples, samples

HERE = Path(__file__).parent


class Golden(Struct, frozen=True):
    """``fields``: JSON of what each field was, by name, so that a field that moved is noticed."""

    name: str
    hex: str
    fields: dict[str, Any]


class Family(Struct, frozen=True):
    """Messages that are encoded alike. ``current``: the file of this version. ``decode`` is told a message's name."""

    current: str
    samples: tuple[Struct, ...]
    encode: Callable[[Any], bytes]
    decode: Callable[[str, bytes], Struct]


AGENT_FRAMES = {"Hello", "Exchange", "Goodbye"}
REQUESTS = {type(each).__name__ for each in door_samples.REQUESTS}
HISTORY_REQUESTS = {type(each).__name__ for each in door_samples.HISTORY_REQUESTS}
HEAD_PARTS: dict[str, type[Want | Wait]] = {"Want": Want, "Wait": Wait}


def decode_frame(name: str, data: bytes) -> Struct:
    if name.split(maxsplit=1)[0] in AGENT_FRAMES:
        return ex.decode_agent_frame(data)
    return ex.decode_daemon_frame(data)


def decode_control(name: str, data: bytes) -> Struct:
    return ctl.decode_request(data) if name in REQUESTS else ctl.decode_reply(data)


def decode_history(name: str, data: bytes) -> Struct:
    if name in HISTORY_REQUESTS:
        return hi.decode_history_request(data)
    return hi.decode_history_reply(data)


FAMILIES = {
    "events": Family(
        f"events-{ev.EVENT_SCHEMA_VERSION}.12.json",
        samples.EVENTS,
        ev.encode_event,
        lambda _, data: ev.decode_event(data),
    ),
    "schedules": Family(
        f"schedules-{ev.EVENT_SCHEMA_VERSION}.2.json",
        samples.SCHEDULE_EVENTS,
        sc.encode_schedule_event,
        lambda _, data: sc.decode_schedule_event(data),
    ),
    "exchange": Family(
        f"exchange-{ex.PROTOCOL_VERSION}.1.json", samples.FRAMES, ex.encode_frame, decode_frame
    ),
    "control": Family(
        "control-1.4.json",
        (*door_samples.REQUESTS, *door_samples.REPLIES),
        ctl.encode_control,
        decode_control,
    ),
    "remote": Family(
        "remote-1.json",
        (door_samples.BEARER,),
        msgspec.msgpack.encode,
        lambda _, data: rm.decode_asked(data),
    ),
    "history": Family(
        "history-1.2.json",
        (*door_samples.HISTORY_REQUESTS, *door_samples.HISTORY_REPLIES),
        hi.encode_history,
        decode_history,
    ),
    "definitions": Family(
        "definitions-1.12.json",
        samples.DEFINITIONS,
        encode_definition,
        lambda _, data: decode_definition(data),
    ),
    "heads": Family(
        "heads-1.json",
        samples.HEAD_PARTS,
        msgspec.msgpack.encode,
        lambda name, data: msgspec.msgpack.decode(data, type=HEAD_PARTS[name.split()[0]]),
    ),
}


def name_of(message: Struct) -> str:
    kind = type(message).__name__
    return f"{kind} {message.name}" if isinstance(message, QuestDefinition) else kind


def fields_of(message: Struct) -> dict[str, Any]:
    """By name, as JSON says them."""
    named = {name: plain(getattr(message, name)) for name in message.__struct_fields__}
    fields: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(named))
    return fields


def plain(value: Any) -> Any:
    """What stands in a message as bytes of another one."""
    return msgspec.msgpack.decode(value) if isinstance(value, msgspec.Raw) else value


def golden_of(family: Family, message: Struct) -> Golden:
    return Golden(name_of(message), family.encode(message).hex(), fields_of(message))


def read(path: Path) -> list[Golden]:
    return msgspec.json.decode(path.read_bytes(), type=list[Golden])


def kept() -> list[tuple[str, str, Golden]]:
    return [
        (family, path.name, each)
        for family in FAMILIES
        for path in sorted(HERE.glob(f"{family}-*.json"))
        for each in read(path)
    ]


def decode_kept(family: str, path: str, golden: Golden) -> Struct:
    """As a reader of today does. The schema of an event is in its envelope, and in the name of its file."""
    data = bytes.fromhex(golden.hex)
    if family == "events":
        schema = int(path.removeprefix("events-").split(".")[0])
        return event_of(ev.Record(1, samples.QUEST, 1, samples.T_US, "", schema, data))
    return FAMILIES[family].decode(golden.name, data)


KEPT = kept()
NAMES = [f"{path}:{golden.name}" for _, path, golden in KEPT]


def says_the_same(now: object, then: object) -> bool:
    """What stands in a message may have got further fields: a message within it is a list that begins with its tag, or an object."""
    if isinstance(then, dict):
        fields = cast("dict[str, object]", then)
        told = cast("dict[str, object]", now) if isinstance(now, dict) else {}
        return all(says_the_same(told.get(name), value) for name, value in fields.items())
    if not isinstance(then, list):
        return bool(now == then)
    kept, read = cast("list[object]", then), cast("list[object]", now)
    grown = len(read) > len(kept) > 0 and isinstance(kept[0], str)
    return (grown or len(read) == len(kept)) and all(map(says_the_same, read, kept))


@pytest.mark.parametrize(("family", "path", "golden"), KEPT, ids=NAMES)
def test_bytes_that_were_written_once_decode_to_what_they_meant(
    family: str, path: str, golden: Golden
) -> None:
    message = decode_kept(family, path, golden)
    assert name_of(message) == golden.name
    now = fields_of(message)
    assert all(says_the_same(now[name], then) for name, then in golden.fields.items())
    if path == FAMILIES[family].current:
        assert now.keys() == golden.fields.keys()


@pytest.mark.parametrize(("family", "path", "golden"), KEPT, ids=NAMES)
def test_bytes_of_this_version_are_written_the_same_again(
    family: str, path: str, golden: Golden
) -> None:
    if path != FAMILIES[family].current:
        return
    data = bytes.fromhex(golden.hex)
    assert FAMILIES[family].encode(FAMILIES[family].decode(golden.name, data)) == data


@pytest.mark.parametrize("family", FAMILIES)
def test_every_message_of_this_version_is_kept(family: str) -> None:
    of = FAMILIES[family]
    assert read(HERE / of.current) == [golden_of(of, message) for message in of.samples]


def structs_of_the_language() -> set[type[Struct]]:
    """Every struct that stands in messages/."""
    modules = [
        importlib.import_module(f"questd.messages.{path.stem}")
        for path in sorted((HERE.parents[1] / "messages").glob("*.py"))
        if path.stem not in {"__init__", "any_version"}
    ]
    return {
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Struct) and value is not Struct
    }


def kinds_in(value: Any) -> Iterator[type[Struct]]:
    """The types of all structs in a value."""
    match value:
        case Struct():
            yield type(value)
            for name in value.__struct_fields__:
                yield from kinds_in(getattr(value, name))
        case tuple():
            for each in cast("Any", value):
                yield from kinds_in(each)
        case dict():
            for each in cast("Any", value).values():
                yield from kinds_in(each)
        case _:
            pass


def test_no_type_of_the_language_is_without_golden_bytes() -> None:
    golden = {
        kind for family in FAMILIES.values() for each in family.samples for kind in kinds_in(each)
    }
    assert structs_of_the_language() - golden == set()


def test_every_event_and_every_frame_has_a_sample() -> None:
    events = {type(message) for message in samples.EVENTS}
    assert events == set(ev.Event.__args__)
    frames = {type(message) for message in samples.FRAMES}
    assert frames == {*ex.AgentFrame.__args__, *ex.DaemonFrame.__args__}
    assert {type(item) for item in (samples.INVOCATION, *work_items())} == set(ex.WorkItem.__args__)


def work_items() -> tuple[ex.WorkItem, ...]:
    return next(frame.items for frame in samples.FRAMES if isinstance(frame, ex.Work))


@pytest.mark.parametrize(
    "message",
    [
        *samples.EVENTS,
        *samples.FRAMES,
        *samples.HEAD_PARTS,
        structs.replace(samples.STEP_7, wait_for=samples.STEP_8.wait_for, sleep_ms=1),
        *door_samples.REQUESTS,
        *door_samples.REPLIES,
        *door_samples.HISTORY_REQUESTS,
        door_samples.HEAD,
        door_samples.INSTANCE,
        door_samples.TOOL,
    ],
    ids=name_of,
)
def test_no_field_of_a_sample_is_what_it_is_by_default(message: Struct) -> None:
    for field in msgspec.structs.fields(message):
        assert getattr(message, field.name) != field.default, field.name


ARRAYS = [*samples.EVENTS, *samples.FRAMES]


@pytest.mark.parametrize("message", ARRAYS, ids=name_of)
def test_an_array_without_its_newest_fields_still_decodes(message: Struct) -> None:
    """As an older version wrote it: fields with defaults may be absent, from the last one on."""
    family = FAMILIES["events" if message in samples.EVENTS else "exchange"]
    whole = msgspec.msgpack.decode(family.encode(message))
    required = sum(field.required for field in msgspec.structs.fields(message))
    for length in range(1 + required, len(whole)):
        older = family.decode(name_of(message), msgspec.msgpack.encode(whole[:length]))
        again = msgspec.msgpack.decode(family.encode(older))
        assert again[:length] == whole[:length]


@pytest.mark.parametrize("message", ARRAYS, ids=name_of)
def test_an_array_with_fields_of_a_later_version_still_decodes(message: Struct) -> None:
    family = FAMILIES["events" if message in samples.EVENTS else "exchange"]
    whole = msgspec.msgpack.decode(family.encode(message))
    newer = msgspec.msgpack.encode([*whole, "from the future", 7])
    assert family.decode(name_of(message), newer) == message


def test_the_digest_of_a_definition_never_changes() -> None:
    kept_digests = {
        golden.name: definition_digest(bytes.fromhex(golden.hex))
        for family, _, golden in KEPT
        if family == "definitions"
    }
    assert kept_digests == {
        "QuestDefinition least": LEAST_DIGEST,
        "QuestDefinition review": REVIEW_DIGEST,
        "QuestDefinition choice": CHOICE_DIGEST,
        "QuestDefinition others": OTHERS_DIGEST,
        "QuestDefinition items": ITEMS_DIGEST,
        "QuestDefinition plan": PLAN_DIGEST,
        "QuestDefinition secretive": SECRETIVE_DIGEST,
        "QuestDefinition rounds": ROUNDS_DIGEST,
        "QuestDefinition family": FAMILY_DIGEST,
        "QuestDefinition patient": PATIENT_DIGEST,
        "QuestDefinition thrifty": THRIFTY_DIGEST,
    }


CHOICE_DIGEST = "6c026ef5bc54626b917c691c8a692bc45a6eddf86c5712adf92ac6d1d307e8ae"
ROUNDS_DIGEST = "dc0669c9386f6301fd7d25683ec59e94331758115a39a6a1c0799f2c909d92de"
LEAST_DIGEST = "338e907d220ddc5336a9e4213c051dd95a8a8fd5e22e88e65d8ded79a785538c"
REVIEW_DIGEST = "85e861f25b9e7f5a31c6a8c22d66a6d3f9d9e4ff6b2fed113c648c9ed57fe21c"


def write_missing() -> None:
    """Files that are not there yet; what is there stays as it is."""
    for family in FAMILIES.values():
        path = HERE / family.current
        if path.exists():
            continue
        lines = [msgspec.json.encode(golden_of(family, message)) for message in family.samples]
        path.write_bytes(b"[\n" + b",\n".join(lines) + b"\n]\n")
        sys.stdout.write(f"{path} written\n")


if __name__ == "__main__":
    if sys.argv[1:] != ["--write-missing"]:
        sys.exit("usage: python -m tests.golden.test_golden --write-missing")
    write_missing()
PATIENT_DIGEST = "9aaad46ab271a93cdf9d33721033d41b6506bfb49db40046f94d8ce03ca53c5f"
OTHERS_DIGEST = "21cb78834570f4e69dd92b7621f198181470de068498f22ba8f358a1eadea546"
ITEMS_DIGEST = "463486658eb72d818fb2260d4462d6f79211783000ab935c5c1dba34a2d38e20"
PLAN_DIGEST = "f401d59d619afc9d80d850cca8bad2167a9cf8e15d2e476fd05d2cf5ea9b5ab8"
SECRETIVE_DIGEST = "cb369637d042266d826e395a14c772d8083220aed20825ab9ef61df5e7abacc3"
THRIFTY_DIGEST = "a44e0551219d22abcaea99a1c926c048a5cdfab370e20576add121cc14850ee9"
FAMILY_DIGEST = "c30d0add8158a9e33e5d6218eb7bc494530d3555d62c8c7cdc430ae6242f80bd"
