"""Clients that submit, in a process of their own: ``python -m benchmarks.client_process CONTROL DEFINITION COUNT CLIENTS``.

Each client is a thread with a link of its own and one submit under way. Prints ``"ready"``, waits for a line, submits, and prints when
it began and ended (wall clock, µs), how many it submitted, how often the daemon was busy, and each submit's time.
"""

import argparse
import itertools
import json
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from questd.messages.control import Error, Submit, Submitted, decode_reply, encode_control
from questd.messages.exchange import FRAME_MAX_BYTES
from questd.messages.payload import EMPTY_OBJECT
from questd.runtime.nng import Caller

TIMEOUT_S = 60.0


class Clients:
    """Submit ``count`` quests of one definition, through ``clients`` links."""

    def __init__(self, control: str, definition: bytes, count: int, clients: int) -> None:
        self._numbers = iter(range(count))
        self._request = encode_control(Submit(definition, EMPTY_OBJECT))
        self._callers = [Caller(control, frame_max=FRAME_MAX_BYTES) for _ in range(clients)]
        self._busy = itertools.count()
        self.taken_us: list[int] = []
        self.faults: list[str] = []

    def run(self) -> dict[str, object]:
        """Submit them all."""
        threads = [threading.Thread(target=self._work, args=(link,)) for link in self._callers]
        began_us = now_us()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return {
            "began_us": began_us,
            "ended_us": now_us(),
            "submitted": len(self.taken_us),
            "busy": next(self._busy),
            "taken_us": self.taken_us,
            "faults": self.faults[:3],
        }

    def _work(self, caller: Caller) -> None:
        try:
            for _ in self._mine():
                began = time.perf_counter_ns()
                self._submit(caller)
                self.taken_us.append((time.perf_counter_ns() - began) // 1_000)
        except Exception as error:  # noqa: BLE001 - told to the benchmark, which fails by it
            self.faults.append(repr(error))

    def _mine(self) -> Iterator[int]:
        # next() of a range's iterator is one step of the interpreter: no two threads get the same number.
        return self._numbers

    def _submit(self, caller: Caller) -> None:
        while True:
            reply = decode_reply(caller.request(self._request, TIMEOUT_S))
            match reply:
                case Submitted():
                    return
                case Error("busy"):
                    next(self._busy)
                    time.sleep((reply.retry_after_ms or 100) / 1_000)
                case _:
                    raise RuntimeError(f"a submit was answered {reply}")


def now_us() -> int:
    """Wall time in microseconds."""
    return time.time_ns() // 1_000


def main() -> None:
    """Get ready, wait for the word, submit, report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("control")
    parser.add_argument("definition", type=Path)
    parser.add_argument("count", type=int)
    parser.add_argument("clients", type=int)
    given = parser.parse_args()
    clients = Clients(given.control, given.definition.read_bytes(), given.count, given.clients)
    print(json.dumps("ready"), flush=True)
    if sys.stdin.readline():
        print(json.dumps(clients.run()), flush=True)


if __name__ == "__main__":
    main()
