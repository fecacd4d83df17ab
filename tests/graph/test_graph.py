"""Order, levels, ancestors, cycles."""

import time
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from questd.actors.graph import Graph

Edges = dict[str, list[str]]


def graph(edges: Edges) -> Graph:
    return Graph(list(edges), list(edges.values()))


def keys(g: Graph, numbers: tuple[int, ...]) -> list[str]:
    return [g.keys[n] for n in numbers]


@st.composite
def acyclic(draw: st.DrawFn) -> Edges:
    size = draw(st.integers(1, 25))
    shuffled = draw(st.permutations([f"k{n}" for n in range(size)]))
    edges: Edges = {f"k{n}": [] for n in range(size)}
    for place, key in enumerate(shuffled):
        if place:
            before = st.sampled_from(shuffled[:place])
            edges[key] = draw(st.lists(before, max_size=4, unique=True))
    return edges


def test_levels_and_order_follow_the_document() -> None:
    g = graph({"d": ["b", "c"], "c": ["a"], "a": [], "b": ["a"], "e": []})
    assert [keys(g, level) for level in g.levels] == [["a", "e"], ["c", "b"], ["d"]]
    assert keys(g, g.order) == ["a", "c", "b", "d", "e"]
    assert keys(g, g.sinks) == ["d", "e"]


def test_unknown_repeated_and_self_dependencies_are_no_edges() -> None:
    g = graph({"a": ["a", "ghost"], "b": ["a", "a"]})
    assert g.needs == ((), (0,))


def test_a_cycle_is_named_from_its_first_step() -> None:
    g = graph({"x": [], "a": ["b", "x"], "b": ["c"], "c": ["a"], "behind": ["c"]})
    assert g.cycles() == [("a", "b", "c", "a")]
    assert keys(g, g.order) == ["x"]


def test_every_knot_tells_one_cycle() -> None:
    g = graph({"a": ["b"], "b": ["a"], "c": ["d", "a"], "d": ["e"], "e": ["c", "d"]})
    assert g.cycles() == [("a", "b", "a"), ("c", "d", "e", "c")]


@given(acyclic())
def test_every_step_comes_after_all_it_needs(edges: Edges) -> None:
    g = graph(edges)
    place = {n: i for i, n in enumerate(g.order)}
    level = {n: i for i, numbers in enumerate(g.levels) for n in numbers}
    assert sorted(g.order) == list(range(len(edges)))
    assert g.cycles() == []
    for number, needed in enumerate(g.needs):
        assert all(place[other] < place[number] for other in needed)
        assert level[number] == max((level[o] + 1 for o in needed), default=0)


@given(acyclic())
def test_ancestors_agree_however_they_are_asked(edges: Edges) -> None:
    g = graph(edges)
    for number in range(len(edges)):
        found = {other for other in range(len(edges)) if g.is_ancestor(other, number)}
        assert found == g.ancestors(number)
        assert all(number in g.descendants(other) for other in found)


@given(acyclic(), st.data())
def test_a_closed_loop_is_always_found(edges: Edges, data: st.DataObject) -> None:
    g = graph(edges)
    last = g.order[-1]
    first = data.draw(st.sampled_from(sorted({last, *g.ancestors(last)})))
    if first == last:
        return
    edges[g.keys[first]] = [*edges[g.keys[first]], g.keys[last]]
    found = graph(edges).cycles()
    assert found
    for cycle in found:
        assert cycle[0] == cycle[-1]
        assert all(after in edges[key] for key, after in pairwise(cycle))


def test_ten_thousand_steps_in_a_row_are_no_recursion() -> None:
    size = 10_000
    g = Graph([f"s{n}" for n in range(size)], [[f"s{n - 1}"] if n else [] for n in range(size)])
    assert len(g.levels) == size
    assert g.is_ancestor(0, size - 1)
    assert len(g.ancestors(size - 1)) == size - 1
    closed = Graph([f"s{n}" for n in range(size)], [[f"s{n - 1}"] for n in range(1, size)] + [[]])
    assert closed.cycles() == []
    ring = Graph([f"s{n}" for n in range(size)], [[f"s{(n + 1) % size}"] for n in range(size)])
    assert len(ring.cycles()[0]) == size + 1


def test_a_dense_knot_is_named_quickly() -> None:
    size = 2_000
    names = [f"s{n}" for n in range(size)]
    edges = [[names[n - 1], names[(n * 7 + 3) % size], names[(n + 1) % size]] for n in range(size)]
    began = time.perf_counter()
    assert Graph(names, edges).cycles()
    assert time.perf_counter() - began < 1.0


def test_a_graph_of_twenty_steps_is_built_in_under_five_milliseconds() -> None:
    names = [f"s{n}" for n in range(20)]
    edges = [names[max(0, n - 4) : n] for n in range(20)]

    def build() -> float:
        began = time.perf_counter()
        g = Graph(names, edges)
        assert len(g.levels) == 20
        assert g.is_ancestor(0, 19)
        return time.perf_counter() - began

    assert min(build() for _ in range(5)) < 0.005
