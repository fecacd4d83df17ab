"""A daemon in a process of its own, for the benchmarks: ``python -m benchmarks.daemon_process DATA [--no-history]``.

Prints one line of JSON when it can be asked: its addresses. Ends on SIGTERM.
"""

import json
import signal
import sys
from pathlib import Path
from typing import Any

from questd.daemon.service import Daemon, DaemonPlan


def main() -> None:
    """Serve until told to stop."""
    data, *options = sys.argv[1:]
    daemon = Daemon(DaemonPlan(Path(data), history="--no-history" not in options), _silent)
    daemon.start()
    signal.signal(signal.SIGTERM, lambda *_: daemon.request_stop())
    print(json.dumps(daemon.addresses), flush=True)
    daemon.wait()
    daemon.stop()


def _silent(event: str, **fields: Any) -> None:
    if "crashed" in event or "failed" in event or "lost" in event or "broke" in event:
        print(event, fields, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
