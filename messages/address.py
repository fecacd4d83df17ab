"""A task's id: ``key``, ``key[3]`` for an item (the first is 0), ``key@2`` for a later round, ``key[3]@2`` for both."""


def address_of(key: str, item: int | None = None, round: int = 1) -> str:  # noqa: A002 - the document's word
    """The id of a step's task, or of one of its items, in a round."""
    task = key if item is None else f"{key}[{item}]"
    return task if round == 1 else f"{task}@{round}"


def round_of(address: str) -> int:
    """The number of the round in a task's id."""
    return int(address.partition("@")[2] or 1)


def step_of(address: str) -> str:
    """The step's key in a task's id."""
    return address.partition("@")[0].partition("[")[0]
