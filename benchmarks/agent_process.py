"""A no-op agent in a process of its own: ``python -m benchmarks.agent_process URL CAPACITY``.

Says nothing; ends on SIGTERM, and with whoever started it.
"""

import sys

from benchmarks.processes import end_with_parent
from questd.agent import Agent


def main() -> None:
    """Run until told to stop."""
    url, capacity = sys.argv[1:]
    agent = Agent("bench", capacity=int(capacity))

    @agent.tool
    def noop(input: object = None) -> None:  # noqa: A002 - the implicit input's name
        """Do nothing."""

    end_with_parent()
    agent.run(url)


if __name__ == "__main__":
    main()
