"""Rows of the journal as any bytes: an event, a head, a definition, a side file, or the documented error and nothing else.

The first byte says what is read. Rows that are events can be projected into the history, whatever they say.
"""

from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec

from questd.messages import events as ev
from questd.messages.definition import decode_definition, encode_definition
from questd.messages.events import EVENT_SCHEMA_VERSION, Record
from questd.messages.upcasting import event_of
from questd.runtime.errors import BadFrame, BrokenChain, JournalForeign
from questd.runtime.journal.chain import chained_crc, checked_record
from questd.runtime.journal.head_file import HEAD_NAME, read_durable_head
from questd.runtime.journal.rows import head_of, head_row
from questd.simulation.chance import Chance
from questd.simulation.historian import whole
from questd.views import event_view, log_views
from questd.views.decoding import shown_event
from tests.analytics.making import START_US, Writer, memory_store
from tests.fuzz.changing import changed_script
from tests.fuzz.mutation import changed_frame
from tests.fuzz.place import Fault, folder
from tests.fuzz.script import Say, read, write
from tests.golden.door_samples import HEAD
from tests.golden.samples import DEFINITIONS, EVENTS

NAME: Final = "rows"
Undecodable: Final = (msgspec.DecodeError, UnicodeDecodeError)
"""What every decoder of messages may raise."""


def change(data: bytes, chance: Chance, words: tuple[bytes, ...]) -> bytes:
    """Rows like these."""
    if data[:1] == b"q":
        return b"q" + changed_script(data[1:], chance, words)
    return data[:1] + changed_frame(data[1:], chance, words)


def one(data: bytes) -> None:
    """Fault, or another error than the documented ones, when reading goes wrong."""
    body = data[1:]
    match data[:1]:
        case b"e":
            _event(body)
        case b"q":
            _quest(body)
        case b"h":
            _head(body)
        case b"d":
            _definition(body)
        case b"s":
            _side_file(body)
        case _:
            _row(body)


def _record(body: bytes, n: int, schema: int = EVENT_SCHEMA_VERSION) -> Record:
    try:
        kind = ev.kind_of(ev.decode_event(body))
    except Undecodable:
        kind = "unknown"
    return Record(n, "q_1", n, START_US + n, kind, schema, body)


def _event(body: bytes) -> None:
    for schema in (EVENT_SCHEMA_VERSION, EVENT_SCHEMA_VERSION + 1):
        record = _record(body, 1, schema)
        try:
            event = event_of(record)
        except Undecodable:
            _refused_by_views(record)
            continue
        body = ev.encode_event(event)
        if ev.encode_event(ev.decode_event(body)) != body:
            raise Fault(f"{event} reads back as something else")


def _refused_by_views(record: Record) -> None:
    try:
        shown_event(record)
    except BadFrame:
        return
    raise Fault(f"the views read what the journal cannot: {record}")


def _quest(body: bytes) -> None:
    """Events in an order that no supervisor would write: the history takes them as they are."""
    events: list[ev.Event] = []
    for step in read(body):
        if isinstance(step, Say):
            try:
                events.append(ev.decode_event(step.frame))
            except Undecodable:
                continue
    store = memory_store()
    writer = Writer(store)
    writer.submit("q_1")
    for event in events:
        if not isinstance(event, ev.QuestSubmitted) and _has_sane_numbers(event):
            writer.append("q_1", event)
    for record in store.events("q_1"):
        event_view(record, lambda payload: payload.digest.encode())
        list(log_views(record))
    whole(store)


def _has_sane_numbers(event: ev.Event) -> bool:
    """As all have that were checked at a door: what an agent says is cut to 53 bits."""
    nodes: list[Any] = [msgspec.to_builtins(event)]
    while nodes:
        node = nodes.pop()
        if isinstance(node, list | tuple):
            nodes += node  # pyright: ignore[reportUnknownArgumentType]
        elif isinstance(node, int) and abs(node) >= 2**53:
            return False
    return True


def _head(body: bytes) -> None:
    try:
        row = msgspec.msgpack.decode(body, type=list[Any])
    except (*Undecodable, RecursionError):
        return
    whole_row = [*row, *_head_row()[len(row) :]][: len(_head_row())]
    try:
        head_of(whole_row)
    except (ValueError, TypeError):
        return


@cache
def _head_row() -> tuple[Any, ...]:
    return head_row(HEAD, None, 1, 1)[:-3]


def _definition(body: bytes) -> None:
    try:
        definition = decode_definition(body)
    except Undecodable:
        return
    body = encode_definition(definition)
    if encode_definition(decode_definition(body)) != body:
        raise Fault("a definition reads back as something else")


@cache
def _folder() -> Path:
    return folder()


def _side_file(body: bytes) -> None:
    (_folder() / HEAD_NAME).write_bytes(body)
    try:
        read_durable_head(_folder())
    except JournalForeign:
        return


def _row(body: bytes) -> None:
    """Any row whose checksum is not its own is refused, and a good one read."""
    good = (1, "q_1", 1, START_US, "quest.started", 1, body, 0)
    crc = chained_crc(0, *good[1:-1])
    if checked_record((*good, crc)).body != body:
        raise Fault("a good row is refused")
    for bad in (
        (*good, crc ^ 1),
        (*good[:6], body + b"\0", 0, crc),
        (*good[:2], 2, *good[3:], crc),
    ):
        try:
            checked_record(bad)
        except BrokenChain:
            continue
        raise Fault(f"a damaged row is taken: {bad!r}"[:500])


# -- a corpus to begin with ------------------------------------------------------------------------

ATTEMPTS: Final[tuple[ev.Event, ...]] = (
    ev.AttemptStarted("a", 1, "x", "i", "run"), ev.AttemptLogged("a", 3, (ev.LogLine(5, "l", b'{"a":1}'),)), ev.AttemptCompleted("a", 3, b'{"x":1e999}', 5),
    ev.AttemptStarted("b", 1, "x", "i", "run"), ev.AttemptLost("b", 6, "gone"), ev.BreakpointOpened("b", "lost_attempt", "?", ("retry", "fail")),
    ev.BreakpointResolved(8, "b", "retry", "ann"), ev.QuestCompleted(b"null"),
)  # fmt: skip


def seeds() -> dict[str, bytes]:
    """Rows of every kind."""
    events = [msgspec.msgpack.encode(event) for event in EVENTS]
    found = {f"e{number:02d}": b"e" + body for number, body in enumerate(events)}
    found["quest"] = b"q" + write(Say(0, ev.encode_event(event)) for event in ATTEMPTS)
    found["golden"] = b"q" + write(Say(0, body) for body in events)
    found["head"] = b"h" + msgspec.msgpack.encode(_head_row())
    found["definition"] = b"d" + msgspec.msgpack.encode(DEFINITIONS[0])
    found["side"] = b's{"journal":"j","seq":5,"crc":7}'
    found["row"] = b"r" + events[0]
    return found


WORDS: Final = (
    *(ev.kind_of(event).encode() for event in ATTEMPTS), b"blob", b"a", b"b", b"c", b"d", b"a[2]", b"a@2", b"x", b"q_1", b"running", b"waiting", b"agent", b"version", b"journal", b"seq", b"crc",
    b"\xc0", b"\x91", b"\xff", b"\xdd\xff\xff\xff\xff", b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", b"\xcb\x7f\xf0\0\0\0\0\0\0", b"1e999", b"\xd9\x02\xff\xfe",
)  # fmt: skip
