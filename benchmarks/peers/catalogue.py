"""Who is measured, and what has to be said about it. Data, nothing else."""

from msgspec import Struct


class Peer(Struct, frozen=True):
    """``runs``, ``singles``, ``fans``: chains at once, one after the other, fan-outs. ``limit_s``: of one round, its start included.

    ``servers``: programs that must be on this machine, with what to do when they are not. ``durable``: is each step's end on disk, synced,
    before the next begins? ``note``: what is not the same work.
    """

    name: str
    title: str
    durable: bool
    note: str
    runs: int = 1_000
    singles: int = 50
    fans: int = 10
    limit_s: float = 90.0
    servers: dict[str, str] = {}

    @property
    def module(self) -> str:
        """Its script."""
        return f"benchmarks.peers.workloads.on_{self.name}"


OURS = "questd"
PEERS = (
    Peer(
        OURS,
        "questd",
        durable=True,
        note="Each step crosses to an agent in another process and back, and waits for two synced commits on its way, which it shares with "
        "steps of other runs; history on. Clients are processes too.",
    ),
    Peer(
        "dbos",
        "DBOS, SQLite",
        durable=True,
        note="Steps run inside the process that keeps the database and awaits the result: nothing crosses to another process. WAL mode is ours "
        "(DBOS leaves SQLite's default, about half as fast); its documentation recommends PostgreSQL for production. "
        "The fan-out gathers 200 steps of one workflow.",
    ),
    Peer(
        "langgraph",
        "LangGraph, SQLite",
        durable=True,
        note="Nodes run inside the process that keeps the checkpoints: nothing crosses to another process, and nobody resumes a run that was "
        "interrupted unless asked. Its fan-out is one superstep: the parts' results are written in the background, and one checkpoint ends all 200.",
    ),
    Peer(
        "celery",
        "Celery, Redis",
        durable=False,
        note="Not durable: Redis keeps queue and results in memory, a task is acknowledged before it runs, and the results of a chain's steps are "
        "not kept but for the last. Steps cross to worker processes, as ours do.",
        servers={"redis-server": "Debian: apt install redis-server"},
    ),
    Peer(
        "prefect",
        "Prefect",
        durable=False,
        note="Not durable in the same sense: states of tasks reach the server in the background, its commits are not synced "
        "(synchronous=NORMAL), and a flow that was interrupted is run again, not resumed. Tasks run inside the flow's process. Fewer runs, for the time they take.",
        runs=12,
        singles=3,
        fans=2,
        limit_s=150.0,
    ),
)
NAMES = tuple(peer.name for peer in PEERS)
