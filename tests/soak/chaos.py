"""Everything is killed while quests run and clients submit: at the end every quest is right, and nothing has grown."""

import threading
import time
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from questd.client.link import DaemonLink
from questd.messages import events as ev
from questd.messages.control import Heads, ListQuests, QuestRecords, ReadQuest
from questd.messages.definition import encode_definition
from questd.messages.heads import Head, ListFilter
from tests.soak.house import House, insist, say, submit
from tests.soak.mischief import Mischief
from tests.soak.samples import Sample, Sampler, last_life, measure, table, trend
from tests.soak.verdict import Verdict, compare_history, judge
from tests.soak.work import AGENT, LATE, Errand, errand

CLIENTS = 8
AGENTS = 3
CAPACITY = 16
OPEN = ("pending", "running", "waiting")


class Plan(Struct, frozen=True):
    """``seconds`` of mischief; in the last ``calm`` of them the daemon is spared, so that it can be seen whether it grows."""

    seconds: float
    quests: int
    gap_s: tuple[float, float] = (5.0, 40.0)
    freeze_s: tuple[float, float] = (1.0, 12.0)
    pace_s: float = 0.6
    calm: float = 0.4
    at_once: float = 0.5
    sample_s: float = 2.0
    finish_s: float = 300.0
    quiet: bool = False


class Outcome(Struct):
    """What a soak saw."""

    verdict: Verdict
    deeds: dict[str, int]
    samples: list[Sample]
    lives: int
    seconds: float
    trend: str | None = None

    @property
    def wrong(self) -> list[str]:
        return self.verdict.wrong + ([self.trend] if self.trend else [])


class Clients:
    """They submit all errands: a part at once, the others evenly over the time, each until it has heard of its quest."""

    def __init__(self, house: House, errands: Sequence[Errand], plan: Plan) -> None:
        self._house = house
        self._errands = errands
        self._plan = plan
        self._at_once = int(len(errands) * plan.at_once)
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(number,)) for number in range(CLIENTS)
        ]
        self.known: dict[str, Errand] = {}
        self.faults: list[BaseException] = []

    def start(self) -> None:
        self._began_s = time.monotonic()
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()
        if self.faults:
            raise self.faults[0]

    def abandon(self) -> None:
        self._over.set()

    def _run(self, number: int) -> None:
        link = self._house.link()
        try:
            for place in range(number, len(self._errands), CLIENTS):
                if self._over.wait(max(0.0, self._due_s(place) - time.monotonic())):
                    return
                wanted = self._errands[place]
                quest = submit(link, encode_definition(wanted.definition), wanted.key)
                self.known[quest] = wanted
        except BaseException as error:  # noqa: BLE001 - told by whoever joins
            self.faults.append(error)
        finally:
            link.close()

    def _due_s(self, place: int) -> float:
        late = max(0, place - self._at_once) / max(1, len(self._errands) - self._at_once)
        return self._began_s + late * self._plan.seconds * 0.9


def run(folder: Path, plan: Plan, seed: int = 1) -> Outcome:
    """A whole soak in this folder."""
    house = House(folder, history=True)
    try:
        return _run(house, plan, seed)
    finally:
        house.close()


def _run(house: House, plan: Plan, seed: int) -> Outcome:
    began_s = time.monotonic()
    house.begin()
    for slot in [f"{AGENT}{n}" for n in range(AGENTS)] + [LATE]:
        house.start_worker(slot, slot.rstrip("0123456789"), CAPACITY)
    errands = [errand(number, pace_s=plan.pace_s) for number in range(plan.quests)]
    clients = Clients(house, errands, plan)
    mischief = Mischief(house, seed, plan.gap_s, plan.freeze_s, quiet=plan.quiet)
    sampler = Sampler(
        plan.sample_s,
        lambda at_s: measure(house.daemon.pid, at_s, house.lives, len(clients.known)),
    )
    parts = (clients, sampler, mischief)
    for part in parts:
        part.start()
    try:
        _let_pass(plan, clients, mischief, began_s)
    finally:
        clients.abandon()
        mischief.stop()
        sampler.stop()
    clients.join()
    await_ends(house, plan)
    return _judge(house, clients, mischief, sampler.samples, began_s)


def _let_pass(plan: Plan, clients: Clients, mischief: Mischief, began_s: float) -> None:
    """Until the time is over and everything is submitted."""
    shown_s = time.monotonic()
    while time.monotonic() < began_s + plan.seconds and not clients.faults:
        time.sleep(0.05)
        passed_s = time.monotonic() - began_s
        if passed_s > plan.seconds * (1 - plan.calm):
            mischief.spare_daemon()
        if not plan.quiet and time.monotonic() - shown_s > 15:
            shown_s = time.monotonic()
            say(f"{passed_s:.0f} s: {len(clients.known)} submitted, {dict(mischief.deeds)}")
    while len(clients.known) < plan.quests and not clients.faults:
        time.sleep(0.05)


def await_ends(house: House, plan: Plan) -> None:
    """Until nothing is open; AssertionError with the first that are."""
    link, end_s = house.link(), time.monotonic() + plan.finish_s
    try:
        while True:
            asked = ListQuests(ListFilter(status=OPEN, limit=100))
            heads: Heads = insist(link, asked, Heads)
            if not heads.heads:
                return
            if time.monotonic() > end_s:
                raise AssertionError(f"still open: {stories(link, heads.heads[:5])}")
            time.sleep(0.2)
    finally:
        link.close()


def stories(link: DaemonLink, heads: Sequence[Head]) -> str:
    """Everything that is known of these quests."""
    told: list[str] = []
    for head in heads:
        found: QuestRecords = insist(link, ReadQuest(head.quest), QuestRecords)
        told += [str(head), *(f"  {each.n} {ev.decode_event(each.body)}" for each in found.records)]
    return "\n".join(told)


def _judge(
    house: House, clients: Clients, mischief: Mischief, samples: list[Sample], began_s: float
) -> Outcome:
    house.await_history()
    code = house.end_daemon()
    verdict = judge(house.data, house.ledger_file, clients.known)
    verdict.wrong += compare_history(house.data, house.folder)
    verdict.wrong += [f"the daemon's exit code was {code}"] if code else []
    settled = last_life(samples, settle_s=20.0)
    seconds = time.monotonic() - began_s
    return Outcome(verdict, dict(mischief.deeds), samples, house.lives, seconds, trend(settled))


def report(outcome: Outcome) -> str:
    """For people."""
    verdict = outcome.verdict
    deeds = ", ".join(f"{name} {count} ×" for name, count in sorted(outcome.deeds.items()))
    return "\n".join(
        (
            table(outcome.samples),
            f"{outcome.seconds:.0f} s, {outcome.lives} lives of the daemon; {deeds}",
            f"{verdict.quests} quests, {verdict.events} events, {verdict.calls} calls of tools",
            f"{verdict.attempts} attempts, {verdict.lost} lost, {verdict.refused} late ones refused",
            *(f"WRONG: {word}" for word in outcome.wrong[:20]),
            f"{len(outcome.wrong)} things are wrong" if outcome.wrong else "everything is right",
        )
    )
