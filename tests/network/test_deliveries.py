"""Ten thousand outcomes that come twice, late, out of order, or from somebody else: one completion a task, in journal and history."""

import json
import random
from collections import Counter
from typing import Any

from questd.messages import events as ev
from questd.messages.definition import QuestDefinition
from questd.messages.exchange import (
    AttemptId,
    Completed,
    Failed,
    Invocation,
    Outcome,
    Welcome,
)
from questd.messages.failure import Failure
from questd.messages.history import Query, Rows
from tests.network.ground import SCALE, Ground
from tests.system.liar import Liar
from tests.system.place import chain, step, until
from tests.system.rules import check

QUESTS = 4 * SCALE
WIDE = 500
TASKS = QUESTS * WIDE
SEED = 20_251
TABLE = "select status, count(*) from attempts where agent = 'liar' group by status order by 1"


def wide() -> QuestDefinition:
    return QuestDefinition("wide", tuple(step(f"t{n}", "lie", agent="liar") for n in range(WIDE)))


def taken(liar: Liar) -> list[AttemptId]:
    """Everything, once each."""
    found: dict[AttemptId, None] = {}
    while len(found) < TASKS:
        for item in liar.say().items:
            assert isinstance(item, Invocation), item
            found[item.quest, item.epoch] = None
    return list(found)


class Post:
    """What is delivered for one instance, and the results that were said of each attempt before it was acknowledged.

    One of these counts, mostly the first: a session with ``DELIVERED_MAX`` outcomes that are not on disk takes no more until they are. What
    fails is only said of what was acknowledged, or a failure might be what is taken first, and a failure that comes late is not journalled.
    """

    def __init__(self, liar: Liar, chance: random.Random) -> None:
        self.liar = liar
        self.said: dict[AttemptId, list[bytes]] = {}
        self.acknowledged: set[AttemptId] = set()
        self.deliveries = 0
        self._chance = chance

    def deliver(self, attempts: list[AttemptId], times: int) -> None:
        """Each so many times, each time with another result, in any order and in frames of any size; some in a new Hello."""
        order = attempts * times
        self._chance.shuffle(order)
        while order:
            size = self._chance.randint(1, 300)
            outcomes = tuple(self._outcome(attempt) for attempt in order[:size])
            del order[:size]
            if self._chance.random() < 0.1:
                counter = self.liar.counter + 1
                held = tuple(attempt for attempt in attempts if attempt not in self.said)
                more = {"held": held, "outcomes": outcomes, "counter": counter}
                assert isinstance(greet(self.liar, **more), Welcome)
                self.liar.counter = counter
            else:
                self.acknowledged.update(self.liar.say(*outcomes).acks)

    def _outcome(self, attempt: AttemptId) -> Outcome:
        self.deliveries += 1
        result = json.dumps(f"delivery {self.deliveries}").encode()
        if attempt not in self.acknowledged:
            self.said.setdefault(attempt, []).append(result)
        elif self._chance.random() < 0.2:
            return Failed(*attempt, Failure("exception", "it did not end well", None, False))
        return Completed(*attempt, result)

    def settle(self) -> None:
        """Until every attempt's outcome has been acknowledged."""
        while not self.acknowledged >= self.said.keys():
            missing = list(self.said.keys() - self.acknowledged)[:300]
            again = [Completed(*attempt, self.said[attempt][0]) for attempt in missing]
            self.deliveries += len(again)
            self.acknowledged.update(self.liar.say(*again).acks)


def greet(liar: Liar, **more: Any) -> Any:
    return liar.greet(capacity=TASKS, prefetch=0, **more)


def returned(ground: Ground, gone: Liar) -> Liar:
    """The same instance on another link."""
    back = Liar(ground, name=gone.name)
    back.incarnation = gone.incarnation
    counter = gone.counter + 1
    assert isinstance(greet(back, counter=counter), Welcome)
    back.counter = counter
    return back


def test_ten_thousand_deliveries_give_one_completion_a_task(ground: Ground) -> None:
    ground.begin(history=True, limits={"lease_s": 60.0 * SCALE})
    chance = random.Random(SEED)
    ghost, heir, thief = (Liar(ground, name="liar") for _ in range(3))
    assert isinstance(greet(ghost), Welcome)
    quests = [ground.submit(wide()) for _ in range(QUESTS)]
    before = taken(ghost)
    ghost.caller.close()
    assert isinstance(greet(heir), Welcome)
    now = taken(heir)
    assert not set(now) & set(before)
    ghost = returned(ground, ghost)
    assert isinstance(thief.greet(agent="thief"), Welcome)
    late, true, stolen = (Post(each, chance) for each in (ghost, heir, thief))
    half = len(now) // 2
    true.deliver(now[:half], 2)
    stolen.deliver(chance.sample(now, half // 2), 1)
    late.deliver(before, 1)
    true.deliver(now, 2)
    late.deliver(before, 1)
    for post in (true, late, stolen):
        post.settle()
    ground.await_end(quests)
    for post in (true, late, stolen):
        post.deliver(list(post.said), 1)
    deliveries = sum(post.deliveries for post in (true, late, stolen))
    assert deliveries >= 10_000
    for quest in quests:
        check_story(ground, quest, true.said)
    check(ground, quests)
    assert history(ground) == [["completed", TASKS], ["lost", TASKS]]


CHAOS = {"delay_ms": [0, 30], "swap": True, "lose": 0.05, "repeat": 0.2, "replay": 0.1}


def test_frames_that_are_lost_repeated_replayed_and_swapped_change_no_quest(ground: Ground) -> None:
    ground.begin(limits={"lease_s": 20.0, "closed_pipe_s": 10.0})
    network = ground.network(seed=str(SEED))
    for _ in range(3):
        ground.far_agent(network.url, CAPACITY="2", PREFETCH="0")
    network.rules("all", up=CHAOS, down=CHAOS)
    quests = [ground.submit(chain(6)) for _ in range(10 * SCALE)]
    heads = ground.await_end(quests)
    assert {head.status for head in heads.values()} == {"completed"}
    counts = network.counts()
    assert min(counts[kind] for kind in ("lost", "repeated", "replayed")) > 2, counts
    for quest in quests:
        assert ground.output(quest) == b"5"
    check(ground, quests)


def check_story(ground: Ground, quest: str, said: dict[AttemptId, list[bytes]]) -> None:
    """Each task: lost once, refused once, completed once, by the attempt that counts and with what it said."""
    kinds: Counter[str] = Counter()
    for event in ground.events(quest):
        kinds[type(event).__name__] += 1
        if isinstance(event, ev.AttemptCompleted):
            assert event.result in said[quest, event.epoch]
    assert kinds == {
        "QuestSubmitted": 1,
        "QuestStarted": 1,
        "AttemptStarted": 2 * WIDE,
        "AttemptLost": WIDE,
        "AttemptRefused": WIDE,
        "AttemptCompleted": WIDE,
        "QuestCompleted": 1,
    }


def history(ground: Ground) -> list[list[Any]]:
    """Attempts by status, when the history has all that the journal has."""

    def level() -> list[list[Any]] | None:
        reply = ground.history(Query(TABLE, wait_ms=10_000))
        assert isinstance(reply, Rows), reply
        rows: list[list[Any]] = json.loads(reply.data)
        return rows if not reply.lag else None

    return until("the history is level with the journal", level)
