"""A foreign server that does not outlive whoever started it: ``python -m benchmarks.peers.leash COMMAND…``.

Prints the server's pid as one line of JSON. Ends the server, and what that has started, on SIGTERM and at the end of standard input:
a server knows nothing of benchmarks, and one that was killed cannot end it. Standard library only: peers' interpreters run this.
"""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress

from benchmarks.processes import end_with_parent

ORDERLY_S = 8.0
"""Less than a nursery gives the leash itself."""


def main() -> int:
    """Run the command until told to end it; its exit code."""
    signal.signal(signal.SIGTERM, _leave)
    server = subprocess.Popen(
        sys.argv[1:], stdin=subprocess.DEVNULL, stdout=sys.stderr, start_new_session=True
    )
    try:
        end_with_parent()
        print(json.dumps(server.pid), flush=True)
        return server.wait()
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        end(server)


def end(server: subprocess.Popen[bytes]) -> None:
    """Ask, then force; the group that it leads goes with it (workers whose master was killed)."""
    if server.poll() is None:
        server.terminate()
        with suppress(subprocess.TimeoutExpired):
            server.wait(ORDERLY_S)
    with suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()


def _leave(_number: int, _frame: object) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    raise SystemExit(main())
