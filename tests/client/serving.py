"""A control door of a small daemon for tests: real sockets, a real store, the daemon's own answers to questions."""

import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from questd.actors.control.questions import list_quests, read_blobs, read_quest, whole_id
from questd.actors.quest.core import evolve, head_of
from questd.actors.quest.state import Plan, QuestState
from questd.messages import control as ctl
from questd.messages import events as ev
from questd.messages.control import Reply, Request, decode_request, encode_control
from questd.messages.definition import (
    QuestDefinition,
    StepDefinition,
    definition_digest,
    encode_definition,
)
from questd.messages.events import Event, encode_event, kind_of
from questd.messages.exchange import FRAME_MAX_BYTES
from questd.messages.failure import Failure
from questd.messages.payload import Blob
from questd.runtime.journal.store import Append, JournalStore, NewEvent
from questd.runtime.nng import Door, Route

T0 = 1_700_000_000_000_000
DEFINITION = QuestDefinition(
    "demo",
    (
        StepDefinition("first", agent="ann", tool="work", prompt="x"),
        StepDefinition("second", agent="bob", prompt="x", dependencies=("first",)),
    ),
    version="1.0",
    labels={"team": "core"},
)
DATA = encode_definition(DEFINITION)
DIGEST = definition_digest(DATA)

BEGUN: tuple[Event, ...] = (
    ev.QuestSubmitted(DIGEST, "demo", "1.0", "default", b'{"n": 1}', labels={"team": "core"}),
    ev.QuestStarted(),
)
FIRST_DONE: tuple[Event, ...] = (
    ev.AttemptStarted("first", 1, "ann", "i1", "work"),
    ev.AttemptLogged("first", 3, (ev.LogLine(T0 + 5, "hello", b'{"k": 1}'),)),
    ev.AttemptCompleted("first", 3, b'{"ok": true}', 900),
)
DONE: tuple[Event, ...] = (
    *BEGUN,
    *FIRST_DONE,
    ev.AttemptStarted("second", 1, "bob", "i2", "run"),
    ev.AttemptCompleted("second", 6, b'"text"', 900),
    ev.QuestCompleted(b'"the end"'),
)
FAILED: tuple[Event, ...] = (
    *BEGUN,
    ev.AttemptStarted("first", 1, "ann", "i1", "work"),
    ev.AttemptFailed("first", 3, Failure("exception", "it broke", "first")),
    ev.TaskFailed("first", Failure("exception", "it broke", "first")),
    ev.QuestStopping(Failure("exception", "it broke", "first")),
    ev.QuestFailed(Failure("exception", "it broke", "first")),
)
ASKING: tuple[Event, ...] = (
    *BEGUN,
    ev.AttemptStarted("first", 1, "ann", "i1", "work", idempotent=False),
    ev.AttemptLost("first", 3, "gone"),
    ev.BreakpointOpened("first", "lost_attempt", "Again?", ("retry", "complete", "fail")),
)


def write(
    store: JournalStore, quest: str, events: Sequence[Event], blobs: tuple[Blob, ...] = ()
) -> None:
    """Append the quest's whole life, a second an event; it starts in the moment of its submit."""
    state = QuestState(quest, Plan(DEFINITION, DIGEST))
    for n, event in enumerate(events):
        evolve(state, event, T0 + max(0, n - 1) * 1_000_000)
    new = tuple(
        NewEvent(T0 + max(0, n - 1) * 1_000_000, kind_of(event), encode_event(event))
        for n, event in enumerate(events)
    )
    head = head_of(state, resting=True)
    store.commit([Append(quest, 0, new, head, blobs, (DIGEST, DATA))])


Answer = Callable[[Request], Reply | None]


@contextmanager
def control_door(folder: Path, store: JournalStore, answer: Answer) -> Generator[str, None, None]:
    """Serve; ``answer`` may take a request before the store is asked. Gives the address."""

    def receive(route: Route, body: bytes) -> None:
        reply = reply_to(store, answer, decode_request(body))
        door.send(route, encode_control(reply))

    door = Door(receive, frame_max=FRAME_MAX_BYTES, name="test")
    url = door.listen(f"ipc://{folder}/c")
    door.start()
    try:
        yield url
    finally:
        door.stop()


def reply_to(store: JournalStore, answer: Answer, request: Request) -> Reply:
    """As the control actor answers."""
    told = answer(request)
    if told is not None:
        return told
    match request:
        case ctl.ReadQuest():
            quest = whole_id(store, request.quest)
            if isinstance(quest, ctl.Error):
                return quest
            whole = ctl.ReadQuest(quest, request.after, request.limit, 0, request.definition)
            return read_quest(store, whole)
        case ctl.ReadBlobs(digests):
            return read_blobs(store, digests)
        case ctl.ListQuests():
            return list_quests(store, request)
        case ctl.Missing():
            return ctl.MissingAgents(())
        case _:
            return ctl.Error("refused", f"not here: {request}")


class Counter:
    """Counts from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.count = 0

    def next(self) -> int:
        """1, 2, …"""
        with self._lock:
            self.count += 1
            return self.count
