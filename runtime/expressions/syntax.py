"""The tree of an expression: one small class a form, nothing else.

``offset`` counts in the text the expression stands in. A tree holds only what the language allows, and is bounded (``cursor``), so
whoever walks it checks nothing again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, assert_never

from questd.runtime.expressions.names import Reference, Values


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal, or a filter's argument that was not given."""

    constant: Any

    def value(self, _values: Values) -> Any:
        """The literal itself."""
        return self.constant


Leaf = Reference | Constant


@dataclass(frozen=True, slots=True)
class Member:
    """``subject[part]`` where that is no fixed path."""

    subject: "Node"
    part: "Node"
    offset: int


@dataclass(frozen=True, slots=True)
class Apply:
    """An operation of ours on values: most operators, every filter, test and function."""

    operation: Callable[..., Any]
    operands: tuple["Node", ...]
    offset: int


@dataclass(frozen=True, slots=True)
class Native:
    """An operator that MiniJinja evaluates: ``and or not`` and arithmetic. One operand: ``not`` and minus."""

    operator: str
    operands: tuple["Node", ...]
    offset: int


@dataclass(frozen=True, slots=True)
class Choice:
    """``then if condition else otherwise``. ``otherwise`` None: only at the top, where text prints nothing then."""

    condition: "Node"
    then: "Node"
    otherwise: "Node | None"
    offset: int


@dataclass(frozen=True, slots=True)
class Default:
    """``subject|default(fallback)``: the fallback where nothing is; ``also_false``: where nothing true is."""

    subject: "Node"
    fallback: "Node"
    also_false: bool
    offset: int


@dataclass(frozen=True, slots=True)
class Defined:
    """``subject is defined``."""

    subject: "Node"
    offset: int


Node = Reference | Constant | Member | Apply | Native | Choice | Default | Defined


def children(node: Node) -> tuple[Node, ...]:
    """The nodes right below."""
    match node:
        case Reference() | Constant():
            return ()
        case Member():
            return (node.subject, node.part)
        case Apply() | Native():
            return node.operands
        case Choice():
            always = (node.condition, node.then)
            return always if node.otherwise is None else (*always, node.otherwise)
        case Default():
            return (node.subject, node.fallback)
        case Defined():
            return (node.subject,)
    assert_never(node)


def references(node: Node) -> set[Reference]:
    """All that the tree names."""
    if isinstance(node, Reference):
        return {node}
    found: set[Reference] = set()
    for child in children(node):
        found |= references(child)
    return found
