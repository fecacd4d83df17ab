"""What is wrong with a document so far, and how what stands in it is said."""

from typing import Any

from questd.actors.graph.problems import At, shorten
from questd.documents.faults import Fault, fault
from questd.documents.tree import Node, Place


class _Absent:
    """Stands for a value that was refused."""


ABSENT: Any = _Absent()


class Sheet:
    """What is wrong so far, and which places have been refused already."""

    def __init__(self, settled: set[At]) -> None:
        self.faults: list[Fault] = []
        self.settled = settled

    def refuse(self, at: At, place: Place, message: str, hint: str = "") -> Any:
        """Note a fault. Gives ABSENT."""
        if at not in self.settled:
            self.settled.add(at)
            self.faults.append(fault(at, place, message, hint))
        return ABSENT


def is_nested(node: Node) -> bool:
    """Whether it is a mapping or a list, and no scalar."""
    return node.mapping is not None or node.items is not None


def say(node: Node) -> str:
    """What stands there, for a message."""
    if node.mapping is not None:
        return "a mapping"
    if node.items is not None:
        return "a list"
    if isinstance(node.value, str):
        return f"the text {shorten(node.value, 40)}"
    return shorten(node.text or "null", 40).strip('"')
