"""Journals for tests of the history: by hand, and by a seed."""

import random
from collections.abc import Sequence

from questd.messages import events as ev
from questd.messages.definition import (
    QuestDefinition,
    StepDefinition,
    definition_digest,
    encode_definition,
)
from questd.messages.failure import Failure
from questd.messages.heads import Head
from questd.messages.payload import Blob, Payload, hold
from questd.runtime.journal.memory import MemoryStore
from questd.runtime.journal.store import Append, Appended, JournalStore, NewEvent

START_US = 1_700_000_000_000_000
FORK = QuestDefinition(
    "fork",
    (
        StepDefinition("a", agent="x"),
        StepDefinition("b", agent="x", dependencies=("a",)),
        StepDefinition("c", capabilities=("c",), dependencies=("a",)),
        StepDefinition("d", agent="y", dependencies=("b", "c")),
    ),
    version="1.0",
)
CHAIN = QuestDefinition(
    "chain",
    tuple(
        StepDefinition(f"s{n}", agent="x", dependencies=(f"s{n - 1}",) if n else ())
        for n in range(5)
    ),
)


def memory_store(journal_id: str = "j_test") -> MemoryStore:
    return MemoryStore(journal_id=journal_id, clock_us=lambda: START_US)


class Writer:
    """Appends events to a journal; each is a millisecond later than the one before."""

    def __init__(self, store: JournalStore) -> None:
        self.store = store
        self.now_us = START_US
        self._versions: dict[str, int] = {}

    def submit(
        self,
        quest: str,
        definition: QuestDefinition = FORK,
        inputs: bytes = b"{}",
        labels: dict[str, str] | None = None,
        project: str = "default",
    ) -> None:
        payload, blobs = hold(inputs)
        data = encode_definition(definition)
        digest = definition_digest(data)
        submitted = ev.QuestSubmitted(
            digest, definition.name, definition.version, project, payload, labels or {}
        )
        self.append(quest, submitted, ev.QuestStarted(), definition=(digest, data), blobs=blobs)

    def append(
        self,
        quest: str,
        *events: ev.Event,
        definition: tuple[str, bytes] | None = None,
        blobs: tuple[Blob, ...] = (),
    ) -> int:
        """The number of the first of them."""
        self.now_us += 1_000
        version = self._versions.get(quest, 0)
        item = Append(
            quest,
            version,
            tuple(NewEvent(self.now_us, ev.kind_of(e), ev.encode_event(e)) for e in events),
            make_head(quest, version + len(events)),
            blobs,
            definition,
        )
        (answer,) = self.store.commit([item])
        assert isinstance(answer, Appended), answer
        self._versions[quest] = answer.version
        return version + 1

    def attempt(self, quest: str, task: str, attempt: int = 1, agent: str = "x") -> int:
        """Start one; its epoch."""
        return self.append(quest, ev.AttemptStarted(task, attempt, agent, f"{agent}-1", "run"))


def make_head(quest: str, version: int) -> Head:
    return Head(quest, version, "running", "d", "n", "1", "default", {}, None, 5, START_US)


def random_journal(seed: int, store: JournalStore, quests: int = 6, length: int = 120) -> None:
    """Quests side by side. Mostly what a supervisor would write, now and then what it never would."""
    rng = random.Random(seed)
    writer = Writer(store)
    names = [f"q_{n}" for n in range(quests)]
    for name in names:
        if rng.random() < 0.9:
            writer.submit(
                name,
                rng.choice([FORK, CHAIN]),
                _text(rng),
                {"team": rng.choice("ab")},
                rng.choice(["default", "p"]),
            )
    epochs: dict[str, list[tuple[str, int]]] = {name: [] for name in names}
    for _ in range(length):
        name = rng.choice(names)
        event, blobs = _random_event(rng, epochs[name])
        n = writer.append(name, event, blobs=blobs)
        if isinstance(event, ev.AttemptStarted):
            epochs[name].append((event.task, n))


def _text(rng: random.Random) -> bytes:
    return b'"' + b"x" * rng.choice([0, 3, 5_000, 70_000]) + b'"'


def _payload(rng: random.Random) -> tuple[Payload, tuple[Blob, ...]]:
    if rng.random() < 0.1:
        return b'"\xff\x00\\ud800 not json', ()
    return hold(_text(rng))


def _random_event(
    rng: random.Random, epochs: Sequence[tuple[str, int]]
) -> tuple[ev.Event, tuple[Blob, ...]]:
    task = rng.choice(["a", "b", "c", "d", "s0", "s1", "elsewhere[2]", "a@2"])
    failure = Failure(rng.choice(["timeout", "exception"]), "no \n\x00 'luck'", task)
    if not epochs or rng.random() < 0.3:
        return ev.AttemptStarted(task, rng.randint(1, 3), rng.choice("xyz"), "i1", "run"), ()
    name, epoch = rng.choice(epochs[-3:])
    payload, blobs = _payload(rng)
    retry_at_us = rng.choice([None, START_US + 5_000_000])
    events: list[ev.Event] = [
        ev.AttemptCompleted(name, epoch, payload, 7, rng.randint(0, 2), 0.25, None, 0.5),
        ev.AttemptCompleted(name, epoch, payload),
        ev.AttemptCompleted(name, epoch, payload, model="m"),
        ev.AttemptFailed(name, epoch, failure, retry_at_us, 3),
        ev.AttemptFailed(name, epoch, failure, retry_at_us),
        ev.AttemptLost(name, epoch, "gone"),
        ev.AttemptCancelled(name, epoch, "enough", abandoned=True),
        ev.AttemptRefused(name, epoch, "completed", "superseded"),
        ev.AttemptLogged(name, epoch, (ev.LogLine(START_US, "l\n1", b"{}"), ev.LogLine(1, "2"))),
        ev.TaskFailed(name, failure, continued=rng.random() < 0.5, result=payload),
        ev.TaskCompleted(name, payload, "ann"),
        ev.BreakpointOpened(name, "lost_attempt", "again?", ("retry", "fail")),
        ev.BreakpointResolved(epoch + 1, name, "retry", "ann"),
        ev.BreakpointResolved(epoch + 2, name, "retry", "ann"),
    ]
    endings: list[ev.Event] = [
        ev.CancelRequested("why not", "ann"),
        ev.QuestStopping(failure),
        ev.QuestCompleted(payload, ("a",)),
        ev.QuestFailed(failure),
        ev.QuestCancelled("why not"),
    ]
    return rng.choice(endings if rng.random() < 0.06 else events), blobs
