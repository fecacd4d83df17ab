# pyright: basic, reportMissingImports=false
# The peer is installed in an environment of its own, where nothing checks types.
"""LangGraph with its SQLite checkpointer, synchronous durability: a graph of nodes, a checkpoint after each superstep.

The synchronous saver in threads is the quicker of the two (the asynchronous one made half as many steps); the fan-out is the documented
map-reduce with ``Send``.
"""

import itertools
import operator
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, TypedDict

from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

from benchmarks.peers.workload import (
    STEPS,
    WIDE,
    Script,
    Told,
    burst_in_shards,
    burst_of,
    chains_ms,
    check,
    fans_ms,
    sqlite_settings,
    warm_up,
)

THREADS = 2


class Count(TypedDict):
    """State of the chain."""

    n: int


class Parts(TypedDict):
    """State of the fan-out: what the parts gave, and their sum."""

    parts: Annotated[list[int], operator.add]
    n: int


def chain(saver: SqliteSaver) -> Any:
    """Ten nodes in a row."""
    graph = StateGraph(Count)
    names = [START, *(f"s{n}" for n in range(STEPS)), END]
    for name in names[1:-1]:
        graph.add_node(name, lambda state: {"n": state["n"] + 1})
    for before, after in itertools.pairwise(names):
        graph.add_edge(before, after)
    return graph.compile(checkpointer=saver)


def fan(saver: SqliteSaver) -> Any:
    """One node, sent to 200 times, and a join."""
    graph = StateGraph(Parts)
    graph.add_node("part", lambda state: {"parts": [state["n"] + 1]})
    graph.add_node("join", lambda state: {"n": sum(state["parts"])})
    graph.add_conditional_edges(
        START, lambda state: [Send("part", {"n": state["n"]})] * WIDE, ["part"]
    )
    graph.add_edge("part", "join")
    graph.add_edge("join", END)
    return graph.compile(checkpointer=saver)


def runner(name: str, graph: Any) -> Callable[[int], int]:
    """A function that runs the graph once, on a thread of conversation that nobody has used."""

    def run(n: int) -> int:
        config = {"configurable": {"thread_id": f"{name}-{n}"}}
        return int(graph.invoke({"n": n}, config, durability="sync")["n"])

    return run


def main() -> None:
    """Measure."""
    os.environ["LANGSMITH_TRACING"] = "false"
    script = Script()
    size = script.size
    path = size.folder / "langgraph.sqlite"
    with SqliteSaver.from_conn_string(str(path)) as saver, ThreadPoolExecutor(THREADS) as threads:
        run = runner("chain", chain(saver))

        def burst(runs: range) -> None:
            check(threads.map(run, runs), runs)

        burst(warm_up(size.runs))
        if size.shard:
            script.shard(burst)
            return
        told = Told(
            "langgraph",
            ("langgraph", "langgraph-checkpoint-sqlite"),
            {
                "durability": f'durability="sync"; {sqlite_settings(path)}',
                "concurrency": f"one process, {THREADS} threads that run graphs",
            },
        )
        told.bursts.append(burst_of(burst, size.runs))
        told.chain_ms = chains_ms(run, size.singles)
        wide = runner("fan", fan(saver))
        told.fan_ms = fans_ms(wide, size.fans)
    told.bursts.append(burst_in_shards("benchmarks.peers.workloads.on_langgraph", size))
    script.tell(told)


if __name__ == "__main__":
    main()
