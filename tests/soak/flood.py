"""Clients that submit as fast as they can, in a process of their own: ``python -m tests.soak.flood CONTROL PLAN`` (PLAN is JSON).

``clients`` threads with a link each and one submit under way; ``rate``: submits a second of all together (0: no pause); ``patient``: whether
``busy`` is waited out as it asks; ``nice``: of its priority. Prints one line a second: how many were accepted, busy, and how long the accepted ones took (µs). Each
quest that was accepted is written into ``accepted`` at once. Ends with its input.
"""

import itertools
import json
import os
import random
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from questd.messages.control import Error, Submit, Submitted, decode_reply, encode_control
from questd.messages.definition import encode_definition
from questd.messages.exchange import FRAME_MAX_BYTES
from questd.runtime.errors import Unreachable
from questd.runtime.nng import Caller
from tests.soak.work import single

ASK_S = 60.0
DEFINITIONS = 16
STEP_TAKES_S = 0.02


class Flood:
    """What all clients of this process do and see."""

    def __init__(self, control: str, plan: dict[str, Any]) -> None:
        self._control = control
        self._clients: int = plan["clients"]
        self._rate: float = plan["rate"]
        self._patient: bool = plan["patient"]
        wanted = [single(number, STEP_TAKES_S) for number in range(DEFINITIONS)]
        self._bodies = [encode_definition(one.definition) for one in wanted]
        self._accepted = os.open(plan["accepted"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._over = threading.Event()
        self._numbers = itertools.count()
        self._began_s = time.monotonic()
        self._seen: list[int] = []
        self._busy: list[int] = []
        self._faults: list[str] = []

    def run(self) -> None:
        threads = [threading.Thread(target=self._work) for _ in range(self._clients)]
        for thread in threads:
            thread.start()
        while not self._over.wait(1.0):
            self._tell()
        for thread in threads:
            thread.join()
        self._tell()

    def stop(self) -> None:
        self._over.set()

    def _tell(self) -> None:
        (seen, self._seen), (busy, self._busy) = (self._seen, []), (self._busy, [])
        line = {"took_us": seen, "busy": len(busy), "waits_ms": sorted(set(busy))}
        sys.stdout.write(json.dumps({**line, "faults": self._faults[:3]}) + "\n")
        sys.stdout.flush()

    def _turns(self) -> Iterator[int]:
        """The number of each submit, when its time has come."""
        for number in self._numbers:
            if self._over.is_set():
                return
            if self._rate:
                due_s = self._began_s + number / self._rate
                self._over.wait(max(0.0, due_s - time.monotonic()))
            yield number

    def _work(self) -> None:
        caller = Caller(self._control, frame_max=FRAME_MAX_BYTES)
        chance = random.Random()
        try:
            for number in self._turns():
                key = f"{os.getpid()}-{number}"
                body = self._bodies[chance.randrange(DEFINITIONS)]
                self._submit(caller, encode_control(Submit(body, key=key)))
        except Exception as error:  # noqa: BLE001 - told to whoever started it
            self._faults.append(repr(error))
        finally:
            caller.close()

    def _submit(self, caller: Caller, request: bytes) -> None:
        began_ns = time.perf_counter_ns()
        try:
            reply = decode_reply(caller.request(request, ASK_S))
        except Unreachable as error:
            self._faults.append(repr(error))
            return
        match reply:
            case Submitted(quest):
                os.write(self._accepted, f"{quest}\n".encode())
                self._seen.append((time.perf_counter_ns() - began_ns) // 1_000)
            case Error("busy", _, int(wait_ms)):
                self._busy.append(wait_ms)
                if self._patient:
                    self._over.wait(wait_ms / 1_000)
            case _:
                self._faults.append(repr(reply))


def main() -> None:
    control, text = sys.argv[1:]
    plan = json.loads(text)
    os.nice(plan.get("nice", 0))
    flood = Flood(control, plan)

    def watch() -> None:
        while os.read(0, 1024):
            pass
        flood.stop()

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
    flood.run()


if __name__ == "__main__":
    main()
