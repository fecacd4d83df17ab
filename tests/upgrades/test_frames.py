"""Two programs of different versions read each other's messages: what one knows more of, the other passes over."""

from collections.abc import Callable
from typing import Any, cast

import msgspec
import pytest
from msgspec import Struct

from questd.messages import control as ctl
from questd.messages import exchange as ex
from questd.messages import history as hi
from questd.messages.any_version import protocol_of, tag_of, version_of
from questd.messages.definition import decode_definition, encode_definition, unknown_fields
from tests.golden import door_samples, samples

encode = msgspec.msgpack.encode
Decode = Callable[[bytes], Struct]

FRAMES: list[tuple[Struct, Decode]] = [
    *(
        (frame, ex.decode_agent_frame)
        for frame in samples.FRAMES
        if isinstance(frame, ex.AgentFrame)
    ),
    *(
        (frame, ex.decode_daemon_frame)
        for frame in samples.FRAMES
        if isinstance(frame, ex.DaemonFrame)
    ),
]
MAPS: list[tuple[Struct, Decode]] = [
    *((each, ctl.decode_request) for each in door_samples.REQUESTS),
    *((each, ctl.decode_reply) for each in door_samples.REPLIES),
    *((each, hi.decode_history_request) for each in door_samples.HISTORY_REQUESTS),
    *((each, hi.decode_history_reply) for each in door_samples.HISTORY_REPLIES),
]
ALL = [*FRAMES, *MAPS]


def named(pair: tuple[Struct, Decode]) -> str:
    return type(pair[0]).__name__


def of_tomorrow(value: Any) -> Any:
    """The plain form of a message as a later minor version would write it: each struct in it has more fields."""
    match value:
        case Struct():
            config = value.__struct_config__
            fields = {name: of_tomorrow(getattr(value, name)) for name in value.__struct_fields__}
            if config.array_like:
                tag = [] if config.tag is None else [config.tag]
                return [*tag, *fields.values(), {"from": "the future"}, 7]
            tagged = {} if config.tag is None else {config.tag_field: config.tag}
            return {"a_first": [1], **tagged, **fields, "from_the_future": {"n": None}}
        case tuple():
            return [of_tomorrow(each) for each in cast("Any", value)]
        case dict():
            return {name: of_tomorrow(each) for name, each in cast("Any", value).items()}
        case _:
            return value


@pytest.mark.parametrize("pair", ALL, ids=named)
def test_what_a_later_version_adds_is_passed_over_wherever_it_stands(
    pair: tuple[Struct, Decode],
) -> None:
    message, decode = pair
    assert decode(encode(of_tomorrow(message))) == message


@pytest.mark.parametrize("pair", MAPS, ids=named)
def test_a_map_without_the_keys_that_an_older_version_lacks_is_read(
    pair: tuple[Struct, Decode],
) -> None:
    message, decode = pair
    whole = msgspec.to_builtins(message, builtin_types=(bytes,))
    optional = [field.name for field in msgspec.structs.fields(message) if not field.required]
    for name in optional:
        older = {key: each for key, each in whole.items() if key != name}
        read = decode(encode(older))
        field = next(each for each in msgspec.structs.fields(message) if each.name == name)
        absent = (
            field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
        )
        assert getattr(read, name) == absent


@pytest.mark.parametrize("decode", [ex.decode_agent_frame, ex.decode_daemon_frame])
def test_an_unknown_frame_is_no_frame(decode: Decode) -> None:
    with pytest.raises(msgspec.ValidationError, match="Invalid value 'of_tomorrow'"):
        decode(encode(["of_tomorrow", 2, "x"]))


@pytest.mark.parametrize(
    "decode", [ctl.decode_request, ctl.decode_reply, hi.decode_history_request]
)
def test_an_unknown_request_or_reply_is_none(decode: Decode) -> None:
    with pytest.raises(msgspec.ValidationError, match="Invalid value 'of_tomorrow'"):
        decode(encode({"type": "of_tomorrow"}))


def test_the_protocol_of_a_hello_can_be_read_whatever_follows() -> None:
    assert protocol_of(encode(["hello", 9, {"agent": "a map now"}])) == 9
    assert protocol_of(encode(["hello", 9])) == 9
    assert protocol_of(encode(["exchange", 9])) is None
    assert protocol_of(encode({"type": "hello"})) is None
    assert protocol_of(b"\xc1") is None


def test_the_kind_of_a_request_and_the_version_of_a_daemon_can_be_read_whatever_else_there_is() -> (
    None
):
    assert tag_of(encode({"type": "pause", "quest": 5})) == "pause"
    assert tag_of(encode(["pause"])) is None
    assert version_of(encode({"type": "daemon", "version": "9.0", "boot": 5})) == "9.0"
    assert version_of(encode({"type": "error"})) is None


REVIEW = samples.DEFINITIONS[1]


@pytest.mark.parametrize(
    ("place", "path"),
    [
        ((), "telepathy"),
        (("steps", 1), "steps[1].telepathy"),
        (("steps", 1, "retry"), "steps[1].retry.telepathy"),
        (("limits",), "limits.telepathy"),
        (("default_retry",), "default_retry.telepathy"),
        (("inputs", "repo"), "inputs.repo.telepathy"),
    ],
)
def test_a_field_of_a_definition_that_is_not_known_is_found(
    place: tuple[str | int, ...], path: str
) -> None:
    plain: Any = msgspec.msgpack.decode(encode_definition(REVIEW))  # type: ignore[arg-type]
    inner = plain
    for each in place:
        inner = inner[each]
    inner["telepathy"] = "{{ inputs.repo }}"
    data = encode(plain)
    assert unknown_fields(data, decode_definition(data)) == [path]


@pytest.mark.parametrize("definition", samples.DEFINITIONS)
def test_a_definition_of_this_version_has_no_unknown_field(definition: Any) -> None:
    assert unknown_fields(encode_definition(definition), definition) == []
