"""A daemon in a process of its own, for the benchmarks: ``python -m benchmarks.daemon_process DATA [--no-history] [--listen URL]``.

Prints one line of JSON when it can be asked: its addresses. Ends on SIGTERM, and with whoever started it.
"""

import argparse
import json
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from benchmarks.processes import end_with_parent
from questd.daemon.service import Daemon, DaemonPlan, Listener

ALARMING = ("crashed", "failed", "lost", "broke", "escalated")


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--no-history", action="store_true")
    parser.add_argument("--listen", help="a TCP address for agents, without a token: loopback only")
    given = parser.parse_args()
    listeners = (Listener(given.listen, None),) if given.listen else ()
    plan = DaemonPlan(given.data, listeners=listeners, history=not given.no_history)
    daemon = Daemon(plan, _note)

    def on_term(_number: int, _frame: FrameType | None) -> None:
        daemon.request_stop()

    signal.signal(signal.SIGTERM, on_term)
    daemon.start()
    end_with_parent()
    print(json.dumps(daemon.addresses), flush=True)
    daemon.wait()
    daemon.stop()


def _note(event: str, **fields: Any) -> None:
    if any(word in event for word in ALARMING):
        print(event, fields, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
