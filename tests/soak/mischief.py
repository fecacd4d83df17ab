"""Who kills and freezes: one thread for each kind of victim, at random moments."""

import contextlib
import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable

from tests.soak.house import House, frozen, say
from tests.soak.work import LATE

FREEZE = 0.3
"""How often the victim is frozen instead of killed; the first of its kind is always killed."""


class Mischief:
    """``gap_s``: between two deeds on one kind of victim. ``freeze_s``: how long one is frozen (the lease is 5 s)."""

    def __init__(
        self,
        house: House,
        seed: int,
        gap_s: tuple[float, float],
        freeze_s: tuple[float, float],
        *,
        quiet: bool = False,
    ) -> None:
        self._house = house
        self._gap_s = gap_s
        self._freeze_s = freeze_s
        self._quiet = quiet
        self._chance = random.Random(seed)
        self._over = threading.Event()
        self._spare_daemon = threading.Event()
        self.deeds: Counter[str] = Counter()
        self.faults: list[BaseException] = []
        deeds = (self._harm_daemon, self._harm_historian, self._harm_agent)
        self._threads = [threading.Thread(target=self._run, args=(deed,)) for deed in deeds]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def spare_daemon(self) -> None:
        """From now on only the others are harmed; this daemon's memory is looked at."""
        self._spare_daemon.set()

    def stop(self) -> None:
        """Everything lives again when this returns."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        if self.faults:
            raise self.faults[0]

    def _run(self, deed: Callable[[], str]) -> None:
        try:
            while not self._over.wait(self._chance.uniform(*self._gap_s)):
                done = deed()
                if done:
                    self.deeds[done] += 1
                    if not self._quiet:
                        say(done)
        except BaseException as error:  # noqa: BLE001 - told by whoever joins
            self.faults.append(error)

    def _freezes(self, victim: str) -> bool:
        return self._chance.random() < FREEZE and self.deeds[f"{victim} killed"] > 0

    def _wait_frozen(self) -> None:
        self._over.wait(self._chance.uniform(*self._freeze_s))

    def _harm_daemon(self) -> str:
        if self._spare_daemon.is_set():
            return ""
        if self._freezes("daemon"):
            frozen(self._house.daemon.pid, self._wait_frozen)
            return "daemon frozen"
        with self._house.lock:
            self._house.begin_again()
        return "daemon killed"

    def _harm_historian(self) -> str:
        pid = self._house.historian()
        if pid is None:
            return ""
        if self._freezes("historian"):
            with contextlib.suppress(ProcessLookupError):
                frozen(pid, self._wait_frozen)
            return "historian frozen"
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return "historian killed"

    def _harm_agent(self) -> str:
        slot = self._chance.choice(list(self._house.agents))
        agent = self._house.agents[slot]
        if slot != LATE and self._freezes("agent"):
            frozen(agent.pid, self._wait_frozen)
            return "agent frozen"
        agent.kill()
        agent.wait()
        away_s = self._chance.uniform(*self._freeze_s) if slot == LATE else 0.0
        self._over.wait(away_s)
        with self._house.lock:
            self._house.start_worker(slot, slot.rstrip("0123456789"), 16)
        return "agent killed"
