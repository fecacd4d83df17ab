"""A no-op agent in a process of its own: ``python -m benchmarks.agent_process URL CAPACITY``."""

import sys

from questd.agent import Agent


def main() -> None:
    """Run until the daemon is gone or TERM."""
    url, capacity = sys.argv[1:]
    agent = Agent("bench", capacity=int(capacity))

    @agent.tool
    def noop(input: object = None) -> None:  # noqa: A002 - the implicit input's name
        """Do nothing."""

    agent.run(url)


if __name__ == "__main__":
    main()
