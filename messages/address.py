"""A task's id: ``key``, ``key[3]`` for an item (the first is 0), ``key@2`` for a later round, ``key[3]@2`` for both."""


def address_of(key: str, item: int | None = None) -> str:
    """The id of a step's task, or of one of its items."""
    return key if item is None else f"{key}[{item}]"


def step_of(address: str) -> str:
    """The step's key in a task's id."""
    return address.partition("@")[0].partition("[")[0]
