"""A daemon in a process of its own: ``python -m tests.protocol.daemon_process DATA [TOKEN]``.

Prints its addresses as one line of JSON when it can be asked; ends on SIGTERM, or when its standard input ends.
With TOKEN it also listens on a free TCP port of the loopback, where agents must show it.
"""

import json
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from questd.actors.house import Limits
from questd.daemon.service import Daemon, DaemonPlan, Listener

HOLD_S = 0.8
LIMITS = Limits(
    rest_after_s=0.2, hold_s=HOLD_S, lease_s=3.0, closed_pipe_s=0.5, reattach_grace_s=2.0
)


def main() -> None:
    data, *token = sys.argv[1:]
    listeners = tuple(Listener("tcp://127.0.0.1:0", secret) for secret in token)
    daemon = Daemon(DaemonPlan(Path(data), LIMITS, listeners, drain_s=1.0), _note)
    daemon.start()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        daemon.request_stop()

    signal.signal(signal.SIGTERM, on_signal)
    threading.Thread(target=_watch_parent, args=(daemon,), daemon=True).start()
    sys.stdout.write(json.dumps(daemon.addresses) + "\n")
    sys.stdout.flush()
    daemon.wait()
    daemon.stop()


def _watch_parent(daemon: Daemon) -> None:
    while os.read(0, 4_096):
        continue
    daemon.request_stop()


def _note(event: str, **fields: Any) -> None:
    sys.stderr.write(f"{event} {fields}\n")


if __name__ == "__main__":
    main()
