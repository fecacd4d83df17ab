"""The golden agent as tomorrow's SDK would run it: its protocol is 2. ``python -m tests.upgrades.tomorrow_worker URL``."""

import sys

from questd.messages import exchange

exchange.PROTOCOL_VERSION = 2

if __name__ == "__main__":
    from tests.system.parent import die_with_parent
    from tests.upgrades.worker import agent

    die_with_parent()
    agent.run(sys.argv[1])
