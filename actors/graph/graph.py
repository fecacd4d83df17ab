"""The dependency graph of a quest: order, execution levels, ancestors, cycles.

Pure and iterative: a chain of 10,000 steps is neither a recursion nor a matrix. Nodes are numbered
in document order and every answer is in that order. It knows keys and edges, and nothing of what a
step does.

Kahn's algorithm: A. B. Kahn, "Topological sorting of large networks", CACM 5 (11), 1962.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property
from heapq import heapify, heappop, heappush

from questd.messages.definition import StepDefinition


class Graph:
    """Steps by number, and who needs whom.

    Unknown keys, self dependencies and repeated ones are left out.

    Of steps with the same key only the first has dependents.
    """

    def __init__(self, keys: Sequence[str], dependencies: Sequence[Iterable[str]]) -> None:
        self.keys = tuple(keys)
        self.numbers: dict[str, int] = {}
        for number, key in enumerate(keys):
            self.numbers.setdefault(key, number)
        self.needs = tuple(
            self._numbers_of(number, wanted) for number, wanted in enumerate(dependencies)
        )

    def _numbers_of(self, own: int, wanted: Iterable[str]) -> tuple[int, ...]:
        numbers = dict.fromkeys(self.numbers[key] for key in wanted if key in self.numbers)
        numbers.pop(own, None)
        return tuple(numbers)

    @cached_property
    def needed_by(self) -> tuple[tuple[int, ...], ...]:
        """Per node, the nodes that depend on it."""
        dependents: list[list[int]] = [[] for _ in self.keys]
        for number, needed in enumerate(self.needs):
            for other in needed:
                dependents[other].append(number)
        return tuple(map(tuple, dependents))

    @cached_property
    def order(self) -> tuple[int, ...]:
        """Topological order, earliest in the document first.

        Nodes on a cycle, or behind one, are absent.
        """
        missing = [len(needed) for needed in self.needs]
        ready = [number for number, count in enumerate(missing) if count == 0]
        heapify(ready)
        order: list[int] = []
        while ready:
            number = heappop(ready)
            order.append(number)
            for dependent in self.needed_by[number]:
                missing[dependent] -= 1
                if missing[dependent] == 0:
                    heappush(ready, dependent)
        return tuple(order)

    @cached_property
    def levels(self) -> tuple[tuple[int, ...], ...]:
        """Execution levels: a node stands one level after the last of those it needs."""
        level_of: dict[int, int] = {}
        levels: list[list[int]] = []
        for number in self.order:
            level = 1 + max((level_of[other] for other in self.needs[number]), default=-1)
            level_of[number] = level
            if level == len(levels):
                levels.append([])
            levels[level].append(number)
        return tuple(tuple(sorted(level)) for level in levels)

    @cached_property
    def sinks(self) -> tuple[int, ...]:
        """Nodes that nothing depends on."""
        return tuple(n for n, dependents in enumerate(self.needed_by) if not dependents)

    @cached_property
    def _ancestor_bits(self) -> tuple[int, ...]:
        # One int a node, a bit an ancestor: 12 MB for 10,000 nodes at worst, where sets take gigabytes.
        bits = [0] * len(self.keys)
        for number in self.order:
            own = 0
            for other in self.needs[number]:
                own |= bits[other] | (1 << other)
            bits[number] = own
        return tuple(bits)

    def is_ancestor(self, ancestor: int, of: int) -> bool:
        """Whether a path of dependencies leads from ``of`` to ``ancestor``.

        Always false for nodes on a cycle or behind one.
        """
        return bool(self._ancestor_bits[of] >> ancestor & 1)

    def ancestors(self, number: int) -> frozenset[int]:
        """Every node that must be done before this one."""
        seen: set[int] = set()
        pending = list(self.needs[number])
        while pending:
            other = pending.pop()
            if other not in seen:
                seen.add(other)
                pending.extend(self.needs[other])
        return frozenset(seen)

    def descendants(self, number: int) -> frozenset[int]:
        """Every node that can only start after this one."""
        seen: set[int] = set()
        pending = list(self.needed_by[number])
        while pending:
            other = pending.pop()
            if other not in seen:
                seen.add(other)
                pending.extend(self.needed_by[other])
        return frozenset(seen)

    def cycles(self) -> list[tuple[str, ...]]:
        """One cycle for each knot of the graph, as keys.

        ("a", "b", "c", "a") says that a needs b, b needs c, and c needs a.
        """
        unordered = set(range(len(self.keys))).difference(self.order)
        left = {n: [o for o in self.needs[n] if o in unordered] for n in sorted(unordered)}
        return [self._named(cycle) for cycle in _knots(left)]

    def _named(self, cycle: Sequence[int]) -> tuple[str, ...]:
        start = cycle.index(min(cycle))
        turned = [*cycle[start:], *cycle[:start]]
        return tuple(self.keys[number] for number in [*turned, turned[0]])


def _knots(edges: dict[int, list[int]]) -> list[list[int]]:
    """Depth-first search over what Kahn left: a back edge closes a cycle.

    It is told if no node of it is in another already.
    """
    unseen = dict.fromkeys(edges)
    told: set[int] = set()
    found: list[list[int]] = []
    while unseen:
        root = next(iter(unseen))
        del unseen[root]
        path, place, untried = [root], {root: 0}, [iter(edges[root])]
        while path:
            other = next(untried[-1], None)
            if other is None:
                del place[path.pop()]
                untried.pop()
            elif other in unseen:
                del unseen[other]
                place[other] = len(path)
                path.append(other)
                untried.append(iter(edges[other]))
            elif other in place and other not in told and path[-1] not in told:
                cycle = path[place[other] :]
                if told.isdisjoint(cycle):
                    found.append(cycle)
                told.update(cycle)
    return found


def graph_of(steps: Sequence[StepDefinition]) -> Graph:
    """The graph of a definition's steps."""
    return Graph([step.key for step in steps], [step.dependencies for step in steps])
