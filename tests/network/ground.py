"""A place whose agents reach their daemon over a bad network, and what a test may ask of daemon and journal there."""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

from questd.messages import events as ev
from tests.system.place import Place, Process, until

TOKEN = "a-token-of-these-tests"
SCALE = int(os.environ.get("NETWORK_SCALE", "1"))
"""``make network`` tries the same with more."""
LIMITS = {
    "hold_s": 0.4,
    "lease_s": 2.0,
    "closed_pipe_s": 1.0,
    "reattach_grace_s": 3.0,
    "rest_after_s": 0.5,
}
NOTHING: dict[str, Any] = {}
HOLD = {"hold": True}
SWALLOW = {"swallow": True}


class BadNetwork:
    """The proxy: tells it what to do; each answer is its counts so far."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.url = f"tcp://127.0.0.1:{json.loads(process.line())['port']}"

    def do(self, what: str, **how: Any) -> Counter[str]:
        pipe = self._process.popen.stdin
        assert pipe is not None
        pipe.write(json.dumps({"do": what, **how}).encode() + b"\n")
        pipe.flush()
        return Counter(json.loads(self._process.line()))

    def counts(self) -> Counter[str]:
        return self.do("counts")

    def rules(self, links: str = "all", **how: Any) -> Counter[str]:
        return self.do("rules", links=links, **how)

    def partition(self) -> None:
        """Nothing passes; nobody is told."""
        self.rules(up=HOLD, down=HOLD)

    def heal(self) -> None:
        """What was held arrives, and everything after it."""
        self.rules(up=NOTHING, down=NOTHING)


class Ground(Place):
    """A place whose daemon listens on TCP. ``far``: the address of that door, not through the network."""

    def begin(self, **plan: Any) -> Process:
        """Start the daemon."""
        limits = {**LIMITS, **plan.pop("limits", {})}
        return self.start_daemon(listen=[["tcp://127.0.0.1:0", TOKEN]], limits=limits, **plan)

    @property
    def far(self) -> str:
        return self.addresses["exchange_tcp_0"]

    def network(self, seed: str = "1") -> BadNetwork:
        """One more network in front of the daemon's TCP door; ``bytes``: it knows no frames."""
        host, port = self.far.rpartition("//")[2].split(":")
        return BadNetwork(self._start("tests.network.proxy", [host, port, seed], "network", {}))

    def far_agent(self, url: str, **env: str) -> Process:
        """The worker, by TCP."""
        token = self.folder / "token"
        if not token.exists():
            token.write_text(TOKEN)
            token.chmod(0o600)
        return self.start_agent(url, QUESTD_TOKEN_FILE=str(token), **env)

    def crowd(self, url: str, *arguments: str) -> Process:
        """Hundreds of agents in one process."""
        return self._start("tests.network.crowd", [url, TOKEN, *arguments], "crowd", self.agent_env)

    def counted(self, quest: str) -> Counter[str]:
        """The quest's events by kind."""
        return Counter(self.kinds(quest))

    def refusals(self, quest: str) -> list[ev.AttemptRefused]:
        return [event for event in self.events(quest) if isinstance(event, ev.AttemptRefused)]

    def await_descriptors(self, at_most: int) -> int:
        """Until the daemon has no more of them than that."""

        def few() -> int | None:
            count = descriptors(self.daemon)
            return count if count <= at_most else None

        return until(f"the daemon has {at_most} descriptors again", few)


def descriptors(process: Process) -> int:
    """How many it has open. Linux only."""
    return sum(1 for _ in Path(f"/proc/{process.pid}/fd").iterdir())


def resident_bytes(process: Process) -> int:
    """How much memory it has. Linux only."""
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def most_resident_bytes(process: Process) -> int:
    """How much memory it had at most. Linux only."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    (most,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(most) * 1_024
