"""Many clients submit with one idempotency key at the same time, key after key, while the daemon is killed: one quest a key."""

import random
import threading
import time
from collections import Counter
from pathlib import Path

from msgspec import Struct

from questd.messages.definition import encode_definition
from questd.runtime.journal.sqlite import SqliteStore
from tests.soak.chaos import Plan, await_ends
from tests.soak.house import House, say, submit
from tests.soak.verdict import calls_of
from tests.soak.work import AGENT, errand


class Outcome(Struct):
    """``submits`` were answered."""

    keys: int
    clients: int
    kills: int
    submits: int
    quests: int
    seconds: float
    wrong: list[str]


class Crowd:
    """So many threads, each with a link of its own, each submitting every key."""

    def __init__(self, house: House, keys: int, clients: int) -> None:
        self._house = house
        self.keys = keys
        self._errands = [errand(number * 4, pace_s=0.0) for number in range(keys)]
        self._bodies = [encode_definition(wanted.definition) for wanted in self._errands]
        self.answers: list[dict[str, str]] = [{} for _ in range(clients)]
        self.faults: list[BaseException] = []
        self._threads = [threading.Thread(target=self._run, args=(told,)) for told in self.answers]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    @property
    def done(self) -> int:
        return sum(map(len, self.answers))

    @property
    def alive(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def _run(self, told: dict[str, str]) -> None:
        link = self._house.link()
        try:
            for wanted, body in zip(self._errands, self._bodies, strict=True):
                told[wanted.key] = submit(link, body, wanted.key)
        except BaseException as error:  # noqa: BLE001 - told at the end
            self.faults.append(error)
        finally:
            link.close()


def run(folder: Path, *, keys: int, clients: int, kills: int, quiet: bool = False) -> Outcome:
    """Kills are spread evenly over the submits."""
    house = House(folder, history=False)
    try:
        return _run(house, keys, clients, kills, quiet=quiet)
    finally:
        house.close()


def _run(house: House, keys: int, clients: int, kills: int, *, quiet: bool) -> Outcome:
    began_s = time.monotonic()
    house.begin()
    house.start_worker(f"{AGENT}0", AGENT, 16)
    crowd, chance = Crowd(house, keys, clients), random.Random(keys)
    crowd.start()
    for kill in range(1, kills + 1):
        while crowd.alive and crowd.done < keys * clients * kill / (kills + 1):
            time.sleep(0.005)
        time.sleep(chance.uniform(0.0, 0.05))
        house.begin_again()
        if not quiet and kill % 10 == 0:
            say(f"{kill} kills, {crowd.done} of {keys * clients} submits answered")
    while crowd.alive:
        time.sleep(0.02)
    if crowd.faults:
        raise crowd.faults[0]
    await_ends(house, Plan(0, 0))
    house.end_daemon()
    wrong, quests = _judge(house, crowd)
    seconds = time.monotonic() - began_s
    return Outcome(keys, clients, kills, crowd.done, quests, seconds, wrong)


def _judge(house: House, crowd: Crowd) -> tuple[list[str], int]:
    given: dict[str, set[str]] = {}
    for told in crowd.answers:
        for key, quest in told.items():
            given.setdefault(key, set()).add(quest)
    wrong = [f"{key} is {quests}" for key, quests in given.items() if len(quests) != 1]
    with SqliteStore.open_reader(house.data) as reader:
        heads = {head.quest: head for head in reader.heads()}
    if len(heads) != crowd.keys:
        wrong.append(f"{len(heads)} quests for {crowd.keys} keys")
    held = {head.key: quest for quest, head in heads.items()}
    wrong += [f"{key}: {held.get(key)}" for key, ids in given.items() if {held.get(key)} != ids]
    wrong += [f"{q} is {head.status}" for q, head in heads.items() if head.status != "completed"]
    for quest, calls in calls_of(house.ledger_file).items():
        twice = Counter((call["task"], call["attempt"]) for call in calls)
        wrong += [f"{quest} {call} was called twice" for call, n in twice.items() if n > 1]
    return wrong, len(heads)


def report(outcome: Outcome) -> str:
    """For people."""
    found = outcome
    return "\n".join(
        (
            f"{found.clients} clients × {found.keys} keys over {found.kills} kills",
            f"{found.submits} answers, {found.quests} quests, {found.seconds:.0f} s",
            *(f"WRONG: {word}" for word in found.wrong[:20]),
            "one quest a key" if not found.wrong else f"{len(found.wrong)} things are wrong",
        )
    )
