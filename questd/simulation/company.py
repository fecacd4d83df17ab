"""Which attempts of a quest may run beside each other: said by the journal alone."""

from collections.abc import Callable

from questd.simulation.accounts import Account


def check_company(
    account: Account, where: str, expect: Callable[[bool, str], None], *, exclusive: bool
) -> None:
    """One more begins: an exclusive task runs alone, and a quest's limit is kept."""
    running = [account.steps[task] for task in account.running.values()]
    alone = exclusive or any(not step.parallel for step in running)
    expect(not (running and alone), f"{where}: an exclusive task does not run alone")
    over = account.limit is not None and len(running) >= account.limit
    expect(not over, f"{where}: more than {account.limit} tasks at once")
