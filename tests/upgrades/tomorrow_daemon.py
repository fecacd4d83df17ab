"""A daemon of tomorrow: ``python -m tests.upgrades.tomorrow_daemon DATA PLAN``. Its protocol is 2, and it speaks 1 too."""

import sys

from questd.messages import exchange
from tests.system.daemon_process import main

if __name__ == "__main__":
    setattr(exchange, "PROTOCOLS_SPOKEN", range(1, 3))  # noqa: B010 - data of one place
    sys.exit(main())
