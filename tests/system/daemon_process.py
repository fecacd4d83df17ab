"""A daemon in a process of its own: ``python -m tests.system.daemon_process DATA PLAN`` (PLAN is JSON).

Prints one line of JSON when it can be asked: its addresses. Its log goes to standard error, an object a line. Ends as
``quest serve`` does, and at once, without a goodbye, when whoever started it is gone.
"""

import json
import resource
import signal
import sys
from pathlib import Path
from typing import Any

from questd.actors.house import Limits
from questd.daemon.notes import note_writer
from questd.daemon.service import Daemon, DaemonPlan, Listener
from questd.runtime.clock import SystemClock
from questd.runtime.errors import QuestdError
from questd.settings import AgentSettings
from tests.system.parent import die_with_parent

EXIT_REFUSED = 7
ROOT = Path(__file__).resolve().parents[2]


note = note_writer(SystemClock(), as_json=True)


def plan_of(data: str, given: dict[str, Any]) -> DaemonPlan:
    listeners = tuple(Listener(url, token) for url, token in given.get("listen", ()))
    return DaemonPlan(
        Path(data),
        limits=Limits(**given.get("limits", {})),
        listeners=listeners,
        history=given.get("history", False),
        agents=tuple(AgentSettings(folder=ROOT, **agent) for agent in given.get("agents", ())),
        drain_s=given.get("drain_s", 10.0),
    )


def main() -> int:
    data, text = sys.argv[1:]
    given = json.loads(text)
    die_with_parent()
    if "file_bytes" in given:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (given["file_bytes"],) * 2)
    if "descriptors" in given:
        resource.setrlimit(resource.RLIMIT_NOFILE, (given["descriptors"],) * 2)
    daemon = Daemon(plan_of(data, given), note)
    signal.signal(signal.SIGTERM, lambda _number, _frame: daemon.request_stop())
    try:
        daemon.start()
    except QuestdError as error:
        note("daemon.refused", error=str(error))
        return EXIT_REFUSED
    sys.stdout.write(json.dumps(daemon.addresses) + "\n")
    sys.stdout.flush()
    code = daemon.wait()
    daemon.stop()
    return code or 0


if __name__ == "__main__":
    sys.exit(main())
