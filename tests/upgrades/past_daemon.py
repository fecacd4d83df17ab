"""A daemon that lives in the past: ``python -m tests.upgrades.past_daemon DATA PLAN``, else as tests.system.daemon_process.

Golden journals are read on machines whose clocks differ: what they wait for must be over everywhere.
"""

import sys
import time

from questd.daemon import service
from questd.runtime.clock import SystemClock
from tests.system.daemon_process import main

BEGIN_US = 1_748_736_000_000_000
"""2025-06-01T00:00:00Z."""
_began_us = time.time_ns() // 1_000


class PastClock(SystemClock):
    """Goes as the machine's clock goes, from ``BEGIN_US`` on."""

    def now_us(self) -> int:
        return BEGIN_US + super().now_us() - _began_us


if __name__ == "__main__":
    setattr(service, "SystemClock", PastClock)  # noqa: B010 - what it imports is not its to give
    sys.exit(main())
