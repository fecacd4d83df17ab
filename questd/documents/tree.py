"""The tree of a text: plain values, each with the line and column where it stands.

Two readers (YAML, JSON) tell a ``TreeBuilder`` what they meet; it keeps what is said of both: text
keys, none twice, plain JSON data only, and bounded depth, nodes and characters, counted with
aliases expanded. It never recurses. It knows nothing of quests.
"""

from typing import Any, cast

from msgspec import Struct

from questd.actors.graph.plain import fault_of
from questd.actors.graph.problems import At, shorten
from questd.documents.faults import Fault, fault

DEPTH_MAX = 100
NODES_MAX = 1_000_000
EXPANDED_CHARACTERS_MAX = 16 * 1024 * 1024
_FAULTS_MAX = 1_000

Place = tuple[int, int]
"""(line, column), counted from 1."""


class Node(Struct, gc=False):
    """``value``: a scalar, a list of nodes, or nodes by key. ``text``: how a scalar was written.

    ``keys``: where each key stands.
    """

    value: Any
    place: Place
    text: str = ""
    keys: dict[str, Place] = {}

    @property
    def mapping(self) -> "dict[str, Node] | None":
        """The nodes by key, if it is a mapping."""
        return cast("dict[str, Node]", self.value) if isinstance(self.value, dict) else None

    @property
    def items(self) -> "list[Node] | None":
        """The nodes in order, if it is a list."""
        return cast("list[Node]", self.value) if isinstance(self.value, list) else None


class Unreadable(Exception):
    """Reading cannot go on; the fault says why. ``before``: faults that were found until then."""

    def __init__(self, found: Fault) -> None:
        super().__init__(str(found))
        self.fault = found
        self.before: list[Fault] = []


class _Frame(Struct):
    """An open list or mapping.

    ``key``: the key whose value comes next; ``awaits_key``: a key comes next.
    """

    node: Node
    is_mapping: bool
    anchor: str | None
    nodes_before: int
    characters_before: int
    awaits_key: bool = False
    key: str | None = None
    height: int = 1


class _Anchored(Struct):
    """What an alias stands for, and what it costs when expanded.

    ``node`` is None while it is still open.
    """

    node: Node | None = None
    nodes: int = 0
    characters: int = 0
    height: int = 0


class TreeBuilder:
    """Told in the order of the text.

    ``root`` is the finished tree; ``faults`` did not stop the reading.
    """

    def __init__(self) -> None:
        self.root: Node | None = None
        self.faults: list[Fault] = []
        self.settled: set[At] = set()
        self._open: list[_Frame] = []
        self._anchors: dict[str, _Anchored] = {}
        self._nodes = 0
        self._characters = 0

    def scalar(self, value: Any, text: str, place: Place, anchor: str | None = None) -> None:
        """A text, number, boolean or null."""
        self._count(1, len(text), place)
        frame = self._open[-1] if self._open else None
        if frame is not None and frame.awaits_key:
            self._key(frame, value, text, place)
        else:
            if message := fault_of(value):
                self.refuse(place, message)
                value = None
            self._put(Node(value, place, text))
        if anchor is not None:
            self._anchors[anchor] = _Anchored(Node(value, place, text), 1, len(text))

    def open(self, place: Place, *, mapping: bool, anchor: str | None = None) -> None:
        """A list or a mapping begins."""
        if len(self._open) >= DEPTH_MAX:
            raise Unreadable(fault(self._at(), place, f"is nested deeper than {DEPTH_MAX}"))
        self._count(1, 0, place)
        node = Node({} if mapping else [], place)
        before = self._nodes - 1, self._characters
        self._open.append(_Frame(node, mapping, anchor, *before, awaits_key=mapping))
        if anchor is not None:
            self._anchors[anchor] = _Anchored()

    def close(self) -> None:
        """The list or mapping that was opened last ends."""
        frame = self._open.pop()
        if frame.anchor is not None:
            nodes = self._nodes - frame.nodes_before
            characters = self._characters - frame.characters_before
            anchored = _Anchored(frame.node, nodes, characters, frame.height)
            self._anchors[frame.anchor] = anchored
        parent = self._open[-1] if self._open else None
        if parent is not None:
            parent.height = max(parent.height, frame.height + 1)
            if parent.awaits_key:
                self._key(parent, frame.node.value, "", frame.node.place)
                return
        self._put(frame.node)

    def alias(self, name: str, place: Place) -> None:
        """The same again as what stands at the anchor."""
        meant = self._anchors.get(name)
        if meant is None:
            raise Unreadable(fault(self._at(), place, f"the alias *{name} has no anchor"))
        if meant.node is None:
            raise Unreadable(fault(self._at(), place, f"the alias *{name} contains itself"))
        self._count(meant.nodes, meant.characters, place)
        if len(self._open) + meant.height > DEPTH_MAX:
            raise Unreadable(fault(self._at(), place, f"is nested deeper than {DEPTH_MAX}"))
        frame = self._open[-1]
        frame.height = max(frame.height, meant.height + 1)
        if frame.awaits_key:
            self._key(frame, meant.node.value, meant.node.text, place)
        else:
            self._put(meant.node)

    def refuse(self, place: Place, message: str, hint: str = "") -> None:
        """A fault at what comes next; reading goes on."""
        at = self._at()
        self.settled.add(at)
        if len(self.faults) >= _FAULTS_MAX:
            raise Unreadable(fault(at, place, "there are too many faults to go on"))
        self.faults.append(fault(at, place, message, hint))

    def _key(self, frame: _Frame, key: Any, text: str, place: Place) -> None:
        frame.awaits_key = False
        frame.key = None
        if not isinstance(key, str):
            self._refuse_key(place, key, text)
        elif message := fault_of(key):
            self.refuse(place, f"a key {message}")
        elif key in frame.node.keys:
            frame.key = key
            first = frame.node.keys[key]
            self.refuse(
                place, f"the key {shorten(key)} stands here twice", f"first on line {first[0]}"
            )
            frame.key = None
        else:
            frame.key = key
            frame.node.keys[key] = place

    def _refuse_key(self, place: Place, key: Any, text: str) -> None:
        kind = "a list or mapping" if isinstance(key, dict | list) else text or "null"
        hint = "" if isinstance(key, dict | list) else f'write "{text}"'
        self.refuse(place, f"a key must be text, not {kind}", hint)

    def _put(self, node: Node) -> None:
        if not self._open:
            self.root = node
            return
        frame = self._open[-1]
        if not frame.is_mapping:
            frame.node.value.append(node)
            return
        if frame.key is not None:
            frame.node.value[frame.key] = node
        frame.key = None
        frame.awaits_key = True

    def _count(self, nodes: int, characters: int, place: Place) -> None:
        self._nodes += nodes
        self._characters += characters
        if self._nodes > NODES_MAX:
            message = f"the document has more than {NODES_MAX} values, aliases expanded"
            raise Unreadable(fault((), place, message))
        if self._characters > EXPANDED_CHARACTERS_MAX:
            message = (
                f"the document has more than {EXPANDED_CHARACTERS_MAX} characters, aliases expanded"
            )
            raise Unreadable(fault((), place, message))

    def _at(self) -> At:
        parts: list[str | int] = []
        for frame in self._open:
            if not frame.is_mapping:
                parts.append(len(frame.node.value))
            elif frame.key is not None:
                parts.append(frame.key)
        return tuple(parts)


def plain(node: Node) -> Any:
    """The value without its places. Depth is bounded by ``DEPTH_MAX``, so this may recurse."""
    if (mapping := node.mapping) is not None:
        return {key: plain(inner) for key, inner in mapping.items()}
    if (items := node.items) is not None:
        return [plain(inner) for inner in items]
    return node.value


def place_of(root: Node, at: At) -> Place:
    """Where it stands, or else the nearest thing around it that does."""
    return _nearest(root, at).place


def keys_at(root: Node, at: At) -> dict[str, Place]:
    """Where each key of the mapping at that place stands."""
    return _nearest(root, at).keys


def _nearest(root: Node, at: At) -> Node:
    node = root
    for part in at:
        found = _inside(node, part)
        if found is None:
            break
        node = found
    return node


def _inside(node: Node, part: str | int) -> Node | None:
    if isinstance(part, str):
        return (node.mapping or {}).get(part)
    items = node.items or []
    return items[part] if part < len(items) else None
